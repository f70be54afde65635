"""Pages in a real Chromium, with all noted that a visitor must never meet."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, Response, async_playwright

from tests.api.world import PASSWORD

CHROMIUM = shutil.which("chromium")
PAGE_LIMIT = 150_000
"""Bytes of a page with all that it is made of."""
LOOKED_FOR = {"rules": {"region": {"enabled": True}}, "resultTypes": ["violations"]}
"""Everything on a page is in a landmark, so that who hears it can jump. What is right need not be told."""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")

JUMP_LIMIT = 0.01
"""Share of the window that may move, times how far: a tenth of what Chrome calls good. Links in a row move by a hair as
those behind them come.
"""
JUMPS = """() => new Promise((done) => {
  new PerformanceObserver((list) => done(list.getEntries().filter(
    (shift) => !shift.hadRecentInput && shift.sources.some(({ node }) => node !== null)
  ).map((shift) => [shift.value, ...shift.sources.map(({ node }) => (node?.outerHTML ?? node?.data)?.slice(0, 200))])
  )).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done([]), 100);
})"""
"""What moved since the page came, without anybody having touched it: how far, and what. Nodes that are not told are the
browser's own, such as the buttons of a player.
"""

CUT = """() => {
  const pen = document.createElement("canvas").getContext("2d");
  const narrow = (one, style) => {
    if (!one.placeholder || one.value) return false;
    pen.font = style.font;
    const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return pen.measureText(one.placeholder).width > room + 1;
  };
  return [...document.querySelectorAll("body *")].filter((one) => {
    if (one.clientWidth < 2 || !one.checkVisibility() || one.closest("svg, [title]")) return false;
    const style = getComputedStyle(one);
    const hides = ["hidden", "clip"].includes(style.overflowX);
    return narrow(one, style) || (hides && one.scrollWidth > one.clientWidth + 1);
  }).map((one) => one.outerHTML.slice(0, 200));
}"""
"""Texts that do not fit where they stand and that nothing tells in full."""


OUTSIDE_CELLS = """() => [...document.querySelectorAll("td, th")].filter((cell) => {
  if (!cell.checkVisibility()) return false;
  const { left, right } = cell.getBoundingClientRect();
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  const seen = (node) => {
    for (let one = node instanceof Element ? node : node.parentElement; one !== cell; one = one.parentElement) {
      const { overflowX, position } = getComputedStyle(one);
      if (overflowX !== "visible" || position === "absolute") return false;
      if (one.localName === "details" && !one.open && !one.querySelector("summary").contains(node)) return node === one;
    }
    return true;
  };
  while (walk.nextNode()) {
    const node = walk.currentNode, range = document.createRange();
    range.selectNodeContents(node);
    const boxes = node instanceof Text ? [...range.getClientRects()] : [node.getBoundingClientRect()];
    const beyond = boxes.some((box) => box.width > 1.5 && (box.left < left - 1 || box.right > right + 1));
    if (beyond && seen(node)) return true;
  }
  return false;
}).map((cell) => cell.outerHTML.slice(0, 300))"""
"""Cells of tables out of which something sticks that is seen. What opens over the page may."""

MOVING_COLUMNS = """() => [...document.querySelectorAll("table")].filter((table) =>
  table.checkVisibility() && getComputedStyle(table).display === "table" && table.tBodies[0].rows.length > 1
).flatMap((table) => {
  const rows = [...table.tBodies[0].rows], head = table.tHead ?? table.tBodies[0];
  const columns = () => [...head.rows[0].cells].map((cell) => cell.getBoundingClientRect().left);
  const whole = columns();
  const moved = [table.tHead ? 0 : 1, 1, rows.length >> 1].map((there) => {
    rows.forEach((row, at) => { row.style.display = at < there ? "" : "none"; });
    return columns().map((left, at) => Math.abs(left - whole[at]));
  });
  rows.forEach((row) => { row.style.display = ""; });
  const most = Math.max(...moved.flat());
  return most > 1 ? [`${table.className}: ${most} pixels`] : [];
})"""
"""Tables whose columns are elsewhere before all rows are there: whoever gets them in pieces sees them move."""


LISTEN = """() => {
  const asked = "a[href], button, input, select, textarea, summary, audio[controls], [tabindex]";
  const shown = [...document.querySelectorAll(asked)].filter((one) => one.checkVisibility()
    && !one.disabled && one.type !== "hidden" && one.tabIndex >= 0
    && (one.checked || one.type !== "radio" || !document.querySelector(`[name="${one.name}"]:checked`)));
  window.missed = new Set(shown);
  window.unseen = new Set();
  document.addEventListener("focusin", ({ target }) => {
    window.missed.delete(target);
    const { outlineStyle, boxShadow } = getComputedStyle(target);
    if (outlineStyle === "none" && boxShadow === "none") window.unseen.add(target);
  });
  document.activeElement.blur();
  return shown.length;
}"""
"""Note what the keyboard comes to, and what does not show that it has."""

MISSED = "() => [window.missed, window.unseen].map((ones) => [...ones].map((one) => one.outerHTML.slice(0, 200)))"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


class Watched:
    """A page of which all is noted that a visitor must never meet."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._address = address
        self.faults: list[str] = []
        self.bytes = 0
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._say(True, str(error)))
        page.on("request", lambda request: self._say(not request.url.startswith(address), request.url))
        page.on("response", self._weigh)

    def _hear(self, message: ConsoleMessage) -> None:
        # A page that is refused or not there is one to look at.
        refused = message.text.startswith("Failed to load resource") and message.location["url"] == self.page.url
        self._say(message.type in ("error", "warning") and not refused, message.text)

    def _say(self, wrong: bool, what: str) -> None:
        if wrong:
            self.faults.append(what)

    def _weigh(self, response: Response) -> None:
        if "/recordings/" not in response.url:
            self.bytes += int(response.headers.get("content-length", 0))

    async def open(self, path: str) -> None:
        """Open a page with an empty cache and weigh it."""
        self.bytes = 0
        await self.page.goto(self._address + path)
        assert 0 < self.bytes < PAGE_LIMIT, f"{path} weighs {self.bytes} bytes"

    async def follow(self, selector: str) -> None:
        """Click what leads to another page, and wait until it is there: a click itself does not."""
        async with self.leaving():
            await self.page.click(selector)

    @asynccontextmanager
    async def leaving(self) -> AsyncIterator[None]:
        """Do what leads to another page, and wait until it is there; a new address of the same page does not count."""
        async with self.page.expect_event("domcontentloaded"):
            yield

    async def sign_in(self, login: str) -> None:
        """Sign in as somebody of the world of tests."""
        await self.open("/signin")
        await self.page.fill("#login", login)
        await self.page.fill("#password", PASSWORD)
        await self.page.press("#password", "Enter")
        await self.page.wait_for_url(lambda url: "/signin" not in url)

    async def whole(self) -> None:
        """Fail for what was noted, and for what is wider than the window or cut off."""
        assert self.faults == [], self.faults
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"
        cut = await self.page.evaluate(CUT)
        assert cut == [], f"cut off: {cut}"
        outside = await self.page.evaluate(OUTSIDE_CELLS)
        assert outside == [], f"out of their cells: {outside}"

    async def sound(self) -> None:
        """Fail for that, and for what axe finds."""
        await self.whole()
        found = await Axe().run(self.page, options=LOOKED_FOR)
        assert found.violations_count == 0, found.generate_report()

    async def still(self) -> None:
        """Fail for what jumped while the page came, and for tables that would when it came more slowly."""
        jumped = await self.page.evaluate(JUMPS)
        assert sum(shift[0] for shift in jumped) < JUMP_LIMIT, f"jumped: {jumped}"
        moving = await self.page.evaluate(MOVING_COLUMNS)
        assert moving == [], f"columns depend on rows: {moving}"

    async def by_keyboard(self) -> None:
        """Fail for what Tab does not come to, or does without its being seen."""
        count = await self.page.evaluate(LISTEN)
        for pressed in range(2 * count + 10):  # a player and a date have several stops
            await self.page.keyboard.press("Tab")
            if pressed % 10 == 9 and await self.page.evaluate("window.missed.size") == 0:
                break
        missed, unseen = await self.page.evaluate(MISSED)
        assert missed == [], f"not by keyboard: {missed}"
        assert unseen == [], f"focus is not seen: {unseen}"
