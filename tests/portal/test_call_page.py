"""The page of a call, its waveform, and what is left of erased ones."""

import re

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.api.languages import Language
from kobza.call.heard import HeardCall, HeardSide
from kobza.portal.known_peaks import KEPT, KnownPeaks
from kobza.portal.peaks import BARS, LOUDEST, bars
from kobza.portal.texts import LANGUAGES, say_in
from kobza.sip.diversion import REASONS
from kobza.store import diversions, quality
from kobza.store.diversions import Diverted
from kobza.store.entries import DetailStored
from kobza.store.messages import Message, SipLadder
from kobza.store.recordings import Remarks
from tests.api.world import OUTSIDE, World
from tests.portal.recorded import CALL, add_recorded_call, add_recording
from tests.portal.visitor import Visitor, text_of
from tests.store.builders import kept_ladder

PAGE = f"/history/{CALL}"


async def test_a_call_is_told_whole(olena: Visitor, world: World) -> None:
    add_recorded_call(world)
    page = await olena.page(PAGE)
    assert text_of(page.find(".//h1")) == "Олена Коваль → Клієнт, «А»"
    facts = [text_of(each) for each in page.find_class("facts")[0].iter("div")]
    assert facts == [
        "From Олена Коваль 067 111 1111 · Збут",
        "To Клієнт, «А» 050 111 2233",
        "Ringing 5 s",
        "Talk 40 s",
        "Ended by the caller",
        "Cause Normal call clearing Q.850 16 · SIP 200",
        "client_state order 7",
        "Call id call1",
    ]
    steps = [text_of(row) for row in page.find_class("steps")[0].iter("tr")][1:]
    assert steps == [
        "11:00:02 +2 s rings Олена Коваль delivered HTTP 200, 12 ms · 2 attempts",
        "11:00:07 +7 s talks Олена Коваль pending",
        "11:00:20 +20 s on hold Олена Коваль not sent",
        "11:00:30 +30 s talks again Олена Коваль not sent",
        "11:00:47 +47 s finished Олена Коваль not sent",
        "11:00:49 +49 s recording ready Олена Коваль not sent",
    ]
    drawn = [svg.get("aria-label") for svg in page.find_class("ladder")[0].iter("svg")]
    assert drawn == ["dialling 2 s, ringing 5 s, talk 40 s", "ringing 5 s, talk 13 s, on hold 10 s, talk 17 s"]
    (audio,) = page.iter("audio")
    assert audio.get("src") == "/recordings/r1"
    olena.client.cookies.set("kobza_language", "uk")
    assert "доставлено HTTP 200, 12 ms · 2 спроби" in text_of(await olena.page(PAGE))


async def test_how_well_each_side_heard_the_other(olena: Visitor, world: World) -> None:
    add_recorded_call(world)
    heard = HeardCall(HeardSide(2000, 0, 50, 2.4, 80.6, 3.9), HeardSide(2000, 0, 0, mos=4.41))
    world.journal.write([DetailStored(CALL, "quality", quality.written(heard))])
    facts = [text_of(each) for each in (await olena.page(PAGE)).find_class("facts")[0].iter("div")]
    assert facts[6:8] == [
        "Sound at the caller fair MOS 3.9 · loss 2.5 % · jitter 2 ms · round trip 81 ms",
        "Sound at the called good MOS 4.4 · loss 0.0 %",
    ]
    one_way = HeardCall(HeardSide(0, 0, 900, mos=1.2), HeardSide(2000, 0, 0))
    world.journal.write([DetailStored(CALL, "quality", quality.written(one_way))])
    facts = [text_of(each) for each in (await olena.page(PAGE)).find_class("facts")[0].iter("div")]
    assert facts[6] == "One-way audio the caller was not heard"
    assert facts[7].startswith("Sound at the caller poor: words got lost MOS 1.2 · loss 45.0 %")
    assert facts[8] == "Sound at the called nothing: no sound came from the other phone"
    fell_silent = HeardSide(1000, 10, 0, None, None, 4.3, 12.4, 3.7, "g729", 65.2)
    both_ways = HeardCall(HeardSide(2000, 0, 0, mos=3.7, arrival_mos=4.4, codec="pcma"), fell_silent)
    world.journal.write([DetailStored(CALL, "quality", quality.written(both_ways))])
    facts = [text_of(each) for each in (await olena.page(PAGE)).find_class("facts")[0].iter("div")]
    assert facts[6] == "One-way audio the called side was not heard for 1 min 6 s"
    assert facts[9:11] == [
        "Voice of the caller good MOS 4.4 · loss 0.0 % · pcma",
        "Voice of the called fair MOS 3.7 · loss 1.0 % · jitter 12 ms · g729",
    ]


