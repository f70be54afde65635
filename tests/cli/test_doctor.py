"""`kobza doctor` on installations that are well and on those that are not."""

import json
import shutil
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest

from kobza.app.doctor import machine, network, trunks
from kobza.app.doctor.findings import State, bad, collect, good, healthy
from kobza.builds import Build
from kobza.call.trunk import Trunk
from kobza.store import STORE_FILE, Store, driver, endpoints, erasures, health
from kobza.store import trunks as store_trunks
from kobza.store.entries import CdrOpened
from kobza.store.journal import JournalWriter
from kobza.store.trunks import TrunkState
from tests.cli.conftest import Kobza, Ran
from tests.store.builders import cdr, recording, stored
from tests.support import authority
from tests.support.lines import outside_line
from tests.support.name_server import NameServer
from tests.support.ports import free_port, free_range
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.database("sqlite")  # the tests' PostgreSQL does not wait for the disk, which the doctor minds


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Free addresses in the settings."""
    http, sip, rtp = free_port(), free_port(), free_range(8)
    monkeypatch.setenv("KOBZA_HTTP", f"127.0.0.1:{http}")
    monkeypatch.setenv("KOBZA_SIP", f"udp:127.0.0.1:{sip} tcp:127.0.0.1:{sip}")
    monkeypatch.setenv("KOBZA_RTP_PORTS", f"{rtp.start}-{rtp.stop - 1}")
    return {"http": http, "sip": sip, "rtp": rtp.start}


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def states(ran: Ran) -> dict[str, list[tuple[str, str, str]]]:
    """Check -> what was found about it."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for each in json.loads(ran.out)["findings"]:
        found.setdefault(each["check"], []).append((each["state"], each["found"], each["advice"]))
    assert ran.err == ""
    return found


def sick(ran: Ran, check: str) -> str:
    """Return what is not good about something, which is what makes the exit code; it comes with advice."""
    wrong = [(state, told, advice) for state, told, advice in states(ran)[check] if state != "good"]
    assert wrong, states(ran)[check]
    assert all(advice for _, _, advice in wrong)
    return "; ".join(f"{state}: {told}" for state, told, _ in wrong)


def test_a_new_installation_is_well(kobza: Kobza, enterprise: str, ports: dict[str, int]) -> None:
    ran = kobza("doctor", "--thorough", "--json")
    found = states(ran)
    assert ran.code == 0, found
    assert {
        "settings",
        "Python",
        "build",
        "libraries",
        "time zones",
        "locale",
        "clock",
        "open files",
        "disk",
    } <= found.keys()
    for check in ("settings", "libraries", "store", "server", "ports", "secrets", "recordings", "calls"):
        assert {state for state, *_ in found[check]} == {"good"}, check
    assert found["server"] == [("good", "none runs", "")]
    assert found["ports"] == [("good", "all are free", "")]
    assert found["office"][0][:2] == ("look", "there is no number")
    ran = kobza("doctor")
    assert ran.code == 0
    assert ran.out.splitlines()[0].strip() == "All is well"
    assert "kobza number add NUMBER --enterprise ID" in ran.out


