"""`kobza capture`: SIP messages of the running server, as a file for Wireshark."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from kobza.cli.options import DataOption, load_settings
from kobza.cli.output import emit

EXAMPLES = """\b
Examples:
  kobza capture --number 0671234567 --seconds 120 --output phone.pcapng
  kobza capture --call 019ac2f3b1d07a4c8e21f5d0937b6e4c -o call.pcapng
  kobza capture --everything -o - | wireshark -k -i -
"""
MOST_SECONDS: Final = 3600
MOST_MESSAGES: Final = 1_000_000
MOST_MB: Final = 1024


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("capture", epilog=EXAMPLES)(capture)


def capture(
    ctx: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A pcapng file, made anew; - is stdout.")
    ],
    number: Annotated[
        str | None, typer.Option("--number", metavar="NUMBER", help="Its registrations and every leg of its calls.")
    ] = None,
    call: Annotated[
        str | None, typer.Option("--call", metavar="CALL_ID", help="A call that is on: what comes of it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All messages of all calls and phones.")] = False,
    seconds: Annotated[
        int, typer.Option("--seconds", metavar="S", min=1, max=MOST_SECONDS, help="How long; Ctrl-C ends it before.")
    ] = 60,
    messages: Annotated[
        int, typer.Option("--messages", metavar="N", min=1, max=MOST_MESSAGES, help="At most so many messages.")
    ] = 100_000,
    size: Annotated[
        int, typer.Option("--size", metavar="MB", min=1, max=MOST_MB, help="At most so many mebibytes of messages.")
    ] = 64,
    with_secrets: Annotated[
        bool,
        typer.Option("--with-secrets", help="Digest answers, keys and DTMF digits as they are, not written over."),
    ] = False,
    data: DataOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say at the end in one JSON document for programs how it went.")
    ] = False,
) -> None:
    """Write the SIP messages that the running server sends and receives from now on into a file for Wireshark."""
    from kobza.app.control.client import ask
    from kobza.app.control.messages import AskCapture, Done, Message, Started
    from kobza.call.numbers import normalize

    if [number, call, everything or None].count(None) != 2:
        raise typer.BadParameter("give one of --number, --call and --everything", param_hint="--number")
    to_stdout = str(output) == "-"
    if to_stdout and as_json:
        raise typer.BadParameter("cannot be used together with --output -", param_hint="--json")
    directory = load_settings(ctx, data=data).settings.data
    wanted = None if number is None else normalize(number)
    question = AskCapture(wanted, call, float(seconds), messages, size * 2**20, with_secrets)
    done, taken = Done(because="interrupted"), 0
    answers = ask(directory, question, longest=float(seconds))
    if not isinstance(next(answers), Started):
        raise TypeError("a capture begins with Started")
    with _opened(output) as file:
        from kobza.capture.pcapng import PcapngWriter

        writer = PcapngWriter("Kobza")
        file.write(writer.begin())
        file.flush()
        if not as_json:
            sys.stderr.write(f"capturing for {seconds} s; Ctrl-C ends it\n")
        try:
            for answer in answers:
                if isinstance(answer, Message):
                    file.write(writer.message(answer.seen))
                    file.flush()  # whoever reads along sees it now
                    taken += 1
                elif isinstance(answer, Done):
                    done = answer
        except KeyboardInterrupt:  # the file is whole
            pass
    document = {"file": str(output), "messages": taken, "dropped": done.dropped, "ended_by": done.because}
    if to_stdout:
        sys.stderr.write(f"{taken} messages, {done.dropped} dropped, ended by: {done.because}\n")
    else:
        emit(document, as_json=as_json, title="Captured")


@contextmanager
def _opened(output: Path) -> Iterator[BinaryIO]:
    """Open where a capture goes: it tells of people, so its file is for its owner alone."""
    if str(output) == "-":
        yield sys.stdout.buffer
        return
    output.unlink(missing_ok=True)
    output.touch(mode=0o600)
    with output.open("wb") as file:
        yield file
