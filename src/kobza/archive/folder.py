"""The folder of recordings on this machine."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from kobza.archive.home import Changed, HomeAway, NotThere


class Folder:
    """A home in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def size(self, name: str) -> int:
        """Return the size of a file in bytes. Raises NotThere or HomeAway."""
        try:
            return (self.directory / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            raise NotThere(f"{name} is not there") from None
        except OSError as error:
            raise HomeAway(f"{name} cannot be looked at: {error.strerror}") from error

    def open(self, name: str, first: int, length: int, whole: int) -> "FilePart":
        """Begin to read a part of a file of `whole` bytes. Raises NotThere, Changed or HomeAway."""
        try:
            file = (self.directory / name).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise NotThere(f"{name} is not there") from None
        except OSError as error:
            raise HomeAway(f"{name} cannot be read: {error.strerror}") from error
        if os.fstat(file.fileno()).st_size != whole:
            file.close()
            raise Changed(f"{name} is no longer of {whole} bytes")
        file.seek(first)
        return FilePart(file, name, length)

    def put(self, name: str, source: Path) -> None:
        """Store a copy of a file, on the disk before it has its name. Raises NotThere or OSError."""
        target = self.directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        try:
            with source.open("rb") as read, partial.open("wb") as written:
                shutil.copyfileobj(read, written)
                written.flush()
                os.fsync(written.fileno())
            partial.replace(target)
        except FileNotFoundError:
            raise NotThere(f"{source.name} is not there") from None
        finally:
            partial.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file. Raises HomeAway without the directory (then the files are on another machine), or OSError."""
        if not self.directory.is_dir():
            raise HomeAway(f"there is no directory of recordings at {self.directory}")
        (self.directory / name).unlink(missing_ok=True)

    def take(self, source: Path, name: str) -> None:
        """Give a file of the same disk a name here, in the place of one of that name. Raises OSError."""
        target = self.directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)

    def sync(self, name: str) -> None:
        """Return when the name of a file is on the disk, as its bytes are already. Raises OSError."""
        directory = (self.directory / name).parent
        for each in (directory, *directory.parents):
            file = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
            if each == self.directory:
                return


class FilePart:
    """A part of a file that is being read."""

    def __init__(self, file: BinaryIO, name: str, length: int) -> None:
        self._file = file
        self._name = name
        self._left = length

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end of the part. Raises HomeAway when the file became shorter."""
        try:
            data = self._file.read(min(size, self._left))
        except OSError as error:
            raise HomeAway(f"{self._name} cannot be read: {error.strerror}") from error
        if not data and self._left and size:
            raise HomeAway(f"{self._name} became shorter while it was read")
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
