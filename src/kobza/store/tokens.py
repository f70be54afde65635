"""FMC tokens: their hashes, what each may do, from where, until when, and who used it last.

The token itself is never stored. Every change bumps a version, by which a running server sees that what it holds in
memory is old; a note of a last use is no change.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from kobza.store import meta
from kobza.store.errors import NotInStore, TokenRefused
from kobza.store.ids import hash_token, new_token, new_token_id
from kobza.store.schema import enterprises, tokens

Network = IPv4Network | IPv6Network

MAX_NAME: Final = 100
MAX_NETWORKS: Final = 50
"""Networks of one token: every request of it may be compared with each."""
MAX_VALID: Final = 100
"""Valid tokens of one enterprise: a running server holds all of them in memory."""
MAX_CLIENT: Final = 200
"""Characters kept of a User-Agent."""
SEEN_AFTER: Final = 0.25
"""Seconds after which every running server goes by a change at the latest. Whoever waits so long after a commit may say
that a token is revoked."""
ENDED_KEPT_MS: Final = 90 * 86_400_000
"""How long an ended token is still shown, so that it can be said who used it last."""


class Scope(StrEnum):
    """What a token may do."""

    HISTORY = "history"
    """Read calls, recordings, events and the status of phones."""
    CONTROL = "control"
    """Make calls and act on live ones."""
    SETTINGS = "settings"
    """Read and change CLIP, DND and the webhook."""
    SUPERVISE = "supervise"
    """Let supervisors hear live calls and talk into them."""


USUAL_SCOPES: Final = frozenset({Scope.HISTORY, Scope.CONTROL, Scope.SETTINGS})
"""What a token may do if nothing else is said: listening to others is given on purpose."""

TokenState = Literal["active", "ending", "replaced", "expired", "revoked"]
"""`ending`: replaced by a rotation and still good for the overlap."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it is stored. Moments are in milliseconds."""

    token_id: str
    token_hash: str
    enterprise_id: str
    integrator_id: str
    name: str
    scopes: frozenset[Scope]
    networks: tuple[Network, ...]
    """Addresses that may use it; none: all."""
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    replaced_by: str | None
    """The token that a rotation put in its place."""
    last_used_at: int | None
    last_used_address: str | None
    last_used_client: str | None

    @property
    def ends_at(self) -> int | None:
        """From when on it is refused, or None."""
        ends = [moment for moment in (self.expires_at, self.revoked_at) if moment is not None]
        return min(ends, default=None)

    def valid_at(self, now_ms: int) -> bool:
        """Tell whether it is accepted at a moment. A revoked one never is: the clock of who revoked may be ahead."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now_ms)

    def state_at(self, now_ms: int) -> TokenState:
        """Return how it does at a moment."""
        if self.valid_at(now_ms):
            return "active" if self.replaced_by is None else "ending"
        if self.replaced_by is not None:
            return "replaced"
        return "expired" if self.revoked_at is None else "revoked"


class NewToken(NamedTuple):
    """A token that was just made. The secret is shown this once: only its hash is stored."""

    secret: str
    token: Token


class Use(NamedTuple):
    """A use of a token: when (ms), from which address, by which client."""

    at: int
    address: str
    client: str


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return addresses and networks (`192.0.2.7`, `10.0.0.0/8`, `2001:db8::/48`), each once.

    Raises ValueError that names the one that is wrong and says what is right.
    """
    found: dict[Network, None] = {}
    for text in texts:
        try:
            found[ip_network(text.strip())] = None
        except ValueError:
            raise ValueError(
                f"expected an address or a network such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/48, not {text.strip()!r}"
            ) from None
    if len(found) > MAX_NETWORKS:
        raise ValueError(f"expected at most {MAX_NETWORKS} addresses and networks")
    return tuple(found)


def add(
    conn: Connection,
    enterprise_id: str,
    now_ms: int,
    *,
    name: str = "",
    scopes: Collection[Scope] = USUAL_SCOPES,
    networks: Collection[Network] = (),
    expires_at: int | None = None,
) -> NewToken:
    """Give an enterprise one more token.

    Raises:
        NotInStore: there is no such enterprise.
        TokenRefused: it may do nothing, is over already, has too long a name, or the enterprise has too many.

    """
    if len(name) > MAX_NAME:
        raise TokenRefused("name", f"the name is longer than {MAX_NAME} characters")
    if not scopes:
        raise TokenRefused("scope", f"a token needs a scope: one or more of {', '.join(Scope)}")
    if expires_at is not None and expires_at <= now_ms:
        raise TokenRefused("past", "the end of the token is in the past")
    if conn.execute(select(enterprises.c.name).where(enterprises.c.enterprise_id == enterprise_id)).first() is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    valid = select(func.count()).where(tokens.c.enterprise_id == enterprise_id, ~_ended_by(now_ms))
    if conn.execute(valid).scalar_one() >= MAX_VALID:
        raise TokenRefused("many", f"the enterprise has {MAX_VALID} tokens: revoke those that nobody uses")
    secret, token_id = new_token(), new_token_id()
    conn.execute(
        tokens.insert().values(
            token_id=token_id,
            token_hash=hash_token(secret),
            enterprise_id=enterprise_id,
            name=name,
            scopes=" ".join(scope for scope in Scope if scope in scopes),
            networks=" ".join(map(str, networks)),
            created_at=now_ms,
            expires_at=expires_at,
        )
    )
    meta.bump_tokens(conn)
    return NewToken(secret, get(conn, enterprise_id, token_id))


