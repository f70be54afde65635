"""Every page as everybody sees it: both languages, light and dark, at the widths of a desk, a tablet and a phone.

Where `PICTURES` names a folder, pictures are kept there, to be looked at (`make pictures`).
"""

import os
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect
from playwright.async_api import Error as PlaywrightError

from kobza.store import enterprises
from tests.api.world import ALICE, BORYS, PASSWORD_HASH, World
from tests.portal.browser import Watched, chromium, needs_chromium
from tests.portal.office import furnish
from tests.portal.people import EMPLOYEE, ENTERED, OPERATOR, SUPERVISOR, TEMPORARY
from tests.portal.pictures import Form, keep
from tests.portal.recorded import CALL
from tests.portal.serving import served
from tests.portal.system import BusySystem
from tests.portal.test_sip_socket import Exchange
from tests.portal.test_weights import OF_A_NUMBER, pages_of
from tests.support.ci import IN_CI
from tests.support.waiting import PATIENCE

WIDTHS: Final = (1440, 768, 390)
BETWEEN: Final = 768
"""At this width the page is the one of a desk, put together anew: it is not loaded and not examined once more."""
REACHED: Final = (Form("en", "light", 1440), Form("uk", "dark", 390))
"""Forms in which each page is gone through by keyboard: what can be done is the same in the others."""
ALSO: Final = pytest.mark.skipif(not os.environ.get("PICTURES"), reason="`make pictures` looks at this form as well")
NEWCOMER: Final = "nova"
"""The administrator of an enterprise in which there is nothing yet."""

pytestmark = [
    pytest.mark.database("sqlite"),  # what pages read and write is tried on both by the tests of each page
    needs_chromium,
    pytest.mark.skipif(IN_CI, reason="not in CI: it takes too long"),
]


async def nothing(page: Page) -> None:
    """Do nothing."""


class View(NamedTuple):
    """What somebody sees: a page, and what is done there first."""

    name: str
    login: str
    path: str
    do: Callable[[Page], Awaitable[None]] = nothing
    later: str = ""
    """What comes a moment after the page, as a selector."""


async def show_contacts_file(page: Page) -> None:
    """Have a file of contacts shown before it counts, with lines that are wrong."""
    table = "Телефон;Ім'я;Відділ\n0931112233;Ганна Левченко;\n0501112233;Клієнт, «А» і партнери;\nabc;Хтось;\n"
    await page.set_input_files("#file", {"name": "people.csv", "mimeType": "text/csv", "buffer": table.encode()})
    await page.click("main form button.primary, main form button:not(.quiet)")
    await expect(page.locator("main table").first).to_be_visible()


async def show_numbers_file(page: Page) -> None:
    """Have a file of numbers shown before it counts."""
    async with page.expect_download() as saving:
        await page.click("a[href='/provisioning.csv']")
    content = (await (await saving.value).path()).read_bytes()
    changed = content.replace("Збут".encode(), "Продажі".encode())
    await page.set_input_files("#file", {"name": "numbers.csv", "mimeType": "text/csv", "buffer": changed})
    await page.click("form[action='/provisioning/import'] button")
    await expect(page.locator("main table").first).to_be_visible()


async def make_token(page: Page) -> None:
    """Have a token made, which is shown this one time."""
    await page.click("details.more:has(form[action='/crm-integration/tokens/add']) summary")
    await page.fill("form[action='/crm-integration/tokens/add'] [name=name]", "Нова CRM")
    await page.click("form[action='/crm-integration/tokens/add'] button")
    await expect(page.locator("#new-token")).to_be_visible()


async def try_webhook(page: Page) -> None:
    """Have the remote system tried."""
    await page.click("form[action='/crm-integration/webhook/test'] button")
    await expect(page.locator(".tried")).to_be_visible()


async def make_password(page: Page) -> None:
    """Have the password of a phone made, which is shown this one time."""
    await page.click("form[action='/provisioning/account'] button")
    await expect(page.locator(".qr")).to_be_visible()


async def guess(page: Page) -> None:
    """Sign in with a wrong password."""
    await page.fill("#login", "olena")
    await page.fill("#password", "a guess")
    await page.press("#password", "Enter")
    await expect(page.locator("[role=alert]")).to_be_visible()


async def open_numbers(page: Page) -> None:
    """Open the numbers behind a chart."""
    await page.click("#weekdays summary")
    await expect(page.locator("#weekdays tbody tr")).to_have_count(7)


