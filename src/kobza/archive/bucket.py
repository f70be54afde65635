"""A bucket of any service that speaks S3, by the client of MinIO: typed, small, and for every such service.

Recordings are a few megabytes, so a connection reads and writes one at a time. What the client raises becomes HomeAway,
NotThere where it is certain that there is no such object.
"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from kobza.archive.home import Changed, HomeAway, HomeError, NotThere

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
"""Longest silence of the service in the middle of something."""
CONNECTIONS: Final = 16
AWAY_SECONDS: Final = 1.0
"""For so long after the service did not answer nobody else waits for it: who erases a thousand recordings, or many who
want to hear one, would wait for each other's connections."""
PART: Final = 16 * 2**20
"""Bytes sent in one request: an hour of sound is 14 MB. What is longer goes in parts, each held in memory."""
CONTENT_TYPE: Final = "audio/mpeg"
NO_OBJECT: Final = frozenset({"NoSuchKey"})


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """Where a bucket is, and who we are there."""

    endpoint: str
    """A URL without a path: `https://s3.eu-central-1.amazonaws.com`."""
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    prefix: str = ""
    """Begins the names of our objects: empty, or with a slash at the end."""


class Bucket:
    """A home in a bucket."""

    def __init__(self, place: BucketPlace) -> None:
        self._place = place
        self._away_until = 0.0
        """The moment (monotonic) until which nobody tries."""
        parts = urlsplit(place.endpoint)
        pool = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            # Once more where a connection that had rested was closed by the other end; all else is tried again later.
            retries=urllib3.Retry(total=1, connect=0, read=1, redirect=0, status=0, other=0),
            ssl_context=ssl.create_default_context(),
        )
        self._client = Minio(
            parts.netloc,
            access_key=place.access_key,
            secret_key=place.secret_key,
            secure=parts.scheme == "https",
            region=place.region,
            http_client=pool,
        )

    def __str__(self) -> str:
        return f"{self._place.bucket} at {self._place.endpoint}"

    def size(self, name: str) -> int:
        """Return the size of an object in bytes. Raises NotThere or HomeAway."""
        with self._asking(name):
            try:
                found = self._client.stat_object(self._place.bucket, self._key(name)).size
            except S3Error as error:
                # An answer without a body says the same of an object and of a bucket that does not exist.
                if error.code in NO_OBJECT and not self._client.bucket_exists(self._place.bucket):
                    raise HomeAway(f"there is no bucket {self}") from None
                raise
        if found is None:
            raise HomeAway(f"{self} does not say how long {name} is")
        return found

    def open(self, name: str, first: int, length: int, whole: int) -> "ObjectPart":
        """Begin to read a part of an object of `whole` bytes. Raises NotThere, Changed or HomeAway."""
        if length == 0:
            return ObjectPart(None, name)
        with self._asking(name):
            response = self._client.get_object(self._place.bucket, self._key(name), offset=first, length=length)
        if response.status != 206:
            response.close()
            raise HomeAway(f"{self} gives no parts of objects: it answered {response.status}")
        if response.headers.get("content-range", "").rpartition("/")[2] != str(whole):
            response.close()
            raise Changed(f"{name} in {self} is no longer of {whole} bytes")
        return ObjectPart(response, name)

    def put(self, name: str, source: Path) -> None:
        """Store a copy of a file, whole or not at all. Raises NotThere without the file, HomeAway."""
        try:
            file = source.open("rb")
        except FileNotFoundError:
            raise NotThere(f"{source.name} is not there") from None
        with file, self._asking(name):
            size, key = source.stat().st_size, self._key(name)
            self._client.put_object(
                self._place.bucket, key, file, size, CONTENT_TYPE, part_size=PART, num_parallel_uploads=1
            )

    def remove(self, name: str) -> None:
        """Remove an object; one that is not there is removed already. Raises HomeAway."""
        with self._asking(name):
            self._client.remove_object(self._place.bucket, self._key(name))

    def look(self) -> bool:
        """Return whether the bucket keeps what is removed from it as older versions. Raises HomeAway: not usable."""
        with self._asking("the bucket"):
            if not self._client.bucket_exists(self._place.bucket):
                raise HomeAway(f"there is no bucket {self}")
            return self._client.get_bucket_versioning(self._place.bucket).status == "Enabled"

    def _key(self, name: str) -> str:
        return self._place.prefix + name

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Turn what the client raises into our errors."""
        if time.monotonic() < self._away_until:
            raise HomeAway(f"{self} did not answer a moment ago")
        try:
            yield
        except S3Error as error:
            if error.code in NO_OBJECT:
                raise NotThere(f"{name} is not in {self}") from None
            raise HomeAway(f"{self} refuses {name}: {error.code}: {error.message}") from error
        except HomeError:
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise HomeAway(f"{self} does not answer: {_said(error)}") from error
        except (MinioException, ValueError) as error:
            raise HomeAway(f"{self} does not answer as it should: {_said(error)}") from error


class ObjectPart:
    """A part of an object that is being read."""

    def __init__(self, response: Any, name: str) -> None:
        """`response` is urllib3's; None: there is nothing to read."""
        self._response = response
        self._name = name

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end of the part. Raises HomeAway when it ends too early."""
        if self._response is None:
            return b""
        try:
            data: bytes = self._response.read(size)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise HomeAway(f"{self._name} broke off: {_said(error)}") from error
        return data

    def close(self) -> None:
        """Give the connection back, or close it when not all was read."""
        if self._response is not None:
            self._response.close()
            self._response.release_conn()


def _said(error: Exception) -> str:
    """Return what went wrong, without the addresses in memory that urllib3 writes into it."""
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(">: ")[2] or type(error).__name__
