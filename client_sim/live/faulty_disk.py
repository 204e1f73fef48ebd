"""A disk, and a clock, with faults at will: our library in front of the server's C library.

shim.c says what it can do. It is compiled when it is first needed, and kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from client_sim.house import CannotDo

_SOURCE = Path(__file__).with_name("shim.c")
_LIBRARY_NAME = "shim.so"


def compiled(source: Path = _SOURCE) -> Path:
    """The library, compiled now unless it was before. Raises CannotDo."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CannotDo("there is no C compiler here, so no fault of a disk or a clock")
    mark = sha256(source.read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"client-sim-shim-{os.getuid()}-{mark}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise CannotDo(f"{folder} is somebody else's")
    library = folder / _LIBRARY_NAME
    if not library.exists():
        made = Path(tempfile.mkdtemp(dir=folder)) / _LIBRARY_NAME
        flags = ("-shared", "-fPIC", "-O1", "-pthread")
        asked = [compiler, *flags, "-o", str(made), str(source), "-ldl"]
        ran = subprocess.run(asked, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise CannotDo(f"{compiler} cannot compile {source.name}: {ran.stderr.strip()}")
        made.replace(library)  # in one step: others may want it just now
    return library


@dataclass(frozen=True)
class FaultyDisk:
    """What is wrong with the disk, and the clock, of the processes with its `environment`.

    folder: of this disk alone, where its faults are written down; made when missing, on the file
        system of the store.
    store: the folder whose changes are counted, and undone by a power cut; an absolute path.
    """

    folder: Path
    store: Path
    library: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of processes that are to have this disk."""
        return {
            "LD_PRELOAD": str(self.library),
            "SHIM_FOLDER": str(self.folder),
            "SHIM_STORE": str(self.store),
        }

    def begin(self, fault: str, says: str = "") -> None:
        """From now on, and at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / "written"
        written.write_text(says)
        written.rename(self.folder / fault)

    def end(self, fault: str) -> None:
        """It is well again; nothing where it was."""
        (self.folder / fault).unlink(missing_ok=True)

    @property
    def synced(self) -> int:
        """How often a file was made durable."""
        counter = self.folder / "synced"
        return counter.stat().st_size if counter.exists() else 0
