"""The registrar: who may register, for how long, where the way back leads, and that 200 means stored."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from kobza.call.directory import Directory
from kobza.pbx.authenticator import Authenticator, Headers
from kobza.pbx.journal import Journal
from kobza.pbx.locations import MAX_DEVICES, Locations
from kobza.pbx.registrar import ExpiryLimits, Registrar
from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipRequest
from kobza.store import Store, bindings
from kobza.store.entries import Binding
from tests.pbx.office import (
    ANNA,
    BOHDAN,
    BOHDAN_USER,
    NOW,
    OUTSIDE,
    PHONE,
    REALM,
    request,
    settled,
    signed,
    subscriber,
    verifier,
)

CONTACT = "<sip:anna@10.0.0.5:5062>"
PAGE = Flow(Transport.WS, ("192.0.2.1", 8080), ("198.51.100.7", 50_000), 3)
IN_PAGE = "<sip:k1ob@za3.invalid;transport=ws>"
LIMITS = ExpiryLimits(shortest=60, longest=3600, usual=600)


class Desk:
    """A registrar with all that it works on, and what it answered."""

    def __init__(self, store: Store, journal: Journal) -> None:
        self.store = store
        self.journal = journal
        self.locations = Locations()
        self.changed: list[str] = []
        self.owners: dict[Flow, str] = {}
        self.reached: list[tuple[str, Flow]] = []
        self.replies: list[tuple[int, Headers]] = []
        self.registrar = Registrar(
            locations=self.locations,
            authenticator=Authenticator(verifier(), owner_of=self.owners.get),
            journal=journal,
            limits=LIMITS,
            changed=self.changed.append,
            reached=lambda contact, flow: self.reached.append((str(contact), flow)),
        )
        self.directory = Directory({ANNA: subscriber(), BOHDAN: subscriber(BOHDAN)})

    def hand_in(self, message: SipRequest, *, flow: Flow = PHONE, now: float = NOW) -> None:
        self.registrar.register(message, flow, self.directory, now, lambda *reply: self.replies.append(reply))

    async def send(self, message: SipRequest, *, flow: Flow = PHONE, now: float = NOW) -> tuple[int, Headers]:
        """Hand a request in and wait for the only answer."""
        self.replies.clear()
        self.hand_in(message, flow=flow, now=now)
        await settled(self.journal)
        (reply,) = self.replies
        return reply

    async def register(
        self, *contacts: str, cseq: int = 1, flow: Flow = PHONE, now: float = NOW, **headers: Any
    ) -> tuple[int, Headers]:
        message = register(*contacts, cseq=cseq, **headers)
        return await self.send(signed(message, at=now), flow=flow, now=now)

    @property
    def contacts(self) -> list[str]:
        return [binding.contact for binding in self.locations.of(ANNA, NOW)]

    @property
    def stored(self) -> list[Binding]:
        with self.store.read() as conn:
            return bindings.load_all(conn)


def register(*contacts: str, cseq: int = 1, **headers: Any) -> SipRequest:
    """Return a REGISTER of Anna's phone; keywords are further headers."""
    lines = [("Contact", contact) for contact in contacts]
    lines += [(name.replace("_", "-"), str(value)) for name, value in headers.items()]
    return request("REGISTER", f"sip:{REALM}", cseq=cseq, headers=lines)


def values(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key == name]


@pytest.fixture
async def desk(store: Store, journal: Journal) -> AsyncIterator[Desk]:
    made = Desk(store, journal)
    yield made
    assert sorted(map(repr, made.stored)) == sorted(map(repr, made.locations)), "memory and store differ"


async def test_first_try_is_challenged(desk: Desk) -> None:
    status, headers = await desk.send(register(CONTACT))
    assert status == 401
    first, second = values(headers, "WWW-Authenticate")
    assert "algorithm=MD5" in first
    assert "algorithm=SHA-256" in second
    assert "stale" not in first
    assert not desk.contacts


async def test_an_old_nonce_is_stale(desk: Desk) -> None:
    status, headers = await desk.send(signed(register(CONTACT), at=NOW - 301))
    assert status == 401
    assert all("stale=true" in value for value in values(headers, "WWW-Authenticate"))
    assert not desk.contacts


