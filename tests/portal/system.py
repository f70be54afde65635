"""An installation for tests of who may see it; tests/interop/test_system_page.py has a real one."""

from dataclasses import replace

from kobza.portal.system_port import BackupMade, Examined, Found, PartNow, QueueNow, SystemNow, TrunkNow, Versions
from tests.api.world import moment


class QuietSystem:
    """An installation in which nothing happens."""

    examining = False
    examined: Examined | None = None

    def __init__(self) -> None:
        self.asked = 0

    def examine(self) -> None:
        self.asked += 1

    async def now(self) -> SystemNow:
        return SystemNow(
            started_at=1.0,
            parts=[PartNow("store", "it does not answer"), PartNow("media", "")],
            trunks=[TrunkNow("carrier", "192.0.2.1:5060 (UDP)", [], "down", "failed", False, "403 Forbidden", 0, 0, 5)],
            enterprises=2,
            numbers=4,
            registered=0,
            calls=0,
            talking=0,
            calls_per_second=0.0,
            lag=2.5,
            lag_beyond=True,
            journal=QueueNow(0, 0.0),
            owed=None,
            held_back=None,
            spools=0,
            bucket=QueueNow(3, 7200.0),
            bucket_up=False,
            media_up=False,
            media_parts=(),
            media_deaths=1,
            ports_used=0,
            ports=250,
            bans=2,
            dropped=1500,
            disk_free=10**9,
            disk_total=10**12,
            room=2,
            backups=[BackupMade(1, "/srv/backups/old", 10**9, False)],
            versions=Versions("1", "pure Python", "3.11", "SQLite", "0009"),
        )


class BusySystem(QuietSystem):
    """An installation at work, which the doctor has looked at."""

    examined = Examined(
        moment("2026-04-20T08:55:00"),
        [
            Found("store", "good", "it answers, and all tables are there", ""),
            Found("trunk", "bad", "nobody listens at 192.0.2.1:5060", "ask the carrier, or correct the address"),
            Found("certificate", "look", "pbx.example.com ends in 12 days", "renew it: the new one is taken by itself"),
        ],
    )

    async def now(self) -> SystemNow:
        return replace(
            await super().now(),
            started_at=moment("2026-04-02T04:10:00"),
            parts=[PartNow("store", ""), PartNow("media", "")],
            trunks=[
                TrunkNow("carrier", "192.0.2.1:5060 (UDP)", [], "down", "failed", False, "403 Forbidden", 0, 0, 5),
                TrunkNow(
                    "mobile", "sip.mobile.example", ["198.51.100.9:5061"], "up", "registered", True, "", 12, 7, 60
                ),
            ],
            numbers=420,
            registered=387,
            calls=23,
            talking=19,
            calls_per_second=1.4,
            lag=0.0021,
            lag_beyond=False,
            bucket=None,
            room=0,
            owed=QueueNow(3, 0.4),
            held_back=QueueNow(120, 5400.0),
            media_up=True,
            media_parts=(True, False),
            media_deaths=0,
            ports_used=46,
            ports=1000,
            disk_free=712 * 10**9,
            backups=[
                BackupMade(int(moment("2026-04-20T00:15:00") * 1000), "/srv/backups/2026-04-20", 48 * 10**9, True),
                BackupMade(int(moment("2026-04-19T00:15:00") * 1000), "/srv/backups/2026-04-19", 47 * 10**9, True),
            ],
            versions=Versions("0.1.0", "compiled", "3.11", "PostgreSQL 15", "0014"),
        )
