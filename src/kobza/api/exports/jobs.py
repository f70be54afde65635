"""What may be exported: a job travels to the export process as JSON and becomes pieces of text there."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from kobza.api.callstat_formats import Extension, Shown, callstat_pieces
from kobza.api.history_format import history_pieces
from kobza.api.languages import Language
from kobza.store.export import CallReader, Cursor
from kobza.store.search import CallSearch

FileKind = Literal["csv", "xlsx"]
BookKind = Literal["csv", "vcf"]
Subject = Literal["contacts", "numbers"]
"""What an uploaded file is about."""


@dataclass(frozen=True, slots=True)
class CallstatJob:
    """The basic call information (contract, section 2)."""

    enterprise_id: str
    from_ms: int
    to_ms: int
    extension: Extension
    shown: Shown
    bom: bool = False

    def pieces(self, reader: CallReader) -> Iterator[str]:
        """Return the answer, piece by piece; each is made when it is asked for, of one read."""
        pages = reader.callstat(self.enterprise_id, self.from_ms, self.to_ms, quality=self.shown.quality)
        return callstat_pieces(
            self.extension, pages, self.shown, lambda number: reader.person(self.enterprise_id, number), bom=self.bom
        )


@dataclass(frozen=True, slots=True)
class HistoryJob:
    """The call history (contract, section 3)."""

    enterprise_id: str
    from_ms: int
    to_ms: int
    number: str | None
    direction: str | None
    limit: int | None
    after: Cursor | None
    language: str
    quality: bool = False
    """Also how the sides heard each other."""

    def pieces(self, reader: CallReader) -> Iterator[str]:
        """Return the answer, piece by piece; each is made when it is asked for, of one read."""
        pages = reader.history(
            self.enterprise_id,
            self.from_ms,
            self.to_ms,
            number=self.number,
            direction=self.direction,
            after=self.after,
            limit=None if self.limit is None else self.limit + 1,
            quality=self.quality,
        )
        return history_pieces(pages, self.limit, self.language, quality=self.quality)


@dataclass(frozen=True, slots=True)
class SearchJob:
    """What the portal's history finds, as a file for a spreadsheet."""

    enterprise_id: str
    search: CallSearch
    kind: FileKind
    language: Language

    def pieces(self, reader: CallReader) -> Iterator[str | bytes]:
        """Return the file, piece by piece; an empty one when a read found nothing to write."""
        from kobza.portal.history_file import file_pieces  # its libraries (15 MB) are for those who need them

        return file_pieces(reader, self.search, self.kind, self.language)


@dataclass(frozen=True, slots=True)
class PeaksJob:
    """How loud a recording is along its length, for its waveform."""

    enterprise_id: str
    path: str
    """Of the mp3."""

    def pieces(self, _reader: CallReader) -> Iterator[str]:
        """Return the peaks as JSON, after an empty piece for each part that was decoded."""
        from kobza.portal.peaks import peaks_pieces  # numpy is for those who need it

        return peaks_pieces(Path(self.path))


@dataclass(frozen=True, slots=True)
class TallyJob:
    """What the statistics of some days count."""

    enterprise_id: str
    from_ms: int
    to_ms: int
    department: str | None
    """None: of all."""

    def pieces(self, reader: CallReader) -> Iterator[bytes]:
        """Return the counts as JSON, after an empty piece for each page that was read."""
        from kobza.portal.tally import tally_pieces  # the portal's libraries are for those who need them

        return tally_pieces(reader, self.enterprise_id, self.from_ms, self.to_ms, self.department)


@dataclass(frozen=True, slots=True)
class ReadJob:
    """What a file says that somebody uploaded."""

    enterprise_id: str
    path: str
    subject: Subject

    def pieces(self, _reader: CallReader) -> Iterator[bytes]:
        """Return what it says as JSON, after an empty piece for every few lines."""
        content = Path(self.path).read_bytes()
        if self.subject == "contacts":
            from kobza.portal.contact_file import contact_pieces  # its libraries are for those who need them

            return contact_pieces(content)
        from kobza.portal.number_file import number_pieces

        return number_pieces(content)


@dataclass(frozen=True, slots=True)
class BookJob:
    """The address book as a file."""

    enterprise_id: str
    kind: BookKind
    language: Language

    def pieces(self, reader: CallReader) -> Iterator[str]:
        """Return the file, piece by piece."""
        from kobza.portal.book_file import book_pieces  # its libraries are for those who need them

        return book_pieces(reader, self.enterprise_id, self.kind, self.language)


Job = CallstatJob | HistoryJob | SearchJob | PeaksJob | TallyJob | ReadJob | BookJob

_NAMES: Final = {
    CallstatJob: "callstat",
    HistoryJob: "history",
    SearchJob: "search",
    PeaksJob: "peaks",
    TallyJob: "tally",
    ReadJob: "read",
    BookJob: "book",
}


def to_wire(job: Job) -> bytes:
    """Write a job for the other process."""
    return json.dumps([_NAMES[type(job)], asdict(job)]).encode()


def from_wire(message: bytes) -> Job:
    """Read it there. Both ends are of one release, so what it holds is right."""
    name, values = json.loads(message)
    if name == "callstat":
        return CallstatJob(**{**values, "shown": Shown(**values["shown"])})
    if name == "search":
        return SearchJob(**{**values, "search": CallSearch(**values["search"])})
    if name == "peaks":
        return PeaksJob(**values)
    if name == "tally":
        return TallyJob(**values)
    if name == "read":
        return ReadJob(**values)
    if name == "book":
        return BookJob(**values)
    after = values["after"]
    return HistoryJob(**{**values, "after": None if after is None else Cursor(*after)})
