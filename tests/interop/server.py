"""Kobza as a user runs it: a store made by the commands, `kobza serve` as a process on free ports."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from kobza.store.place import STORE_FILE, Place, PostgresUrl
from tests.interop.sipp import Line
from tests.phone.terminal import KOBZA
from tests.support import nursery
from tests.support.command import kobza_here
from tests.support.ports import free_port, free_range
from tests.support.postgres import PostgresServer, place_of
from tests.support.waiting import PATIENCE

START_WITHIN = 120.0
"""Seconds until a server that does not get ready is a failure; a busy machine takes half a minute."""
STOP_WITHIN = 60.0
KYIV = ZoneInfo("Europe/Kyiv")
PACKAGES = ("convergent", "api_fmc", "call_recording")


@dataclass
class Site:
    """A store with one enterprise, and what is needed to serve it again and again."""

    folder: Path
    database: PostgresServer | None = None
    """The server of the store; None: it is a file in the folder."""
    http: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    sip_port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    trunk_port: int = field(default_factory=free_port)
    rtp: range = field(default_factory=lambda: free_range(200))
    lines: dict[str, Line] = field(default_factory=dict)
    enterprise: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    more_sip: tuple[str, ...] = ()
    """Where else SIP is spoken, as `--sip` has it."""

    @property
    def sip(self) -> tuple[str, int]:
        """Where phones and the outside line send to."""
        return "127.0.0.1", self.sip_port

    @property
    def place(self) -> Place:
        """Where the store is."""
        return place_of(self.environment.get("KOBZA_STORE", str(self.folder / STORE_FILE)))

    def prepare(self, *arguments: str) -> str:
        """Run a command in this process, for what has to be there; return what it printed."""
        return kobza_here(*arguments, "--data", str(self.folder), environment=self.environment)

    def kobza(self, *arguments: str) -> str:
        """Run a command in a process of its own, as a user does; return what it printed."""
        done = subprocess.run(
            [KOBZA, *arguments, "--data", str(self.folder)],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **self.environment},
            check=False,
        )
        assert done.returncode == 0, f"kobza {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def create(self, numbers: Sequence[str], *, webhook: str | None = None, recorded: Sequence[str] = ()) -> None:
        """Make the store: an enterprise, its numbers (all with the API), the outside line, the webhook."""
        self.environment.setdefault("KOBZA_WEBHOOK_ALLOW", "127.0.0.0/8")
        if self.database is not None:
            self.environment["KOBZA_STORE"] = self.database.make_database().url
        self.prepare("init")
        added = self.prepare("enterprise", "add", "Пекарня", "--admin", "olena", "--password", "open sesame", "--json")
        self.enterprise = json.loads(added)
        for number in numbers:
            packages = PACKAGES if number in recorded else PACKAGES[:2]
            options = [option for package in packages for option in ("--package", package)]
            options += ["--enterprise", self.enterprise["enterprise_id"], "--sip-password", f"secret{number}"]
            self.prepare("number", "add", number, *options, "--name", f"Phone {number[-2:]}", "--json")
            self.lines[number] = Line(number, f"secret{number}")
        line = ("--host", "127.0.0.1", "--port", str(self.trunk_port), "--options-every", "0")  # scripts expect calls
        self.prepare("trunk", "add", "gateway", *line, "--json")
        if webhook is not None:
            options = ["--enterprise", self.enterprise["enterprise_id"], "--token", "remote-token"]
            self.prepare("webhook", "set", *options, "--url", webhook, "--json")

    def copy(self, folder: Path, **environment: str) -> "Site":
        """Return a site like this one, with ports and settings of its own; before anybody has served it."""
        shutil.copytree(self.folder, folder)
        if self.database is not None:
            assert isinstance(self.place, PostgresUrl)
            environment = {"KOBZA_STORE": self.database.copy(self.place).url} | environment
        return Site(
            folder,
            self.database,
            trunk_port=self.trunk_port,
            lines=self.lines,
            enterprise=self.enterprise,
            environment=self.environment | environment,
        )

    def elsewhere(self, folder: Path) -> "Site":
        """Return a site for the same people with nothing in it, for a backup to be restored into."""
        environment = dict(self.environment)
        if self.database is not None:
            environment["KOBZA_STORE"] = self.database.make_database().url
        return Site(folder, self.database, lines=self.lines, enterprise=self.enterprise, environment=environment)

    def start(self, *, ready: bool = True) -> "Server":
        """Serve it; returns when it answers, or at once."""
        return Server(self, ready=ready)


class Server:
    """A running `kobza serve`. `api` speaks to its HTTP interface as the integrator."""

    def __init__(self, site: Site, *, ready: bool = True) -> None:
        self.site = site
        self._log_path = site.folder / "serve.log"
        self._log_from = self._log_path.stat().st_size if self._log_path.exists() else 0
        sip = [f"{transport}:127.0.0.1:{site.sip_port}" for transport in ("udp", "tcp")]
        if "KOBZA_SIP_CERTIFICATE" in site.environment:
            sip.append(f"tls:127.0.0.1:{site.tls_port}")
        if "KOBZA_RTP_HOST6" in site.environment:
            sip.append(f"udp:[{site.environment['KOBZA_RTP_HOST6']}]:{site.sip_port}")
        sip += site.more_sip
        command = [KOBZA, "serve", "--data", str(site.folder), "--http", site.http]
        command += [word for address in sip for word in ("--sip", address)]
        command += ["--rtp-ports", f"{site.rtp.start}-{site.rtp.stop - 1}", "--rtp-host", "127.0.0.1"]
        self.process = nursery.start(command, self._log_path, site.environment)
        self.api = httpx.Client(
            base_url=f"http://{site.http}/api/fmc",
            headers={"Authorization": f"Bearer {site.enterprise['fmc_token']}"},
            params={"integrator_id": site.enterprise["integrator_id"]},
            timeout=120,
        )
        if ready:
            self.wait_until_ready()

    @property
    def log(self) -> str:
        """What this run logged so far."""
        return self._log_path.read_bytes()[self._log_from :].decode(errors="replace")

    def stop(self) -> None:
        """Stop it as a service manager does; it must go cleanly and have logged no error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"kobza serve does not stop:\n{self.log}") from None
        self.api.close()
        assert status == 0, f"kobza serve ended with {status}:\n{self.log}"
        self.assert_no_errors()

    def kill(self) -> None:
        """Kill the server like a crash (SIGKILL); the media process sees it and ends by itself."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.api.close()

    def assert_no_errors(self) -> None:
        """No line of the log is an error."""
        words = ("[error", "[critical", "ERROR", "CRITICAL", "Traceback")
        bad = [line for line in self.log.splitlines() if any(word in line for word in words)]
        assert not bad, f"errors in the log:\n{self.log}"

    def get(self, path: str, **parameters: Any) -> Any:
        """GET below /api/fmc; returns the JSON of a 200."""
        answer = self.api.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any], expect: int = 200) -> Any:
        """POST below /api/fmc; returns the JSON of the status expected."""
        answer = self.api.post(path, json=body)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """PUT below /api/fmc; returns the JSON of a 200."""
        answer = self.api.put(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def history(self, **parameters: Any) -> list[dict[str, Any]]:
        """Return the calls of the last hour as the API has them."""
        now = datetime.now(KYIV)
        begin, end = now - timedelta(hours=1), now + timedelta(minutes=1)  # a `to` in the future means now
        span = {"from": f"{begin:%Y-%m-%dT%H:%M:%S}", "to": f"{end:%Y-%m-%dT%H:%M:%S}"}
        calls: list[dict[str, Any]] = self.get("/v1/callhistory", **span, **parameters)["calls"]
        return calls

    def status_of(self, number: str) -> str:
        """Return what the API says of the phone of a number: available, busy, unavailable."""
        (phone,) = self.get("/v1/phonestatus", number=number)["phones"]
        assert phone["number"] == number
        return str(phone["status"])

    def media_ports(self) -> set[int]:
        """Return the ports of the media range that somebody has bound now."""
        rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
        bound = {int(row[1].rpartition(":")[2], 16) for row in rows}
        return {port for port in bound if port in self.site.rtp}

    def children(self) -> list[int]:
        """Return the process ids of the server's children: the media process, an encoder."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(word) for path in tasks for word in path.read_text().split()]

    def recording(self, record_id: str, within: float = PATIENCE) -> bytes:
        """Fetch an mp3; waits while it is being encoded."""
        deadline = time.monotonic() + within
        while True:
            answer = self.api.get("/v1/callrecord", params={"record_id": record_id})
            if answer.status_code == 200:
                assert answer.headers["content-type"] == "audio/mpeg"
                return answer.content
            assert answer.status_code == 409, answer.text
            assert time.monotonic() < deadline, "the recording is still being encoded"
            time.sleep(0.2)

    def wait_until_ready(self) -> None:
        """Wait until it answers; a server that does not is killed."""
        try:
            self._ask_until_ready()
        except BaseException:
            self.kill()
            raise

    def _ask_until_ready(self) -> None:
        deadline = time.monotonic() + START_WITHIN
        while True:
            assert self.process.poll() is None, f"kobza serve ended with {self.process.returncode}:\n{self.log}"
            try:
                if self.api.get("/v1/phonestatus").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"kobza serve does not get ready:\n{self.log}"
            time.sleep(0.1)
