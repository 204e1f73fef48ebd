"""A disk whose flush takes longer than this machine's: a shim before the C library of the server.

What an fsync costs differs a hundredfold between machines; with a delay that is known, how well
commits are shared can be seen anywhere.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.processes import ServerFailed

_SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
#define LATE(name) int name(int file) { \\
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name); \\
    usleep(DELAY_US); \\
    return real(file); }
LATE(fsync)
LATE(fdatasync)
"""


@contextmanager
def slow_disk(delay_ms: float) -> Iterator[Mapping[str, str]]:
    """Environment variables of a process in which each fsync and fdatasync takes so much longer;
    none for 0. Raises ServerFailed where no C compiler is installed, or where it fails."""
    if delay_ms == 0:
        yield {}
        return
    compiler = shutil.which("cc")
    if compiler is None:
        raise ServerFailed("a delayed fsync needs a C compiler (cc)")
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        library = Path(folder, "slow_disk.so")
        flags = ["-shared", "-fPIC", f"-DDELAY_US={delay_ms * 1_000:.0f}", "-x", "c", "-"]
        command = [compiler, "-o", str(library), *flags, "-ldl"]
        built = subprocess.run(command, input=_SHIM, text=True, capture_output=True)
        if built.returncode != 0:
            raise ServerFailed(f"the shim does not compile: {built.stderr.strip()}")
        yield {"LD_PRELOAD": str(library)}
