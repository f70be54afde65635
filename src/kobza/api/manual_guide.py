"""The guide as a page: docs/guide.en.md and docs/guide.uk.md, rendered with the address that the reader came to."""

import re
from importlib.resources import files
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from kobza.api.languages import Language
from kobza.api.manual_page import environment
from kobza.api.manual_texts import TEXTS

WRITTEN_BASE: Final = "http://127.0.0.1:8080"
"""What the guide calls as it is in the repository."""


def render_guide(language: Language, base_url: str) -> str:
    """Return the page. Its links lead to `base_url`; its commands set up a server of the reader's own, and stay."""
    text = (files("kobza.api") / "guide" / f"guide.{language}.md").read_text("utf-8")
    content = MarkdownIt("commonmark", {"html": False}).render(text)
    content = re.sub(f'href="{WRITTEN_BASE}(/[^"]*)">{WRITTEN_BASE}', rf'href="\1">{base_url}', content)
    # Examples look as in the manual, and can be copied as there.
    content = content.replace("<pre>", "<figure><pre tabindex='0'>").replace("</pre>", "</pre></figure>")
    return (
        environment()
        .get_template("guide.html")
        .render(content=Markup(content), text=TEXTS[language], language=language)  # noqa: S704 - it is escaped
    )
