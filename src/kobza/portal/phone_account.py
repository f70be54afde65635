"""The SIP account of a number's phones, as text and as a QR code. No password is stored, so one is made anew."""

import secrets
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import quote

import segno
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.query import number_of
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in

PASSWORD_LENGTH: Final = 20
ALPHABET: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without what looks alike: the password may have to be typed. 20 of them are 116 bits."""


class QrCode(NamedTuple):
    """A QR code for an SVG: the path that draws it, line by line, and how many units it is wide with its margin."""

    path: str
    size: int


def qr_code(text: str) -> QrCode:
    """Draw a text. The quiet zone around it (4 units, ISO/IEC 18004) is part of the size."""
    code = segno.make(text, error="m", micro=False)
    dark = []
    for down, row in enumerate(code.matrix_iter(border=4)):
        line = bytes(row)
        across = 0
        while (begin := line.find(1, across)) >= 0:
            end = line.find(0, begin)
            dark.append(f"M{begin} {down}h{end - begin}v1h-{end - begin}z")
            across = end
    return QrCode("".join(dark), len(code.matrix) + 8)


def sip_uri(username: str, password: str, server: str, transport: str) -> str:
    """Return the account as a SIP URI (RFC 3261 19.1), with the password in it."""
    return f"sip:{quote(username, safe='')}:{quote(password, safe='')}@{server};transport={transport}"


async def account_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """What a phone has to be told, without the password. Raises 404 for a number of nobody or others."""
    return await _page(portal, request, visitor, request.query_params.get("number", ""), None)


async def renew_password(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Make a new password, and show it this once. Raises 404 for a number of nobody or others."""
    password = "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))
    return await _page(portal, request, visitor, form.get("number", ""), password)


async def _page(portal: Portal, request: Request, visitor: Visitor, written: str, password: str | None) -> Response:
    context, say = portal.context, say_in(page_language(request))
    number = number_of(written, "number")
    subscriber = await context.subscriber(visitor.enterprise_id, number)
    account = await context.commands.sip_account(visitor.enterprise_id, number, password, by=visitor.by)
    sip = [
        listen
        for listen in context.sip
        if listen.transport not in ("ws", "wss")  # those are for pages, not for phones
    ]
    servers = [(_server(listen.host, listen.port, request), listen.transport) for listen in sip]
    server, transport = servers[0] if servers else (_host(request.url.hostname or ""), "udp")
    phones = context.commands.phone_status(visitor.enterprise_id, (number,))
    return portal.pages.page(
        request,
        "phone_account.html",
        **common(visitor),
        name=subscriber.name or phone_text(number, say),
        phone=phone_text(number, say),
        number=written,
        username=account.username,
        realm=account.realm,
        server=server,
        transports=sorted({each for address, each in servers if address == server} or {transport}, reverse=True),
        password=password,
        code=None if password is None else qr_code(sip_uri(account.username, password, server, transport)),
        devices=phones[0].devices if phones else 0,
    )


def _server(host: str, port: int, request: Request) -> str:
    """Return where a phone finds the server: by the name of this page's, where SIP listens on all addresses."""
    try:
        anywhere = ip_address(host).is_unspecified
    except ValueError:
        anywhere = False
    named = _host((request.url.hostname or host) if anywhere else host)
    return named if port == 5060 else f"{named}:{port}"


def _host(host: str) -> str:
    """Write an address of IPv6 as URIs do."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
