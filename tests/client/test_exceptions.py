"""One tree, and it is the one that the docstring draws."""

import inspect
import re

from syncd import errors
from syncd.client import exceptions
from syncd.client.exceptions import (
    ClientError,
    Closed,
    Fenced,
    LoginRefused,
    SendRefused,
    ServerSkipped,
    SignedOut,
    Stopped,
    StoreMismatch,
    exception_for,
)
from syncd.protocol import client_commands as commands


def test_the_docstring_draws_the_tree() -> None:
    drawn = {"ClientError", *re.findall(r"\+-- (\w+)", exceptions.__doc__ or "")}
    classes = [each for _, each in inspect.getmembers(exceptions, inspect.isclass)]
    made = {each.__name__ for each in classes if issubclass(each, ClientError)}
    assert drawn == made


def test_texts_say_what_happened() -> None:
    assert "conflict" in str(SendRefused(errors.CONFLICT, 3))
    assert Fenced("a").refusal is errors.FENCED
    assert "everything up to 4" in str(ServerSkipped(4, 9, 5))
    assert "nothing" in str(ServerSkipped(None, 9, 9))
    assert "9 entries would" in str(ServerSkipped(None, 9, 9))
    assert "after 5: 1 entry would" in str(ServerSkipped(4, 5, 1))
    assert "a/1" in str(StoreMismatch("a/1", "b/2"))
    assert str(LoginRefused("invalid_code", "No.", False)) == "invalid_code: No."


def test_every_end_of_a_device_has_its_exception() -> None:
    assert type(exception_for(commands.Requested())) is Closed
    assert type(exception_for(commands.Skipped(4, 9, 5))) is ServerSkipped
    assert type(exception_for(commands.Mismatch("a/1", "b/2"))) is StoreMismatch
    assert type(exception_for(commands.Ended(errors.OUT_OF_TURN))) is Stopped
    fenced = exception_for(commands.Ended(errors.FENCED, "a"))
    assert isinstance(fenced, Fenced)
    assert fenced.instance == "a"
    for refusal in (errors.SIGNED_OUT, errors.SIGNED_OUT_BY_MERGE):
        out = exception_for(commands.Ended(refusal))
        assert isinstance(out, SignedOut)
        assert (out.refusal, out.merged) == (refusal, refusal is errors.SIGNED_OUT_BY_MERGE)
    assert type(exception_for(commands.Ended(errors.TOKEN_ROTATED))) is Stopped
    fault = OSError("the disk is gone")
    assert exception_for(fault) is fault
