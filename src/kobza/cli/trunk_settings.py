"""What can be told of a trunk on the command line: the options of `kobza trunk add` and `set`, checked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from kobza.call.trunk import Trunk
    from kobza.store.trunks import TrunkState

USUAL_EXPIRES: Final = 600
"""Seconds for which a trunk registers unless another time is asked for."""

ALWAYS: Final = ("trunk_id", "name", "host", "port", "prefix", "trusted")
"""Fields that are always told."""
COLUMNS: Final = (
    "name",
    "host",
    "port",
    "transport",
    "prefix",
    "priority",
    "capacity",
    "state",
    "registration",
    "detail",
)
"""Columns of the table for people."""
UNKNOWN: Final = "unknown"
ANY: Final = "any"
"""A transport that is not fixed."""

PrefixOption = Annotated[
    str | None,
    typer.Option("--prefix", metavar="P", help="First digits of the numbers that go out here; without it: all."),
]
PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Its SIP port; without it, or 0: its name says (DNS).")
]
TransportOption = Annotated[
    str | None,
    typer.Option(
        "--transport",
        metavar="udp|tcp|tls|any",
        help="How it is reached; any: its name says (DNS). With a port or an address: udp.",
        show_default=False,
    ),
]
PriorityOption = Annotated[
    int | None,
    typer.Option("--priority", min=0, max=1000, help="Among equal prefixes the smallest is tried first (10)."),
]
CapacityOption = Annotated[
    int | None, typer.Option("--capacity", min=0, max=100_000, help="Calls at once, both ways together; 0: any number.")
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", metavar="e164|digits|national", help="How numbers are written there (e164)."),
]
StripOption = Annotated[
    str | None, typer.Option("--strip", metavar="P", help="Taken from the beginning of the number called.")
]
AddOption = Annotated[str | None, typer.Option("--add", metavar="P", help="Put before the number called.")]
StripIncomingOption = Annotated[
    str | None,
    typer.Option("--strip-incoming", metavar="P", help="Taken from the beginning of numbers that come in."),
]
AddIncomingOption = Annotated[
    str | None,
    typer.Option("--add-incoming", metavar="P", help="Put before numbers that come in without their area code."),
]
DomainOption = Annotated[
    str | None, typer.Option("--domain", metavar="NAME", help="Its name in SIP addresses, if not its host.")
]
UsernameOption = Annotated[
    str | None, typer.Option("--username", metavar="U", help="Account there: answers its challenges.")
]
PasswordOption = Annotated[str | None, typer.Option("--password", metavar="PW", help="Password of the account.")]
RegisterOption = Annotated[
    bool | None, typer.Option("--register/--no-register", help="Register the account there.", show_default=False)
]
ExpiresOption = Annotated[
    int | None,
    typer.Option("--expires", min=30, max=86_400, help=f"Seconds that a registration is to last ({USUAL_EXPIRES})."),
]
OptionsEveryOption = Annotated[
    int | None,
    typer.Option("--options-every", min=0, max=3600, help="Seconds between two OPTIONS (30); 0: it is not asked."),
]
AnswerWithinOption = Annotated[
    int | None,
    typer.Option("--answer-within", min=1, max=30, help="Seconds of silence until the next trunk is tried (5)."),
]
InboundOption = Annotated[
    str | None,
    typer.Option("--inbound", metavar="address|credentials|certificate|none", help="What lets its calls in (address)."),
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option("--network", metavar="ADDRESS[/N]", help="From where its calls come too; may be given several times."),
]
IncomingUsernameOption = Annotated[
    str | None, typer.Option("--incoming-username", metavar="U", help="User name by which its calls come in.")
]
IncomingPasswordOption = Annotated[
    str | None, typer.Option("--incoming-password", metavar="PW", help="Password to it.")
]
ClientNameOption = Annotated[
    str | None,
    typer.Option("--client-name", metavar="NAME", help="Name in the certificate by which its calls come in (its own)."),
]
CallerInOption = Annotated[
    str | None,
    typer.Option("--caller-in", metavar="from|asserted", help="Header that says who calls in (from)."),
]
UserPhoneOption = Annotated[
    bool | None,
    typer.Option(
        "--user-phone/--no-user-phone", help="Put user=phone behind E.164 numbers in its URIs.", show_default=False
    ),
]


def settings_of(given: Mapping[str, Any], realm: str, before: "Trunk | None" = None) -> dict[str, Any]:
    """Turn options that were given, by parameter, into fields of a trunk; `before` is the one that is to be changed.

    Raises typer.BadParameter that names the option and says what would be right.
    """
    options = {name: value for name, value in given.items() if value is not None}
    if options.pop("untrusted", False):
        options["trusted"] = False
    settings: dict[str, Any] = {}
    for name, read in _READERS.items():
        if name in options:
            try:
                settings[_FIELDS.get(name, name)] = read(options[name])
            except ValueError as error:
                raise typer.BadParameter(str(error), param_hint=_option(name)) from None
    _marks(settings, before)
    _location(settings, before)
    _registration(options, settings, before)
    _incoming(options, settings, realm, before)
    return settings


def document_of(trunk: "Trunk") -> dict[str, Any]:
    """Return a trunk as the commands print it: without its passwords."""
    return {
        "trunk_id": trunk.trunk_id,
        "name": trunk.name,
        "host": trunk.host,
        "port": trunk.port,
        "prefix": trunk.prefix,
        "trusted": trunk.trusted,
        "transport": ANY if trunk.transport is None else trunk.transport.lower(),
        "priority": trunk.priority,
        "capacity": trunk.capacity,
        "format": trunk.number_format.value,
        "strip": trunk.strip or None,
        "add": trunk.add or None,
        "strip_incoming": trunk.strip_incoming or None,
        "add_incoming": trunk.add_incoming or None,
        "domain": trunk.domain,
        "username": trunk.username,
        "expires": trunk.expires,
        "options_every": trunk.options_every,
        "answer_within": trunk.answer_within,
        "inbound": trunk.inbound.value,
        "networks": [str(network) for network in trunk.networks],
        "incoming_username": trunk.incoming_username,
        "client_name": trunk.client_name,
        "caller_in": trunk.caller_in.value,
        "user_phone": trunk.user_phone,
    }


def brief_document_of(trunk: "Trunk") -> dict[str, Any]:
    """Return where a trunk is and what goes there, and of all else what is not as usual."""
    from kobza.call.trunk import Trunk

    usual = document_of(Trunk("", "", "", 0))
    return {name: value for name, value in document_of(trunk).items() if name in ALWAYS or value != usual[name]}


def document_with_state(trunk: "Trunk", state: "TrunkState | None") -> dict[str, Any]:
    """Return a trunk with what the running server found of it; None: no server runs, or it has not looked yet."""
    return document_of(trunk) | {
        "state": UNKNOWN if state is None else state.state,
        "registration": None if trunk.expires is None else UNKNOWN if state is None else state.registration,
        "detail": None if state is None else state.detail or None,
    }


def row_of(trunk: "Trunk", state: "TrunkState | None") -> dict[str, Any]:
    """Return a trunk as a line of a table for people: what is not as usual stands together in the last column."""
    document = document_with_state(trunk, state)
    special = {name: value for name, value in brief_document_of(trunk).items() if name not in (*ALWAYS, *COLUMNS)}
    row = {name: document[name] for name in COLUMNS}
    more = [f"{name.replace('_', ' ')}: {value}" for name, value in special.items()]
    return row | {"more": "; ".join(more if trunk.trusted else ["untrusted", *more])}


def _option(name: str) -> str:
    return "--" + name.removeprefix("number_").replace("_", "-")


def _host(text: str) -> str:
    from kobza.sip.errors import MalformedMessage
    from kobza.sip.uri import SipUri

    bare = text.strip().removeprefix("[").removesuffix("]")
    try:
        found = SipUri.parse(f"sip:[{bare}]" if ":" in bare else f"sip:{bare}", "")
    except MalformedMessage:
        raise ValueError("expected an IP address or a host name, such as 192.0.2.10 or sip.example.net") from None
    if found.host.lower() != bare.lower() or bare.startswith("-"):
        raise ValueError("expected an IP address or a host name, such as 192.0.2.10 or sip.example.net")
    return bare


def _digits(text: str) -> str | None:
    if text and not text.removeprefix("+").isdecimal():
        raise ValueError("expected digits, such as 044 or +38044")
    return text or None


def _affix(text: str) -> str:
    if len(text) > 32 or not text.isascii() or not all(each.isalnum() or each in "+*#" for each in text):
        raise ValueError("expected digits, letters, +, * and #, such as 77# or +38")
    return text


def _choice(*choices: str) -> Any:
    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"expected {', '.join(choices[:-1])} or {choices[-1]}")
        return text.lower()

    return read


def _networks(texts: list[str]) -> tuple[Any, ...]:
    from ipaddress import ip_network

    try:
        return tuple(ip_network(text.strip()) for text in texts if text.strip())
    except ValueError as error:
        raise ValueError(f"expected an address or a network such as 192.0.2.0/24: {error}") from None


def _user(text: str) -> str | None:
    if any(each.isspace() or not each.isprintable() for each in text):
        raise ValueError("expected a user name without spaces")
    return text or None


_READERS: Final[Mapping[str, Any]] = {
    "host": _host,
    "port": lambda port: port or None,
    "prefix": _digits,
    "transport": lambda text: None if _choice("udp", "tcp", "tls", ANY)(text) == ANY else text.upper(),
    "trusted": bool,
    "priority": int,
    "capacity": lambda number: number or None,
    "number_format": _choice("e164", "digits", "national"),
    "strip": _affix,
    "add": _affix,
    "strip_incoming": _affix,
    "add_incoming": _affix,
    "domain": lambda text: _host(text) if text else None,
    "username": _user,
    "password": str,
    "options_every": int,
    "answer_within": int,
    "inbound": _choice("address", "credentials", "certificate", "none"),
    "network": _networks,
    "incoming_username": _user,
    "client_name": lambda text: _host(text) if text else None,
    "caller_in": _choice("from", "asserted"),
    "user_phone": bool,
}
"""Of each option that is one field: what makes the field of it; raises ValueError that says what is right."""
_FIELDS: Final = {"network": "networks"}


def _marks(settings: dict[str, Any], before: "Trunk | None") -> None:
    """Refuse to mark numbers of a trunk that is told none in full."""
    form = settings.get("number_format", "e164" if before is None else before.number_format)
    if settings.get("user_phone", before is not None and before.user_phone) and form != "e164":
        raise typer.BadParameter("is for numbers written in full: --format e164", param_hint="--user-phone")


def _location(settings: dict[str, Any], before: "Trunk | None") -> None:
    """Leave the transport of a new trunk to DNS only where nothing else says it (RFC 3263, section 4.1)."""
    from kobza.net.addresses import is_address

    if before is None and "transport" not in settings:
        fixed = settings.get("port") is not None or is_address(settings["host"])
        settings["transport"] = "UDP" if fixed else None


def _registration(options: Mapping[str, Any], settings: dict[str, Any], before: "Trunk | None") -> None:
    """Let a trunk register, for as long as was asked for, or no longer."""
    registers = options.get("register", before is not None and before.expires is not None)
    if "expires" in options and not registers:
        raise typer.BadParameter("only a trunk that registers has one: give --register too", param_hint="--expires")
    username = settings.get("username", None if before is None else before.username)
    if registers and username is None:
        raise typer.BadParameter("needs the account: give --username and --password", param_hint="--register")
    if "register" in options or "expires" in options:
        usual = USUAL_EXPIRES if before is None or before.expires is None else before.expires
        settings["expires"] = options.get("expires", usual) if registers else None


def _incoming(options: Mapping[str, Any], settings: dict[str, Any], realm: str, before: "Trunk | None") -> None:
    """Keep of the incoming password what our challenges need; check that there is one where it is asked for."""
    from kobza.call.errors import NumberError
    from kobza.call.numbers import normalize
    from kobza.sip.digest import ha1

    username = settings.get("incoming_username", None if before is None else before.incoming_username)
    if settings.get("incoming_username") is not None:
        try:
            normalize(str(username))
        except NumberError:
            pass
        else:
            raise typer.BadParameter("must not look like a number: phones have those", param_hint="--incoming-username")
        if "incoming_password" not in options:
            raise typer.BadParameter("needs its password", param_hint="--incoming-password")
    if (password := options.get("incoming_password")) is not None:
        if username is None or not password:
            raise typer.BadParameter(
                "belongs to --incoming-username, and is not empty", param_hint="--incoming-password"
            )
        settings["incoming_ha1_md5"] = ha1(str(username), realm, password, "MD5")
        settings["incoming_ha1_sha256"] = ha1(str(username), realm, password, "SHA-256")
    inbound = settings.get("inbound", None if before is None else before.inbound)
    if inbound == "credentials" and username is None:
        raise typer.BadParameter(
            "by credentials it needs --incoming-username and --incoming-password", param_hint="--inbound"
        )
