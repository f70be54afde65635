"""Trunks with carriers behind them: failover, capacity, formats, registration, health, and how calls come in."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kobza.net.tls import Certificate, CertificateFiles, Tls, client_context
from kobza.sip.flow import Transport
from kobza.store import Store, diversions
from kobza.store.diversions import Diverted
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.scrape import Scrape
from tests.interop.server import Server
from tests.interop.sipp import Line, Sipp
from tests.support import authority
from tests.support.carrier import Carrier
from tests.support.name_server import NameServer
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

A, B = NUMBERS[:2]
OUTSIDE = "0325550123"


class Trunks:
    """The trunks that a test adds to the running server; they take numbers that begin with 032."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._names: list[str] = []
        self._before = Scrape(server)

    def add(self, name: str, where: int | str, *options: str) -> None:
        """Add a trunk at a port of loopback, or by its name."""
        place = ("--host", where) if isinstance(where, str) else ("--host", "127.0.0.1", "--port", str(where))
        self._server.site.prepare("trunk", "add", name, *place, "--prefix", "032", *options)
        self._names.append(name)

    def set(self, name: str, *options: str) -> None:
        self._server.site.prepare("trunk", "set", name, *options)

    def remove(self, name: str) -> None:
        self._server.site.prepare("trunk", "remove", name)
        self._names.remove(name)

    def row(self, name: str) -> dict[str, Any]:
        listed = json.loads(self._server.site.prepare("trunk", "list", "--json"))["trunks"]
        return next(row for row in listed if row["name"] == name)

    async def until(self, name: str, **expected: Any) -> dict[str, Any]:
        """Wait until `kobza trunk list` says so."""
        async with asyncio.timeout(PATIENCE):
            while True:
                row = self.row(name)
                if all(row[key] == value for key, value in expected.items()):
                    return row
                await asyncio.sleep(0.1)

    def metric(self, name: str, **labels: str) -> float:
        return Scrape(self._server).sample(name, **labels)

    def grown(self, name: str, **labels: str) -> float:
        """Return what was added to a counter in this test: the server, and with it a trunk's name, outlives a test."""
        return Scrape(self._server).grown(self._before, name, **labels)

    def clear(self) -> None:
        for name in list(self._names):
            self.remove(name)


@pytest.fixture
def office_trunks(kobza_server: Server) -> Iterator[Trunks]:
    made = Trunks(kobza_server)
    yield made
    made.clear()


