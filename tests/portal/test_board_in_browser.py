"""The live board in a real Chromium, when the network goes and when the machine sleeps: what it shows stays true."""

import pytest
from playwright.async_api import Page, expect

from tests.api.world import World
from tests.portal.browser import Watched, chromium, needs_chromium
from tests.portal.serving import served
from tests.portal.test_board import talk
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

pytestmark = [
    pytest.mark.database("sqlite"),  # it is about the browser
    needs_chromium,
]
LOST = "[data-lost]"


async def talking(page: Page, state: str) -> None:
    """Wait until the board shows a call in a state."""
    await expect(page.locator(f".leg-now .mark.{state}")).to_be_visible(timeout=PATIENCE * 1000)


async def test_a_board_whose_server_was_away_is_right_again(world: World) -> None:
    port = free_port()
    async with chromium() as browser:
        page = await browser.new_page(locale="en-GB")
        async with served(world, port) as address:
            await Watched(page, address).sign_in("olena")
            talk(world)
            await talking(page, "established")
        await expect(page.locator(LOST)).to_have_count(1, timeout=PATIENCE * 1000)
        world.app = world.build()
        talk(world, "held")
        async with served(world, port):
            await talking(page, "held")
            await expect(page.locator(LOST)).to_have_count(0)
            talk(world, "established")  # the stream is there too: asking would take longer than this waits
            await talking(page, "established")


async def test_a_board_that_slept_asks_anew(world: World) -> None:
    """As when a laptop is opened: the connection seems to be there, but nothing comes over it any more."""
    async with served(world) as address, chromium() as browser:
        page = await browser.new_page(locale="en-GB")
        await page.clock.install(time=world.at)
        streams: list[str] = []
        page.on("request", lambda request: streams.append(request.url) if request.url.endswith("/stream") else None)
        await Watched(page, address).sign_in("olena")
        talk(world)
        await talking(page, "established")
        assert len(streams) == 1
        await page.clock.fast_forward("10:00")
        talk(world, "held")
        await talking(page, "held")
        await expect(page.locator(".leg-now time, .leg-now [data-since]").first).to_contain_text("11:0")
        assert len(streams) == 2
