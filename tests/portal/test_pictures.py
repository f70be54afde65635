"""The documents show pictures that are there and that `make pictures` makes."""

import re
from pathlib import Path

import pytest

from tests.portal.pictures import DOCUMENTED

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.docs


def test_every_picture_is_made_and_shown() -> None:
    kept = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    assert kept == set(DOCUMENTED)
    shown: set[str] = set()
    for document in (ROOT / "README.md", *ROOT.glob("docs/*.md")):
        links = re.findall(r'(?:\]\(|src="|srcset=")([^)"]*images/[^)"]+)', document.read_text())
        for link in links:
            assert (document.parent / link).resolve().parent == ROOT / "docs" / "images", f"{document.name}: {link}"
        shown |= {Path(link).name for link in links}
    assert shown == kept