@contextmanager
def silent_peer() -> Iterator[int]:
    """A peer that takes everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        port = free_port()
        peer.bind(("127.0.0.1", port))
        yield port


async def test_a_call_goes_by_the_next_trunk_when_the_first_one_fails(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks, tmp_path: Path
) -> None:
    """The first one, on TLS, refuses, the second wants a password, TCP and numbers of its own: one call, one row."""
    tls = Tls(Certificate(CertificateFiles(*authority.files(tmp_path))))
    async with Carrier(Transport.TLS, tls=tls) as first, Carrier(Transport.TCP) as second:
        first.invite_status = 503
        second.accounts = {"office": "open sesame"}
        account = ("--username", "office", "--password", "open sesame", "--domain", "carrier.example")
        form = ("--format", "national", "--add", "77#", "--transport", "tcp")
        office_trunks.add("first", first.port, "--priority", "1", "--format", "digits", "--transport", "tls")
        office_trunks.add("second", second.port, *account, *form)
        await office_trunks.until("first", state="up")
        await office_trunks.until("second", state="up")
        await sipp.run("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=300)
        await second.until(lambda: second.ended)
        (refused,), (taken,) = first.invites, second.invites
        assert second.challenges == 1
        assert refused.uri.user == "380325550123"
        assert refused.from_.uri.user == f"38{A}"
        assert [str(each.uri.user) for each in refused.asserted_identities] == [f"38{A}"]
        assert (taken.uri.unescaped_user, taken.uri.host) == ("77#0325550123", "carrier.example")
        assert (taken.from_.uri.user, taken.from_.uri.host) == (A, "carrier.example")
        assert taken.contacts[0].uri.user == "office"
        outcome = await ledger.call(A, OUTSIDE, owners=(A,))
        outcome.has(cause=16, status=200, released_by="caller")
        assert outcome.types(A) == ["alerting", "established", "finished"]
        for name, outcome_there in (("first", "failed"), ("second", "answered")):
            ended = {"trunk": name, "direction": "outgoing", "outcome": outcome_there}
            assert office_trunks.grown("kobza_trunk_ended_total", **ended) == 1

        second.invite_status = 500  # now none takes it
        await sipp.run("uac_refused", line=lines[0], dial=OUTSIDE, status=503, cause=41)
        outcome = await ledger.call(A, OUTSIDE)
        outcome.has(cause=41, status=503, released_by="network")
        first.invite_status = 486  # busy is busy, wherever one asks
        await sipp.run("uac_refused", line=lines[0], dial=OUTSIDE, status=486, cause=17)
        await ledger.call(A, OUTSIDE)
        assert (len(first.invites), len(second.invites)) == (3, 2)


async def test_a_silent_trunk_is_passed_over_and_comes_back_by_itself(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks
) -> None:
    async with Carrier() as spare:
        with silent_peer() as port:
            silence = ("--answer-within", "1", "--options-every", "1", "--priority", "1")
            office_trunks.add("silent", port, *silence)
            office_trunks.add("spare", spare.port)
            await office_trunks.until("spare", state="up")
            await sipp.run("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=300)
            (await ledger.call(A, OUTSIDE, owners=(A,))).has(cause=16, status=200, released_by="caller")
            row = await office_trunks.until("silent", state="down")
            assert row["detail"] == "no answer to OPTIONS"
            assert office_trunks.metric("kobza_trunk_usable", trunk="silent") == 0
            assert office_trunks.metric("kobza_trunk_usable", trunk="spare") == 1
        async with Carrier(port=port) as back:
            await office_trunks.until("silent", state="up", detail=None)
            await sipp.run("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=300)
            await ledger.call(A, OUTSIDE, owners=(A,))
            assert back.invites  # the one that was taken back may have reached it too
            assert len(spare.invites) == 1


async def test_a_trunk_that_asks_to_be_left_alone_gets_no_calls_meanwhile(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks
) -> None:
    """503 with Retry-After (RFC 3261, 21.5.4): its own call fails over, those that follow do not try it first."""
    async with Carrier() as first, Carrier() as spare:
        office_trunks.add("first", first.port, "--priority", "1")
        office_trunks.add("spare", spare.port)
        await office_trunks.until("first", state="up")
        await office_trunks.until("spare", state="up")

        async def call() -> tuple[int, int]:
            await sipp.run("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=100)
            (await ledger.call(A, OUTSIDE, owners=(A,))).has(cause=16, status=200, released_by="caller")
            return len(first.invites), len(spare.invites)

        first.invite_status, first.refusal_headers = 503, (("Retry-After", "200"),)
        assert await call() == (1, 1)
        row = await office_trunks.until("first", state="resting")
        assert row["detail"] == "it wants no calls for 200 s (503 with Retry-After)"
        assert office_trunks.metric("kobza_trunk_resting", trunk="first") == 1
        assert office_trunks.metric("kobza_trunk_resting", trunk="spare") == 0
        assert await call() == (1, 2)
        spare.invite_status, first.invite_status = 500, 200
        assert await call() == (2, 3)  # it is the only way


async def test_who_sent_a_call_on_before_it_came_is_kept_with_it(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks, kobza_server: Server
) -> None:
    """As Diversion says, or History-Info where there is none; for the call's page, not for the programs of others."""
    told = {
        ("Diversion", "<sip:0325550100@c>;reason=user-busy;counter=2, <sip:+380325550101@c>;privacy=full"): [
            Diverted("+380325550100", "user-busy", 2),
            Diverted("anonymous", "unknown"),
        ],
        (
            "History-Info",
            "<sip:+380325550102@c>;index=1, <sip:+380325550103@c;cause=302>;index=1.1;mp=1",
        ): [Diverted("+380325550102", "unconditional")],
    }
    async with Carrier() as carrier:
        office_trunks.add("line", carrier.port)
        await office_trunks.until("line", state="up")
        for header, expected in told.items():
            async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=100):
                carrier.call(B, "0325559998", kobza_server.site.sip, headers=(header,))
                await carrier.until(lambda: 200 in carrier.outcomes.values())
                carrier.hang_up()
                carrier.outcomes.clear()
            row = (await ledger.call("0325559998", B, owners=(B,))).row
            with closing(Store.open(kobza_server.site.place)) as store, store.read() as conn:
                enterprise_id = kobza_server.site.enterprise["enterprise_id"]
                assert diversions.find(conn, enterprise_id, row["call_id"]) == expected
            assert "diver" not in str(row)


