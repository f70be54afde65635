"""Tables with the longest that people write in them: all stays in its column, and the page in the window."""

from typing import Final

import pytest
from playwright.async_api import ViewportSize

from tests.api.world import World
from tests.portal.browser import chromium, needs_chromium
from tests.portal.long_names import LongSystem, lengthen
from tests.portal.office import furnish
from tests.portal.people import OPERATOR, SUPERVISOR
from tests.portal.serving import served
from tests.portal.test_every_form import arrive
from tests.portal.test_sip_socket import Exchange
from tests.support.ci import IN_CI

WIDTHS: Final = (1440, 1181, 1180, 1024, 961, 960, 768, 390)
"""Those of a desk, both sides of every border at which tables are put together anew, and those of a pocket."""
PAGES: Final = {
    "olena": (
        *("/", "/history", "/history/long1", "/contacts", "/statistics", "/provisioning", "/provisioning/groups"),
        *("/provisioning/hours", "/provisioning/limits", "/crm-integration", "/crm-integration/deliveries"),
        *("/people", "/audit", "/account"),
    ),
    OPERATOR: ("/enterprises", "/people", "/audit", "/system"),
    SUPERVISOR: ("/contacts",),
}

pytestmark = [
    pytest.mark.database("sqlite"),  # what pages read is tried on both by the tests of each page
    needs_chromium,
    pytest.mark.skipif(IN_CI, reason="not in CI: it takes too long"),
]


@pytest.mark.parametrize("language", ["uk", "en"])
async def test_long_names_stay_in_their_columns(world: World, language: str) -> None:
    furnish(world)
    lengthen(world)
    exchange = Exchange(world, system=LongSystem())
    world.app = exchange.app
    faults: list[str] = []
    async with served(world) as address, chromium() as browser:
        for login, paths in PAGES.items():
            watched = await arrive(browser, address, world, login, language, "light")
            for path in paths:
                await watched.page.goto(address + path)
                for width in WIDTHS:
                    await watched.page.set_viewport_size(ViewportSize(width=width, height=900))
                    try:
                        await watched.whole()
                        if width == WIDTHS[0]:
                            await watched.still()
                    except AssertionError as fault:
                        faults.append(f"{login} {path} at {width}: {fault}")
    await exchange.endpoint.close()
    assert faults == [], "\n".join(faults)