async def test_the_messages_are_drawn(olena: Visitor, world: World) -> None:
    add_recorded_call(world)
    assert not (await olena.page(PAGE)).find_class("messages")
    began = int((world.at - 3600) * 1000)
    told = [
        Message(0, 0, False, "INVITE"),
        Message(25, 1, True, "INVITE", "PCMA"),
        Message(1250, 1, False, "486 Busy <b>"),
    ]
    said = SipLadder(began, ["caller", "phone"], told)
    world.journal.write([DetailStored(CALL, "sip_ladder", kept_ladder(said))])
    (drawn,) = (await olena.page(PAGE)).find_class("messages")
    assert [each.get("aria-label") for each in drawn.iter("g") if each.get("role")] == [
        "11:00:00.000 Caller → Kobza: INVITE",
        "11:00:00.025 Kobza → Phone 1: INVITE (PCMA)",
        "11:00:01.250 Phone 1 → Kobza: 486 Busy <b>",
    ]
    assert [each.get("class") for each in drawn.iter("g") if each.get("role")] == [None, None, "failed"]
    assert [text_of(each) for each in drawn.find_class("name")] == ["Caller", "Kobza", "Phone 1"]


async def test_the_waveform_shows_who_was_heard_when(olena: Visitor, world: World) -> None:
    add_recorded_call(world)
    for _ in range(2):  # made, and remembered
        answer = await olena.client.get("/recordings/r1/waveform")
        assert answer.status_code == 200, answer.text
        left, right = re.findall(r'<path class="called?r?" d="([^"]+)"', answer.text.replace("caller", "calle"))
        heights = [[float(each) for each in re.findall(r"v([0-9.]+)", path)] for path in (left, right)]
        assert [len(each) for each in heights] == [BARS, BARS]
        for side, (loud, quiet) in zip(heights, ((slice(5, 145), slice(155, 295)),) * 2, strict=True):
            if side is heights[1]:
                loud, quiet = quiet, loud
            assert min(side[loud]) > 4 * max(side[quiet])
        # Half as loud is drawn by the square root of a half as high.
        assert numpy.mean(heights[1][155:295]) / numpy.mean(heights[0][5:145]) == pytest.approx(0.707, abs=0.05)


async def test_a_recording_without_sound_has_no_waveform(olena: Visitor, world: World, visitor: Visitor) -> None:
    add_recorded_call(world)
    add_recording(world, "r2")
    (world.recordings / "r2.mp3").write_bytes(b"no sound")
    add_recording(world, "r3", "encoding")
    for record_id in ("r2", "r3", "r4", "x" * 100):
        assert (await olena.client.get(f"/recordings/{record_id}/waveform")).status_code == 404
    await visitor.sign_in("petro")
    assert (await visitor.client.get("/recordings/r1/waveform")).status_code == 404


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("encoding", "The recording is being made."),
        ("erased", "The recording was erased"),
        ("failed", "The recording could not be made."),
        ("", "This call was not recorded."),
    ],
)
async def test_what_became_of_a_recording_is_said(olena: Visitor, world: World, status: str, sentence: str) -> None:
    call = world.add_call(calling_number="anonymous", called_number=OUTSIDE, answered_at=None, cause=31)
    if status:
        add_recording(world, "r1", status, call.call_id)
    page = await olena.page(f"/history/{call.call_id}")
    assert sentence in text_of(page)
    assert not list(page.iter("audio"))
    assert "Hidden number" in text_of(page)
    assert "The caller gave up" in text_of(page)
    assert "No states of this call are kept." in text_of(page)