@pytest.mark.database("postgresql")
def test_on_postgresql(
    kobza: Kobza, data: Path, ports: dict[str, int], postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.make_store()
    monkeypatch.setenv("KOBZA_STORE", url.url)
    assert kobza("init").code == 0
    ran = kobza("doctor", "--json")
    assert "fsync is off" in sick(ran, "store")  # the tests' server does not wait for the disk
    assert ran.code == 1
    assert states(ran)["office"][0][1] == "there is no enterprise"
    monkeypatch.setenv("KOBZA_STORE", url.url + "&sslrootcert=/nowhere.pem&sslmode=disable")
    assert "sslrootcert /nowhere.pem" in sick(kobza("doctor", "--json"), "certificates")
    postgres.drop(url)
    assert "does not exist" in sick(kobza("doctor", "--json"), "store")


def test_wrong_settings_and_no_store(kobza: Kobza, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = kobza("doctor", "--json")
    assert ran.code == 1
    assert "there is no store at" in sick(ran, "store")
    assert "there is no directory" in sick(ran, "data directory")
    monkeypatch.setenv("KOBZA_HTTP", "here")
    ran = kobza("doctor", "--json")
    assert ran.code == 1
    assert "expected address:port" in sick(ran, "settings")


def test_a_store_that_is_old_or_damaged(kobza: Kobza, enterprise: str, data: Path, ports: dict[str, int]) -> None:
    connection = driver.connect(data / STORE_FILE)
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    assert "is of another release (0000" in sick(kobza("doctor", "--json"), "store")
    assert kobza("doctor").code == 1
    content = (data / STORE_FILE).read_bytes()
    (data / STORE_FILE).write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    assert sick(kobza("doctor", "--json"), "store").startswith("bad: ")
    (data / STORE_FILE).write_bytes(b"something else, and long enough to be a header" * 100)
    assert "is not a store" in sick(kobza("doctor", "--json"), "store")


def test_ports_that_others_have(
    kobza: Kobza, enterprise: str, ports: dict[str, int], listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOBZA_HTTP", f"127.0.0.1:{listener}")
    monkeypatch.setattr(network, "PATIENCE", 0.2)
    monkeypatch.setenv("KOBZA_SIP", f"udp:192.0.2.1:{ports['sip']}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", ports["rtp"]))
        ran = kobza("doctor", "--json")
    told = sick(ran, "ports")
    assert f"bad: another program has 127.0.0.1:{listener}" in told
    assert f"bad: udp:192.0.2.1:{ports['sip']}: the address is not this machine's" in told
    assert f"look: media ports are taken, such as {ports['rtp']}" in told
    silent = sick(ran, "media address")
    assert f"udp:192.0.2.1:{ports['sip']} and are told to send their audio to 127.0.0.1" in silent
    assert ran.code == 1


def test_secrets_that_others_can_read(
    kobza: Kobza, enterprise: str, data: Path, ports: dict[str, int], tmp_path: Path
) -> None:
    (data / STORE_FILE).chmod(0o644)
    assert kobza("doctor", "--json").code == 0  # nobody else comes into the directory
    data.chmod(0o755)
    assert f"bad: others on this machine can read {data}" in sick(kobza("doctor", "--json"), "secrets")
    data.chmod(0o700)
    config = tmp_path / "kobza.toml"
    config.write_text(f'nonce_secret = "{"s" * 40}"')
    config.chmod(0o644)
    assert f"can read {config}" in sick(kobza("doctor", "--config", str(config), "--json"), "secrets")
    config.write_text("ring_timeout = 30")
    assert kobza("doctor", "--config", str(config), "--json").code == 0


def test_what_waits_in_the_store(kobza: Kobza, enterprise: str, data: Path, ports: dict[str, int]) -> None:
    writer = JournalWriter(data / STORE_FILE)
    of: dict[str, Any] = {"enterprise_id": enterprise}
    writer.write(
        [
            CdrOpened(cdr("on", enterprise)),  # of 2025: older than what is kept once its end is known
            recording("recording", call_id="on", **of),
            recording("failed", record_id="rec-2", **of),
            recording("ready", record_id="rec-3", **of),
        ],
        alive_at=time.time() + 3600,
    )
    writer.close()
    store = Store.open(data / STORE_FILE)
    with store.write() as conn:
        erasures.begin(conn, enterprise, "+380671234567", "olena", "", 1)
        conn.exec_driver_sql("UPDATE recordings SET status = 'erasing' WHERE record_id = 'rec-3'")
    store.close()
    ran = kobza("doctor", "--json")
    assert "look: 1 have no end" in sick(ran, "calls")
    told = sick(ran, "recordings")
    for words in ("1 could not be made into an mp3", "the files of 1 could not be erased", "1 are not finished"):
        assert words in told
    assert "not finished: " in sick(ran, "erasures")
    clocks = states(ran)["clock"]
    assert any("in the future" in told for _, told, _ in clocks)


def test_webhooks(
    kobza: Kobza, enterprise: str, data: Path, ports: dict[str, int], listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def point(url: str) -> str:
        store = Store.open(data / STORE_FILE)
        with store.write() as conn:
            endpoints.set(conn, enterprise, url, "t")
        store.close()
        (found,) = states(kobza("doctor", "--json"))["webhook of Bakery"]
        return f"{found[0]}: {found[1]}"

    assert (
        point(f"http://127.0.0.1:{listener}/k") == f"good: 127.0.0.1:{listener} can be reached, 0 call states are owed"
    )
    assert "Connection refused" in point(f"http://127.0.0.1:{free_port()}/k")
    assert "10.1.2.3 is a private address, which webhook_allow does not list" in point("https://10.1.2.3/k")
    assert "no-such-host.invalid:443 cannot be reached" in point("https://no-such-host.invalid/k")
    writer = JournalWriter(data / STORE_FILE)
    writer.write([stored(1, enterprise_id=enterprise)])  # of 2025
    writer.close()
    ran = kobza("doctor", "--json")
    assert "bad: 1 call states are owed, the oldest since" in sick(ran, "webhook of Bakery")
    store = Store.open(data / STORE_FILE)
    with store.write() as conn:
        endpoints.deactivate(conn, enterprise, "410 Gone", 1)
    store.close()
    assert sick(kobza("doctor", "--json"), "webhook of Bakery") == (
        "look: it is switched off: 410 Gone, 1 call states wait"
    )


def asked(
    port: int,
    transport: Literal["UDP", "TCP", "TLS"] = "UDP",
    host: str = "127.0.0.1",
    authorities: Sequence[Path] = (),
) -> tuple[State, str]:
    (found,) = trunks.trunks([Trunk("id", "carrier", host, port, transport=transport)], authorities)
    assert found.check == "trunk carrier"
    assert bool(found.advice) is (found.state is not State.GOOD)
    return found.state, found.found


def test_a_trunk_is_asked(kobza: Kobza, enterprise: str, ports: dict[str, int]) -> None:
    with outside_line("UDP", 200) as port:
        assert kobza("trunk", "add", "carrier", "--host", "127.0.0.1", "--port", str(port)).code == 0
        (found,) = states(kobza("doctor", "--json"))["trunk carrier"]
    assert found == ("good", f"127.0.0.1:{port} (UDP) answers 200 OK, to our 127.0.0.1", "")


@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS"])
@pytest.mark.parametrize(
    ("statuses", "state"),
    [((200,), State.GOOD), ((100, 401), State.GOOD), ((405,), State.GOOD), ((501,), State.GOOD), ((503,), State.LOOK)],
)
def test_what_a_trunk_answers(
    tmp_path: Path, transport: Literal["UDP", "TCP", "TLS"], statuses: tuple[int, ...], state: State
) -> None:
    if transport != "UDP" and len(statuses) > 1:
        statuses = statuses[1:]  # one question, one answer
    tls = authority.serving() if transport == "TLS" else None
    with outside_line(transport, *statuses, tls=tls) as port:
        found, told = asked(port, transport, authorities=[authority.authority_file(tmp_path)])
    assert found is state
    assert f"answers {statuses[-1]} " in told


def test_trunks_that_are_not_who_they_should_be(tmp_path: Path) -> None:
    trusted = [authority.authority_file(tmp_path)]
    with outside_line("TLS", 200, tls=authority.serving(authority.issued("sip.example.net"))) as port:
        state, told = asked(port, "TLS", authorities=trusted)
    assert state is State.BAD
    assert f"the certificate of 127.0.0.1:{port} (TLS) is refused" in told
    with outside_line("TCP", 200) as port:
        socket.create_connection(("127.0.0.1", port)).close()  # its one answer is spent, it hangs up
    assert asked(port, "TLS", authorities=trusted)[0] is State.BAD
    assert asked(port, "TLS", authorities=[tmp_path / "absent.pem"])[0] is State.BAD


def test_trunks_that_have_names() -> None:
    """The certificate is that of the trunk's name, not of the server to which DNS leads (RFC 5922)."""
    own = authority.serving(authority.issued("sip.example.net"))
    with NameServer() as names, outside_line("TLS", 200, tls=own) as port, TemporaryDirectory() as folder:
        names.say("_sips._tcp.sip.example.net", "SRV", f"1 0 {port} host.example.org.")
        names.say("host.example.org", "A", "127.0.0.1")
        found = trunks.trunks(
            [Trunk("1", "named", "sip.example.net", None, transport=None), Trunk("2", "lost", "lost.example", 5060)],
            [authority.authority_file(Path(folder))],
            [names.address],
        )
        told = {each.check: (each.state, each.found) for each in found}
    where = f"127.0.0.1:{port} (TLS), by SRV _sips._tcp.sip.example.net,"
    assert told["trunk named"] == (State.GOOD, f"{where} answers 200 OK, to our 127.0.0.1")
    assert told["trunk lost"] == (State.BAD, "it leads nowhere: lost.example has no A or AAAA record")


@pytest.mark.parametrize(
    ("until", "state"), [(timedelta(days=60), "good"), (timedelta(days=9), "look"), (-timedelta(hours=1), "bad")]
)
def test_the_certificate_of_sip(
    kobza: Kobza,
    enterprise: str,
    ports: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    until: timedelta,
    state: str,
) -> None:
    chain, key = authority.files(tmp_path, authority.issued(since=-timedelta(days=2), until=until))
    monkeypatch.setenv("KOBZA_SIP_CERTIFICATE", str(chain))
    monkeypatch.setenv("KOBZA_SIP_KEY", str(key))
    (found,) = states(kobza("doctor", "--json"))["certificate of SIP"]
    assert found[0] == state
    assert "ends on" in found[1]
    key.write_text("no key")
    assert sick(kobza("doctor", "--json"), "certificate of SIP").startswith("bad: the certificate")


def test_trunks_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunks, "SENDINGS", (0.05, 0.05))
    monkeypatch.setattr(trunks, "PATIENCE", 0.1)
    for transport in ("UDP", "TCP"):
        with outside_line(transport) as port:
            assert asked(port, transport) == (
                State.LOOK,
                f"no answer to OPTIONS from 127.0.0.1:{port} ({transport}) within 0.1 s",
            )
        assert asked(port, transport) == (State.BAD, f"nobody listens at 127.0.0.1:{port} ({transport})")
    (none,) = trunks.trunks([])
    assert none.state is State.LOOK


def test_registrations_as_the_server_found_them(data: Path, kobza: Kobza, enterprise: str) -> None:
    account = ("--register", "--username", "office", "--password", "x")
    for name in ("plain", "good", "refused", "new"):
        more = () if name == "plain" else account
        assert kobza("trunk", "add", name, "--host", "192.0.2.1", "--port", "5060", *more).code == 0
    store = Store.open(data / STORE_FILE)
    with store.write() as conn:
        ids = {trunk.name: trunk.trunk_id for trunk in store_trunks.list_all(conn)}
        found = [
            TrunkState(ids["plain"], "down", None, "no answer to OPTIONS", 1),
            TrunkState(ids["good"], "resting", "registered", "it wants no calls for 60 s", 1),
            TrunkState(ids["refused"], "up", "failed", "403 Forbidden", 1),
        ]
        store_trunks.set_states(conn, found)
        facts = health.facts(conn)
    store.close()
    told = {each.check: (each.state, each.found) for each in trunks.registrations(facts, served=True)}
    assert told == {
        "calls by good": (State.LOOK, "it wants no calls for 60 s"),
        "registration at good": (State.GOOD, "registered as office"),
        "registration at refused": (State.BAD, "403 Forbidden"),
        "registration at new": (State.LOOK, "it is being tried"),
    }
    assert list(trunks.registrations(facts, served=False)) == []


@pytest.mark.parametrize(("days", "state"), [(400, State.GOOD), (20, State.LOOK), (-1, State.LOOK)])
def test_certificates_that_end_soon(days: int, state: State) -> None:
    ends = datetime.now(UTC) + timedelta(days=days)
    (found,) = network._certificate("c", {"notAfter": f"{ends:%b %d %H:%M:%S %Y} GMT"}, "crm.example")
    assert found.state is state
    assert f"{ends:%Y-%m-%d}" in found.found
    assert ssl.cert_time_to_seconds(f"{ends:%b %d %H:%M:%S %Y} GMT") == int(ends.timestamp())


def test_a_full_disk_and_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage(tmp_path))

    def free(count: int) -> State:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**11, 10**11 - count, count))
        return next(iter(machine.disk(tmp_path))).state

    assert [free(count) for count in (5 * 10**10, 10**9, 10**8)] == [State.GOOD, State.LOOK, State.BAD]
    assert next(iter(machine.limits(10_000_000))).state is State.LOOK


def test_more_media_processes_than_processors_help_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1})
    assert not list(machine.processors(1))
    [two] = machine.processors(2)
    [three] = machine.processors(3)
    assert (two.state, three.state) == (State.GOOD, State.LOOK)
    assert "media_processes = 2" in three.advice


def test_the_compiled_build_is_named_where_it_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cc").touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "make compile" in machine.build(Build.NEVER_COMPILED).found
    assert machine.build(Build.COMPILED).found == "compiled"
    assert machine.build(Build.STALE).state is State.LOOK
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert machine.build(Build.NEVER_COMPILED).found == "pure Python"


def test_a_check_that_fails_is_a_finding_and_keeps_no_other_from_being_made() -> None:
    def broken() -> list[Any]:
        raise PermissionError("no way\nsecond line")

    findings = collect([("a", broken), ("b", lambda: [good("b", "fine")])])
    assert findings == [
        bad("a", "it cannot be looked at: no way", "mend what it says, and look again"),
        good("b", "fine"),
    ]
    assert not healthy(findings)
    assert healthy(findings[1:])
