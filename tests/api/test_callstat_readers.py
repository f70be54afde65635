"""Names from the address book through all three formats and back, by programs that people use to read them."""

import asyncio
import csv
import io
import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
from lxml import etree

from kobza.store import address_book
from tests.api.world import ALICE, World, moment

SAFE = {
    "Cyrillic": "Їжак Ґалаґан, «Є»",
    "combining": unicodedata.normalize("NFD", "Йосип Їжакевич"),
    "quotes": 'Олена "Лис" Коваль',
    "commas": "Коваль; Олена, \\ 'пекарня'",
    "new line": "два\nрядки",
    "markup": "O'Hara & <b>Sons</b> ]]> &amp;",
    "format": "{0} %s {name} \\u0041",
    "emoji": "😀 👩‍👩‍👧",
    "number": "0671234567",
    "date": "1/2",
    "spaces": " з пробілами ",
    "right to left": "مرحبا \u202etxt.exe",
}
FORMULAS = {
    "sum": "=1+1",
    "link": '=HYPERLINK("http://example.com","x")',
    "plus": "+380671234567",
    "minus": "-2+3",
    "at": "@SUM(A1)",
    "tab": "\t=1+1",
    "full width": "＝1+1",
    "command": "=cmd|' /C calc'!A0",
}
ODD = {
    "NUL": "a\0b",
    "controls": "a\x01\x07\x0b\x1b\x7fb",
    "carriage returns": "a\rb\r\nc",
    "U+FFFE": "a\ufffeb\uffff",
    "separators": "a\u2028b\u2029c\u0085d",
}
FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""By XML 1.0, 2.2."""
NAMES = SAFE | FORMULAS | ODD


def kept(world: World) -> dict[str, str]:
    """Return the names as the store has them: PostgreSQL cannot hold a NUL."""
    return NAMES if isinstance(world.store.place, Path) else NAMES | {"NUL": "a\N{REPLACEMENT CHARACTER}b"}


def number_of(index: int) -> str:
    return f"+38044{index:07d}"


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an office that has called everybody."""
    entries = [address_book.Entry(number_of(index), name, name) for index, name in enumerate(NAMES.values())]
    with world.store.write() as conn:
        address_book.put(conn, world.own.enterprise_id, entries)
    for index in range(len(NAMES)):
        world.add_call(
            started_at=moment("2026-04-19T09:00:00") + index, calling_number=ALICE, called_number=number_of(index)
        )
    async with world.client() as opened:
        yield opened


async def fetch(client: httpx.AsyncClient, world: World, extension: str, **more: str) -> bytes:
    asked = {"from": "2026-04-19T00:00:00", "to": "2026-04-19T23:59:59", "names": "on", "departments": "on"}
    answer = await client.get(f"/api/cdr/v1/callstat.{extension}", params={"token": world.own.fmc_token} | asked | more)
    assert answer.status_code == 200
    return answer.content


def names(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return what became of each name; the department is the same."""
    assert [row["called_name"] for row in rows] == [row["called_department"] for row in rows]
    return dict(zip(NAMES, (row["called_name"] for row in rows), strict=True))


async def test_json_keeps_every_character(client: httpx.AsyncClient, world: World) -> None:
    assert names(json.loads(await fetch(client, world, "json"))["calls"]) == kept(world)


async def test_csv_keeps_every_character_and_defuses_formulas(client: httpx.AsyncClient, world: World) -> None:
    for more in ({}, {"bom": "on"}):
        text = (await fetch(client, world, "csv", **more)).decode("utf-8-sig")
        found = names(list(csv.DictReader(io.StringIO(text, newline=""), strict=True)))
        assert found == {what: f"'{name}" if what in FORMULAS else name for what, name in kept(world).items()}


async def test_xml_keeps_what_xml_can_hold(client: httpx.AsyncClient, world: World) -> None:
    document = await fetch(client, world, "xml")
    expected = {what: FORBIDDEN.sub("", name) for what, name in kept(world).items()}
    for parse in (etree.fromstring, ElementTree.fromstring):
        rows = [{str(field.tag): field.text or "" for field in call} for call in parse(document)]
        assert names(rows) == expected


def convert(folder: Path) -> None:
    """Let LibreOffice open the file as UTF-8 with commas, and write what it made of it as one XML file."""
    command = ["soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"]
    command += ["--infilter=CSV:44,34,76,1", "--convert-to", "fods", "--outdir", str(folder), str(folder / "calls.csv")]
    subprocess.run(command, check=True, capture_output=True, timeout=100)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
async def test_a_spreadsheet_shows_names_and_runs_nothing(
    client: httpx.AsyncClient, world: World, tmp_path: Path
) -> None:
    (tmp_path / "calls.csv").write_bytes(await fetch(client, world, "csv", bom="on"))
    await asyncio.to_thread(convert, tmp_path)
    document = etree.parse(tmp_path / "calls.fods")
    spaces = {
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    }
    assert document.xpath("//@table:formula", namespaces=spaces) == []
    shown = [
        "\n".join("".join(map(str, line.itertext())) for line in cell.iterfind("text:p", spaces))
        for cell in document.iterfind(".//table:table-cell", spaces)
    ]
    for what in ("Cyrillic", "quotes", "commas", "new line", "markup", "emoji"):
        assert SAFE[what] in shown
    for what in FORMULAS.keys() - {"tab"}:  # which is an element of its own there
        assert "'" + FORMULAS[what] in shown
