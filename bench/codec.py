"""What reading and writing a SIP message costs: `python -m bench.codec [--messages 20000] [--rounds 5] [--json]`.

One INVITE of a softphone behind two proxies (1.3 kB with SDP) is read and written again: untouched, with six headers
read as values as a user agent does it, and cut from a stream. Beside it, in the same run, the standard library's
`email.parser` does the same with the same bytes, and the floor: lines split and joined, nothing understood. CPU time,
the median of some rounds; the last column is the cost against `email.parser`'s.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from email.parser import BytesParser
from email.policy import compat32

from rich.console import Console
from rich.table import Table

from bench.rows import Row
from kobza.sip.message import parse_message
from kobza.sip.stream import StreamParser

BODY = b"""\
v=0
o=0671234567 3712 1 IN IP4 192.0.2.10
s=Talk
c=IN IP4 192.0.2.10
t=0 0
m=audio 7078 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=sendrecv
""".replace(b"\n", b"\r\n")
INVITE = (
    """\
INVITE sip:0501112233@pbx.example.net;user=phone SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK.x1uHq~6Ys;rport
Via: SIP/2.0/TCP edge.example.net;branch=z9hG4bKb27f.1;received=192.0.2.1
Via: SIP/2.0/TLS 198.51.100.7;branch=z9hG4bK9
From: "Шевченко, Оксана" <sip:+380671234567@pbx.example.net>;tag=YtSZ1gFFA
To: <sip:0501112233@pbx.example.net>
CSeq: 20 INVITE
Call-ID: FBLCvFjtUH
Max-Forwards: 70
Record-Route: <sip:edge.example.net;lr>, <sip:core.example.net:5070;lr>
Supported: replaces, outbound, gruu, path
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, PRACK, UPDATE
Contact: <sip:+380671234567@192.0.2.10:5062;transport=udp>;+sip.instance="<urn:uuid:8f3c-1>"
Proxy-Authorization: Digest username="0671234567", realm="kobza", nonce="018f2b7c6d01a2b3c4d5e6f7", \
uri="sip:0501112233@pbx.example.net", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, cnonce="0a4f113b", \
qop=auth, nc=00000001
User-Agent: Linphone/5.2.5 (belle-sip/5.3.64)
Content-Type: application/sdp
""".replace("\n", "\r\n").encode()
    + b"Content-Length: %d\r\n\r\n" % len(BODY)
    + BODY
)


def untouched() -> bytes:
    return parse_message(INVITE).to_bytes()


def six_values() -> bytes:
    message = parse_message(INVITE)
    _ = message.via, message.from_, message.to, message.call_id, message.cseq, message.contacts
    return message.to_bytes()


def streamed() -> bytes:
    (item,) = STREAM.feed(INVITE)
    return item.to_bytes()  # type: ignore[union-attr]


def with_email() -> bytes:
    start, _, rest = INVITE.partition(b"\r\n")
    message = EMAIL.parsebytes(rest)
    return start + b"\r\n" + message.as_bytes()


def floor() -> bytes:
    head, _, body = INVITE.partition(b"\r\n\r\n")
    return b"\r\n".join(head.split(b"\r\n")) + b"\r\n\r\n" + body


STREAM = StreamParser()
EMAIL = BytesParser(policy=compat32)
WAYS: dict[str, Callable[[], bytes]] = {
    "read and written": untouched,
    "the same, six headers as values": six_values,
    "cut from a stream and written": streamed,
    "email.parser, read and written": with_email,
    "lines split and joined": floor,
}
REFERENCE = "email.parser, read and written"


def cost(way: Callable[[], bytes], messages: int) -> float:
    """Microseconds of CPU for one message."""
    before = time.process_time()
    for _ in range(messages):
        way()
    return (time.process_time() - before) / messages * 1e6


def main(messages: int, rounds: int) -> dict[str, float]:
    for name, way in WAYS.items():
        assert name == REFERENCE or way() == INVITE, name
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            taken[name].append(cost(way, messages))
    return {name: statistics.median(some) for name, some in taken.items()}


def measure(*, quick: bool = False) -> Sequence[Row]:
    results = main(200, 1) if quick else main(20_000, 5)
    return [
        Row(
            f"reading and writing an INVITE of {len(INVITE)} bytes, {values}",
            results[way],
            "µs of CPU",
            "email.parser of the standard library",
            results[REFERENCE],
        )
        for way, values in (
            ("read and written", "untouched"),
            ("the same, six headers as values", "six headers as values"),
        )
    ]


def table(results: dict[str, float]) -> Table:
    shown = Table(
        title=f"One INVITE of {len(INVITE)} bytes, {len(INVITE.split(BODY)[0].splitlines()) - 2} header lines"
    )
    for heading in ("", "us/message", "messages/s of a core", "to email.parser"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for name, taken in results.items():
        shown.add_row(name, f"{taken:.1f}", f"{1e6 / taken:,.0f}", f"{taken / results[REFERENCE]:.2f}")
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5, help="the median of them is shown")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = main(arguments.messages, arguments.rounds)
    if arguments.json:
        print(json.dumps(measured))
    else:
        Console().print(table(measured))
