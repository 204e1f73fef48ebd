"""House rules, checked by pytest: sizes, names, docstrings, mirrored tests, nothing left open."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

# (rule, place) -> reason. The place is what a breach prints in brackets. This list may only
# shrink: an entry that nothing needs any more fails the suite.
EXCEPTIONS: dict[tuple[str, str], str] = {
    (
        "names",
        "client_sim/pretend/clock.py:call_exception_handler",
    ): "asyncio's own word: it calls this method of every event loop",
}

# A reader keeps one module, one function and one call in mind at a time. The numbers are those of
# code that we admire: h11's longest function has 64 lines, its median module 153.
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 6
# A door (`__init__`, `__main__`) as short as this only passes callers on: nothing to test there.
UNTESTED_DOOR_LINES_MAX = 40

# Words that name no thing. Whoever needs one has not found the noun yet.
EMPTY_WORDS = {"manager", "helper", "util", "common", "base", "misc", "handler"}

# The character classes keep these patterns from finding themselves.
OPEN_ENDS = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")
REGISTRY_HOSTS = re.compile(
    r"\b(?:py[p]i\.org|pythonhos[t]ed\.org|npmj[s]\.(?:com|org)|deb[i]an\.org|crate[s]\.io)\b"
)
# Home folders, and the folders in which build machines check projects out.
MACHINE_PATHS = re.compile(r"(?<![\w.}:/-])/(?:root|home|Users|work|workspace|builds|mnt)/")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Breach(NamedTuple):
    """One broken rule. The place outlives edits, as an exception must; the line is for eyes."""

    path: str
    line: int
    subject: str
    complaint: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.subject}" if self.subject else self.path

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.complaint} [{self.place}]"


Check = Callable[[str, str], Iterator[Breach]]


# --- Reading Python ------------------------------------------------------------------------------


@cache
def parse(path: str, source: str) -> ast.Module:
    return ast.parse(source, filename=path)


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function below, outer before inner, with its qualified name."""
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, Function | ast.ClassDef):
            name = f"{prefix}.{child.name}".lstrip(".")
        if isinstance(child, Function):
            yield name, child
        yield from functions(child, name)


def enclosing_function(tree: ast.Module, line: int) -> str:
    around = [name for name, function in functions(tree) if line in range(*extent(function))]
    return around[-1] if around else ""


def extent(function: Function) -> tuple[int, int]:
    return function.lineno, (function.end_lineno or function.lineno) + 1


