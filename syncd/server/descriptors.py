"""File descriptors, of which every connection takes one."""

from __future__ import annotations

import fcntl
import os
import resource
from typing import Final

PREPARED: Final = 65_536
"""Descriptors whose place in the kernel's table is made at the start: 8 bytes each. Beyond them the
table grows as it always did."""


def prepare_descriptors() -> None:
    """Make room for as many connections as this process may have. To be called before any thread
    is started.

    The soft limit of open files is raised to the hard one: the usual 1,024 are for select(2), and
    we use epoll. And the table is made large at once. Linux doubles it when it is full, and where
    there are threads accept(2) returns only when no processor can be looking at the old one any
    more (fs/file.c, expand_fdtable: synchronize_rcu). That takes 10 to 25 ms, at the 256th, 512th
    and 1,024th connection, just when a crowd comes back, and nobody is served meanwhile.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    highest = min(PREPARED, soft) if soft != resource.RLIM_INFINITY else PREPARED
    with open(os.devnull, "rb") as nothing:
        os.close(fcntl.fcntl(nothing, fcntl.F_DUPFD_CLOEXEC, highest - 1))