async def test_a_full_trunk_takes_no_more(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks, kobza_server: Server
) -> None:
    async with Carrier() as first, Carrier() as second:
        office_trunks.add("narrow", first.port, "--capacity", "1", "--priority", "1")
        office_trunks.add("wide", second.port)
        await office_trunks.until("narrow", state="up")
        await office_trunks.until("wide", state="up")
        async with sipp.start("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=4000) as talk:
            await first.until(lambda: first.calls)
            assert office_trunks.metric("kobza_trunk_calls", trunk="narrow", direction="outgoing") == 1
            await sipp.run("uac_call", line=lines[1], dial=OUTSIDE, pause_ms=100)  # the next one has room
            await ledger.call(B, OUTSIDE, owners=(B,))
            assert len(second.invites) == 1
            coming = first.call(B, "0325559999", kobza_server.site.sip)
            await first.until(lambda: coming in first.outcomes)
            assert first.outcomes[coming] == 503
            (await ledger.call("0325559999", B)).has(cause=34, status=503, released_by="network")
            office_trunks.remove("wide")
            await asyncio.sleep(0.6)  # the server looks at the directory four times a second
            await sipp.run("uac_refused", line=lines[1], dial=OUTSIDE, status=503, cause=34)
            (await ledger.call(B, OUTSIDE)).has(cause=34, status=503, released_by="network")
            await talk.success()
        await ledger.call(A, OUTSIDE, owners=(A,))
        await sipp.run("uac_call", line=lines[1], dial=OUTSIDE, pause_ms=100)  # it has room again
        await ledger.call(B, OUTSIDE, owners=(B,))


async def test_what_a_number_may_call_outside(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks, kobza_server: Server
) -> None:
    """Neither where it is denied nor more at a time than it may; the next number is free to."""
    site = kobza_server.site
    number = ("--enterprise", site.enterprise["enterprise_id"], "--number", A)
    async with Carrier() as carrier:
        office_trunks.add("outside", carrier.port)
        await office_trunks.until("outside", state="up")
        try:
            site.prepare("limits", "set", *number, "--deny", "032", "--at-once", "1")
            await asyncio.sleep(0.6)  # the server looks at the directory four times a second
            await sipp.run("uac_refused", line=lines[0], dial=OUTSIDE, status=403, cause=21)
            (await ledger.call(A, OUTSIDE)).has(cause=21, status=403, released_by="network")
            assert carrier.invites == []
            site.prepare("limits", "set", *number, "--deny", "default")
            await asyncio.sleep(0.6)
            async with sipp.start("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=2500) as talk:
                await carrier.until(lambda: carrier.calls)
                await sipp.run("uac_refused", line=lines[0], dial=OUTSIDE, status=403, cause=21)
                (await ledger.call(A, OUTSIDE)).has(cause=21, status=403, released_by="network")
                await sipp.run("uac_call", line=lines[1], dial=OUTSIDE, pause_ms=100)
                await ledger.call(B, OUTSIDE, owners=(B,))
                await talk.success()
            await ledger.call(A, OUTSIDE, owners=(A,))
        finally:
            site.prepare("limits", "set", *number, "--deny", "default", "--at-once", "default")
        assert "+380325550123: more than 1 calls outside at once" in kobza_server.log
        for limit in ("destination", "at_once"):
            assert office_trunks.grown("kobza_outside_refused_total", limit=limit) == 1


async def test_a_trunk_that_registers(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks, kobza_server: Server
) -> None:
    async with Carrier() as carrier:
        carrier.accounts = {"office": "open sesame"}
        account = ("--register", "--username", "office", "--expires", "60", "--password")
        office_trunks.add("carrier", carrier.port, *account, "guessed")
        row = await office_trunks.until("carrier", registration="failed")
        assert row["detail"] == "401 Unauthorized"
        assert office_trunks.metric("kobza_trunk_registered", trunk="carrier") == 0
        office_trunks.set("carrier", "--password", "open sesame")
        await office_trunks.until("carrier", registration="registered", detail=None)
        assert office_trunks.metric("kobza_trunk_registered", trunk="carrier") == 1
        register = carrier.registers[-1]
        (contact,) = register.contacts
        assert (contact.uri.user, contact.uri.port, register.expires) == ("office", kobza_server.site.sip_port, 60)

        async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=100):
            coming = carrier.call("office", "0325559999", (contact.uri.host, contact.uri.port or 0), to=B)
            await carrier.until(lambda: coming in carrier.outcomes)
            assert carrier.outcomes[coming] == 200
            carrier.hang_up()
            await ledger.call("0325559999", B, owners=(B,))
        office_trunks.remove("carrier")
        await carrier.until(lambda: carrier.registers[-1].expires == 0)


async def test_calls_come_in_by_credentials(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks, kobza_server: Server
) -> None:
    async with Carrier() as elsewhere:
        secret = ("--incoming-username", "carrier", "--incoming-password", "secret")
        options = (
            "--inbound",
            "credentials",
            "--options-every",
            "0",
            "--caller-in",
            "asserted",
            "--add-incoming",
            "067",
        )
        office_trunks.add("roaming", free_port(), *secret, *options)
        await asyncio.sleep(0.6)  # the server looks at the directory four times a second
        who = [("P-Asserted-Identity", "<sip:0325559999@carrier.example>")]
        server = kobza_server.site.sip
        async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=100):
            wrong = elsewhere.call(B, "office", server, credentials=Carrier.credentials("carrier", "guessed"))
            right = elsewhere.call(
                B[3:], "office", server, headers=who, credentials=Carrier.credentials("carrier", "secret")
            )
            await elsewhere.until(lambda: {wrong, right} <= elsewhere.outcomes.keys())
            assert (elsewhere.outcomes[wrong], elsewhere.outcomes[right]) == (407, 200)
            elsewhere.hang_up()
        outcome = await ledger.call("0325559999", B, owners=(B,))
        assert outcome.row["direction"] == "incoming"


