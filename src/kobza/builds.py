"""Which build runs: pure Python, or with the modules on the way of a call compiled (docs/adr/0016-cost-of-a-call.md).

A compiled module lies beside its source, and Python would take it first. It is passed over when KOBZA_PURE says so, and
when any of the sources is no longer what was compiled: nobody shall change a file and wonder why nothing happens.
"""

import hashlib
import os
import sys
from enum import StrEnum
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent
MANIFEST: Final = PACKAGE / "compiled.sha256"
"""Written by the compiler, as `sha256sum` writes: a line with sum and path for each source that was compiled."""
PURE_VARIABLE: Final = "KOBZA_PURE"


class Build(StrEnum):
    """What runs, in the words that people are told."""

    COMPILED = "compiled"
    NEVER_COMPILED = "pure Python"
    ASKED_FOR = "pure Python, as KOBZA_PURE asks"
    STALE = "pure Python, as sources have changed since they were compiled"


def choose(manifest: Path = MANIFEST) -> Build:
    """Decide which build this process runs; to be called before any other module is imported."""
    build = _wanted(manifest)
    if build in (Build.ASKED_FOR, Build.STALE):
        _take_sources_only(manifest.parent)
    return build


def _wanted(manifest: Path) -> Build:
    if not manifest.exists():
        return Build.NEVER_COMPILED
    if os.environ.get(PURE_VARIABLE, "0") not in ("", "0"):
        return Build.ASKED_FOR
    for line in manifest.read_text().splitlines():
        known, _, path = line.partition("  ")
        source = manifest.parent / path
        if not source.exists() or hashlib.sha256(source.read_bytes()).hexdigest() != known:
            return Build.STALE
    return Build.COMPILED


def _take_sources_only(folder: Path) -> None:
    """Let Python find nothing but sources in a folder and those below it."""

    def finder(path: str) -> FileFinder:
        if not Path(path).is_relative_to(folder):
            raise ImportError
        return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, finder)
    for path in list(sys.path_importer_cache):
        if Path(path).is_relative_to(folder):
            del sys.path_importer_cache[path]
