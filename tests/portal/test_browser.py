"""A visit in a real Chromium, by mouse and keyboard, with a script and without. How pages look: test_every_form.py."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from kobza.store import users
from kobza.store.fill import fill
from kobza.store.users import Role
from tests.api.world import ALICE, BORYS, PASSWORD, PLAIN, World
from tests.portal.browser import Watched, chromium, needs_chromium
from tests.portal.recorded import CALL, add_recorded_call
from tests.portal.serving import served
from tests.portal.test_board import talk
from tests.support.waiting import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)

CALLS = 300

pytestmark = [
    pytest.mark.database("sqlite"),  # what pages read and write is tried on both by the tests of each page
    needs_chromium,
]


async def test_a_visit_with_a_script(world: World) -> None:
    add_recorded_call(world)
    fill(world.store, world.own.enterprise_id, CALLS, 30, now_ms=int(world.at * 1000))
    async with served(world) as address, chromium() as browser:
        context = await browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900})
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        watched = Watched(page, address)
        await watched.sign_in("olena")
        await find_calls(watched)
        await hear_a_call(watched)
        await count_calls(watched)
        await name_people(watched)
        await serve_numbers(watched)
        speak_from(world, ALICE)
        await watch_the_board(watched, world)
        speak_from(world, None)
        await choose(watched)
        await context.close()


async def comes_true(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript. Playwright's own way evaluates a text in the page: the policy forbids it."""
    async with asyncio.timeout(PATIENCE):
        while not await page.evaluate(condition):  # noqa: ASYNC110 - the page sets no event
            await asyncio.sleep(0.05)


async def find_calls(watched: Watched) -> None:
    """Narrow, lead on and go back without a reload."""
    page, calls = watched.page, watched.page.locator(".history .outcome")
    await watched.open("/history")
    await watched.sound()
    await page.evaluate("document.body.dataset.same = 'yes'")
    await expect(calls).to_have_count(50)
    await page.focus("#more")
    await page.keyboard.press("Enter")
    await expect(calls).to_have_count(100)
    assert await page.evaluate("document.activeElement.closest('.history td') !== null"), "the keyboard goes on there"
    await page.select_option("#outcome", "17")
    await page.wait_for_url("**/history?outcome=17")
    await expect(page.locator(".mark.answered")).to_have_count(0)
    await page.fill("#q", "nobody at all")
    await expect(page.locator(".nothing h2")).to_have_text("No call is like that")
    await page.fill("#q", "збут")
    await page.wait_for_url("**/history?q=%D0*")
    assert await page.evaluate("document.body.dataset.same") == "yes", "the page was never left"
    await page.go_back()
    await expect(page.locator("#q")).to_have_value("nobody at all")
    await watched.open("/history?outcome=17")
    await page.select_option("#direction", "incoming")
    await page.wait_for_url("**/history?direction=incoming&outcome=17")
    await page.click("text=Save this search")
    await page.fill("#filter-name", "Зайняті вхідні")
    await watched.sound()
    async with watched.leaving():
        await page.press("#filter-name", "Enter")
    await watched.open("/history")
    await page.click(".saved a")
    await page.wait_for_url("**/history?direction=incoming&outcome=17")
    await expect(page.locator(".saved a")).to_have_attribute("aria-current", "true")
    await page.select_option("#direction", "local")
    await expect(page.locator(".saved a[aria-current]")).to_have_count(0)


async def hear_a_call(watched: Watched) -> None:
    """The recording is drawn, and goes by keys and clicks."""
    page = watched.page
    await watched.open(f"/history/{CALL}")
    await expect(page.locator(".waveform path")).to_have_count(2)
    await watched.sound()
    now = "document.querySelector('audio').currentTime"
    await comes_true(page, "document.querySelector('audio').readyState > 0")
    await page.keyboard.press("ArrowRight")
    await comes_true(page, f"{now} === 10")
    await page.click("[data-skip='10']")
    await comes_true(page, f"{now} === 20")
    await page.keyboard.press("ArrowLeft")
    await comes_true(page, f"{now} === 10")
    await comes_true(page, "Number(document.querySelector('.played').getAttribute('x1')) > 50")
    box = await page.locator("[data-seek]").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] * 3 / 4, box["y"] + 20)
    await comes_true(page, f"Math.abs({now} - 30) < 1")
    await page.select_option("[data-speed]", "1.5")
    assert await page.evaluate("document.querySelector('audio').playbackRate") == 1.5


async def count_calls(watched: Watched) -> None:
    """Charts of other days without a reload, the numbers behind one, and the picture of one as a file."""
    page = watched.page
    await watched.open("/statistics")
    await watched.sound()
    await page.select_option("#department", "Збут")
    await page.wait_for_url("**/statistics?*department=*")
    await page.click("#weekdays summary")
    await expect(page.locator("#weekdays tbody tr")).to_have_count(7)
    await watched.sound()
    async with page.expect_download() as saving:
        await page.click("#days [data-picture]")
    saved = await saving.value
    assert saved.suggested_filename == "days.png"
    content = (await saved.path()).read_bytes()
    assert content.startswith(b"\x89PNG"), "the browser drew it"
    assert int.from_bytes(content[16:20]) == 1920


