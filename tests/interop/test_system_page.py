"""The system page of a real server, in a real browser: what it shows, that it renews itself, what the doctor says."""

from pathlib import Path

from playwright.async_api import expect

from tests.interop.conftest import NUMBERS
from tests.interop.server import Site
from tests.portal.browser import Watched, chromium, needs_chromium
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

PASSWORD = "a quiet engine room"


@needs_chromium
async def test_the_operator_sees_how_the_installation_is(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.create(NUMBERS[:2])
    site.prepare("person", "add", "root", "--role", "operator", "--password", PASSWORD, "--keep-password", "--json")
    silent = ("--host", "127.0.0.1", "--port", str(free_port()), "--priority", "20", "--capacity", "7")
    site.prepare("trunk", "add", "silent", *silent, "--options-every", "5", "--answer-within", "1", "--json")
    server = site.start()
    try:
        site.prepare("backup", str(tmp_path / "backup"), "--json")
        async with chromium() as browser:
            page = await (await browser.new_context(locale="en-GB")).new_page()
            page.set_default_timeout(PATIENCE * 1000)
            watched = Watched(page, f"http://{site.http}")
            await watched.open("/signin?next=/system")
            await page.fill("#login", "root")
            await page.fill("#password", PASSWORD)
            await page.press("#password", "Enter")
            await page.wait_for_url("**/system")
            await expect(page.locator("h1")).to_have_text("System")
            await expect(page.locator(".mark.active", has_text="Journal")).to_be_visible()
            trunk = page.locator("tr", has_text="silent")
            await expect(trunk).to_contain_text("silent", use_inner_text=True)
            await expect(trunk.locator(".mark.failed")).to_be_visible()  # without a reload: OPTIONS takes its time
            await expect(trunk).to_contain_text("0 / 7")
            doctor = page.locator("#doctor")
            await expect(doctor).to_contain_text("nobody listens at 127.0.0.1")
            await expect(page.locator("main")).to_contain_text(str(tmp_path / "backup"))
            await expect(page.locator(".tiles")).to_contain_text("0 / 2")
            await page.click("text=Look now")
            await expect(doctor.locator("summary")).to_be_visible()
            await page.click("text=What is in order")
            await expect(doctor).to_contain_text("it runs and answers at")
            await page.click("[href^='/language/uk']")
            await expect(page.locator("h1")).to_have_text("Система")
            await page.set_viewport_size({"width": 390, "height": 900})
            await watched.open("/system")
            await watched.sound()
    finally:
        server.stop()
