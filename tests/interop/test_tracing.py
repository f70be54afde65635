"""What is seen of the SIP messages of a call: its ladder, whole messages, and captures, of a server that runs."""

import asyncio
import json
import signal
import stat
from pathlib import Path

import pytest

from kobza.store import Store, messages
from kobza.store.messages import SipLadder
from tests.capture.packets import packets_of
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Line, Sipp
from tests.phone.terminal import KOBZA
from tests.support.command import kobza_here
from tests.support.waiting import until

A, B, C, _ = NUMBERS


async def capture(server: Server, file: Path, *options: str) -> asyncio.subprocess.Process:
    """Begin to capture with a command of its own, as a user does."""
    command = (KOBZA, "capture", "--data", str(server.site.folder), "--output", str(file), "--json", *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    await until(lambda: file.exists() and file.stat().st_size, "the head of the capture")
    return process


async def ended(process: asyncio.subprocess.Process) -> dict[str, object]:
    """Let a capture end as Ctrl-C does; return what it says."""
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return dict(json.loads(out))


def first_words(file: Path) -> list[str]:
    """Return what the messages in a capture are."""
    return [each.payload.split(b" sip:")[0].split(b"\r\n")[0].decode() for each in packets_of(file.read_bytes())]


@pytest.mark.database("sqlite")
async def test_what_was_said_in_a_call_is_kept_shown_whole_and_captured(
    sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line], tmp_path: Path
) -> None:
    of_called, of_another = tmp_path / "called.pcapng", tmp_path / "another.pcapng"
    running = await capture(kobza_server, of_called, "--number", B, "--seconds", "300")
    beside = await capture(kobza_server, of_another, "--number", C, "--messages", "1", "--with-secrets")
    async with sipp.phone(lines[1], "uas_answer") as phone:
        async with sipp.start("uac_call", line=lines[0], dial=B, pause_ms=200) as caller:
            await caller.success()
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    call_id = outcome.row["call_id"]
    said = await stored_ladder(kobza_server, call_id)
    assert said.lanes == ["caller", "phone"]
    with_caller = [(each.sent, each.what) for each in said.messages if each.lane == 0]
    assert with_caller[:2] == [(False, "INVITE"), (True, "407 Proxy Authentication Required")]
    assert [what for _, what in with_caller[-4:]] == ["200 OK", "ACK", "BYE", "200 OK"]
    assert [(each.sent, each.what) for each in said.messages if each.lane == 1 and each.what != "100 Trying"] == [
        (True, "INVITE"),
        (False, "180 Ringing"),
        (False, "200 OK"),
        (True, "ACK"),
        (True, "BYE"),
        (False, "200 OK"),
    ]
    assert said.messages[0].about.startswith("PCM")

    # The registrations of the called number, and both legs of its call, without secrets.
    document = await ended(running)
    assert (document["dropped"], document["ended_by"]) == (0, "interrupted")
    seen = first_words(of_called)
    assert document["messages"] == len(seen)
    assert seen.count("REGISTER") >= 3  # challenged, registered, un-registered
    assert [seen.count(each) for each in ("ACK", "BYE")] == [3, 2]
    assert stat.S_IMODE(of_called.stat().st_mode) == 0o600
    file = of_called.read_bytes()
    assert b'response="xxxxxxxx' in file
    server = kobza_server.site.sip
    assert all(server in (each.source, each.target) for each in packets_of(file))

    # Whole messages, from the memory of the server.
    site = kobza_server.site
    beginning = call_id[:24]
    whole = kobza_here("trace", beginning, "--data", str(site.folder), "--messages", environment=site.environment)
    assert whole.startswith(f"Call {call_id}\n")
    assert f"UDP 127.0.0.1:{server[1]} to 127.0.0.1:" in whole
    ladder = json.loads(
        kobza_here("trace", call_id, "--data", str(site.folder), "--json", environment=site.environment)
    )
    assert ladder["messages"][0]["sdp"].startswith(f"{said.messages[0].about} 127.0.0.1:")
    assert "    Proxy-Authorization: Digest " in whole
    pcap = tmp_path / "call.pcapng"
    told = kobza_here("trace", call_id, "--data", str(site.folder), "--pcap", str(pcap), environment=site.environment)
    assert told == f"{pcap}: {len(said.messages)} messages\n"
    lines_said = [f"SIP/2.0 {each.what}" if each.what[0].isdigit() else each.what for each in said.messages]
    assert first_words(pcap) == lines_said

    # Another number's capture has none of it; its first message ends it.
    async with sipp.phone(lines[2], "uas_answer"):
        out, _ = await beside.communicate()
    assert dict(json.loads(out))["ended_by"] == "messages"
    assert first_words(of_another) == ["REGISTER"]


async def stored_ladder(server: Server, call_id: str) -> SipLadder:
    """Wait for the ladder of a call."""
    found: list[SipLadder] = []

    def kept() -> bool:
        with store.read() as conn:
            said = messages.find(conn, server.site.enterprise["enterprise_id"], call_id)
        found.extend([] if said is None else [said])
        return bool(found)

    store = Store.open(server.site.place)
    try:
        await until(kept, "the messages of the call")
    finally:
        store.close()
    return found[0]
