"""Trunks: the lines to the outside, and how numbers are written on each."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Literal

from kobza.call.errors import NumberError
from kobza.call.numbers import national, normalize

USER_PHONE: Final = (("user", "phone"),)


class NumberFormat(StrEnum):
    """How numbers are written to the other end of a trunk."""

    E164 = "e164"
    """`+380441234567`."""
    DIGITS = "digits"
    """`380441234567`."""
    NATIONAL = "national"
    """`0441234567`; those of other countries as they are dialled from here, `0048…`."""


class Inbound(StrEnum):
    """What lets a call in by a trunk."""

    ADDRESS = "address"
    """It comes from the trunk's address, or from one of its networks."""
    CREDENTIALS = "credentials"
    """It proves the trunk's incoming user name and password, from wherever."""
    CERTIFICATE = "certificate"
    """It comes over TLS, with a certificate for the trunk's incoming name, from wherever."""
    NOTHING = "none"
    """Calls go out only."""


class CallerIn(StrEnum):
    """Where a trunk says who calls."""

    FROM = "from"
    ASSERTED = "asserted"
    """P-Asserted-Identity (RFC 3325), if it has one; else From."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A line to the outside, by which calls come in and to which others' numbers go."""

    trunk_id: str
    name: str
    host: str
    """IP address or host name."""
    port: int | None = None
    """None: DNS says (RFC 3263), or the usual one of the transport."""
    prefix: str | None = None
    """First digits of the numbers that go out here, in any spelling (`044`, `38044`, `+38044`); None: all of them."""
    transport: Literal["UDP", "TCP", "TLS"] | None = "UDP"
    """None: DNS says; without its word, or with a port, UDP."""
    trusted: bool = True
    """Whether the other end belongs to the trust domain of RFC 3325: it is told in P-Asserted-Identity who calls."""
    priority: int = 10
    """Among trunks whose prefixes match equally well the one with the smallest number is tried first."""
    capacity: int | None = None
    """Calls at once, in both directions together; None: as many as come."""
    number_format: NumberFormat = NumberFormat.E164
    strip: str = ""
    """Taken from the beginning of the number called, as it is written here, when it begins so."""
    add: str = ""
    """Put before the number called, after `strip`."""
    strip_incoming: str = ""
    """Taken from the beginning of numbers that come in, when they begin so."""
    add_incoming: str = ""
    """Put before a number that comes in and is none without it (a local number without its area code)."""
    domain: str | None = None
    """What stands in URIs for the other end; None: its host."""
    username: str | None = None
    """Answers its challenges, and is the account that registers."""
    password: str = field(repr=False, default="")
    expires: int | None = None
    """Seconds for which we register there; None: we do not."""
    options_every: int = 30
    """Seconds between two questions whether it is there (OPTIONS); 0: it is not asked."""
    answer_within: int = 5
    """Seconds without any response until a call is tried by the next trunk."""
    inbound: Inbound = Inbound.ADDRESS
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """From where its calls come too, beside its own address, whatever the port."""
    incoming_username: str | None = None
    incoming_ha1_md5: str = field(repr=False, default="")
    incoming_ha1_sha256: str = field(repr=False, default="")
    client_name: str | None = None
    """Name in the certificate by which its calls come in; None: the one that its own certificate has to be for."""
    caller_in: CallerIn = CallerIn.FROM
    user_phone: bool = False
    """Whether URIs with an E.164 number say that it is one: `;user=phone` (RFC 3261, section 19.1.1)."""

    @property
    def certified_name(self) -> str:
        """What its certificate has to be for (RFC 5922, section 7): its host, or its domain when that is an address."""
        host = self.host.removeprefix("[").removesuffix("]")
        try:
            ip_address(host)
        except ValueError:
            return host
        return self.domain or host

    @property
    def incoming_name(self) -> str:
        """What the certificate has to be for by which its calls come in, in small letters."""
        return (self.client_name or self.certified_name).lower()

    def match(self, number: str) -> int:
        """Return how many characters of a normalized number the prefix covers, or -1 when it does not match."""
        if not self.prefix:
            return 0
        for prefix in _spellings(self.prefix):
            if number.startswith(prefix):
                return len(prefix)
        return -1

    def written(self, number: str) -> str:
        """Write a number as the other end wants it; what is no E.164 number (a short code) stays as it is."""
        if self.number_format is NumberFormat.E164 or not number.startswith("+"):
            return number
        if self.number_format is NumberFormat.DIGITS:
            return number[1:]
        dialled = national(number)
        return f"00{number[1:]}" if dialled == number else dialled

    def marks(self, user: str) -> tuple[tuple[str, str], ...]:
        """Return the parameters of a URI with that user part toward the other end.

        Only a global number is marked: a local one would need its context (RFC 3966, section 5.1.5), and a short code
        or one with something put before it is no telephone number at all.
        """
        return USER_PHONE if self.user_phone and user.startswith("+") and user[1:].isdecimal() else ()

    def called(self, number: str) -> str:
        """Write the number that is called by this trunk."""
        return self.add + self.written(number).removeprefix(self.strip)

    def read(self, text: str) -> str:
        """Return a number that came in without what this trunk puts before it, and with what it leaves away."""
        text = text.removeprefix(self.strip_incoming)
        if not self.add_incoming:
            return text
        try:
            normalize(text)
        except NumberError:
            return self.add_incoming + text
        return text


def _spellings(prefix: str) -> tuple[str, ...]:
    """Return what a normalized number may start with when its dialled form starts with the prefix."""
    if prefix.startswith("+"):
        return (prefix,)
    if prefix.startswith("00"):
        return ("+" + prefix[2:],)
    if prefix.startswith("0"):
        return ("+380" + prefix[1:],)
    return ("+" + prefix, prefix)  # an international number without its plus sign, or a short code
