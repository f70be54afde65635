"""The portal's phone in a real Chromium talks with a baresip phone on TLS, SRTP on both sides: both call, and hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, ViewportSize, WebSocketRoute, async_playwright, expect

from tests.interop.baresip import baresip, write_tone
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Line, Sipp
from tests.portal.browser import CHROMIUM, needs_chromium
from tests.support.spectrum import needs_sox, tones_over_time
from tests.support.waiting import PATIENCE, until

BROWSER, PHONE, OTHER = NUMBERS[2], NUMBERS[3], NUMBERS[1]
LOGIN, PASSWORD = "taras", "correct horse battery"
SPOKEN, PLAYED = 440, 660
LOUD = -60
"""Decibels below full scale: what is fainter is noise of the decoder."""

pytestmark = [
    needs_sox(),
    pytest.mark.database("sqlite"),  # what is stored of calls is the same whoever carries them: others try it on both
    needs_chromium,
]

HEARD = """async () => {
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 8192 });
  context.createMediaStreamSource(document.getElementById("far").srcObject).connect(analyser);
  await new Promise((done) => setTimeout(done, 500));
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const loudest = levels.indexOf(Math.max(...levels));
  const found = [loudest * context.sampleRate / analyser.fftSize, levels[loudest]];
  await context.close();
  return found;
}"""
"""What the page hears of the other side: the loudest frequency (Hz) and how loud it is (dB)."""


@asynccontextmanager
async def page_of(tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a browser whose microphone hears a tone."""
    write_tone(tmp_path / "spoken.wav", SPOKEN, seconds=30)
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    flags += [f"--use-file-for-fake-audio-capture={tmp_path / 'spoken.wav'}"]
    flags += ["--autoplay-policy=no-user-gesture-required", "--disable-gpu"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        screen: ViewportSize = {"width": 390, "height": 844}
        context = await browser.new_context(
            locale="en-GB", viewport=screen, permissions=["notifications", "microphone"]
        )
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        try:
            yield page
        finally:
            await browser.close()


def employ(server: Server) -> None:
    """Let there be a person with the browser's number."""
    site = server.site
    of = ("--enterprise", site.enterprise["enterprise_id"])
    if LOGIN not in site.prepare("person", "list", *of, "--json"):
        given = ("--number", BROWSER, "--password", PASSWORD, "--keep-password")
        site.prepare("person", "add", LOGIN, "--role", "employee", *of, *given)


async def open_phone(page: Page, server: Server) -> None:
    """Sign in and open the phone; it registers by itself."""
    await page.goto(f"http://{server.site.http}/signin?next=/phone")
    await page.fill("#login", LOGIN)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await expect(page.locator("#state")).to_have_text("ready")


async def sound(page: Page) -> None:
    """Nothing is wider than a phone's screen, and axe finds no fault."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = await Axe().run(page, options={"rules": {"region": {"enabled": False}}})
    assert found.violations_count == 0, found.generate_report()


async def hears(page: Page, hz: float) -> None:
    """The page comes to hear a tone."""
    heard: list[float] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while not heard or abs(heard[0] - hz) > 12 or heard[1] < LOUD:
                heard = await page.evaluate(HEARD)
    except TimeoutError:
        raise AssertionError(f"the page hears {heard} instead of {hz} Hz") from None


async def test_the_portals_phone_calls_and_is_called(
    kobza_server: Server, sipp: Sipp, ledger: Ledger, lines: list[Line], tmp_path: Path
) -> None:
    site = kobza_server.site
    employ(kobza_server)
    faults: list[str] = []
    sockets: list[WebSocketRoute] = []

    def carry(socket: WebSocketRoute) -> None:
        sockets.append(socket.connect_to_server())

    secure = (site.sip[0], site.tls_port)
    async with (
        page_of(tmp_path) as page,
        baresip(tmp_path / "b", lines[3], secure, tone=PLAYED, transport="tls", srtp=True) as phone,
    ):
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.route_web_socket("**/sip", carry)
        await open_phone(page, kobza_server)
        await until(lambda: kobza_server.status_of(BROWSER) == "available")
        await sound(page)

        # it calls
        await page.fill("#dialled", PHONE)
        await page.press("#dialled", "Enter")
        incoming = await phone.event("CALL_INCOMING")
        assert BROWSER in incoming["peeruri"]
        await expect(page.locator("#call-state")).to_have_text("ringing")
        await phone.command("accept")
        await expect(page.locator("#call-state")).to_have_text("talking")
        await expect(page.locator("#who")).to_have_text("Phone 04")
        await hears(page, PLAYED)
        await expect(page.locator("#quality")).to_contain_text("The line is good")
        await sound(page)
        await page.click("#hold")
        await expect(page.locator("#call-state")).to_have_text("on hold")
        await page.click("#hold")
        await expect(page.locator("#call-state")).to_have_text("talking")
        await page.click("[data-key='5']")
        assert (await phone.event("CALL_DTMF_START"))["param"] == "5"
        await page.click("#hang-up")
        await expect(page.locator("#idle")).to_be_visible()
        outcome = await ledger.call(BROWSER, PHONE, owners=(BROWSER, PHONE))
        outcome.has(cause=16, status=200, released_by="caller")
        tones = [tone for tone in tones_over_time(await phone.heard()) if tone is not None]
        assert sum(abs(tone - SPOKEN) < 8 for tone in tones) >= 5, tones

        # it is called
        await phone.command("dial", f"sip:{BROWSER}@{secure[0]}:{secure[1]};transport=tls")
        await expect(page.locator("#call-state")).to_have_text("incoming call")
        assert await page.title() == "☎ Phone 04"
        await page.click("#answer")
        await phone.event("CALL_ESTABLISHED")
        await expect(page.locator("#call-state")).to_have_text("talking")
        await hears(page, PLAYED)
        await sockets[-1].close()  # the network goes and comes back; the call goes on, and its end finds the new way
        await until(lambda: len(sockets) == 2)
        await expect(page.locator("#state")).to_have_text("ready")
        await hears(page, PLAYED)
        await phone.command("hangup")
        await expect(page.locator("#log li")).to_have_count(2)

        # a reload takes the place of what was
        await page.reload()
        await expect(page.locator("#state")).to_have_text("ready")
        assert kobza_server.get("/v1/phonestatus", number=BROWSER)["phones"][0]["devices"] == 1
    assert faults == []
    async with asyncio.timeout(PATIENCE):
        while kobza_server.status_of(BROWSER) != "unavailable":  # noqa: ASYNC110 - the page is gone, and so is its phone
            await asyncio.sleep(0.1)
