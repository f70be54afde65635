"""`make openapi`: write docs/genericfmcapi.yaml anew from the code, and say what changed by it.

A change that breaks a part which the operator's interface fixes ([wire]) is not written, except with --accept: for when
the document was wrong, and not the interface.
"""

import sys
from pathlib import Path
from typing import Any, Final

import yaml

from kobza.api.app import documented_routes
from kobza.api.openapi import openapi_document
from kobza.api.yaml import to_yaml
from tools.openapi_changes import Change, changes

COPY: Final = Path(__file__).parents[1] / "docs" / "genericfmcapi.yaml"
COMMAND: Final = "make openapi"


def documented() -> str:
    """Return the document as the code has it."""
    return to_yaml(openapi_document(documented_routes()))


def committed() -> str:
    """Return the committed copy; empty when there is none."""
    return COPY.read_text("utf-8") if COPY.exists() else "{}\n"


def undeclared(copy: str, now: str) -> list[Change]:
    """Return what differs between the copy and the document of the code."""
    old: Any = yaml.safe_load(copy)
    return changes(old, yaml.safe_load(now))


def main() -> int:
    """Write the copy; return the exit status."""
    copy, now = committed(), documented()
    found = undeclared(copy, now)
    for change in found:
        print(change)
    if "--accept" not in sys.argv and any(change.breaks and change.wire for change in found):
        print("\nNot written: what is marked [wire] is fixed by the operator's interface. See src/kobza/api/wire.py.")
        print(f"If the document was wrong, and not the interface: {COMMAND} ARGS=--accept")
        return 1
    if copy != now:
        COPY.write_text(now, "utf-8")
        print(f"\n{COPY.name} written: {len(found)} changes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
