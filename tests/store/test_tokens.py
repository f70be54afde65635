"""FMC tokens: made, rotated, revoked, used, deleted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.store import NotInStore, Store, TokenRefused, driver, enterprises, meta, tokens
from kobza.store.ids import hash_token
from kobza.store.tokens import MAX_NETWORKS, MAX_VALID, USUAL_SCOPES, Scope, Use, parse_networks

T0 = 1_000_000
DAY = 86_400_000


def version(store: Store) -> int:
    with store.read() as conn:
        return meta.tokens_version(conn)


@pytest.mark.database("sqlite")
def test_a_token_is_long_and_never_stored(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        secret = tokens.add(conn, enterprise_id, T0).secret
    assert len(bytes.fromhex(secret)) == 32
    connection = driver.connect(store.path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = store.path.read_bytes()
    assert hash_token(secret).encode() in content
    assert secret.encode() not in content
    assert bytes.fromhex(secret) not in content


def test_a_token_is_found_as_it_was_made(store: Store, enterprise_id: str) -> None:
    networks = parse_networks(["192.0.2.7", "2001:db8::/32"])
    with store.write() as conn:
        made = tokens.add(
            conn,
            enterprise_id,
            T0,
            name="CRM «А»",
            scopes={Scope.SETTINGS, Scope.HISTORY},
            networks=networks,
            expires_at=T0 + DAY,
        )
        plain = tokens.add(conn, enterprise_id, T0 + 1)
    with store.read() as conn:
        found = tokens.find(conn, made.secret)
        assert found == made.token
        assert (found.name, found.scopes, found.networks) == (
            "CRM «А»",
            frozenset({Scope.HISTORY, Scope.SETTINGS}),
            networks,
        )
        assert (plain.token.scopes, plain.token.networks, plain.token.ends_at) == (USUAL_SCOPES, (), None)
        assert tokens.list_for(conn, enterprise_id)[:2] == [made.token, plain.token]
        assert {token.token_id for token in tokens.load(conn)} >= {made.token.token_id, plain.token.token_id}


@pytest.mark.parametrize("wrong", ["", "0" * 64, "не токен", "' OR 1=1 --"])
def test_an_unknown_token_is_nobodys(store: Store, enterprise_id: str, wrong: str) -> None:
    with store.read() as conn:
        assert tokens.find(conn, wrong) is None


def test_a_token_is_valid_until_its_end(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        token = tokens.add(conn, enterprise_id, T0, expires_at=T0 + 5).token
    assert [token.valid_at(T0 + later) for later in (0, 4, 5, 6)] == [True, True, False, False]
    assert not replace(token, revoked_at=T0 + 2).valid_at(T0 + 1), "a revoked one never is"


def test_a_rotation_overlaps(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        old = tokens.add(conn, enterprise_id, T0, name="CRM", scopes=[Scope.CONTROL]).token
        new = tokens.rotate(conn, enterprise_id, old.token_id, T0 + 10, DAY)
        before = tokens.get(conn, enterprise_id, old.token_id)
    assert (before.expires_at, before.replaced_by) == (T0 + 10 + DAY, new.token.token_id)
    assert (new.token.name, new.token.scopes, new.token.expires_at) == ("CRM", frozenset({Scope.CONTROL}), None)
    assert new.token.token_hash == hash_token(new.secret) != old.token_hash


def test_a_rotation_without_overlap_ends_the_old_one_at_once(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        old = tokens.add(conn, enterprise_id, T0).token
        tokens.rotate(conn, enterprise_id, old.token_id, T0 + 10, 0)
        assert not tokens.get(conn, enterprise_id, old.token_id).valid_at(T0 + 10)


def test_a_rotation_does_not_put_off_an_end_and_gives_the_new_one_as_long(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        old = tokens.add(conn, enterprise_id, T0, expires_at=T0 + 100).token
        new = tokens.rotate(conn, enterprise_id, old.token_id, T0 + 90, DAY).token
        assert tokens.get(conn, enterprise_id, old.token_id).expires_at == T0 + 100
    assert new.expires_at == T0 + 190


def test_what_has_ended_or_was_replaced_is_not_rotated(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        old = tokens.add(conn, enterprise_id, T0).token.token_id
        new = tokens.rotate(conn, enterprise_id, old, T0, DAY).token.token_id
        with pytest.raises(TokenRefused, match=f"was replaced by {new}"):
            tokens.rotate(conn, enterprise_id, old, T0, DAY)
        with pytest.raises(TokenRefused, match="has ended"):
            tokens.rotate(conn, enterprise_id, old, T0 + DAY, DAY)


def test_a_revocation_is_at_once_and_for_good(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        token_id = tokens.add(conn, enterprise_id, T0, expires_at=T0 + DAY).token.token_id
        assert tokens.revoke(conn, enterprise_id, token_id, T0 + 7).ends_at == T0 + 7
        assert tokens.revoke(conn, enterprise_id, token_id, T0 + 9).ends_at == T0 + 7


def test_tokens_of_others_do_not_exist(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "Інша", "other", "hash", T0)
        (theirs,) = tokens.list_for(conn, other.enterprise_id)
        for token_id in (theirs.token_id, "unknown"):
            with pytest.raises(NotInStore, match=f"the enterprise has no token {token_id}"):
                tokens.get(conn, enterprise_id, token_id)
            with pytest.raises(NotInStore):
                tokens.revoke(conn, enterprise_id, token_id, T0)
            with pytest.raises(NotInStore):
                tokens.rotate(conn, enterprise_id, token_id, T0, 0)
        assert tokens.get(conn, other.enterprise_id, theirs.token_id).valid_at(T0)


def test_what_cannot_be_a_token_is_refused(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        with pytest.raises(NotInStore):
            tokens.add(conn, "nobody", T0)
        with pytest.raises(TokenRefused, match="history, control, settings"):
            tokens.add(conn, enterprise_id, T0, scopes=())
        with pytest.raises(TokenRefused, match="in the past"):
            tokens.add(conn, enterprise_id, T0, expires_at=T0)
        with pytest.raises(TokenRefused, match="100 characters"):
            tokens.add(conn, enterprise_id, T0, name="ї" * 101)


def test_an_enterprise_has_a_bound_of_valid_tokens(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        first = tokens.list_for(conn, enterprise_id)[0].token_id
        while len(tokens.list_for(conn, enterprise_id)) < MAX_VALID:
            tokens.add(conn, enterprise_id, T0)
        with pytest.raises(TokenRefused, match="has 100 tokens"):
            tokens.add(conn, enterprise_id, T0)
        tokens.revoke(conn, enterprise_id, first, T0)
        assert tokens.add(conn, enterprise_id, T0).token.valid_at(T0)


def test_every_change_bumps_the_version_and_a_use_does_not(store: Store, enterprise_id: str) -> None:
    seen = [version(store)]
    with store.write() as conn:
        token = tokens.add(conn, enterprise_id, T0).token
    seen.append(version(store))
    with store.write() as conn:
        new = tokens.rotate(conn, enterprise_id, token.token_id, T0, 0).token
    seen.append(version(store))
    with store.write() as conn:
        tokens.revoke(conn, enterprise_id, new.token_id, T0)
    seen.append(version(store))
    with store.write() as conn:
        tokens.purge_ended(conn, T0 + tokens.ENDED_KEPT_MS)
    seen.append(version(store))
    assert seen == sorted(set(seen))
    with store.write() as conn:
        tokens.note_uses(conn, [(new.token_id, Use(T0, "192.0.2.1", "curl"))])
        assert tokens.purge_ended(conn, T0) == 0
    assert version(store) == seen[-1]


def test_the_last_use_is_the_latest_whoever_writes_it(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        token_id = tokens.add(conn, enterprise_id, T0).token.token_id
        tokens.note_uses(conn, [(token_id, Use(T0 + 5, "192.0.2.1", "ї" * 300)), ("gone", Use(T0, "", ""))])
        tokens.note_uses(conn, [(token_id, Use(T0 + 4, "192.0.2.2", "late"))])
        used = tokens.get(conn, enterprise_id, token_id)
    assert (used.last_used_at, used.last_used_address, used.last_used_client) == (T0 + 5, "192.0.2.1", "ї" * 200)


def test_ended_tokens_are_deleted_after_a_while(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        (first,) = tokens.list_for(conn, enterprise_id)
        tokens.add(conn, enterprise_id, T0, expires_at=T0 + 10)
        revoked = tokens.revoke(conn, enterprise_id, tokens.add(conn, enterprise_id, T0).token.token_id, T0 + 20)
        assert tokens.purge_ended(conn, T0 + 9 + tokens.ENDED_KEPT_MS) == 0
        assert tokens.purge_ended(conn, T0 + 10 + tokens.ENDED_KEPT_MS) == 1
        assert {token.token_id for token in tokens.list_for(conn, enterprise_id)} == {first.token_id, revoked.token_id}
        assert tokens.purge_ended(conn, T0 + 20 + tokens.ENDED_KEPT_MS) == 1
        assert [token.token_id for token in tokens.list_for(conn, enterprise_id)] == [first.token_id]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ()),
        (["192.0.2.7"], ("192.0.2.7/32",)),
        ([" 10.0.0.0/8 ", "10.0.0.0/8"], ("10.0.0.0/8",)),
        (["2001:DB8::/32", "::1"], ("2001:db8::/32", "::1/128")),
    ],
)
def test_networks_are_read(texts: list[str], expected: tuple[str, ...]) -> None:
    assert tuple(map(str, parse_networks(texts))) == expected


@pytest.mark.parametrize("wrong", ["", "crm.example.com", "10.0.0.1/8", "10.0.0.0/33", "1.2.3", "fe80::1%eth0/64"])
def test_what_is_no_network_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"expected an address or a network such as 192\.0\.2\.7"):
        parse_networks(["10.0.0.0/8", wrong])


@given(st.lists(st.text(max_size=20) | st.from_regex(r"[0-9a-f:.]{1,20}/[0-9]{1,3}", fullmatch=True), max_size=5))
def test_whatever_is_written_is_networks_or_a_value_error(texts: list[str]) -> None:
    try:
        found = parse_networks(texts)
    except ValueError as error:
        refusal = str(error)
        found = ()
    else:
        refusal = ""
    assert "\n" not in refusal
    assert parse_networks(map(str, found)) == found


def test_a_token_has_a_bound_of_networks() -> None:
    with pytest.raises(ValueError, match="at most 50"):
        parse_networks(f"10.0.0.{host}" for host in range(MAX_NETWORKS + 1))