async def test_a_trunk_is_found_by_its_name_and_fails_over_between_its_servers(
    sipp: Sipp, ledger: Ledger, lines: list[Line], office_trunks: Trunks, kobza_server: Server, names: NameServer
) -> None:
    """RFC 3263: SRV says where; a server that is out of service is passed over; calls come in from each of them."""
    async with Carrier() as first, Carrier() as second:
        first.invite_status = 503
        records = (f"{n} 0 {each.port} sbc.carrier.example." for n, each in enumerate((first, second)))
        names.say("_sip._udp.carrier.example", "SRV", *records)
        names.say("sbc.carrier.example", "A", "127.0.0.1")
        office_trunks.add("named", "carrier.example")
        await office_trunks.until("named", state="up", detail=None, port=None, transport="any")
        await second.until(lambda: second.options)
        assert office_trunks.metric("kobza_trunk_servers", trunk="named") == 2
        assert office_trunks.metric("kobza_trunk_stale", trunk="named") == 0
        names.fall_silent()  # what is known is enough, and no call waits
        try:
            for calls in (1, 2):
                await sipp.run("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=100)
                outcome = await ledger.call(A, OUTSIDE, owners=(A,))
                outcome.has(cause=16, status=200, released_by="caller")
                assert (len(first.invites), len(second.invites)) == (1, calls)  # the second call knows better
        finally:
            names.manner = lambda answer: answer
        assert (second.invites[0].uri.host, second.invites[0].uri.port) == ("carrier.example", None)
        for carrier in (first, second):
            async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=100):
                coming = carrier.call(B, "0325559999", kobza_server.site.sip)
                await carrier.until(lambda: coming in carrier.outcomes)  # noqa: B023 - waited for in the loop
                assert carrier.outcomes[coming] == 200
                carrier.hang_up()
            await ledger.call("0325559999", B, owners=(B,))


