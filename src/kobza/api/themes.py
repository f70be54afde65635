"""Light or dark: what a reader chose in the header of a page. It holds for the portal and the manual."""

from typing import Final

THEME_COOKIE: Final = "kobza_theme"
THEMES: Final = ("light", "dark")


def chosen_theme(cookie: str | None) -> str:
    """Return what was chosen; empty: as the browser's."""
    return cookie if cookie in THEMES else ""
