"""Pictures of pages: of all that was looked at, and those that the documents show."""

import os
from pathlib import Path
from typing import Final, NamedTuple

from playwright.async_api import Page


class Form(NamedTuple):
    """How somebody sees pages."""

    language: str
    theme: str
    width: int


DESK, DESK_DARK, POCKET = Form("en", "light", 1440), Form("en", "dark", 1440), Form("uk", "dark", 390)
DOCUMENTED: Final = {
    "board.png": ("board", DESK),
    "board-dark.png": ("board", DESK_DARK),
    "board-phone.png": ("board", POCKET),
    "call.png": ("call", DESK),
    "history.png": ("history", DESK),
    "statistics-phone.png": ("statistics", POCKET),
    "provisioning.png": ("provisioning", DESK),
    "crm-integration.png": ("crm-integration", DESK),
    "phone.png": ("phone", DESK),
    "system.png": ("operator/system", DESK_DARK),
}
"""Files of docs/images (`make pictures`): the view, and its form."""


async def keep(page: Page, view: str, form: Form) -> None:
    """Keep a picture of a page in the folder that `PICTURES` names, if it does; what a document shows, also apart."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    await page.evaluate("scrollTo(0, 0)")
    name = f"{view.replace('/', '-')}-{form.width}.png"
    path = Path(folder) / f"{form.language}-{form.theme}" / name
    await page.screenshot(path=path, full_page=True, animations="disabled")
    for documented, seen in DOCUMENTED.items():
        if seen == (view, form):
            await page.screenshot(path=Path(folder) / "documents" / documented, animations="disabled")