async def name_people(watched: Watched) -> None:
    """Found as one types; a file is shown before it counts."""
    page = watched.page
    await watched.open("/contacts")
    await watched.sound()
    await page.fill("#q", "борис")
    await expect(page.locator(".contacts tbody tr")).to_have_count(1)
    await page.wait_for_url("**/contacts?q=*")
    await watched.follow(".contacts .doing a")
    await watched.sound()
    await watched.open("/contacts/import")
    await watched.sound()
    table = "Телефон;Ім'я\n0931112233;Ганна\nabc;Хтось\n".encode()
    await page.set_input_files("#file", {"name": "people.csv", "mimeType": "text/csv", "buffer": table})
    await page.click("text=Show what will change")
    await expect(page.locator("h1")).to_have_text("What will change")
    await watched.sound()
    await page.click("text=Make 1 change")
    await expect(page.locator(".notice[role=status]")).to_be_visible()


async def serve_numbers(watched: Watched) -> None:
    """Many numbers are changed at once; a phone gets its account."""
    page = watched.page
    await watched.open("/provisioning")
    await watched.sound()
    await page.check("[data-choose-all]")
    await page.select_option("#act", "call_recording_on")
    await page.click("#many button")
    await page.click("text=Make 3 changes")
    await expect(page.locator(".notice[role=status]")).to_be_visible()
    await expect(page.locator(".services tbody tr .mark", has_text="Recording")).to_have_count(3)
    await watched.follow("text=Олена Коваль")
    await watched.sound()
    await page.click("text=Make a password")
    await expect(page.locator(".qr")).to_be_visible()
    await watched.sound()


def speak_from(world: World, number: str | None) -> None:
    """Give the visitor a number."""
    with world.store.write() as conn:
        users.change(conn, world.own.enterprise_id, "olena", role=Role.ADMIN, name="Олена", number=number)


async def watch_the_board(watched: Watched, world: World) -> None:
    """What happens is there without a reload; a command is given in place."""
    page = watched.page
    await watched.open("/")
    talk(world)
    await expect(page.locator(".leg-now .mark.established")).to_be_visible()
    await watched.sound()
    await page.click("text=Hold")
    async with asyncio.timeout(PATIENCE):
        while not world.commands.told:  # noqa: ASYNC110 - the browser sets no event
            await asyncio.sleep(0.02)
    assert world.commands.told[0][2:4] == ("leg1", "hold")
    talk(world, "held")
    await expect(page.locator(".leg-now .mark.held")).to_be_visible()
    await page.click("text=Transfer")
    await page.fill(".leg-now [name=destination]", "067 222 2222")
    await page.press(".leg-now [name=destination]", "Enter")
    async with asyncio.timeout(PATIENCE):
        while len(world.commands.told) < 2:  # noqa: ASYNC110 - the browser sets no event
            await asyncio.sleep(0.02)
    world.commands.legs = []
    await expect(page.locator(".leg-now")).to_have_count(0)
    lines = page.locator(".line")
    await lines.get_by_role("button", name="067 333 3333").click()
    said = page.locator(".toast", has_text="Your phone rings, then 067 333 3333 is called.")
    await expect(said).to_be_visible()
    await lines.get_by_role("button", name="067 222 2222").press("Enter")
    async with asyncio.timeout(PATIENCE):
        while len(world.commands.told) < 4:  # noqa: ASYNC110 - the browser sets no event
            await asyncio.sleep(0.02)
    dialled = [told[2:4] for told in world.commands.told if told[0] == "originate"]
    assert dialled == [(ALICE, PLAIN), (ALICE, BORYS)]


async def choose(watched: Watched) -> None:
    """Language and theme, from a filtered page."""
    page = watched.page
    await watched.open("/history")
    await page.select_option("#direction", "local")
    await page.wait_for_url("**/history?direction=local")
    await page.click(".languages a[lang=uk]")
    await page.wait_for_url("**/history?direction=local")
    await expect(page.locator("h1")).to_have_text("Історія")
    await page.click(".themes a[href*=dark]")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_visit_without_any_script(world: World) -> None:
    fill(world.store, world.own.enterprise_id, 60, 30, now_ms=int(world.at * 1000))
    async with served(world) as address, chromium() as browser:
        context = await browser.new_context(locale="en-GB", java_script_enabled=False)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.goto(f"{address}/signin?next=/history")
        await page.fill("#login", "olena")
        await page.fill("#password", PASSWORD)
        await page.press("#password", "Enter")
        await page.click("#more")
        await expect(page.locator(".history .outcome")).to_have_count(10)
        await page.select_option("#direction", "local")
        await page.click("text=Find")
        await page.wait_for_url("**/history?*direction=local*")
        await expect(page.locator(".arrow.incoming")).to_have_count(0)
        await context.close()
