"""`kobza trace`: the messages of a call as the store has them."""

from pathlib import Path

import pytest
from lxml import etree

from kobza.store.entries import CdrClosed, CdrOpened, DetailStored
from kobza.store.journal import JournalWriter
from kobza.store.messages import Message, SipLadder
from kobza.store.place import Place
from tests.cli.conftest import Kobza
from tests.store.builders import cdr, ended, kept_ladder

BEGAN = 1_790_000_000_000
SAID = SipLadder(
    BEGAN,
    ["caller", "trunk Kyivstar"],
    [
        Message(0, 0, False, "INVITE", "PCMA PCMU dtmf"),
        Message(12, 1, True, "INVITE", "PCMA PCMU dtmf"),
        Message(1300, 1, False, "503 Service Unavailable"),
    ],
)


@pytest.fixture
def calls(place: Place, enterprise: str) -> None:
    writer = JournalWriter(place)
    writer.write([CdrClosed(ended("call-1", enterprise)), CdrClosed(ended("call-1", "other"))])
    writer.write([CdrClosed(ended("call-20", enterprise)), CdrOpened(cdr("call-21", enterprise))])
    writer.write([DetailStored("call-1", "sip_ladder", kept_ladder(SAID))])
    writer.close()


def test_a_call_is_drawn(kobza: Kobza, calls: None, data: Path) -> None:
    shown = kobza("trace", "call-1", "--width", "100")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("Call call-1\n")
    assert "503 Service Unavailable" in shown.out
    assert "Trunk Kyivstar" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 100
    assert kobza("trace", "call-1").out == kobza("trace", "call-1", "--width", "80").out
    document = kobza("trace", "call-1", "--json").json
    assert (document["call_id"], len(document["enterprises"])) == ("call-1", 2)
    assert document["lanes"] == ["Caller 0441234567", "Kobza", "Trunk Kyivstar"]
    assert document["messages"][2] == {
        "at": "2026-09-21T14:13:21.300Z",
        "after_ms": 1300,
        "from": 2,
        "to": 1,
        "what": "503 Service Unavailable",
        "sdp": None,
    }
    assert document["messages"][1]["sdp"] == "PCMA PCMU dtmf"
    assert kobza("trace", "call-1", "--svg", "call.svg").out == "call.svg: 3 messages\n"
    assert "call-1" in str(etree.parse("call.svg").getroot().get("aria-label"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing",), 1, "there is no call 'nothing'"),
        (("",), 1, "there is no call ''"),
        (("call",), 1, "several calls begin with 'call'"),
        (("call-2",), 1, "\nkobza:   call-21  "),
        (("call-20",), 1, "the messages of call call-20 of "),
        (("call-21",), 1, "call call-21 is on"),
        (("call-1", "--svg", "no/such/folder.svg"), 1, "No such file or directory"),
        (("call-1", "--svg", "a.svg", "--json"), 2, "--svg"),
        (("call-1", "--width", "20"), 2, "--width"),
        (
            ("call-1", "--messages"),
            1,
            "memory of the running server alone, and no server runs",
        ),
        (("call-1", "--pcap", "call.pcapng"), 1, "no server runs"),
        (("call-1", "--pcap", "call.pcapng", "--svg", "call.svg"), 2, "give one of --svg, --pcap and --json"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    kobza: Kobza, calls: None, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = kobza("trace", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--everything",), 1, "no server runs with the data directory"),
        ((), 2, "give one of --number, --call and --everything"),
        (("--number", "067", "--call", "x"), 2, "give one of --number, --call and --everything"),
        (("--number", "none"), 1, "'none' is no number"),
        (("--everything", "--seconds", "0"), 2, "--seconds"),
    ],
)
def test_a_capture_that_cannot_be_is_refused(kobza: Kobza, arguments: tuple[str, ...], code: int, words: str) -> None:
    ran = kobza("capture", "--output", "a.pcapng", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert not Path("a.pcapng").exists()