def rotate(conn: Connection, enterprise_id: str, token_id: str, now_ms: int, overlap_ms: int) -> NewToken:
    """Put a new token in the place of one, which ends after the overlap (or earlier, when its own end comes before).

    The new one has its name, scopes, networks, and as long to live as the old one had from the beginning.

    Raises:
        NotInStore: the enterprise has no such token.
        TokenRefused: it has ended or was replaced before.

    """
    old = get(conn, enterprise_id, token_id)
    if not old.valid_at(now_ms):
        raise TokenRefused("ended", f"the token {token_id} has ended: make a new one")
    if old.replaced_by is not None:
        raise TokenRefused("ended", f"the token {token_id} was replaced by {old.replaced_by} already: rotate that one")
    new = add(
        conn,
        enterprise_id,
        now_ms,
        name=old.name,
        scopes=old.scopes,
        networks=old.networks,
        expires_at=None if old.expires_at is None else now_ms + old.expires_at - old.created_at,
    )
    ends = now_ms + overlap_ms
    if old.expires_at is not None:
        ends = min(ends, old.expires_at)
    changed = tokens.update().where(tokens.c.token_id == token_id)
    conn.execute(changed.values(expires_at=ends, replaced_by=new.token.token_id))
    if not overlap_ms:
        revoke(conn, enterprise_id, token_id, now_ms)
    return new


def revoke(conn: Connection, enterprise_id: str, token_id: str, now_ms: int) -> Token:
    """End a token at once, for good. Doing it again changes nothing.

    Raises:
        NotInStore: the enterprise has no such token.

    """
    get(conn, enterprise_id, token_id)
    conn.execute(
        tokens.update().where(tokens.c.token_id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now_ms)
    )
    meta.bump_tokens(conn)
    return get(conn, enterprise_id, token_id)


def get(conn: Connection, enterprise_id: str, token_id: str) -> Token:
    """Return a token of an enterprise. Raises NotInStore."""
    found = _token.where(tokens.c.token_id == token_id, tokens.c.enterprise_id == enterprise_id)
    row = conn.execute(found).one_or_none()
    if row is None:
        raise NotInStore(f"the enterprise has no token {token_id}")
    return _of(row)


def list_for(conn: Connection, enterprise_id: str) -> list[Token]:
    """Return the tokens of an enterprise, ended ones too, in the order in which they were made."""
    found = _token.where(tokens.c.enterprise_id == enterprise_id).order_by(tokens.c.created_at, tokens.c.token_id)
    return [_of(row) for row in conn.execute(found)]


def load(conn: Connection) -> list[Token]:
    """Return all tokens, ended ones too: what a running server holds in memory."""
    return [_of(row) for row in conn.execute(_token)]


def find(conn: Connection, secret: str) -> Token | None:
    """Return the token with a secret, valid or not, or None.

    The search is by the hash, so its time says nothing about how much of a guess was right.
    """
    row = conn.execute(_token.where(tokens.c.token_hash == hash_token(secret))).one_or_none()
    return None if row is None else _of(row)


def note_uses(conn: Connection, uses: Iterable[tuple[str, Use]]) -> None:
    """Note the last uses of tokens (by id), unless a later one is known already. No change of the version."""
    for token_id, use in uses:
        earlier = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < use.at)
        conn.execute(
            update(tokens)
            .where(tokens.c.token_id == token_id, earlier)
            .values(last_used_at=use.at, last_used_address=use.address, last_used_client=use.client[:MAX_CLIENT])
        )


def purge_ended(conn: Connection, now_ms: int) -> int:
    """Delete the tokens that ended long ago (ENDED_KEPT_MS); return how many."""
    gone = conn.execute(tokens.delete().where(_ended_by(now_ms - ENDED_KEPT_MS))).rowcount
    if gone:
        meta.bump_tokens(conn)
    return gone


def _ended_by(moment: int) -> ColumnElement[bool]:
    """Tell whether a token had ended at a moment. Never NULL, so that it can be negated."""
    columns = tokens.c
    return or_(
        and_(columns.expires_at.is_not(None), columns.expires_at <= moment),
        and_(columns.revoked_at.is_not(None), columns.revoked_at <= moment),
    )


def _of(row: Any) -> Token:
    values: list[Any] = list(row)
    values[_SCOPES], values[_NETWORKS] = _scopes(values[_SCOPES]), _networks(values[_NETWORKS])
    return Token(*values)


@lru_cache(maxsize=64)
def _scopes(words: str) -> frozenset[Scope]:
    """Read the scopes; kept, because all tokens are read again after each change and most have the same."""
    return frozenset(Scope(word) for word in words.split())


@lru_cache(maxsize=4096)
def _networks(words: str) -> tuple[Network, ...]:
    return tuple(ip_network(word) for word in words.split())


_SCOPES: Final = 5
_NETWORKS: Final = 6
"""Their places in `_token`, whose order is that of the fields of `Token`."""

_token = select(
    tokens.c.token_id,
    tokens.c.token_hash,
    tokens.c.enterprise_id,
    enterprises.c.integrator_id,
    tokens.c.name,
    tokens.c.scopes,
    tokens.c.networks,
    tokens.c.created_at,
    tokens.c.expires_at,
    tokens.c.revoked_at,
    tokens.c.replaced_by,
    tokens.c.last_used_at,
    tokens.c.last_used_address,
    tokens.c.last_used_client,
).join(enterprises, tokens.c.enterprise_id == enterprises.c.enterprise_id)