async def test_what_a_listener_should_know_is_said_and_drawn(olena: Visitor, world: World) -> None:
    add_recorded_call(world)
    paused = Remarks([(10_000, 12_500), (30_000, 40_000)], {"callee": ["G729"]})
    add_recording(world, "r1", remarks=paused)
    said = text_of((await olena.page(PAGE)).get_element_by_id("recording"))
    assert "The recording was paused: 0:10–0:12, 0:30–0:40" in said
    assert "The called side spoke in G729, which is not decoded" in said
    drawn = (await olena.client.get("/recordings/r1/waveform")).text
    shades = re.findall(r'<rect class="pause" x="([0-9.]+)" y="0" width="([0-9.]+)"', drawn)
    assert shades == [("75.0", "18.75"), ("225.0", "75.0")]  # of 300
    add_recording(world, "r1", "failed", remarks=Remarks(undecoded={"caller": ["AMR"]}))
    page = await olena.page(PAGE)
    assert "cannot be heard" in text_of(page)
    assert "The caller: AMR" in text_of(page)
    olena.client.cookies.set("kobza_language", "uk")
    assert "Запис не можна прослухати" in text_of(await olena.page(PAGE))


async def test_what_is_not_there_is_said_in_words(olena: Visitor, world: World, visitor: Visitor) -> None:
    add_recording(world, "r9", "erased", "gone")
    world.add_call(call_id="theirs", enterprise_id=world.other.enterprise_id)
    add_recorded_call(world)
    for call_id, status, sentence in (
        ("unknown", 404, "There is no such call."),
        ("x" * 100, 404, "There is no such call."),
        ("theirs", 404, "There is no such call."),
        ("gone", 410, "This call was erased"),
    ):
        answer = await olena.client.get(f"/history/{call_id}")
        assert (answer.status_code, sentence in answer.text) == (status, True)
    await visitor.sign_in("petro")
    assert (await visitor.client.get(PAGE)).status_code == 404


@given(st.lists(st.lists(st.floats(-1, 2), min_size=2, max_size=2), max_size=700))
def test_any_loudness_gives_bars(loudness: list[list[float]]) -> None:
    left, right = bars(numpy.array(loudness).reshape(-1, 2))
    assert len(left) == len(right) == min(len(loudness), BARS)
    assert all(0 <= bar <= LOUDEST for bar in left + right)


def test_only_the_last_peaks_are_kept() -> None:
    known = KnownPeaks()
    for number in range(KEPT):
        known.keep(str(number), [[number], []])
    known.find("0")
    known.keep("one more", [[], []])
    assert (known.find("0"), known.find("1")) == ([[0], []], None)


async def test_who_sent_the_call_on(olena: Visitor, world: World) -> None:
    add_recorded_call(world)
    assert "Sent on by" not in text_of(await olena.page(PAGE))
    told = [Diverted("+380505550000", "user-busy", 3), Diverted("anonymous", "time-of-day")]
    world.journal.write([DetailStored(CALL, "diversions", diversions.written(told))])
    facts = [text_of(each) for each in (await olena.page(PAGE)).find_class("facts")[0].iter("div")]
    assert facts[2:4] == [
        "Sent on by 050 555 0000 it was busy · 3 times",
        "Sent on by Hidden number outside working hours",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_words(language: Language) -> None:
    for reason in REASONS:
        assert say_in(language)("sent_on_" + reason.replace("-", "_"))
