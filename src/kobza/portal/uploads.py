"""Files that people upload: taken within bounds, and read in the export process."""

import tempfile
from collections.abc import MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from kobza.api.exports.jobs import ReadJob, Subject
from kobza.api.problems import ApiError
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in

MAX_UPLOAD: Final = 5 * 1024 * 1024
"""Bytes of a form with its file: vCards have pictures in them."""
MAX_FIELDS: Final = 20


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came."""

    name: str
    content: bytes


async def read_upload(request: Request) -> Form:
    """Read a form with a file, which `uploaded` gives afterwards. Raises ApiError when it is too long or broken."""
    say = say_in(page_language(request))
    received = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > MAX_UPLOAD:
            raise ApiError("invalid_body", say("import_too_large", size=MAX_UPLOAD >> 20))
        return message

    form: Form = {}
    request.state.upload = None
    try:
        async with Request(request.scope, receive).form(max_files=1, max_fields=MAX_FIELDS) as sent:
            for name, value in sent.multi_items():
                if isinstance(value, UploadFile):
                    request.state.upload = Upload(value.filename or "", await value.read())
                else:
                    form[name] = value
    except HTTPException:
        raise ApiError("invalid_body", say("import_broken_form")) from None
    return form


def uploaded(request: Request) -> Upload | None:
    """Return the file that came with a form; None when none was chosen."""
    upload: Upload | None = request.state.upload
    return upload if upload is not None and upload.content else None


async def read_file(portal: Portal, visitor: Visitor, upload: Upload, subject: Subject) -> bytes:
    """Return what the export process makes of a file: the JSON of a `ReadFile`."""
    path = await anyio.to_thread.run_sync(_put_aside, upload.content)
    try:
        async with aclosing(
            portal.context.exports.stream(ReadJob(visitor.enterprise_id, str(path), subject))
        ) as chunks:
            return b"".join([chunk async for chunk in chunks])
    finally:
        await anyio.to_thread.run_sync(path.unlink)


def _put_aside(content: bytes) -> Path:
    """Write a file that only we can read; return where."""
    with tempfile.NamedTemporaryFile(prefix="kobza-", delete=False) as file:
        file.write(content)
    return Path(file.name)