async def test_a_nonce_of_another_secret_is_stale(desk: Desk) -> None:
    status, headers = await desk.send(signed(register(CONTACT), secret=b"another"))
    assert status == 401
    assert "stale=true" in values(headers, "WWW-Authenticate")[0]


@pytest.mark.parametrize(("user", "password"), [("0671000001", "wrong"), ("0679999999", "x"), ("nobody", "x")])
async def test_a_wrong_password_is_challenged_again(desk: Desk, user: str, password: str) -> None:
    status, headers = await desk.send(signed(register(CONTACT), user=user, password=password))
    assert status == 401
    assert "stale" not in values(headers, "WWW-Authenticate")[0]
    assert not desk.contacts


async def test_a_number_without_password_cannot_register(desk: Desk) -> None:
    desk.directory = Directory({ANNA: replace(subscriber(), ha1_md5="", ha1_sha256="")})
    status, _ = await desk.send(signed(register(CONTACT), password=""))
    assert status == 401


async def test_credentials_that_cannot_be_read(desk: Desk) -> None:
    status, _ = await desk.send(register(CONTACT, Authorization=f'Digest realm="{REALM}"'))
    assert status == 400


async def test_only_for_oneself(desk: Desk) -> None:
    status, _ = await desk.send(signed(register(CONTACT), user=BOHDAN_USER))
    assert status == 403
    assert not desk.contacts


async def test_registered(desk: Desk) -> None:
    status, headers = await desk.register(CONTACT, User_Agent="x" * 300)
    assert status == 200
    assert values(headers, "Contact") == ["<sip:anna@10.0.0.5:5062>;expires=600"]
    (stored,) = desk.stored
    assert stored.number == ANNA
    assert stored.expires_at == NOW + 600
    assert stored.user_agent == "x" * 200
    assert desk.changed == [ANNA]


async def test_stored_before_the_200(desk: Desk) -> None:
    desk.hand_in(signed(register(CONTACT)))
    assert desk.replies == []  # the commit is yet to come
    seen: list[int] = []
    desk.hand_in(signed(register(CONTACT, cseq=2)))
    desk.registrar.register(
        signed(register("<sip:other@10.0.0.6>")),
        PHONE,
        desk.directory,
        NOW,
        lambda status, _: seen.append(len(desk.stored) * 1000 + status),
    )
    await settled(desk.journal)
    assert [status for status, _ in desk.replies] == [200, 200]
    assert seen == [2200]


async def test_fetch_changes_nothing(desk: Desk) -> None:
    await desk.register(f"{CONTACT};expires=100")
    desk.changed.clear()
    status, headers = await desk.register(cseq=2, now=NOW + 40)
    assert status == 200
    assert values(headers, "Contact") == ["<sip:anna@10.0.0.5:5062>;expires=60"]
    assert desk.changed == []


async def test_star_takes_everything_away(desk: Desk) -> None:
    await desk.register(CONTACT, "<sip:anna@10.0.0.6>")
    status, headers = await desk.register("*", cseq=2, Expires=0)
    assert (status, values(headers, "Contact")) == (200, [])
    assert desk.stored == []


@pytest.mark.parametrize("headers", [{}, {"Expires": 60}])
async def test_star_needs_expires_zero(desk: Desk, headers: dict[str, Any]) -> None:
    await desk.register(CONTACT)
    status, _ = await desk.register("*", cseq=2, **headers)
    assert status == 400
    assert len(desk.contacts) == 1


async def test_star_beside_a_contact(desk: Desk) -> None:
    status, _ = await desk.register("*", CONTACT, Expires=0)
    assert status == 400


async def test_a_contact_has_its_own_time(desk: Desk) -> None:
    status, headers = await desk.register(f"{CONTACT};expires=90", "<sip:anna@10.0.0.6>", Expires=120)
    assert status == 200
    assert values(headers, "Contact") == [
        "<sip:anna@10.0.0.5:5062>;expires=90",
        "<sip:anna@10.0.0.6>;expires=120",
    ]


async def test_a_time_that_cannot_be_read_is_none(desk: Desk) -> None:
    _, headers = await desk.register(f"{CONTACT};expires=soon", Expires="later")
    assert values(headers, "Contact") == ["<sip:anna@10.0.0.5:5062>;expires=600"]


