"""A baresip phone as a real process, steered over its control port (netstrings of JSON)."""

import asyncio
import contextlib
import json
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kobza.phone.sound import Sound
from tests.interop.sipp import Line
from tests.interop.tools import require
from tests.support.ports import free_port, free_range
from tests.support.spectrum import Samples, read_audio
from tests.support.waiting import PATIENCE, until

MODULES = Path("/usr/lib/baresip/modules")

CONFIG = """\
poll_method epoll
sip_listen 127.0.0.1:{sip_port}
call_local_timeout 120
call_max_calls 4
audio_player aubridge,heard
audio_source aufile,{folder}/tone.wav
audio_alert aufile,{folder}/none.wav
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
rtp_ports {rtp}
rtp_stats yes
rtp_timeout 0
jitter_buffer_type off
jitter_buffer_delay 1-20
module_path {modules}
module g711.so
module srtp.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app ctrl_tcp.so
module_app menu.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {folder}/heard
"""
WATCHING = """\
module_app contact.so
module_app presence.so
module_app mwi.so
"""


class Baresip:
    """One phone. `events` are all it told of so far, oldest first."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.folder = folder
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tokens = 0

    async def connect(self, port: int, within: float = PATIENCE) -> None:
        """Connect to the control port as soon as it is there."""
        async with asyncio.timeout(within):
            while True:
                try:
                    reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except ConnectionRefusedError:
                    assert self.process.returncode is None, self.log
                    await asyncio.sleep(0.05)
        self._reading = asyncio.create_task(self._read(reader))

    async def command(self, name: str, parameters: str = "", within: float = PATIENCE) -> dict[str, Any]:
        """Send a command and return the answer; it must be ok."""
        assert self._writer is not None
        self._tokens += 1
        token = str(self._tokens)
        answer = self._answers[token] = asyncio.get_running_loop().create_future()
        body = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))
        async with asyncio.timeout(within):
            result: dict[str, Any] = await answer
        assert result.get("ok", True), result
        return result

    async def press(self, key: str) -> None:
        """Press a key of the phone in its call, and let it go."""
        await self.command("sndcode", key)

    async def event(self, kind: str, within: float = PATIENCE) -> dict[str, Any]:
        """Wait for the next event of a kind and take it out; what else came is named when it does not."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self.events:
                        if event.get("type") == kind:
                            self.events.remove(event)
                            return event
                    await self._changed.wait()
        except TimeoutError:
            seen = [event.get("type") for event in self.events]
            raise AssertionError(f"baresip waited {within} s for {kind}, saw {seen}\n{self.log}") from None

    async def heard(self) -> Samples:
        """Return what the phone decoded in its last call, when it has closed the file."""
        files = sorted((self.folder / "heard").glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)
        assert files, self.log
        await until(lambda: files[-1] not in self._open_files(), "the end of the recording")
        return read_audio(files[-1])[0]

    def _open_files(self) -> set[Path]:
        found = set()
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(link.readlink())
        return found

    @property
    def log(self) -> str:
        """Its output so far."""
        return (self.folder / "log").read_text(errors="replace")

    async def close(self) -> None:
        """Ask it to end (it un-REGISTERs first), then end it."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        if self._writer is not None:
            self._writer.close()
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(5):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads((await reader.readexactly(length + 1))[:-1])
                if message.get("event"):
                    self.events.append(message)
                    self._changed.set()
                    self._changed = asyncio.Event()
                elif (waiting := self._answers.pop(str(message.get("token")), None)) is not None:
                    waiting.set_result(message)


@asynccontextmanager
async def baresip(
    folder: Path,
    line: Line,
    server: tuple[str, int],
    *,
    tone: int,
    transport: str = "udp",
    auto: bool = False,
    codecs: str = "PCMU PCMA",
    srtp: bool = False,
    watched: Sequence[str] = (),
) -> AsyncIterator[Baresip]:
    """Start a phone of `line` that plays a tone, wait until it is registered, stop it at the end.

    With `srtp` it takes no call without SRTP (RFC 4568). `watched` are numbers in its contact list, whose presence it
    asks for; then it asks for its mailbox, too.
    """
    require("baresip")
    sip_port, control_port = free_port(), free_port()
    rtp = free_range(20)
    (folder / "heard").mkdir(parents=True)
    write_tone(folder / "tone.wav", tone, seconds=60)
    values = {"folder": folder, "modules": MODULES, "sip_port": sip_port, "control_port": control_port}
    config = CONFIG.format(rtp=f"{rtp.start}-{rtp.stop - 1}", **values)
    (folder / "config").write_text(config + WATCHING if watched else config)
    account = f"<sip:{line.number}@{server[0]}:{server[1]};transport={transport}>;auth_user={line.number}"
    account += f";auth_pass={line.password};regint=60;answermode={'auto' if auto else 'manual'}"
    audio_codecs = ",".join(f"{name}/8000" for name in codecs.split())
    account += ";mediaenc=srtp-mand" if srtp else ""
    account += f";audio_codecs={audio_codecs}"
    # An account that is registered in the first millisecond makes baresip 1.0 ask for its mailbox without end.
    (folder / "accounts").write_text("" if watched else f"{account}\n")
    contacts = [f'"{each}" <sip:{each}@{server[0]}:{server[1]}>;presence=p2p\n' for each in watched]
    (folder / "contacts").write_text("".join(contacts))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "baresip", "-4", "-f", str(folder), "-s", stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    phone = Baresip(folder, process)
    try:
        await phone.connect(control_port)
        if watched:
            await phone.command("uanew", account)
        await _registered(phone)
        yield phone
    finally:
        await phone.close()


async def _registered(phone: Baresip, within: float = PATIENCE) -> None:
    """Its event may be older than our connection, so its own table is asked."""
    answer: dict[str, Any] = {}
    try:
        async with asyncio.timeout(within):
            while "OK" not in str(answer.get("data", "")):
                await asyncio.sleep(0.1)
                answer = await phone.command("reginfo")
    except TimeoutError:
        raise AssertionError(f"baresip does not register: {answer}\n{phone.log}") from None


def write_tone(path: Path, hz: int, *, seconds: int) -> None:
    """Write a WAV file of a tone, 8 kHz, mono, 16 bit."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(Sound.tone(hz).pcm * seconds)
