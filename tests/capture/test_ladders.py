"""Ladders of SIP messages, as text and as SVG."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from rich.cells import cell_len

from kobza.capture import ladder_svg
from kobza.capture.drawing import Drawing, Peer, drawn
from kobza.capture.ladder_text import ASCII, UNICODE, lines, seconds
from kobza.store.messages import Message, SipLadder

BEGAN = 1_790_000_000_000
SAID = SipLadder(
    BEGAN,
    ["caller", "phone", "trunk Kyivstar"],
    [
        Message(0, 0, False, "INVITE", "PCMA PCMU dtmf"),
        Message(1, 0, True, "100 Trying"),
        Message(2, 1, True, "INVITE", "PCMA PCMU dtmf"),
        Message(3, 2, True, "INVITE", "PCMA PCMU dtmf, sendonly (hold)"),
        Message(1300, 2, False, "503 Service Unavailable"),
        Message(71310, 1, False, "200 OK <&>", "PCMA"),
    ],
)


def name(peer: Peer) -> str:
    return f"Trunk {peer.trunk}" if peer.trunk else "Caller" if peer.is_caller else f"Phone {peer.number}"


def test_words_stand_on_the_arrows_where_they_have_room() -> None:
    assert (
        "\n".join(lines(drawn(SAID, name), 120))
        == """\
                    Caller                       Kobza                      Phone 1                 Trunk Kyivstar
                       │                           │                           │                           │
   0.000               │───────── INVITE ─────────>│                           │                           │
                       │      PCMA PCMU dtmf       │                           │                           │
   0.001               │<────── 100 Trying ────────│                           │                           │
   0.002               │                           │───────── INVITE ─────────>│                           │
                       │                           │      PCMA PCMU dtmf       │                           │
   0.003               │                           │─────────────────────── INVITE ───────────────────────>│
                       │                           │            PCMA PCMU dtmf, sendonly (hold)            │
   1.300               │                           │<────────────── 503 Service Unavailable ───────────────│
  71.310               │                           │<────── 200 OK <&> ────────│                           │
                       │                           │           PCMA            │                           │
                       │                           │                           │                           │"""
    )


def test_words_stand_beside_the_arrows_where_they_have_none() -> None:
    assert (
        "\n".join(lines(drawn(SAID, name), 80, ASCII))
        == """\
           Caller
           |       Kobza
           |       |       Phone 1
           |       |       |       Trunk Kyivstar
           |       |       |       |
   0.000   |------>|       |       |  Caller > Kobza: INVITE (PCMA PCMU dtmf)
   0.001   |<------|       |       |  Kobza > Caller: 100 Trying
   0.002   |       |------>|       |  Kobza > Phone 1: INVITE (PCMA PCMU dtmf)
   0.003   |       |-------+------>|  Kobza > Trunk Kyivstar: INVITE (PCMA PCMU.
   1.300   |       |<------+-------|  Trunk Kyivstar > Kobza: 503 Service Unava.
  71.310   |       |<------|       |  Phone 1 > Kobza: 200 OK <&> (PCMA)
           |       |       |       |"""
    )


def test_who_speaks_stands_in_its_place() -> None:
    said = SipLadder(BEGAN, ["phone", "caller trunk a b", "phone", "trunk trunk x", "caller"], [])
    assert Peer.all_of(said.lanes) == [
        Peer(is_caller=False, trunk="", number=1, alone=False),
        Peer(is_caller=True, trunk="a b", number=1, alone=True),
        Peer(is_caller=False, trunk="", number=2, alone=False),
        Peer(is_caller=False, trunk="trunk x", number=1, alone=True),
        Peer(is_caller=True, trunk="", number=1, alone=True),
    ]
    assert drawn(said, name).columns == ["Trunk a b", "Caller", "Kobza", "Phone 1", "Phone 2", "Trunk trunk x"]


def test_a_file_of_svg_is_whole() -> None:
    svg = ladder_svg.file(drawn(SAID, name), "Call <1>", lambda arrow: seconds(arrow.after_ms))
    root = etree.fromstring(svg.encode())
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.findtext("s:title", namespaces=space) == "Call <1>"
    items = [each for each in root.iterfind("s:g", namespaces=space) if each.get("role")]
    assert [each.get("aria-label") for each in items][-2:] == [
        "1.300 Trunk Kyivstar → Kobza: 503 Service Unavailable",
        "71.310 Phone 1 → Kobza: 200 OK <&> (PCMA)",
    ]
    assert [each.get("class") for each in items] == [None, None, None, None, "failed", None]


words = st.text(st.characters(exclude_categories=["C", "M"]), max_size=60)
lanes = st.sampled_from(["caller", "phone", "trunk a", "caller trunk b", "whatever"])


@st.composite
def ladders(draw: st.DrawFn) -> SipLadder:
    places = draw(st.lists(lanes, min_size=1, max_size=30))
    lane = st.integers(0, len(places) - 1)
    message = st.builds(Message, st.integers(0, 10**9), lane, st.booleans(), words, words)
    return SipLadder(draw(st.integers(0, 2**42)), places, draw(st.lists(message, max_size=20)))


@given(ladders(), st.integers(80, 200), st.sampled_from([UNICODE, ASCII]))
def test_any_ladder_can_be_drawn(said: SipLadder, width: int, signs: object) -> None:
    drawing = drawn(said, name)
    assert isinstance(drawing, Drawing)
    for line in lines(drawing, width, UNICODE if signs is UNICODE else ASCII):
        if len(said.lanes) < 9:
            assert cell_len(line) <= width
    assert ladder_svg.part(drawing, "x", lambda arrow: "")


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 9])
def test_the_usual_terminal_is_wide_enough(columns: int) -> None:
    said = SipLadder(BEGAN, ["phone"] * columns, [Message(0, columns - 1, True, "INVITE " * 8, "PCMA " * 12)])
    assert max(map(cell_len, lines(drawn(said, name), 80))) <= 80
