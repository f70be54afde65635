"""Messages to read: of RFC 4475, captured from programs of others, and written after what phones send."""

from collections.abc import Callable
from pathlib import Path

from kobza.sip.errors import MalformedMessage
from kobza.sip.headers import parse_auth
from kobza.sip.message import SipRequest, SipResponse

HERE = Path(__file__).parent


def _folder(name: str) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted((HERE / name).glob("*.dat"))}


def crlf(text: str) -> bytes:
    """Text with the wire's line ends."""
    return text.replace("\n", "\r\n").encode()


TORTURE = _folder("torture")
"""RFC 4475, by its names."""
TORTURE_IPV6 = _folder("torture6")
"""RFC 5118, by its names."""
CAPTURED = _folder("captured")
"""baresip 1.0.0 and sipp 3.6.1 talking to a small server."""

INVITE = crlf(
    """\
INVITE sip:0501112233@pbx.example.net;user=phone SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK.x1uHq~6Ys;rport
Via: SIP/2.0/TCP edge.example.net;branch=z9hG4bKb27f.1;received=192.0.2.1, SIP/2.0/TLS 198.51.100.7;branch=z9hG4bK9
From: "Шевченко, Оксана" <sip:+380671234567@pbx.example.net>;tag=YtSZ1gFFA
To: sip:0501112233@pbx.example.net
CSeq: 20 INVITE
Call-ID: FBLCvFjtUH
Max-Forwards: 70
Route: <sip:edge.example.net;lr>, <sip:core.example.net:5070;lr>
Supported: replaces, outbound, gruu, path
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, PRACK, UPDATE
Content-Type: application/sdp
Content-Length: 145
Contact: <sip:+380671234567@192.0.2.10:5062;transport=udp>;expires=3600;+sip.instance="<urn:uuid:8f3c-1>"
Proxy-Authorization: Digest username="0671234567", realm="kobza", nonce="abc", uri="sip:0501112233@pbx.example.net", \
response="00000000000000000000000000000000", algorithm=MD5, cnonce="x", qop=auth, nc=00000001
User-Agent: Linphone/5.2.5 (belle-sip/5.3.64)

v=0
o=0671234567 3712 1 IN IP4 192.0.2.10
s=Talk
c=IN IP4 192.0.2.10
t=0 0
m=audio 7078 RTP/AVP 8 0 101
a=rtpmap:101 telephone-event/8000
"""
)
"""A call as a softphone behind two proxies makes it."""

WRITTEN = {
    "invite": INVITE,
    "compact": crlf(
        """\
INVITE tel:+380501112233;phone-context=ua SIP/2.0
v:SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bK74b43;received=[2001:db8::9:255]
f:Anonymous <sip:anonymous@anonymous.invalid>;tag=9fxced76sl
t:<tel:+380501112233>
i:3848276298220188511@[2001:db8::9:1]
CSeq:1 INVITE
m:<sip:gw@[2001:db8::9:1]>
c:application/sdp;charset=utf-8
k:timer,100rel
x:1800;refresher=uac
l:0

"""
    ),
    "answer": crlf(
        """\
SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK.x1uHq~6Ys;rport=41712;received=203.0.113.5
Record-Route: <sip:edge.example.net;transport=tcp;lr;ftag=YtSZ1gFFA>
Record-Route: <sip:core.example.net:5070;lr=on>
From: "Шевченко, Оксана" <sip:+380671234567@pbx.example.net>;tag=YtSZ1gFFA
To: <sip:0501112233@pbx.example.net>;tag=as58f4201b
Call-ID: FBLCvFjtUH
CSeq: 20 INVITE
Contact: "Zoiper" <sip:0501112233@198.51.100.20:63417;rinstance=6d1d9b1c;transport=TCP>
Server: Asterisk PBX 20.5.0
Content-Type: application/sdp
Content-Length: 0

"""
    ),
    "challenge": crlf(
        """\
SIP/2.0 407 Proxy Authentication Required
Via: SIP/2.0/TCP 192.0.2.10:5062;branch=z9hG4bK776sgdkse
From: <sip:0671234567@pbx.example.net>;tag=49583
To: <sip:0501112233@pbx.example.net>;tag=314159
Call-ID: 843817637684230@998sdasdh09
CSeq: 1 INVITE
Proxy-Authenticate: Digest realm="kobza", nonce="018f", algorithm=SHA-256, qop="auth,auth-int"
Proxy-Authenticate: Digest realm="kobza", nonce="018f", algorithm=MD5, qop="auth", opaque="5ccc"
Content-Length: 0

"""
    ),
    "cancel": crlf(
        """\
CANCEL sip:0501112233@pbx.example.net SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK.x1uHq~6Ys;rport
From: "Шевченко, Оксана" <sip:+380671234567@pbx.example.net>;tag=YtSZ1gFFA
To: <sip:0501112233@pbx.example.net>
Call-ID: FBLCvFjtUH
CSeq: 20 CANCEL
Max-Forwards: 70
Reason: SIP;cause=200;text="Call completed elsewhere", Q.850;cause=26
Content-Length: 0

"""
    ),
    "unregister": crlf(
        """\
REGISTER sips:pbx.example.net SIP/2.0
Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks
From: <sip:0671234567@pbx.example.net>;tag=asdyka899
To: <sip:0671234567@pbx.example.net>
Call-ID: asidkj3ss
CSeq: 2 REGISTER
Contact: *
Expires: 0
Path: <sip:edge.example.net;lr;ob>, <sip:inner.example.net;lr>
Authorization: Digest username="a\\"b", realm="kobza", nonce="018f", uri="sips:pbx.example.net",
 response="00000000000000000000000000000000"
Content-Length: 0

"""
    ),
}
"""Written by hand after what Linphone, Asterisk, Zoiper, gateways and browsers send."""

ALL = {**TORTURE, **CAPTURED, **WRITTEN}

Getter = Callable[[SipRequest | SipResponse], object]


def _auth(message: SipRequest | SipResponse) -> object:
    names = ("authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate")
    return [parse_auth(value) for name in names for value in message.get_all(name)]


GETTERS: dict[str, Getter] = {
    "via": lambda message: message.via,
    "via.rport": lambda message: (message.via.branch, message.via.received, message.via.rport, message.via.wants_rport),
    "vias": lambda message: message.vias,
    "branch": lambda message: message.branch,
    "from": lambda message: (message.from_, message.from_.tag),
    "to": lambda message: (message.to, message.to.tag),
    "call_id": lambda message: message.call_id,
    "cseq": lambda message: message.cseq,
    "contacts": lambda message: message.contacts,
    "star": lambda message: message.is_contact_star,
    "routes": lambda message: message.routes,
    "record_routes": lambda message: message.record_routes,
    "paths": lambda message: message.paths,
    "max_forwards": lambda message: message.max_forwards,
    "expires": lambda message: message.expires,
    "content_type": lambda message: message.content_type,
    "reasons": lambda message: message.reasons,
    "supported": lambda message: message.tokens("supported"),
    "auth": _auth,
    "items": lambda message: message.items(),
    "uri": lambda message: message.uri if isinstance(message, SipRequest) else None,
    "bytes": lambda message: message.to_bytes(),
}
"""Every way to a typed value of a message."""


def faults(message: SipRequest | SipResponse) -> dict[str, MalformedMessage]:
    """Read everything there is in a message; return what was malformed. Any other exception passes."""
    found = {}
    for name, getter in GETTERS.items():
        try:
            getter(message)
        except MalformedMessage as error:
            found[name] = error
    return found