async def test_zero_takes_one_device_away(desk: Desk) -> None:
    await desk.register(CONTACT, "<sip:anna@10.0.0.6>")
    status, headers = await desk.register(f"{CONTACT};expires=0", cseq=2)
    assert status == 200
    assert values(headers, "Contact") == ["<sip:anna@10.0.0.6>;expires=600"]


async def test_zero_for_an_unknown_device(desk: Desk) -> None:
    assert await desk.register(f"{CONTACT};expires=0") == (200, ())


async def test_too_brief(desk: Desk) -> None:
    status, headers = await desk.register(f"{CONTACT};expires=59", "<sip:anna@10.0.0.6>")
    assert status == 423
    assert values(headers, "Min-Expires") == ["60"]
    assert not desk.contacts


async def test_too_long_is_cut(desk: Desk) -> None:
    _, headers = await desk.register(CONTACT, Expires=86400)
    assert values(headers, "Contact") == ["<sip:anna@10.0.0.5:5062>;expires=3600"]


@pytest.mark.parametrize("contact", ["<tel:+380671000001>", "<mailto:anna@example.com>"])
async def test_a_contact_must_be_a_sip_uri(desk: Desk, contact: str) -> None:
    status, _ = await desk.register(CONTACT, contact)
    assert status == 400
    assert not desk.contacts


@pytest.mark.parametrize("cseq", [4, 5])
async def test_an_older_register_that_comes_late(desk: Desk, cseq: int) -> None:
    await desk.register(CONTACT, cseq=5)
    for late in (register(f"{CONTACT};expires=0", cseq=cseq), register("*", cseq=cseq, Expires=0)):
        status, _ = await desk.send(signed(late))
        assert status == 500
        assert len(desk.contacts) == 1


async def test_a_phone_that_starts_anew_counts_from_one(desk: Desk) -> None:
    await desk.register(CONTACT, cseq=5)
    anew = register(CONTACT, cseq=1)
    anew.set("Call-ID", "another")
    status, _ = await desk.send(signed(anew))
    assert status == 200
    assert [binding.cseq for binding in desk.stored] == [1]


async def test_a_renewal_keeps_the_place_and_the_text(desk: Desk) -> None:
    await desk.register(CONTACT)
    await desk.register("<sip:anna@10.0.0.6>", now=NOW + 1)
    await desk.register("<SIP:%61nna@10.0.0.5:5062>", cseq=2, now=NOW + 2)
    assert desk.contacts == ["sip:anna@10.0.0.5:5062", "sip:anna@10.0.0.6"]
    first = desk.locations.of(ANNA, NOW)[0]
    assert (first.registered_at, first.expires_at, first.cseq) == (NOW, NOW + 602, 2)


def _devices(count: int, first: int = 0) -> list[str]:
    return [f"<sip:anna@10.0.1.{host}>" for host in range(first, first + count)]


async def test_no_more_than_so_many_devices(desk: Desk) -> None:
    assert (await desk.register(*_devices(MAX_DEVICES)))[0] == 200
    assert (await desk.register(CONTACT))[0] == 403
    assert (await desk.register(*_devices(MAX_DEVICES), cseq=2))[0] == 200  # renewals go
    assert (await desk.register(CONTACT, f"{_devices(1)[0]};expires=0", cseq=3))[0] == 200  # one for another, too
    assert len(desk.contacts) == MAX_DEVICES


def device(port: int, instance: str = "urn:uuid:0a1b", reg_id: int | None = None) -> str:
    flow = "" if reg_id is None else f";reg-id={reg_id}"
    return f'<sip:anna@10.0.0.5:{port}>;+sip.instance="<{instance}>"{flow}'


async def test_a_device_that_numbers_its_flows_has_one_contact_for_each(desk: Desk) -> None:
    """RFC 5626, section 6: a phone that started anew does not ring where it was before."""
    await desk.register(device(1, reg_id=1))
    await desk.register(device(2, reg_id=2), cseq=2)
    await desk.register(device(3, "urn:uuid:other", reg_id=1), cseq=3)
    await desk.register(device(4, reg_id=1), cseq=4)
    status, headers = await desk.register(cseq=5)
    assert (status, len(values(headers, "Contact"))) == (200, 3)
    assert desk.contacts == [f"sip:anna@10.0.0.5:{port}" for port in (2, 3, 4)]


