"""Transfers in which one phone is a browser over WebSocket: as who transfers, who is given away, and who is called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from kobza.phone.call import CallFailed, PhoneCall
from kobza.phone.phone import SoftPhone
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, leg_of, made
from tests.interop.test_commands import hears as phone_hears
from tests.interop.test_control import story
from tests.interop.test_softphone import BROWSER, SPOKEN, employ, hears, open_phone, page_of
from tests.portal.browser import needs_chromium
from tests.support.spectrum import needs_sox
from tests.support.waiting import PATIENCE, until

A, B, D = NUMBERS[0], NUMBERS[1], NUMBERS[3]

pytestmark = [
    needs_sox(),
    pytest.mark.database("sqlite"),  # what is stored of transfers is the same whoever makes them: others try it on both
    needs_chromium,
]

KEEP_AGENT = """
let library;
Object.defineProperty(window, "JsSIP", {
  get: () => library,
  set: (given) => {
    const kept = new Proxy(given.UA, { construct: (made, args) => (window.agent = new made(...args)) });
    library = new Proxy(given, { get: (of, name) => (name === "UA" ? kept : of[name]) });
  },
});
"""
"""Lets a test have the page's user agent: its page has no key for REFER, other phones over WebSocket have."""
REFER = "(to) => Object.values(window.agent._sessions)[0].refer(to)"


class Scene:
    """A browser and three phones on UDP, each with a tone of its own."""

    def __init__(self, page: Page, phones: Phones, asked: SoftPhone, other: SoftPhone, desk: SoftPhone) -> None:
        self.page = page
        self.phones = phones
        self.asked, self.other, self.desk = asked, other, desk

    async def browser_answers(self) -> None:
        await expect(self.page.locator("#call-state")).to_have_text("incoming call")
        await self.page.click("#answer")
        await expect(self.page.locator("#call-state")).to_have_text("talking")

    async def browser_calls(self, number: str) -> None:
        await self.page.fill("#dialled", number)
        await self.page.press("#dialled", "Enter")
        await expect(self.page.locator("#call-state")).to_have_text("talking")

    async def call_at(self, phone: SoftPhone) -> PhoneCall:
        """The call that a phone has now."""
        await until(lambda: any(call.answered_at is not None and call.ending is None for call in phone.calls))
        return next(call for call in phone.calls if call.answered_at is not None and call.ending is None)

    async def idle(self) -> None:
        await expect(self.page.locator("#idle")).to_be_visible()


@asynccontextmanager
async def scene(server: Server, tmp_path: Path) -> AsyncIterator[Scene]:
    employ(server)
    async with page_of(tmp_path) as page, made(server) as phones:
        await page.add_init_script(KEEP_AGENT)
        await open_phone(page, server)
        asked, other, desk = (
            await phones.at(A, 990, answer_after=0.1),
            await phones.at(B, 880),
            await phones.at(D, 660, answer_after=0.1),
        )
        yield Scene(page, phones, asked, other, desk)


async def test_a_browser_is_called_by_a_transfer_and_transfers_the_call_itself(
    kobza_server: Server, ledger: Ledger, tmp_path: Path
) -> None:
    """By REFER both: of a phone on UDP, and over WebSocket."""
    async with scene(kobza_server, tmp_path) as now:
        call = now.other.dial(D)
        await call.established()
        leg = await leg_of(now.phones, ledger, B)
        await (await now.call_at(now.desk)).transfer(BROWSER)
        await now.browser_answers()
        await hears(now.page, 880)
        await phone_hears(call, SPOKEN)
        await now.page.evaluate(REFER, f"sip:{A}@{kobza_server.site.sip[0]}")
        await now.idle()
        await phone_hears(call, 990)
        await phone_hears(await now.call_at(now.asked), 880)
        call.hang_up()
        states, row = await story(now.phones, ledger, leg, 4)
    assert (row["calling_number"], row["called_number"], row["answered_number"]) == (B, D, A)
    assert (row["cause"], row["released_by"]) == (16, "caller")
    ends = {told[0]["state_owner"]: told[-1]["released_by"] for told in states.values()}
    assert ends == {B: "caller", D: "called", BROWSER: "called", A: "caller"}


async def test_a_browser_is_given_to_another_one_and_gives_by_the_key_of_its_page(
    kobza_server: Server, ledger: Ledger, tmp_path: Path
) -> None:
    async with scene(kobza_server, tmp_path) as now:
        await now.browser_calls(D)
        await hears(now.page, 660)
        leg = await leg_of(now.phones, ledger, BROWSER)
        await (await now.call_at(now.desk)).transfer(A)
        await hears(now.page, 990)
        await now.page.click("#hang-up")
        await now.idle()
        _, row = await story(now.phones, ledger, leg, 3)
        assert (row["calling_number"], row["called_number"], row["answered_number"]) == (BROWSER, D, A)
        assert (row["cause"], row["released_by"]) == (16, "caller")

        await now.browser_calls(D)
        desk = await now.call_at(now.desk)
        await phone_hears(desk, SPOKEN)
        leg = await leg_of(now.phones, ledger, BROWSER)
        await now.page.click("#to-transfer")
        await now.page.fill("#transfer-to", A)
        await now.page.press("#transfer-to", "Enter")
        await now.idle()
        await phone_hears(desk, 990)
        desk.hang_up()
        states, row = await story(now.phones, ledger, leg, 3)
        assert (row["calling_number"], row["called_number"], row["cause"]) == (BROWSER, D, 16)
        assert states[leg][-1]["released_by"] == "api"


async def test_a_browser_that_was_asked_is_not_taken_over(kobza_server: Server, ledger: Ledger, tmp_path: Path) -> None:
    """And both calls go on: the one that was to be handed over, and the one with the browser."""
    async with scene(kobza_server, tmp_path) as now:
        call = now.other.dial(D)
        await call.established()
        first = await now.call_at(now.desk)
        await first.hold()
        second = now.desk.dial(BROWSER)
        await now.browser_answers()
        await second.established()
        with pytest.raises(CallFailed, match="480"):
            await first.transfer(BROWSER, joining=second)
        await hears(now.page, 660)
        await now.page.click("#hang-up")
        await second.ended()
        await first.resume()
        await phone_hears(call, 660)
        call.hang_up()
        async with asyncio.timeout(PATIENCE):
            await first.ended()
    (await ledger.call(D, BROWSER, owners=(D, BROWSER))).has(cause=16, status=200, released_by="called")
    (await ledger.call(B, D, owners=(B, D))).has(cause=16, status=200, released_by="caller")
