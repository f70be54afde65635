"""An installation for tests of who may see it; tests/interop/test_system_page.py has a real one."""

from kobza.portal.system_port import BackupMade, Examined, PartNow, QueueNow, SystemNow, TrunkNow, Versions


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
            media_up=False,
            media_deaths=1,
            ports_used=0,
            ports=250,
            bans=2,
            dropped=1500,
            disk_free=10**9,
            disk_total=10**12,
            backups=[BackupMade(1, "/srv/backups/old", 10**9, False)],
            versions=Versions("1", "pure Python", "3.11", "SQLite", "0009"),
        )
