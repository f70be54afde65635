"""What happens to the files of a folder, as the kernel tells it (inotify), within microseconds."""

import ctypes
import os
import select
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

MODIFIED = 0x2
MOVED_IN = 0x80
CREATED = 0x100
DELETED = 0x200

_HEAD = struct.Struct("iIII")


class Change(NamedTuple):
    """One thing that happened: in which folder, to which name, what (one of the constants above)."""

    folder: Path
    name: str
    what: int


class Watch:
    """Watches folders; what happened waits in the kernel until it is read. Close it, or use it as a context."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders: dict[int, Path] = {}

    def add(self, folder: Path, what: int) -> None:
        """Watch a folder for some of the constants above."""
        number = self._libc.inotify_add_watch(self._file, os.fsencode(folder), what)
        if number < 0:
            raise OSError(ctypes.get_errno(), f"inotify_add_watch {folder}")
        self._folders[number] = folder

    def read(self, seconds: float) -> list[Change]:
        """Return what happened, after at most so many seconds."""
        if not select.select([self._file], [], [], max(0.0, seconds))[0]:
            return []
        data = os.read(self._file, 64 * 1024)
        changes, offset = [], 0
        while offset < len(data):
            number, what, _, length = _HEAD.unpack_from(data, offset)
            name = data[offset + _HEAD.size : offset + _HEAD.size + length].rstrip(b"\0")
            offset += _HEAD.size + length
            if number in self._folders:
                changes.append(Change(self._folders[number], os.fsdecode(name), what))
        return changes

    def wait(self, suffix: str, seconds: float) -> bool:
        """Wait until something happens to a name with an ending; return whether it did in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if any(change.name.endswith(suffix) for change in self.read(left)):
                return True
        return False

    def close(self) -> None:
        """Watch no more."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