def views(world: World) -> list[View]:
    """Return all that there is to see: every page that names nothing, those that name something, and what follows."""
    of_alice = quote(ALICE)
    shown = [
        View("call", "olena", f"/history/{CALL}", later=".waveform path >> nth=1"),
        View("history-none", "olena", "/history?q=nobody"),
        View("history-wrong", "olena", "/history?from=today&direction=up"),
        View("statistics-numbers", "olena", "/statistics", open_numbers),
        View("contact", "olena", f"/contacts/edit?number={of_alice}"),
        View("contacts-shown", "olena", "/contacts/import", show_contacts_file),
        View("phone-account", "olena", f"/provisioning/account?number={of_alice}"),
        View("phone-password", "olena", f"/provisioning/account?number={of_alice}", make_password),
        View("forwarding", "olena", f"/provisioning/forwarding?number={quote(BORYS)}"),
        View("hours", "olena", "/provisioning/hours"),
        View("limits-own", "olena", f"/provisioning/limits?number={of_alice}"),
        View("limits-operator", ENTERED, "/provisioning/limits"),
        View("hours-own", "olena", f"/provisioning/hours?number={of_alice}"),
        View("delivery", "olena", "/crm-integration/deliveries/1"),
        View("webhook-tried", "olena", "/crm-integration", try_webhook),
        View("numbers-shown", "olena", "/provisioning", show_numbers_file),
        View("token-shown", "olena", "/crm-integration", make_token),
        View("not-found", "olena", "/history/unknown"),
        View("signin", "", "/signin"),
        View("signin-wrong", "", "/signin", guess),
        View("entered", ENTERED, "/provisioning"),
        View("password", TEMPORARY, "/account/password"),
        *(View(f"supervisor{path}", SUPERVISOR, path) for path in ("/", "/history", "/contacts", "/statistics")),
        *(View(f"employee{path}", EMPLOYEE, path) for path in ("/", "/history", "/own/forwarding")),
    ]
    of_operators = {"/enterprises", "/system", "/audit", "/people", "/account"}
    plain = sorted(pages_of(world) - {"/signin", "/signin/code", *OF_A_NUMBER})
    shown += [View(path[1:] or "board", "olena", path) for path in plain if path not in {"/enterprises", "/system"}]
    shown += [View(f"operator{path}", OPERATOR, path) for path in sorted(of_operators)]
    alike = {*of_operators, "/phone", "/own/forwarding", "/manual/openapi.html", "/manual/guide.html"}
    return shown + [View(f"empty{path}", NEWCOMER, path) for path in plain if path not in alike]


@pytest.mark.parametrize(
    ("language", "theme"),
    [
        ("uk", "dark"),
        ("en", "light"),
        pytest.param("uk", "light", marks=ALSO),
        pytest.param("en", "dark", marks=ALSO),
    ],
)
async def test_every_page_in_every_form(world: World, language: str, theme: str) -> None:
    furnish(world)
    with world.store.write() as conn:
        enterprises.add(conn, "Нова крамниця", NEWCOMER, PASSWORD_HASH, 0)
    exchange = Exchange(world, system=BusySystem())
    world.app = exchange.app
    faults: list[str] = []
    async with served(world) as address, chromium() as browser:
        people: dict[str, Watched] = {}
        for view in views(world):
            if view.login not in people:
                people[view.login] = await arrive(browser, address, world, view.login, language, theme)
            for width in WIDTHS:
                try:
                    await look(people[view.login], view, Form(language, theme, width))
                except (AssertionError, PlaywrightError) as fault:
                    faults.append(f"{view.name} at {width}: {fault}")
                    people[view.login].faults.clear()
    await exchange.endpoint.close()
    assert faults == [], "\n".join(faults)


async def arrive(browser: Browser, address: str, world: World, login: str, language: str, theme: str) -> Watched:
    """Return a page of somebody who is signed in, or of nobody."""
    context = await browser.new_context(locale="uk-UA", viewport={"width": WIDTHS[0], "height": 900})
    await context.clock.install(time=world.at)
    chosen = {"kobza_language": language, "kobza_theme": theme}
    await context.add_cookies([{"name": name, "value": value, "url": address} for name, value in chosen.items()])
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    watched = Watched(page, address)
    if login:
        await watched.sign_in(login)
    if login == ENTERED:
        await page.click("tr:has-text('Бджола') button")
        await page.wait_for_url(lambda url: "/enterprises" not in url)
    return watched


async def look(watched: Watched, view: View, form: Form) -> None:
    """Look at a view in one form."""
    page = watched.page
    await page.set_viewport_size(ViewportSize(width=form.width, height=900 if form.width > 400 else 844))
    plain = view.do is nothing
    if form.width == WIDTHS[0] or (plain and form.width != BETWEEN):  # what was done is not done again
        await watched.open(view.path)
        if view.later:
            await page.wait_for_selector(view.later)
        await view.do(page)
        await page.wait_for_load_state()  # a form that was sent brings a page, whose style comes behind it
        if plain:
            await watched.still()
    await keep(page, view.name, form)
    await watched.whole()
    if form.width != BETWEEN:
        await watched.sound()
    if form in REACHED:
        await watched.by_keyboard()
