"""Whatever arrives, a message or MalformedMessage comes out; and what is written is read as the same."""

import random
import string
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.sip.auth_params import AuthParams, parse_auth
from kobza.sip.digest import DigestOutcome, DigestVerifier, authorize, ha1
from kobza.sip.errors import MalformedMessage
from kobza.sip.headers import CSeq, NameAddr, Reason, Via, parse_name_addr_list
from kobza.sip.message import SipRequest, SipResponse, parse_message
from kobza.sip.refer import ReferTo, Replaces, refer_to
from kobza.sip.reliable import RAck, rseq_of
from kobza.sip.responses import response_to
from kobza.sip.session_expires import SessionExpires, knows_timers, min_se_of
from kobza.sip.stream import BrokenMessage, StreamItem, StreamParser
from kobza.sip.uri import SipUri
from tests.fuzz.mutation import mutated
from tests.sip.examples import ALL, faults
from tests.support.ci import IN_CI

TOKEN = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=12)
HOST = st.one_of(
    st.from_regex(r"[a-zA-Z0-9_-]{1,9}(\.[a-zA-Z0-9-]{1,9}){0,3}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
PORT = st.none() | st.integers(0, 65_535)
USER = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='<>"@:'), max_size=12)
URI_PARAMS = st.lists(
    st.tuples(
        st.text(string.ascii_letters + "%-_", min_size=1, max_size=8),
        st.none() | st.text(string.ascii_letters + string.digits + "%-_=.", max_size=8),
    ),
    max_size=3,
).map(tuple)
SIP_URIS = st.builds(
    SipUri,
    st.sampled_from(["sip", "sips"]),
    USER,
    st.none() | USER,
    HOST,
    PORT,
    URI_PARAMS,
    st.text(string.ascii_letters + "%=&", max_size=10),
)
TEL_URIS = st.builds(SipUri, st.just("tel"), st.text("0123456789+*#-.()", min_size=1, max_size=15), params=URI_PARAMS)
URIS = SIP_URIS | TEL_URIS
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=15)
VALUES = st.none() | TOKEN | NAMES.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
PARAMS = st.lists(st.tuples(TOKEN, VALUES), max_size=3).map(tuple)
NAME_ADDRS = st.builds(NameAddr, NAMES, URIS, PARAMS)
VIAS = st.builds(Via, TOKEN.map(str.upper), HOST, PORT, PARAMS)
CSEQS = st.builds(CSeq, st.integers(0, 2**31 - 1), TOKEN)
REASONS = st.builds(Reason, TOKEN, st.integers(0, 999), NAMES)
TEXT = st.text(max_size=60) | st.text('<>"@:;,=?\\ \t\r\n[]*sip.Bob%0\x00\udcff', max_size=60)


@given(SIP_URIS, st.none() | st.builds(Replaces, TOKEN, TOKEN, TOKEN, st.booleans()), TEXT)
def test_refer_to(uri: SipUri, replaces: Replaces | None, text: str) -> None:
    written = SipRequest.create("REFER", "sip:x@x", [("Refer-To", refer_to(uri, replaces))])
    with suppress(MalformedMessage):  # as with a method parameter
        wanted = ReferTo.of(written)
        assert (wanted.dialled, wanted.replaces) == (uri.dialled, replaces)
    with suppress(MalformedMessage):
        ReferTo.of(SipRequest.create("REFER", "sip:x@x", [("Refer-To", text)]))
    with suppress(MalformedMessage):
        Replaces.parse(text)


@given(URIS)
def test_uris(uri: SipUri) -> None:
    assert SipUri.parse(str(uri)) == uri
    assert uri.equivalent(uri)


@given(st.builds(SessionExpires, st.integers(0, 2**32 - 1), st.sampled_from(["", "uac", "uas"])), TEXT)
def test_session_expires(value: SessionExpires, text: str) -> None:
    assert SessionExpires.parse(str(value)) == value
    with suppress(MalformedMessage):
        assert SessionExpires.parse(text).seconds >= 0
    with suppress(MalformedMessage):
        request = SipRequest.create(
            "INVITE", "sip:x@x", [("Min-SE", text), ("Supported", text), ("Session-Expires", "1")]
        )
        assert knows_timers(request) in (True, False)
        assert min_se_of(request) is not None


@given(st.builds(RAck, st.integers(0, 2**32 - 1), st.integers(0, 2**31 - 1), TOKEN), TEXT)
def test_rack(value: RAck, text: str) -> None:
    assert RAck.parse(str(value)) == value
    with suppress(MalformedMessage):
        RAck.parse(text)
    with suppress(MalformedMessage):
        response = SipResponse.create(180, "Ringing", [("Require", text), ("RSeq", text)])
        rseq_of(response)


@given(NAME_ADDRS)
def test_name_addrs(value: NameAddr) -> None:
    assert NameAddr.parse(str(value)) == value


@given(st.lists(NAME_ADDRS, min_size=1, max_size=4))
def test_lists_of_name_addrs(values: list[NameAddr]) -> None:
    assert parse_name_addr_list(", ".join(map(str, values))) == values