async def test_a_device_that_moves_on_and_on_does_not_lock_itself_out(desk: Desk) -> None:
    await desk.register(device(1, "urn:uuid:other"))
    for port in range(2, MAX_DEVICES + 4):
        status, _ = await desk.register(device(port), cseq=port, now=NOW + port)
        assert status == 200
    assert desk.contacts == [f"sip:anna@10.0.0.5:{port}" for port in (1, *range(5, MAX_DEVICES + 4))]
    status, _ = await desk.register("<sip:anna@10.0.0.9>", cseq=99)
    assert (status, len(desk.contacts)) == (403, MAX_DEVICES)  # it does not say which one it is


async def test_a_device_that_ran_out_counts_again_when_it_comes_back(desk: Desk) -> None:
    await desk.register(f"{CONTACT};expires=60")
    later = NOW + 61
    assert (await desk.register(*_devices(MAX_DEVICES), now=later))[0] == 200
    assert (await desk.register(CONTACT, cseq=2, now=later))[0] == 403
    # What ran out makes no room either: it holds none.
    assert (await desk.register(f"{CONTACT};expires=0", *_devices(1, 100), cseq=3, now=later))[0] == 403


async def test_a_device_named_twice_is_one(desk: Desk) -> None:
    assert (await desk.register(*_devices(MAX_DEVICES - 1)))[0] == 200
    assert (await desk.register(CONTACT, CONTACT))[0] == 200
    assert len(desk.contacts) == MAX_DEVICES


@pytest.mark.parametrize(
    ("contact", "where"),
    [
        ("<sip:anna@10.0.0.5:5062>", PHONE.remote),
        ("<sip:anna@phone.example>", PHONE.remote),
        ("<sip:anna@198.51.100.7:5062>", ("198.51.100.7", 5062)),
        ("<sip:anna@198.51.100.7>", ("198.51.100.7", 5060)),
    ],
)
async def test_the_way_back(desk: Desk, contact: str, where: tuple[str, int]) -> None:
    await desk.register(contact)
    (stored,) = desk.stored
    assert (stored.remote_host, stored.remote_port) == where
    assert (stored.local_host, stored.local_port, stored.transport) == (*PHONE.local, "UDP")


async def test_the_connection_is_kept(desk: Desk) -> None:
    flow = PHONE._replace(transport=Transport.TCP, connection=7)
    await desk.register(f'{CONTACT};+sip.instance="<urn:uuid:1>";reg-id=2', flow=flow)
    (stored,) = desk.stored
    assert (stored.transport, stored.connection, stored.reg_id) == ("TCP", 7, 2)
    assert stored.instance_id == "<urn:uuid:1>"


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "7", str(2**31)])
async def test_numbers_of_any_length_are_read(desk: Desk, digits: str) -> None:
    status, _ = await desk.register(f"{CONTACT};expires={digits};reg-id={digits}")
    if digits.endswith("7"):
        assert status == 423
        return
    (stored,) = desk.stored
    assert (status, stored.reg_id) == (200, 2**31 - 1)
    assert stored.expires_at - NOW == pytest.approx(LIMITS.longest, abs=1)


async def test_a_contact_that_no_phone_has(desk: Desk) -> None:
    status, _ = await desk.register(f"<sip:{'a' * 1100}@198.51.100.7>")
    assert (status, desk.stored) == (400, [])


async def test_path_is_kept_and_echoed(desk: Desk) -> None:
    path = "<sip:198.51.100.7:5070;lr>, <sip:second.example;lr>"
    status, headers = await desk.register(CONTACT, Path=path, Supported="path")
    assert (status, values(headers, "Path")) == (200, [path])
    (stored,) = desk.stored
    assert stored.path == ("<sip:198.51.100.7:5070;lr>", "<sip:second.example;lr>")
    assert (stored.remote_host, stored.remote_port) == ("198.51.100.7", 5070)


async def test_path_is_not_echoed_to_whom_does_not_know_it(desk: Desk) -> None:
    _, headers = await desk.register(CONTACT, Path="<sip:198.51.100.7;lr>")
    assert values(headers, "Path") == []


