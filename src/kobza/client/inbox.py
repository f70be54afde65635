"""The decisions of a receiver of call states, without I/O: is it signed, is it a state, did it come before."""

import hmac
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from standardwebhooks import Webhook

from kobza.client.errors import AnswerNotUnderstood
from kobza.client.fields import decode
from kobza.client.models import CallState, read_call_state

MAX_BODY: Final = 64 * 1024
"""Bytes of a call state that are read; one has some 600, and up to 1 KiB more of client_state."""
REMEMBERED: Final = 10_000
"""Ids of events that are known again; some 2 MB."""
BUSY_RETRY: Final = "5"
"""Seconds after which a state may come again that is being dealt with right now."""


class SignatureInvalid(Exception):
    """A request that was not signed with the secret, or more than 5 minutes ago."""


class StateMalformed(Exception):
    """A body that is no call state."""


def verify(headers: Mapping[str, str], body: bytes, secret: str | Sequence[str]) -> None:
    """Raise SignatureInvalid unless the request is signed by Standard Webhooks with the secret, or one of several.

    Names of headers in any case. The body must be the bytes as they came, before any decoding. Raises ValueError for a
    secret that is none.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets:
        raise ValueError("there is no secret to verify with")
    why = ""
    for each in secrets:
        signer = _signer(each)
        try:
            signer.verify(body, dict(headers), json_parse=False)
        except Exception as error:  # noqa: BLE001 - the package lets base64 and decoding errors through
            why = str(error)
        else:
            return
    raise SignatureInvalid(why or "the signature is wrong")


def _signer(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except Exception:  # noqa: BLE001 - base64 and more
        raise ValueError("the secret must be whsec_ and base64") from None


def parse_state(body: bytes) -> CallState:
    """Return the call state of a request's body. Raises StateMalformed."""
    try:
        return read_call_state(decode(body, "the body"), "the body")
    except AnswerNotUnderstood as error:
        raise StateMalformed(str(error)) from None


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer."""

    status: int
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class SeenEvents:
    """The ids of events that were dealt with, the newest ones, and those that are being dealt with now."""

    remembered: int
    _seen: "OrderedDict[str, None]" = field(default_factory=OrderedDict)
    _busy: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, event_id: str) -> Literal["new", "seen", "busy"]:
        """Say that an event came; `new` must be followed by `end`."""
        with self._lock:
            if event_id in self._seen:
                self._seen.move_to_end(event_id)
                return "seen"
            if event_id in self._busy:
                return "busy"
            self._busy.add(event_id)
            return "new"

    def end(self, event_id: str, *, dealt_with: bool) -> None:
        """Say what became of an event; one that was not dealt with is new when it comes again."""
        with self._lock:
            self._busy.discard(event_id)
            if dealt_with:
                self._seen[event_id] = None
                while len(self._seen) > self.remembered:
                    self._seen.popitem(last=False)


class Receiver:
    """The decisions of a receiver, without I/O; `WsgiReceiver` and `AsgiReceiver` speak for it.

    `token` is the Bearer token and `secret` the signing secret (or several, while one is being replaced) that were
    given to `set_webhook`; one of them is needed, unless `allow_anyone`. `remembered` events are handed on once.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        secret: str | Sequence[str] | None = None,
        remembered: int = REMEMBERED,
        max_body: int = MAX_BODY,
        allow_anyone: bool = False,
    ) -> None:
        """Raise ValueError for a secret that is none, or when anybody could post."""
        self._token = None if token is None else token.encode()
        self._secrets = () if secret is None else (secret,) if isinstance(secret, str) else tuple(secret)
        for each in self._secrets:
            _signer(each)
        if not token and not self._secrets and not allow_anyone:
            raise ValueError("without a token and a secret anybody could post call states; give one of them")
        self._seen = SeenEvents(remembered)
        self.max_body = max_body

    def __repr__(self) -> str:
        return f"{type(self).__name__}(token={self._token is not None}, secrets={len(self._secrets)})"

    def refuse_early(self, method: str, path: str, headers: Mapping[str, str], length: int | None) -> Reply | None:
        """Return the refusal that needs no body to be read, None to read it. Names of headers in lower case."""
        if not path.endswith("/callstate"):
            return Reply(404, "call states come to …/callstate")
        if method != "POST":
            return Reply(405, "call states are posted", (("Allow", "POST"),))
        if self._token is not None and not self._is_token(headers.get("authorization", "")):
            return Reply(401, "the Bearer token is not the one", (("WWW-Authenticate", "Bearer"),))
        if length is not None and length > self.max_body:
            return self.too_long()
        return None

    def too_long(self) -> Reply:
        """Return the refusal of a body that is too long."""
        return Reply(413, f"a call state has at most {self.max_body} bytes")

    def take(self, headers: Mapping[str, str], body: bytes) -> CallState | Reply:
        """Return the state to hand on, which `done` or `failed` must follow, or what to answer at once."""
        if len(body) > self.max_body:
            return self.too_long()
        if self._secrets:
            try:
                verify(headers, body, self._secrets)
            except SignatureInvalid as error:
                return Reply(401, f"the signature is not good: {error}")
        try:
            state = parse_state(body)
        except StateMalformed as error:
            return Reply(400, str(error))
        if state.state_type == "test":  # only to see whether somebody is here
            return Reply(204)
        if state.event_id is not None:
            match self._seen.begin(state.event_id):
                case "seen":
                    return Reply(204)
                case "busy":
                    return Reply(503, "this state is being dealt with", (("Retry-After", BUSY_RETRY),))
        return state

    def done(self, state: CallState) -> Reply:
        """Say that a state was dealt with; return the answer."""
        if state.event_id is not None:
            self._seen.end(state.event_id, dealt_with=True)
        return Reply(204)

    def failed(self, state: CallState) -> Reply:
        """Say that a state could not be dealt with; return the answer that makes it come again."""
        if state.event_id is not None:
            self._seen.end(state.event_id, dealt_with=False)
        return Reply(500, "the state could not be dealt with; send it again")

    def _is_token(self, authorization: str) -> bool:
        scheme, _, token = authorization.strip().partition(" ")
        given = token.strip().encode("utf-8", "replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self._token or b"")
