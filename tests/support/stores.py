"""Empty stores for tests. Making the tables takes ten times as long as copying a file that has them, and PostgreSQL's
fixture copies a database that has them too."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from kobza.store import STORE_FILE, Store
from kobza.store.place import Place


def empty_store(place: Place) -> Store:
    """Open a store that is new: in SQLite it is put there first."""
    return Store.open(put_empty_store(place) if isinstance(place, Path) else place)


def put_empty_store(path: Path) -> Path:
    """Put an empty store in a file, whose folder is made where there is none; return the file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(_empty_store())
    return path


@cache
def _empty_store() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / STORE_FILE
        Store.create(path).close()
        assert [each.name for each in path.parent.iterdir()] == [STORE_FILE]  # all of it is in this file
        return path.read_bytes()