async def test_stopped_journal_changes_nothing(desk: Desk) -> None:
    await desk.register(CONTACT)
    desk.changed.clear()
    desk.replies.clear()
    await desk.journal.stop()
    desk.hand_in(signed(register("<sip:anna@10.0.0.6>", f"{CONTACT};expires=0", cseq=2)))
    assert desk.replies == [(503, (("Retry-After", "10"),))]
    desk.registrar.sweep(NOW + 10_000)
    assert desk.contacts == ["sip:anna@10.0.0.5:5062"]
    assert desk.changed == []


async def test_full_journal_changes_nothing(store: Store) -> None:
    journal = Journal(store.place, now=lambda: NOW, on_failure=lambda failure: None, limit=0)
    journal.start()
    desk = Desk(store, journal)
    status, headers = await desk.register(CONTACT)
    await journal.stop()
    assert (status, values(headers, "Retry-After")) == (503, ["10"])
    assert (desk.contacts, desk.stored, desk.changed) == ([], [], [])


async def test_what_ran_out_is_swept(desk: Desk) -> None:
    await desk.register(f"{CONTACT};expires=60", "<sip:anna@10.0.0.6>")
    desk.changed.clear()
    desk.registrar.sweep(NOW + 59)
    assert (len(desk.locations), desk.changed) == (2, [])
    desk.registrar.sweep(NOW + 60)
    await settled(desk.journal)
    assert [binding.contact for binding in desk.stored] == ["sip:anna@10.0.0.6"]
    assert desk.changed == [ANNA]


async def test_whose_socket_is_vouched_for_needs_no_password(desk: Desk) -> None:
    desk.owners[PAGE] = ANNA
    status, _ = await desk.send(register(IN_PAGE), flow=PAGE)
    assert (status, desk.contacts) == (200, ["sip:k1ob@za3.invalid;transport=ws"])
    (binding,) = desk.stored
    assert (binding.transport, binding.connection) == ("WS", 3)
    assert (binding.remote_host, binding.remote_port) == PAGE.remote, "a name that is none leads back over the flow"
    assert desk.reached == [("sip:k1ob@za3.invalid;transport=ws", PAGE)]
    status, _ = await desk.send(request("REGISTER", f"sip:{REALM}", user=BOHDAN_USER, cseq=2), flow=PAGE)
    assert status == 403, "it is vouched to be Anna"
    status, _ = await desk.send(register(IN_PAGE, cseq=3), flow=PAGE._replace(connection=4))
    assert status == 401, "another socket is not"
    desk.owners[PAGE] = OUTSIDE
    status, _ = await desk.send(register(IN_PAGE, cseq=4), flow=PAGE)
    assert status == 403, "the number is gone"


async def test_a_device_goes_with_its_socket(desk: Desk) -> None:
    await desk.register(CONTACT)
    await desk.register(IN_PAGE, cseq=2, flow=PAGE)
    await desk.register("<sip:k2@za4.invalid;transport=ws>", cseq=3, flow=PAGE._replace(connection=4))
    desk.changed.clear()
    desk.registrar.flow_lost(PAGE._replace(transport=Transport.WSS))
    assert (len(desk.contacts), desk.changed) == (3, [])
    desk.registrar.flow_lost(PAGE)
    await settled(desk.journal)
    assert desk.contacts == ["sip:anna@10.0.0.5:5062", "sip:k2@za4.invalid;transport=ws"]
    assert desk.changed == [ANNA]


async def test_a_device_that_comes_back_over_a_new_socket_stays(desk: Desk) -> None:
    """The end of the old socket is often noticed later than the beginning of the new one."""
    await desk.register(IN_PAGE, flow=PAGE)
    await desk.register(IN_PAGE, cseq=2, flow=PAGE._replace(connection=4))
    desk.registrar.flow_lost(PAGE)
    assert [binding.connection for binding in desk.locations.of(ANNA, NOW)] == [4]


async def test_a_lost_socket_while_the_journal_is_stopped(desk: Desk) -> None:
    await desk.register(IN_PAGE, flow=PAGE)
    await desk.journal.stop()
    desk.registrar.flow_lost(PAGE)
    assert len(desk.contacts) == 1, "memory and store agree; it runs out"
