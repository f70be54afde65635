"""A browser as far as tests need one: cookies, pages read by lxml, forms sent with what is in them."""

from typing import Any

import httpx
from lxml import html

from tests.api.world import PASSWORD


class Visitor:
    """Somebody who looks at pages."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def sign_in(self, login: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        return await self.client.post("/signin", data={"login": login, "password": password, **fields})

    async def page(self, path: str) -> Any:
        """Return a page, parsed."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return html.document_fromstring(answer.text)

    async def submit(self, page_path: str, action: str, **fields: str) -> httpx.Response:
        """Send the form of a page that has the action, with its hidden fields and these."""
        page = await self.page(page_path)
        form = next(form for form in page.forms if form.action == action)
        values = {name: value for name, value in form.form_values() if value is not None}
        return await self.client.post(action, data={**values, **fields})


def text_of(page: Any) -> str:
    """Return what a page says."""
    return " ".join(" ".join(page.itertext()).split())
