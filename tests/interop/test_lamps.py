"""The lamps of desk phones: a number's calls as another phone of its enterprise is told of them (RFC 6665, 4235)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kobza.phone.phone import SoftPhone
from tests.interop.baresip import baresip
from tests.interop.conftest import NUMBERS
from tests.interop.server import Server
from tests.interop.test_commands import Phones, made
from tests.interop.test_settings import put
from tests.support.lamp_phone import SPACE, Lamp, LampPhone
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.database("sqlite")  # nothing of it is stored
A, B, C, D = NUMBERS
OUTSIDE = "0445550177"


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


@pytest.fixture
async def desk(kobza_server: Server) -> AsyncIterator[LampPhone]:
    site = kobza_server.site
    async with LampPhone(site.sip, site.lines[A]) as phone:
        yield phone


def ringing_dialog(lamp: Lamp) -> dict[str, str]:
    (dialog,) = lamp.dialogs.values()
    return dict(dialog.attrib)


async def test_a_call_on_the_lamps_of_both_sides(phones: Phones, desk: LampPhone) -> None:
    """Dark, it rings, they talk, hold, dark again; who calls is shown, and what is needed to pick the call up."""
    c, d = await phones.at(C, 440), await phones.at(D, 660)
    called, answer = await desk.watch(D)
    assert (answer.status, answer.get("Expires"), answer.get("Allow-Events")) == (
        200,
        "300",
        "dialog, message-summary, presence",
    )
    caller, _ = await desk.watch(C, event="dialog;id=9")
    mine, _ = await desk.watch(D, event="presence")
    await desk.until(lambda: called.shown == caller.shown == ["dark"] and len(mine.notifies) == 1)
    assert caller.notifies[0].get("Event") == "dialog;id=9"
    assert b"<basic>open</basic>" in mine.notifies[0].body
    call = c.dial(D)
    incoming = await d.incoming()
    await desk.until(lambda: called.shown[-1] == caller.shown[-1] == "early")
    dialog = ringing_dialog(called)
    assert incoming.dialog is not None
    assert (dialog["call-id"], dialog["local-tag"], dialog["remote-tag"]) == incoming.dialog.dialog_id
    assert (dialog["direction"], ringing_dialog(caller)["direction"]) == ("recipient", "initiator")
    host = phones.server.site.sip[0]
    assert called.remote() == (f"Phone {C[-2:]}", f"sip:{C}@{host}")
    assert caller.remote() == (f"Phone {D[-2:]}", f"sip:{D}@{host}")
    await desk.until(lambda: b"on-the-phone" in mine.notifies[-1].body)
    incoming.answer()
    await call.established()
    await desk.until(lambda: called.shown[-1] == caller.shown[-1] == "confirmed")
    await call.hold()
    held = "d:local/d:target/d:param[@pval='no']"
    await desk.until(lambda: next(iter(caller.dialogs.values())).find(held, SPACE) is not None)
    call.hang_up()
    await desk.until(lambda: called.shown[-1] == caller.shown[-1] == "dark")
    assert [state for state in called.shown if state != "trying"] == ["dark", "early", "confirmed", "dark"]
    await desk.until(lambda: b"on-the-phone" not in mine.notifies[-1].body)
    versions = [notify.body.split(b'version="')[2].split(b'"')[0] for notify in called.notifies]
    assert versions == [str(number).encode() for number in range(len(versions))]
    assert all(len(notify.to_bytes()) <= 1300 for notify in called.notifies)
    # ended: a call more is told to nobody
    assert (await desk.again(called, seconds=0)).get("Expires") == "0"
    await desk.until(lambda: called.notifies[-1].get("Subscription-State") == "terminated;reason=timeout")
    assert (await desk.again(called)).status == 481
    for lamp, event in ((caller, "dialog;id=9"), (mine, "presence")):
        assert (await desk.again(lamp, event=event, seconds=0)).status == 200


async def test_a_phone_that_asks_amid_a_call_and_who_hides(phones: Phones, desk: LampPhone) -> None:
    """Neither the lamp of the called nor that of the caller tells who hides, nor whom he calls."""
    c, d = await phones.at(C, 440), await phones.at(D, 660)
    await put(phones.server, "clip", number=C, presentation_number=C, restricted=True)
    try:
        call = c.dial(D)
        await d.incoming()
        called, _ = await desk.watch(D)
        caller, _ = await desk.watch(C)
        await desk.until(lambda: called.shown == caller.shown == ["early"])
        assert called.remote() == caller.remote() == (None, "sip:anonymous@anonymous.invalid")
        call.hang_up()
        await desk.until(lambda: called.shown[-1] == caller.shown[-1] == "dark")
    finally:
        await put(phones.server, "clip", number=C, presentation_number=C, restricted=False)
    site = phones.server.site
    async with SoftPhone(OUTSIDE, site.sip, bind=("127.0.0.1", site.trunk_port)) as outside:
        call = outside.dial(D)
        await d.incoming()
        await desk.until(lambda: called.shown[-1] == "early")
        assert called.remote() == (None, f"sip:{OUTSIDE}@{site.sip[0]}")
        desk.answers_notify = 481  # the phone has started anew and knows nothing of it
        call.hang_up()
        await desk.until(lambda: called.shown[-1] == "dark")
    assert (await desk.again(called)).status == 481


async def test_what_is_refused(phones: Phones, desk: LampPhone) -> None:
    _, answer = await desk.watch(D, event="conference")
    assert (answer.status, answer.get("Allow-Events")) == (489, "dialog, message-summary, presence")
    _, answer = await desk.watch(D, seconds=59)
    assert (answer.status, answer.get("Min-Expires")) == (423, "60")
    for nobody in (OUTSIDE, "777", "*8"):
        _, answer = await desk.watch(nobody)
        assert answer.status == 404
    mailbox, answer = await desk.watch(A, event="message-summary", seconds=86_400)
    assert (answer.status, answer.get("Expires")) == (200, "600")
    await desk.until(lambda: bool(mailbox.notifies))
    assert mailbox.notifies[0].body == b"Messages-Waiting: no\r\n"
    assert (await desk.again(mailbox, event="message-summary", seconds=0)).status == 200


async def test_a_softphone_sees_its_contacts(phones: Phones, tmp_path: Path) -> None:
    """baresip has no lamps, but subscribes to the presence of its contacts and to its mailbox."""
    site = phones.server.site
    c, d = await phones.at(C, 440), await phones.at(D, 660)
    async with baresip(tmp_path / "a", site.lines[A], site.sip, tone=440, watched=[D]) as phone:

        async def sees(word: str) -> None:
            async with asyncio.timeout(PATIENCE):
                while word not in str((await phone.command("contacts"))["data"]):  # noqa: ASYNC110 - it tells only when asked
                    await asyncio.sleep(0.05)

        await sees("Online")
        call = c.dial(D)
        (await d.incoming()).answer()
        await call.established()
        await sees("Busy")
        call.hang_up()
        await sees("Online")
        await until(lambda: "--- MWI for" in phone.log, "its mailbox, which is empty")
