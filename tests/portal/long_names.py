"""An enterprise whose names, addresses and lists are as long as people make them, to see whether tables bear them."""

from dataclasses import replace

from kobza.call.directory import Package
from kobza.call.forwarding import Forwarding
from kobza.call.group import RingingGroup, Strategy
from kobza.portal.system_port import SystemNow, TrunkNow
from kobza.store import audit, enterprises, groups, numbers, sessions, tokens, users
from kobza.store.audit import By
from kobza.store.tokens import Scope, parse_networks
from kobza.store.users import Role
from tests.api.world import ALICE, OUTSIDE, PASSWORD_HASH, Phone, World
from tests.portal.system import BusySystem

PEOPLE = (
    ("Святослав-Олександр Мар'яненко-Савицький-Нечуйвітер", "Відділ технічної підтримки корпоративних клієнтів"),
    ("Рентгеноелектрокардіографічний-кабінет-поліклініки-№12", "Електроенергетикоустаткування"),
    ("Maximilian-Alexander von und zu Hohenzollern-Sigmaringen", "Department of Internationalisation and Compliance"),
    ("ОЛЕКСАНДР-ЯРОСЛАВ КРИВОШИЙЧЕНКО-ЩЕРБАЦЬКИЙ", "УПРАВЛІННЯ ЗОВНІШНЬОЕКОНОМІЧНОЇ ДІЯЛЬНОСТІ"),
)
EVERYTHING = tuple(Package)
LOGIN = "maximilian-alexander.hohenzollern-sigmaringen@department.corporation.example.com"
ADDRESS = "2001:db8:85a3:8d3:1319:8a2e:370:7348"


def lengthen(world: World) -> None:
    """Add rows of long texts to every table of a furnished enterprise (`furnish`)."""
    own, now_ms = world.own.enterprise_id, int(world.at * 1000)
    by = By("portal", LOGIN, ADDRESS)
    staff = [(f"+3806700000{at:02}", *PEOPLE[at % len(PEOPLE)]) for at in range(40)]
    with world.store.write() as conn:
        for number, name, department in staff:
            with audit.noted(conn, by, "number.added", own, number, now_ms):
                numbers.add(conn, number, own, name, department, EVERYTHING)
            numbers.set_dnd(conn, own, number, True, now_ms + 40_000_000)
            numbers.set_clip(conn, own, number, None, True)
            numbers.set_forwarding(conn, own, number, Forwarding(busy=OUTSIDE))
        members = tuple(number for number, _, _ in staff[:20])
        groups.put(
            conn, RingingGroup("+380440000000", own, PEOPLE[1][0], Strategy.LONGEST_IDLE, members, 120, then=members[0])
        )
        users.add(conn, LOGIN, PASSWORD_HASH, Role.SUPERVISOR, own, now_ms, name=PEOPLE[2][0])
        users.add(conn, "x" * 60, PASSWORD_HASH, Role.ADMIN, own, now_ms, number=staff[0][0], must_change=True)
        users.add(conn, LOGIN + ".ua", PASSWORD_HASH, Role.OPERATOR, None, now_ms, name=PEOPLE[0][0])
        networks = parse_networks([ADDRESS, "2001:db8:ffff:ffff::/64", "198.51.100.0/24", "203.0.113.128/25"])
        for name in (PEOPLE[1][0], PEOPLE[0][0]):
            made = tokens.add(conn, own, now_ms, name=name, scopes=tuple(Scope), networks=networks)
            use = tokens.Use(now_ms, ADDRESS, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
            tokens.note_uses(conn, [(made.token.token_id, use)])
        olena = users.find(conn, "olena")
        assert olena is not None
        agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
        for secret in ("s1", "s2"):
            sessions.begin(
                conn, olena.user_id, secret, now_ms, ends_at=now_ms * 2, address=ADDRESS, client=agent, openid=True
            )
        for at, (name, department) in enumerate(PEOPLE):
            enterprises.add(conn, f"ТОВ «{name} – {department}»", f"admin{at}", PASSWORD_HASH, now_ms)
    world.commands.phones = [
        Phone(number, ("busy", "available", "unavailable")[at % 3], dnd=True, devices=12, since=world.at)
        for at, (number, _, _) in enumerate(staff)
    ]
    world.add_call(
        call_id="long1",
        calling_number=ALICE,
        called_number=staff[1][0],
        answered_number=staff[2][0],
        client_state="x" * 80,
        started_at=world.at - 60,
        ringing_at=world.at - 55,
        answered_at=world.at - 50,
        ended_at=world.at - 1,
    )


class LongSystem(BusySystem):
    """An installation whose trunks have long names and addresses."""

    async def now(self) -> SystemNow:
        known = await super().now()
        address = "sip-interconnect-gateway-17.kyiv.operator.example.com:5061 (TLS)"
        found = [f"[{ADDRESS}]:5061 (TLS)", "198.51.100.209:5061 (TLS)"]
        trunk = TrunkNow(
            PEOPLE[1][0], address, found, "down", "failed", False, "503 Service Temporarily Unavailable", 118, 240, 480
        )
        return replace(known, trunks=[*known.trunks, trunk])
