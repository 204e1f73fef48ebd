"""A real file system in a file, and a real power cut of it: ext4 on a loop device.

The kernel's own shutdown of ext4 throws away everything that was not flushed, journal included; at
the next mount the journal is replayed as after a cut. It needs root, and loop devices.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from types import TracebackType

from client_sim.house import CannotDo

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, which is _IOR('X', 125, __u32)."""
_NO_FLUSH = (2).to_bytes(4, "little")
"""EXT4_GOING_FLAGS_NOLOGFLUSH."""


class LoopDisk:
    """A disk of `size` bytes, mounted at `folder` inside the block. Entering raises CannotDo."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self._size = folder, size
        self._image = folder.with_name(folder.name + ".ext4")

    def __enter__(self) -> LoopDisk:
        if os.geteuid() != 0:
            raise CannotDo("only root may mount a disk")
        self.folder.mkdir()
        with self._image.open("wb") as image:
            image.truncate(self._size)
        _run("mkfs.ext4", "-q", str(self._image))
        self._mount()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _run("umount", str(self.folder))

    def cut(self) -> None:
        """The power goes. Whoever writes from now on gets EIO; call `back` when all are dead."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, _NO_FLUSH)
        finally:
            os.close(handle)

    def back(self) -> None:
        """The power is back, and the disk mounted with what it kept."""
        _run("umount", str(self.folder))
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.folder))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except OSError as error:
        raise CannotDo(f"there is no {command[0]} here: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        raise CannotDo(f"{command[0]} is not allowed here: {error.stderr.strip()}") from None