@given(VIAS, CSEQS, REASONS)
def test_other_values(via: Via, cseq: CSeq, reason: Reason) -> None:
    assert Via.parse(str(via)) == via
    assert CSeq.parse(str(cseq)) == cseq
    assert Reason.parse(str(reason)) == reason


@given(NAME_ADDRS, TOKEN.map(str.lower), NAMES)
def test_setting_a_param(value: NameAddr, name: str, text: str) -> None:
    changed = value.with_param(name, text)
    assert changed.param(name) == text
    assert NameAddr.parse(str(changed)) == changed


@given(st.builds(AuthParams, TOKEN, st.dictionaries(TOKEN.map(str.lower), NAMES, max_size=6)))
def test_challenges_and_credentials(auth: AuthParams) -> None:
    assert parse_auth(str(auth)) == auth


ALGORITHMS = st.sampled_from(["MD5", "SHA-256"])
QOPS = st.sampled_from(["", "auth", "auth-int"])


@given(NAMES, NAMES, NAMES, ALGORITHMS, QOPS, st.binary())
def test_a_client_and_a_server_agree(
    name: str, realm: str, password: str, algorithm: str, qop: str, body: bytes
) -> None:
    verifier = DigestVerifier(realm, b"secret")
    (challenge,) = [text for text in verifier.challenges(1e9, user_agent=None) if f"={algorithm}," in text]
    challenge = challenge.replace('qop="auth"', f'qop="{qop}"' if qop else 'x=""')
    answer = authorize(
        [challenge], method="X", uri="sip:h", username=name, password=password, cnonce="c", nonce_count=2, body=body
    )

    def ha1_for(username: str, known: str) -> str:
        return ha1(username, realm, password, "MD5" if known == "MD5" else "SHA-256")

    verdict = verifier.verify(answer, "X", body, ha1_for, 1e9)
    assert (verdict.outcome, verdict.username) == (DigestOutcome.OK, name)


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)
HEADERS = st.lists(st.tuples(TOKEN, LINES), max_size=5)


@given(TOKEN, URIS, VIAS, NAME_ADDRS, NAME_ADDRS, HEADERS, st.binary(max_size=50))
def test_requests(
    method: str,
    uri: SipUri,
    via: Via,
    from_: NameAddr,
    to: NameAddr,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    headers = [("X-" + name, value) for name, value in headers]
    fixed = [("Via", str(via)), ("f", str(from_)), ("To", str(to)), ("i", "abc"), ("CSeq", f"7 {method}")]
    made = SipRequest.create(method, str(uri), [*fixed, *headers], body)
    read = parse_message(made.to_bytes())
    assert isinstance(read, SipRequest)
    assert (read.method, read.uri, read.via, read.from_, read.to, read.body) == (method, uri, via, from_, to, body)
    assert [read.get(name) for name, _ in headers] == [made.get(name) for name, _ in headers]
    answer = parse_message(response_to(read, 200).to_bytes())
    assert (answer.via, answer.from_, answer.to, answer.cseq) == (via, from_, to, CSeq(7, method))


PARSERS = (SipUri.parse, NameAddr.parse, Via.parse, CSeq.parse, Reason.parse_all, parse_name_addr_list, parse_auth)


@given(TEXT)
@settings(max_examples=500)
def test_any_text(text: str) -> None:
    for parse in PARSERS:
        with suppress(MalformedMessage):
            assert parse(text) is not None


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_any_bytes(data: bytes) -> None:
    for prefix in (b"", b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\nVia: "):
        read(prefix + data + b"\r\n\r\n")
        follow(prefix + data + b"\r\nl:0\r\n\r\n")


def read(data: bytes) -> SipRequest | SipResponse | None:
    """Read everything in a message; None when it is none."""
    try:
        message = parse_message(data)
    except MalformedMessage:
        return None
    faults(message)
    return message


def follow(data: bytes) -> None:
    """Feed a stream."""
    parser = StreamParser()
    items: list[StreamItem] = []
    with suppress(MalformedMessage):
        items = parser.feed(data)
    assert items or parser.error or parser.buffered
    assert all(item.error.where for item in items if isinstance(item, BrokenMessage))


MUTATED = 25_000 if IN_CI else 100_000
"""Messages that are spoilt and read."""


def test_mutated_messages() -> None:
    """Each is read to the last header; each that is read is written and read again as the same."""
    chance = random.Random(4475)
    originals = [data for name, data in ALL.items() if name != "longreq"]
    accepted = broken = streamed = 0
    statuses = set()
    for number in range(MUTATED):
        data = mutated(chance, originals)
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            statuses.add(error.sip_status)
            continue
        accepted += 1
        broken += bool(faults(message))
        if number % 10 == 0:
            written = message.to_bytes()
            assert parse_message(written).to_bytes() == written
            streamed += 1
            follow(data)
    assert statuses == {400, 505}
    assert 0.3 * MUTATED < accepted < 0.8 * MUTATED
    assert 0.05 * MUTATED < broken < accepted
    assert streamed > 0.03 * MUTATED
