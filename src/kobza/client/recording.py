"""Downloading of a recording: resumed after a cut, checked, and put in its place in one step. Without network I/O."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from kobza.client.account import Account
from kobza.client.effects import Head, Operation, Pause, Read, Request, Work
from kobza.client.errors import AnswerNotUnderstood, ApiError, DownloadFailed, RecordingNotReady, TransportFailed
from kobza.client.exchange import fmc_request, opened
from kobza.client.models import Download

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and their total, None when the server does not tell it."""

UNREADY_WAIT: Final = 2.0
"""Seconds to the next look at a recording that is being made, when the server does not say."""
_SHA256: Final = re.compile(r'"([0-9a-fA-F]{64})"')
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


class PartFile:
    """The bytes that are there so far, beside the file that they will become."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.part")
        self._file = self._part.open("xb")
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """The hash of the bytes so far."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Add some bytes."""
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def restart(self) -> None:
        """Forget the bytes."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    def keep(self) -> None:
        """Bring the bytes to the disk and put the file in its place, where it is whole or not at all."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        """Remove the part, if it was not kept."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def download(
    account: Account, record_id: str, path: Path, *, progress: Progress | None, wait: float
) -> Operation[Download]:
    """Fetch a recording into a file. `wait`: seconds in all to wait for one that is still being made."""
    part: PartFile = yield Work(partial(PartFile, path))
    try:
        return (yield from _download(account, record_id, path, part, progress or _silent, wait))
    finally:
        part.discard()


def _download(
    account: Account, record_id: str, path: Path, part: PartFile, progress: Progress, wait: float
) -> Operation[Download]:
    etag: str | None = None
    total: int | None = None
    cuts = 0
    while True:
        headers = {"accept": "audio/mpeg, */*;q=0.5", "accept-encoding": "identity"}
        if part.size and etag is not None:
            headers |= {"range": f"bytes={part.size}-", "if-range": etag}
        request = fmc_request(account, "GET", "/v1/callrecord", ("record_id", record_id), headers=headers)
        head, wait = yield from _when_ready(account, request, wait)
        resumed = head is not None and head.status == 206
        if head is None or not resumed:
            yield Work(part.restart)
        if head is not None:
            if resumed:
                total = _total_of(head.headers, part.size if "range" in headers else None)
            else:
                etag, total = _strong_etag(head.headers), _content_length(head.headers)
            before = part.size
            if (yield from _read_all(part, total, progress)):
                break
            if resumed and part.size > before:
                cuts = 0
        else:
            etag = None
        cuts += 1
        if cuts > account.retries.most:
            raise DownloadFailed(f"the recording broke off {cuts} times in a row; {part.size} bytes had come")
        yield Pause(account.retries.wait(cuts))
    named = _SHA256.fullmatch(etag or "")
    if named is not None and named[1].lower() != part.sha256:
        raise DownloadFailed("the recording came damaged: its SHA-256 is not the one that the server names")
    yield Work(part.keep)
    return Download(str(path), part.size, part.sha256, verified=named is not None)


def _when_ready(account: Account, request: Request, wait: float) -> Operation[tuple[Head | None, float]]:
    """Open a recording once it is made; return its head and what remains of the wait.

    The head is None when the server has fewer bytes than we: it is another file now.
    """
    while True:
        try:
            return (yield from opened(account, request)), wait
        except RecordingNotReady as refusal:
            pause = UNREADY_WAIT if refusal.retry_after is None else max(refusal.retry_after, 0.1)
            if pause > wait:
                raise
            wait -= pause
            yield Pause(pause)
        except ApiError as refusal:
            if refusal.status != 416 or "range" not in request.headers:
                raise
            return None, wait


def _read_all(part: PartFile, total: int | None, progress: Progress) -> Operation[bool]:
    """Read the opened answer into the part; return whether it is whole."""
    progress(part.size, total)
    try:
        while piece := (yield Read()):
            yield Work(partial(part.write, piece))
            progress(part.size, total)
    except TransportFailed:
        return False
    return total is None or part.size == total


def _total_of(headers: Mapping[str, str], size: int | None) -> int | None:
    """Return the size of the whole that a 206 names, which must go on where we are."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if found is None or size is None or int(found[1]) != size:
        raise AnswerNotUnderstood("callrecord gives another range than the one asked for")
    return None if found[2] == "*" else int(found[2])


def _strong_etag(headers: Mapping[str, str]) -> str | None:
    etag = headers.get("etag", "")
    return etag if etag.startswith('"') else None


def _content_length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and "content-encoding" not in headers else None


def _silent(_there: int, _total: int | None) -> None:
    """Show no progress."""
