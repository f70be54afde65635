"""A real object store with an S3 interface: OpenStack Swift in a process of its own, which may be stopped and started.

It comes from PyPI with what the development needs; the file system of its folder must have extended attributes, as
ext4, xfs and tmpfs of Linux 6.6 have.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import urllib3
from minio import Minio

from kobza.archive.bucket import BucketPlace
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

ACCESS_KEY, SECRET_KEY = "kobza:pbx", "secret-of-the-bucket"
"""As `swift_server` has them."""
PROGRAM = Path(__file__).with_name("swift_server.py")
_numbers = count(1)


class ObjectStore:
    """A server that runs until `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None
        pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(PATIENCE))
        self.client = Minio(
            f"127.0.0.1:{self.port}",
            ACCESS_KEY,
            SECRET_KEY,
            secure=False,
            region="us-east-1",
            http_client=pool,
        )
        """Sees what is really there."""

    def start(self) -> None:
        """Serve, unless it does; returns when it answers."""
        if self._process is not None:
            return
        with (self.folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-I", str(PROGRAM), str(self.folder), str(self.port)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said == "ready\n", (self.folder / "log").read_text()

    def stop(self) -> None:
        """End it; what is stored stays."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def make_bucket(self) -> BucketPlace:
        """Make an empty bucket; return where it is, for a prefix of its own."""
        name = f"recordings-{next(_numbers)}"
        self.client.make_bucket(name)
        return BucketPlace(self.endpoint, name, ACCESS_KEY, SECRET_KEY, prefix="kobza/")

    def objects(self, place: BucketPlace) -> dict[str, bytes]:
        """Return what a bucket holds, by name without the prefix."""
        found = {}
        for each in self.client.list_objects(place.bucket, recursive=True):
            response = self.client.get_object(place.bucket, each.object_name or "")
            found[(each.object_name or "").removeprefix(place.prefix)] = response.read()
            response.close()
            response.release_conn()
        return found

    def until_objects(self, place: BucketPlace, expected: int) -> dict[str, bytes]:
        """Wait until a bucket holds a number of objects; return them."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self.objects(place)) != expected:
            assert time.monotonic() < deadline, f"the bucket holds {sorted(found)}"
            time.sleep(0.05)
        return found


@contextmanager
def object_store() -> Iterator[ObjectStore | None]:
    """Serve an object store in a folder of its own; None where the file system has no extended attributes."""
    with tempfile.TemporaryDirectory(prefix="kobza-swift-", ignore_cleanup_errors=True) as folder:
        try:
            os.setxattr(folder, "user.kobza", b"1")
        except OSError:
            yield None
            return
        server = ObjectStore(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