def bound_names(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int]]:
    """Names that this module chose itself. Those it merely uses were chosen by others."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node, node.name, node.lineno
            case ast.arg():
                yield node, node.arg, node.lineno
            case ast.Name(id=name, ctx=ast.Store()):
                yield node, name, node.lineno
            # On its own object; another's attribute was named by another.
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield node, name, node.lineno
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield node, name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node, name, node.lineno
            case ast.MatchMapping(rest=str(name)):
                yield node, name, node.lineno


def imposed_by_aiohttp(tree: ast.Module) -> set[ast.AST]:
    # aiohttp passes a middleware its second argument by keyword, under a name we would not choose.
    return {
        argument
        for _, function in functions(tree)
        if any(ast.unparse(mark).endswith("middleware") for mark in function.decorator_list)
        for argument in function.args.args
    }


def words(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name, small; digits stay with their word."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


def empty_words(name: str) -> list[str]:
    return [word for word in words(name) if {word, word.removesuffix("s")} & EMPTY_WORDS]


# --- The rules -----------------------------------------------------------------------------------


def long_modules(path: str, source: str) -> Iterator[Breach]:
    lines = len(source.splitlines())
    if lines > MODULE_LINES_MAX:
        yield Breach(path, 1, "", f"module of {lines} lines, at most {MODULE_LINES_MAX}")


def long_functions(path: str, source: str) -> Iterator[Breach]:
    for name, function in functions(parse(path, source)):
        lines = len(range(*extent(function)))
        if lines > FUNCTION_LINES_MAX:
            complaint = f"function of {lines} lines, at most {FUNCTION_LINES_MAX}"
            yield Breach(path, function.lineno, name, complaint)


def wide_functions(path: str, source: str) -> Iterator[Breach]:
    # Keyword-only parameters explain themselves at the call, so they do not count.
    for name, function in functions(parse(path, source)):
        parameters = [each.arg for each in function.args.posonlyargs + function.args.args]
        count = len(parameters) - (parameters[:1] in (["self"], ["cls"]))
        if count > PARAMETERS_MAX:
            complaint = f"function of {count} parameters, at most {PARAMETERS_MAX}"
            yield Breach(path, function.lineno, name, complaint)


def empty_names(path: str, source: str) -> Iterator[Breach]:
    tree = parse(path, source)
    imposed = imposed_by_aiohttp(tree)
    for node, name, line in bound_names(tree):
        if node not in imposed and (found := empty_words(name)):
            yield Breach(path, line, name, f"{name} says '{found[0]}', which names no thing")


def empty_file_names(path: str, source: str) -> Iterator[Breach]:
    if found := empty_words(path):
        yield Breach(path, 1, "", f"the path says '{found[0]}', which names no thing")


def missing_docstrings(path: str, source: str) -> Iterator[Breach]:
    if not ast.get_docstring(parse(path, source)):
        yield Breach(path, 1, "", "no docstring says what this module is for")


def missing_tests(path: str, source: str) -> Iterator[Breach]:
    is_door = path.endswith(("/__init__.py", "/__main__.py"))
    if is_door and len(source.splitlines()) <= UNTESTED_DOOR_LINES_MAX:
        return
    if not (ROOT / mirror(path)).is_file():
        yield Breach(path, 1, "", f"no test module {mirror(path)}")


def mirror(path: str) -> str:
    """Where the tests of a source module live."""
    source = PurePosixPath(path)
    folder = source.parent.relative_to("syncd") if source.parts[0] == "syncd" else source.parent
    return str("tests" / folder / f"test_{source.stem.strip('_')}.py")


def text_rule(pattern: re.Pattern[str], complaint: str) -> Check:
    def matches(path: str, source: str) -> Iterator[Breach]:
        for line, text in enumerate(source.splitlines(), start=1):
            for match in pattern.finditer(text):
                yield Breach(path, line, match.group(), complaint)

    return matches


def sleeps(path: str, source: str) -> Iterator[Breach]:
    """A test that waits for time is slow when it passes and wrong when the machine is slow."""
    tree = parse(path, source)
    own_names = imported_from(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        called = own_names.get(called, called)
        if called == "time.sleep" or (called == "asyncio.sleep" and takes_real_time(node)):
            subject = enclosing_function(tree, node.lineno)
            yield Breach(path, node.lineno, subject, f"{called} waits for time, not for an event")


def imported_from(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def takes_real_time(call: ast.Call) -> bool:
    """Whether the wait is spelled out in numbers; `sleep(0)` only lets other tasks run."""
    delays = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "delay")]
    return any(
        not (isinstance(delay, ast.Constant) and delay.value == 0)
        and not any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(delay))
        for delay in delays
    )


class Rule(NamedTuple):
    check: Check
    covers: tuple[str, ...]  # how the paths that it judges begin
    endings: tuple[str, ...] = (".py",)


PRODUCT = ("syncd/", "client_sim/", "bench/")
PYTHON = (*PRODUCT, "tests/")
EVERYTHING = (*PYTHON, "README.md", "pyproject.toml", ".ci/run")
TEXT = (".py", ".sql", ".md", ".toml", ".html", ".ci/run")

RULES = {
    "module size": Rule(long_modules, PRODUCT),
    "function size": Rule(long_functions, PRODUCT),
    "parameters": Rule(wide_functions, PRODUCT),
    "names": Rule(empty_names, PYTHON),
    "file names": Rule(empty_file_names, PYTHON, TEXT),
    "docstrings": Rule(missing_docstrings, PYTHON),
    "mirrored tests": Rule(missing_tests, ("syncd/", "client_sim/")),
    "open ends": Rule(text_rule(OPEN_ENDS, "finish it or write an issue"), EVERYTHING, TEXT),
    "registry hosts": Rule(
        text_rule(REGISTRY_HOSTS, "pip knows where to look; name no host"), EVERYTHING, TEXT
    ),
    "machine paths": Rule(
        text_rule(MACHINE_PATHS, "a path of one machine means nothing on another"), EVERYTHING, TEXT
    ),
    "sleeps": Rule(sleeps, ("tests/",)),
}


def breaches(rule: Rule, path: str, source: str) -> list[Breach]:
    covered = path.startswith(rule.covers) and path.endswith(rule.endings)
    return list(rule.check(path, source)) if covered else []


# --- The tree obeys ------------------------------------------------------------------------------


@cache
def tree() -> list[tuple[str, str]]:
    paths = [path for start in EVERYTHING for path in [ROOT / start, *(ROOT / start).rglob("*")]]
    texts = [path for path in sorted(paths) if path.is_file() and str(path).endswith(TEXT)]
    return [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in texts]


def tree_breaches(rule: Rule) -> list[Breach]:
    return [breach for path, source in tree() for breach in breaches(rule, path, source)]


def unexcused(
    name: str, found: Iterable[Breach], exceptions: Mapping[tuple[str, str], str]
) -> list[str]:
    return [str(breach) for breach in found if (name, breach.place) not in exceptions]


def outlived(
    name: str, found: Iterable[Breach], exceptions: Mapping[tuple[str, str], str]
) -> list[str]:
    """Exceptions to this rule that no breach needs any more."""
    needed = {breach.place for breach in found}
    return [place for rule, place in exceptions if rule == name and place not in needed]


@pytest.mark.parametrize("name", RULES)
def test_the_tree_obeys(name: str) -> None:
    complaints = unexcused(name, tree_breaches(RULES[name]), EXCEPTIONS)
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize("name", RULES)
def test_no_exception_outlives_its_need(name: str) -> None:
    assert outlived(name, tree_breaches(RULES[name]), EXCEPTIONS) == []


def test_every_exception_names_a_rule_and_a_reason() -> None:
    assert [key for key in EXCEPTIONS if key[0] not in RULES] == []
    assert [key for key, reason in EXCEPTIONS.items() if not reason.strip()] == []


# --- The rules bite: a rule that cannot fail is worth nothing ------------------------------------

LONG_BODY = "    step()\n"

# (rule, path, bad source, place of the breach)
PLANTED = [
    ("module size", "syncd/model.py", "\n" * 401, "syncd/model.py"),
    ("function size", "bench/load.py", "def run():\n" + LONG_BODY * 60, "bench/load.py:run"),
    (
        "function size",
        "client_sim/link.py",
        "class Link:\n  async def cut(self):\n" + LONG_BODY * 60,
        "client_sim/link.py:Link.cut",
    ),
    ("parameters", "syncd/model.py", "def f(a, b, /, c, d, e, f, g): ...", "syncd/model.py:f"),
    (
        "parameters",
        "syncd/model.py",
        "class A:\n    def f(self, a, b, c, d, e, f, g): ...",
        "syncd/model.py:A.f",
    ),
    ("names", "syncd/model.py", "class HTTPManager: ...", "syncd/model.py:HTTPManager"),
    ("names", "syncd/model.py", "def common_part(): ...", "syncd/model.py:common_part"),
    ("names", "syncd/model.py", "self._handler = 1", "syncd/model.py:_handler"),
    ("names", "syncd/model.py", "import x as utils", "syncd/model.py:utils"),
    ("names", "tests/test_model.py", "def f(base_url): ...", "tests/test_model.py:base_url"),
    ("names", "syncd/model.py", "try: ...\nexcept E as misc: ...", "syncd/model.py:misc"),
    ("names", "syncd/model.py", "match x:\n  case [*base]: ...", "syncd/model.py:base"),
    ("names", "syncd/model.py", "match x:\n  case {**base}: ...", "syncd/model.py:base"),
    ("names", "syncd/model.py", "match x:\n  case A() as base: ...", "syncd/model.py:base"),
    ("names", "syncd/server/app.py", "def f(handler): ...", "syncd/server/app.py:handler"),
    ("file names", "syncd/utils/text.py", "", "syncd/utils/text.py"),
    ("file names", "tests/test_helpers.py", "", "tests/test_helpers.py"),
    ("docstrings", "syncd/model.py", "SEQ = 1", "syncd/model.py"),
    ("docstrings", "tests/test_model.py", "", "tests/test_model.py"),
    ("mirrored tests", "syncd/no_such_module.py", "", "syncd/no_such_module.py"),
    ("mirrored tests", "syncd/nowhere/__init__.py", "\n" * 41, "syncd/nowhere/__init__.py"),
    ("open ends", "syncd/model.py", "# TO" + "DO: later", "syncd/model.py:TO" + "DO"),
    ("open ends", "README.md", "FIX" + "ME", "README.md:FIX" + "ME"),
    ("open ends", "syncd/storage/sql/a.sql", "-- XX" + "X", "syncd/storage/sql/a.sql:XX" + "X"),
    ("registry hosts", ".ci/run", "https://py" + "pi.org/simple", ".ci/run:py" + "pi.org"),
    ("machine paths", "pyproject.toml", 'a = "/ho' + 'me/me/a"', "pyproject.toml:/ho" + "me/"),
    ("sleeps", "tests/test_a.py", "def test(): time.sleep(n)", "tests/test_a.py:test"),
    ("sleeps", "tests/test_a.py", "from time import sleep\nsleep(0)", "tests/test_a.py"),
    ("sleeps", "tests/test_a.py", "asyncio.sleep(0.1 * 2)", "tests/test_a.py"),
    ("sleeps", "tests/test_a.py", "asyncio.sleep(delay=1)", "tests/test_a.py"),
]

# (rule, path, good source)
INNOCENT = [
    ("module size", "syncd/model.py", "\n" * 400),
    ("module size", "tests/test_model.py", "\n" * 401),
    ("function size", "syncd/model.py", "def run():\n" + LONG_BODY * 59),
    ("parameters", "syncd/model.py", "def f(self, a, b, c, d, e, f, *, g, h): ..."),
    (
        "parameters",
        "syncd/model.py",
        "class A(Struct):\n" + "".join(f"  a{n}: int\n" for n in "1234567"),
    ),
    ("names", "syncd/model.py", "database = based = base64_text = utility = handled = 1"),
    ("names", "syncd/model.py", "logging.Handler(common=helper.util)"),
    ("names", "syncd/server/app.py", "@web.middleware\nasync def f(request, handler): ..."),
    ("file names", "syncd/storage/database.py", ""),
    ("docstrings", "syncd/model.py", '"""The nouns."""'),
    ("mirrored tests", "syncd/nowhere/__init__.py", "\n" * 40),
    ("mirrored tests", "bench/load.py", ""),
    ("open ends", "syncd/model.py", "XX" + "XX = 1"),
    ("machine paths", "syncd/server/http.py", 'url = "https://host/ho' + 'me/page"'),
    ("sleeps", "tests/test_a.py", "asyncio.sleep(0)\nasyncio.sleep(delay)\nclock.sleep(3)"),
    ("sleeps", "client_sim/live.py", "asyncio.sleep(1)"),
]


@pytest.mark.parametrize(("name", "path", "source", "place"), PLANTED)
def test_a_planted_breach_is_found(name: str, path: str, source: str, place: str) -> None:
    [breach] = breaches(RULES[name], path, source)
    assert breach.place == place
    assert str(breach).startswith(f"{path}:{breach.line}: ")


@pytest.mark.parametrize(("name", "path", "source"), INNOCENT)
def test_an_innocent_source_passes(name: str, path: str, source: str) -> None:
    assert breaches(RULES[name], path, source) == []


def test_every_rule_has_a_planted_breach() -> None:
    assert {name for name, *_ in PLANTED} == set(RULES)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("syncd/model.py", "tests/test_model.py"),
        ("syncd/wire/codec.py", "tests/wire/test_codec.py"),
        ("syncd/client/__init__.py", "tests/client/test_init.py"),
        ("syncd/__main__.py", "tests/test_main.py"),
        ("client_sim/clock.py", "tests/client_sim/test_clock.py"),
    ],
)
def test_mirror(path: str, expected: str) -> None:
    assert mirror(path) == expected


def test_an_exception_excuses_its_breach_and_no_other() -> None:
    found = [Breach("syncd/a.py", 1, "f", "long"), Breach("syncd/a.py", 9, "g", "long")]
    excuse = {("function size", "syncd/a.py:f"): "a table"}
    assert unexcused("function size", found, excuse) == ["syncd/a.py:9: long [syncd/a.py:g]"]
    assert unexcused("parameters", found[:1], excuse) == ["syncd/a.py:1: long [syncd/a.py:f]"]


def test_an_exception_without_a_breach_is_outlived() -> None:
    excuse = {("function size", "syncd/a.py:f"): "a table"}
    assert outlived("function size", [], excuse) == ["syncd/a.py:f"]
    assert outlived("function size", [Breach("syncd/a.py", 1, "f", "long")], excuse) == []
    assert outlived("parameters", [], excuse) == []
