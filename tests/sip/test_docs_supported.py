"""docs/supported-sip.md says what the code does, as far as a list can say it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.pbx import notifier, outside_calls
from kobza.sip import dialog_info, layer, message, ua_core
from kobza.sip.field_names import known_key
from kobza.sip.header_lines import MAX_HEADERS
from kobza.sip.invite import MAX_EARLY_TAGS
from kobza.sip.invite_offer import MAX_TRIES
from kobza.sip.session_expires import SessionPolicy
from kobza.sip.subscription import LONGEST_RETRY, MAX_UDP_BODY
from kobza.sip.traffic import METHODS
from tests.sip.network import ANSWER, OFFER, Network
from tests.sip.test_ua import REFUSED

pytestmark = pytest.mark.docs
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "supported-sip.md").read_text(encoding="utf-8")
SOURCES = ROOT / "src" / "kobza" / "sip"
PROPERTIES = {
    "contacts": "Contact",
    "record_routes": "Record-Route",
    "routes": "Record-Route",
    "paths": "Path",
    "max_forwards": "Max-Forwards",
    "content_type": "Content-Type",
    "cseq": "CSeq",
    "call_id": "Call-ID",
    "from_": "From",
    "via": "Via",
    "expires": "Expires",
    "reasons": "Reason",
}
"""Typed properties of a message; `routes` is a dialog's, made of Record-Route."""


READERS = ("ua", "invite", "dialog", "request", "session", "reliable", "subscription", "event_header")
"""Beginnings of the names of files that read messages."""
ANSWERERS = ("ua_intake", "invite_received", "invite_client", "invite_offer", "session_timer", "reliable_server")
"""Files that answer by themselves."""


def section(title: str) -> str:
    """Text under a heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> Iterator[list[str]]:
    """Cells of the table rows under a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def listed(words: str) -> list[str]:
    """Names after `words:` up to the full stop."""
    found = re.search(re.escape(words) + r":\s([^.:]*)[.:]", TEXT)
    assert found is not None, words
    return [name.strip() for name in found[1].split(",")]


def test_methods() -> None:
    allowed = {"PRACK", *ua_core.DIALOG_METHODS, *outside_calls.METHODS}
    assert {cells[0] for cells in rows("Methods")} == allowed
    assert set(listed("refused with 405 and Allow")) == METHODS - allowed


def test_statuses_sent_without_an_owner() -> None:
    documented = {int(cells[0]) for cells in rows("Answers without an owner")}
    tested = {status for _, _, status, _ in REFUSED.values()}
    assert tested <= documented
    in_code = {
        int(status)
        for name in ANSWERERS
        for status in re.findall(
            r"(?:respond\(|^[A-Z_]+ = )([45]\d\d)\b", (SOURCES / f"{name}.py").read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert len(in_code) > 5
    assert in_code <= documented
    assert documented - tested - in_code == {100, 200, 505, 513, 405, 501} - tested - in_code


def test_headers_that_are_written() -> None:
    written = listed("Written by the user agent")
    both = {"supported": ["path"], "session": SessionPolicy(min_se=100)}
    network = Network(caller=both, called=both)
    mine, theirs = network.talk()
    mine.reinvite(OFFER, now=network.now)
    network.settle()
    theirs.answer_offer(ANSWER, now=network.now)
    network.settle()
    mine.cancel(now=network.now)
    network.settle()
    other, _ = network.ring()
    other.cancel(now=network.now)
    network.finish()
    seen = {name for wire in network.wire for name, _ in wire.message.items()}
    assert len(seen) > 10
    assert seen <= set(written)


def test_headers_are_known_to_the_codec() -> None:
    for words in ("Written by the user agent", "Written by its owners", "Read by the user agent"):
        names = listed(words)
        assert names == sorted(names)
        assert [name for name in names if known_key(name) is None] == []


def test_headers_that_are_read() -> None:
    """Every header that the user agent's files ask a message for is listed."""
    read = {known_key(name) for name in listed("Read by the user agent")}
    asked = set()
    for path in SOURCES.glob("*.py"):
        if path.name.startswith(READERS):
            text = path.read_text(encoding="utf-8")
            asked |= set(re.findall(r"\.(?:get|get_all|tokens)\(\"([A-Za-z-]+)\"\)", text))
            asked |= {PROPERTIES[name] for name in re.findall(rf"\.({'|'.join(PROPERTIES)})\b(?!\()", text)}
    assert len(asked) > 8
    assert {known_key(name) for name in asked} <= read


def test_limits() -> None:
    text = section("Limits")
    bounds = (
        layer.MAX_SERVER_TRANSACTIONS,
        layer.DIALOG_RESERVE,
        layer.MAX_CLIENT_TRANSACTIONS,
        ua_core.MAX_DIALOGS,
        ua_core.MAX_SUBSCRIPTIONS,
        notifier.MAX_OF_ENTERPRISE,
        notifier.MAX_OF_DEVICE,
        MAX_EARLY_TAGS,
        message.MAX_MESSAGE_BYTES,
        MAX_HEADERS,
    )
    for bound in bounds:
        assert f"{bound:,}" in text
    assert f"after {MAX_TRIES} tries" in TEXT
    events = section("Events")
    assert f"at most {notifier.LONGEST} s" in events
    assert f"less than {notifier.SHORTEST} s" in events
    assert f"1 to {LONGEST_RETRY} s" in events
    assert f"at most {MAX_UDP_BODY} bytes" in events
    assert f"at most {dialog_info.MAX_DIALOGS}, " in events
    assert f"Retry-After: {layer.RETRY_AFTER} " in TEXT
