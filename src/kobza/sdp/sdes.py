"""Keys of SRTP in a description (RFC 4568): `a=crypto`, in the profile RTP/SAVP. Desk phones have it, over TLS."""

import re
from typing import Final

from kobza.sdp.description import Attribute, Media
from kobza.sdp.errors import NotAcceptable
from kobza.values import Leaf

PROTOCOL: Final = "RTP/SAVP"
"""What is offered."""
PROTOCOLS: Final = frozenset({PROTOCOL, "RTP/SAVPF"})

SUITES: Final = {"AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30, "AEAD_AES_128_GCM": 28}
"""What is spoken (RFC 4568, section 6.2; RFC 7714, section 14.3), with the bytes of key and salt together."""
OFFERED: Final = "AES_CM_128_HMAC_SHA1_80"
"""The one suite that every phone with SRTP has."""

_CRYPTO: Final = re.compile(
    r"(?P<tag>\d{1,9}) (?P<suite>[A-Za-z0-9_]{1,64}) inline:(?P<key>[A-Za-z0-9+/]{20,100}={0,2})"
    r"(?:\|(?:2\^)?\d{1,20})?(?P<parameters>(?: WSH=\d{1,9})*)",
    re.IGNORECASE,
)
"""A lifetime may be there, as no call reaches it. What would change how packets look may not: a master key identifier,
several keys, parts that are not protected, a rate of derivation."""


class Crypto(Leaf, frozen=True):
    """One `a=crypto`: what its owner sends is protected with `key`, the key and the salt in base64."""

    tag: str
    suite: str
    key: str

    @property
    def attribute(self) -> Attribute:
        """The line."""
        return ("crypto", f"{self.tag} {self.suite} inline:{self.key}")


def crypto_of(media: Media) -> Crypto:
    """Return the first one of a stream that is spoken here: its owner prefers it. Raises NotAcceptable for none."""
    for text in media.get_all("crypto"):
        found = _CRYPTO.fullmatch(" ".join(text.split()))
        if found is not None:
            suite, key = found["suite"].upper(), found["key"]
            if len(key.rstrip("=")) == -(-SUITES.get(suite, 0) * 4 // 3) and len(key) % 4 == 0:
                return Crypto(found["tag"], suite, key)
    raise NotAcceptable(f"RTP/SAVP needs a=crypto with one key and one of {', '.join(SUITES)}")
