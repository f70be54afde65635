"""Names of header fields: one key for each header, whatever its case and whether long or compact (RFC 3261 7.3.1)."""

from __future__ import annotations

from typing import Final

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import is_token, shorten

COMPACT_FORMS = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}
"""Compact form to key (RFC 3261 20, 3265, 3515, 3841, 3892, 4028)."""

# fmt: off
_COMMON_SPELLINGS = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Authentication-Info", "Authorization", "Call-ID", "Call-Id", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "CSeq", "Cseq", "Date", "Diversion",
    "Error-Info", "Event", "Expires", "From", "History-Info", "Identity", "In-Reply-To", "Info-Package",
    "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization", "P-Access-Network-Info",
    "P-Asserted-Identity", "P-Called-Party-ID", "P-Early-Media", "P-Preferred-Identity", "Path", "Priority",
    "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "Reason", "Record-Route",
    "Recv-Info", "Refer-To", "Referred-By", "Remote-Party-ID", "Replaces", "Reply-To", "Request-Disposition",
    "Require", "Retry-After", "Route", "RSeq", "Server", "Service-Route", "Session-Expires", "SIP-ETag",
    "SIP-If-Match", "Subject", "Subscription-State", "Supported", "Timestamp", "To", "Unsupported", "User-Agent",
    "Via", "Warning", "WWW-Authenticate",
)
# fmt: on

_KEYS: dict[str, str] = {}
for _name in _COMMON_SPELLINGS:
    _KEYS[_name] = _KEYS[_name.lower()] = _name.lower()
for _letter, _key in COMPACT_FORMS.items():
    _KEYS[_letter] = _KEYS[_letter.upper()] = _key

known_key: Final = _KEYS.get
"""Key of a name in a common spelling, None for any other: the fast way."""


def header_key(name: str) -> str:
    """Key of a header name in any spelling; white space before the colon is allowed (RFC 3261 25.1, HCOLON)."""
    key = known_key(name)
    if key is not None:
        return key
    name = name.rstrip(" \t")
    if not is_token(name):
        raise MalformedMessage(f"not a header name: {shorten(name)}", "header")
    key = name.lower()
    return COMPACT_FORMS.get(key, key)