async def test_over_tls_the_certificate_is_that_of_the_name_and_not_of_the_server(
    office_trunks: Trunks, names: NameServer, tmp_path: Path
) -> None:
    """RFC 5922, section 7: whoever can forge DNS can send us to his server, and gets nothing there."""
    certificates = {}
    for owner in ("secure.example", "sbc.example.org"):
        (tmp_path / owner).mkdir()
        certificates[owner] = Tls(
            Certificate(CertificateFiles(*authority.files(tmp_path / owner, authority.issued(owner))))
        )
    right, wrong = (Carrier(Transport.TLS, tls=tls) for tls in certificates.values())
    async with right, wrong:
        names.say("sbc.example.org", "A", "127.0.0.1")
        for name, carrier in (("secure", right), ("forged", wrong)):
            service = f"_sips._tcp.{name}.example"
            names.say(f"{name}.example", "NAPTR", f'1 1 "s" "SIPS+D2T" "" {service}.')
            names.say(service, "SRV", f"1 0 {carrier.port} sbc.example.org.")
            office_trunks.add(name, f"{name}.example")
        await office_trunks.until("secure", state="up")
        row = await office_trunks.until("forged", state="down")
        assert row["detail"] == "it cannot be reached"
        assert wrong.options == 0


async def test_both_sides_know_each_other_by_their_certificates(
    sipp: Sipp,
    ledger: Ledger,
    lines: list[Line],
    office_trunks: Trunks,
    kobza_server: Server,
    names: NameServer,
    tmp_path: Path,
) -> None:
    """The trunk wants ours, and is let in by its own from an address that no name of it has."""
    pair = CertificateFiles(*authority.files(tmp_path, authority.issued("mutual.example", "127.0.0.1")))
    trusted = [authority.authority_file(tmp_path)]
    own, client = Certificate(pair, trusted), client_context(trusted)
    own.ask(wanted=True)
    own.context.verify_mode = ssl.CERT_REQUIRED
    async with Carrier(Transport.TLS, tls=Tls(own, client)) as carrier:
        names.say("_sips._tcp.mutual.example", "SRV", f"1 0 {carrier.port} host.mutual.example.")
        names.say("host.mutual.example", "A", "127.0.0.1")
        inbound = ("--transport", "tls", "--inbound", "certificate", "--client-name")
        office_trunks.add("mutual", "mutual.example", *inbound, "elsewhere.example")
        await office_trunks.until("mutual", state="up")  # it took us with the certificate that phones are served
        await sipp.run("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=100)
        await ledger.call(A, OUTSIDE, owners=(A,))
        assert len(carrier.invites) == 1
    server = ("127.0.0.1", kobza_server.site.tls_port)
    async with Carrier(Transport.TLS, tls=Tls(own, client)) as stranger:
        unknown = stranger.call(B, "0325559999", server)
        await stranger.until(lambda: unknown in stranger.outcomes)
        assert stranger.outcomes[unknown] == 407  # asked for a password, as everybody
    own.show_in(client)
    async with Carrier(Transport.TLS, tls=Tls(own, client)) as other:
        wrong = other.call(B, "0325559999", server)
        await other.until(lambda: wrong in other.outcomes)
        assert other.outcomes[wrong] == 407  # a good certificate, of somebody else
    office_trunks.set("mutual", "--client-name", "")  # its own name
    await asyncio.sleep(0.6)  # the server looks at the directory four times a second
    async with Carrier(Transport.TLS, tls=Tls(own, client)) as known:
        async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=100):
            coming = known.call(B, "0325559999", server)
            await known.until(lambda: coming in known.outcomes)
            assert known.outcomes[coming] == 200
            known.hang_up()
        await ledger.call("0325559999", B, owners=(B,))
