"""The spools that are there when the server starts: which of them the store does not know, and whose they are.

A recording begins at once, beside its commit: a slow store must not cost sound. So a crash may leave a spool whose
recording was never stored. Its first line says whose it is, and its call is open still: it becomes that call's.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from kobza.media.spool import EmptySpool, MalformedSpool, SpoolHeader, header_of
from kobza.store.entries import Entry, RecordingStored
from kobza.store.recovery import OpenCall

log = logging.getLogger(__name__)

SETTLED: Final = frozenset({"ready", "erased"})
"""What a recording is whose spool is of no use any more: the server died before it could remove it."""

Key = tuple[str, str]
"""A call and an enterprise."""


@dataclass(frozen=True, slots=True)
class LeftSpools:
    """Recordings that the store does not know, by call and enterprise, each oldest first."""

    unknown: Mapping[Key, Sequence[SpoolHeader]] = field(default_factory=dict)

    def named(self, call: OpenCall) -> OpenCall:
        """Return an open call with the name of the newest of its unknown recordings."""
        headers = self.unknown.get(_key(call))
        if not headers:
            return call
        return OpenCall(replace(call.cdr, record_id=headers[-1].record_id), call.legs)

    def entries(self, call: OpenCall) -> list[Entry]:
        """Return what makes the unknown recordings of an open call known."""
        return [
            RecordingStored(header.record_id, header.owner, header.call_id, "recording", header.started_ms / 1000)
            for header in self.unknown.get(_key(call), ())
        ]


def look(spools: Path, statuses: Callable[[Sequence[str]], Mapping[str, str]]) -> LeftSpools:
    """Look through a directory of spools; blocks. Removes those that nobody needs: encoded already, or empty.

    `statuses` says what the store knows of recordings. Raises OSError.
    """
    if not spools.is_dir():
        return LeftSpools()
    paths = {path.stem: path for path in spools.glob("*.spool")}
    known = statuses(list(paths))
    unknown: dict[Key, list[SpoolHeader]] = {}
    for record_id, path in paths.items():
        status = known.get(record_id)
        if status in SETTLED:
            path.unlink(missing_ok=True)
        elif status is None and (header := _header(path)) is not None:
            unknown.setdefault((header.call_id, header.owner), []).append(header)
    for headers in unknown.values():
        headers.sort(key=lambda header: header.started_ms)
    return LeftSpools(unknown)


def _header(path: Path) -> SpoolHeader | None:
    try:
        return header_of(path)
    except EmptySpool:
        path.unlink(missing_ok=True)
    except MalformedSpool as error:
        log.warning("%s is no spool and is left alone: %s", path, error)
    return None


def _key(call: OpenCall) -> Key:
    return call.cdr.call_id, call.cdr.enterprise_id
