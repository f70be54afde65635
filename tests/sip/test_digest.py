"""Digest: the vectors of the RFCs, and everything that a verifier may be told."""

import dataclasses

import pytest

from kobza.sip.auth_params import AuthParams, parse_auth
from kobza.sip.digest import Algorithm, DigestOutcome, DigestVerdict, DigestVerifier, authorize, ha1
from kobza.sip.errors import MalformedMessage
from kobza.sip.message import parse_message
from tests.sip.examples import CAPTURED, crlf

NOW = 1_790_000_000.0
SECRET = b"s" * 32
OLD_NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
BODY = crlf(
    """\
v=0
o=bob 2890844526 2890844526 IN IP4 media.biloxi.com
s=-
c=IN IP4 media.biloxi.com
t=0 0
m=audio 49170 RTP/AVP 0
a=rtpmap:0 PCMU/8000
m=video 51372 RTP/AVP 31
a=rtpmap:31 H261/90000
m=video 53000 RTP/AVP 32
a=rtpmap:32 MPV/90000
"""
)


@dataclasses.dataclass(frozen=True)
class Vector:
    realm: str
    rest: str
    """What the challenge has beside the realm."""
    method: str
    uri: str
    username: str
    password: str
    cnonce: str
    response: str
    body: bytes = b""
    algorithm: Algorithm = "MD5"

    @property
    def credentials(self) -> str:
        return authorize(
            [f'Digest realm="{self.realm}", {self.rest}'],
            method=self.method,
            uri=self.uri,
            username=self.username,
            password=self.password,
            cnonce=self.cnonce,
            body=self.body,
        )


BOB = Vector("biloxi.com", f'nonce="{OLD_NONCE}"', "INVITE", "sip:bob@biloxi.com", "bob", "zanzibar", "0a4f113b", "")
MUFASA = Vector(
    "http-auth@example.org",
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", qop="auth, auth-int", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
    "GET",
    "/dir/index.html",
    "Mufasa",
    "Circle of Life",
    "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "",
)
VECTORS = {
    "RFC 2069 2.4 (errata)": dataclasses.replace(
        MUFASA,
        realm="testrealm@host.com",
        rest=f'nonce="{OLD_NONCE}"',
        password="CircleOfLife",
        response="1949323746fe6a43ef61f9606e7febea",
    ),
    "RFC 2617 3.5": dataclasses.replace(
        MUFASA,
        realm="testrealm@host.com",
        rest=f'nonce="{OLD_NONCE}", qop="auth,auth-int"',
        password="Circle Of Life",
        cnonce="0a4f113b",
        response="6629fae49393a05397450978507c4ef1",
    ),
    "RFC 7616 3.9.1, MD5": dataclasses.replace(
        MUFASA, rest=f"{MUFASA.rest}, algorithm=MD5", response="8ca523f5e9506fed4657c9700eebdbec"
    ),
    "RFC 7616 3.9.1, SHA-256": dataclasses.replace(
        MUFASA,
        rest=f"{MUFASA.rest}, algorithm=SHA-256",
        algorithm="SHA-256",
        response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    ),
    "draft-smith-sipping-auth-examples 3.1": dataclasses.replace(BOB, response="bf57e4e0d0bffc0fbaedce64d59add5e"),
    "draft-smith-sipping-auth-examples 3.3": dataclasses.replace(
        BOB, rest=f"{BOB.rest}, qop=auth, algorithm=MD5", response="89eb0059246c02b2f6ee02c7961d5ea3"
    ),
    "draft-smith-sipping-auth-examples 3.5": dataclasses.replace(
        BOB, rest=f'{BOB.rest}, qop="auth-int"', response="bdbeebb2da6adb6bca02599c2239e192", body=BODY
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_of_a_client(name: str) -> None:
    assert parse_auth(VECTORS[name].credentials).params["response"] == VECTORS[name].response


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_of_a_server(name: str) -> None:
    """The password is right and the nonce nobody's: stale is all that can be said."""
    vector = VECTORS[name]
    verifier = DigestVerifier(vector.realm, SECRET)
    stored = ha1(vector.username, vector.realm, vector.password, vector.algorithm)

    def ha1_for(username: str, algorithm: str) -> str | None:
        return stored if (username, algorithm) == (vector.username, vector.algorithm) else None

    verdict = verifier.verify(vector.credentials, vector.method, vector.body, ha1_for, NOW)
    assert verdict == DigestVerdict(DigestOutcome.STALE, vector.username, "old nonce")
    other = verifier.verify(vector.credentials, "BYE", vector.body, ha1_for, NOW)
    assert other.outcome is DigestOutcome.WRONG
    changed = verifier.verify(vector.credentials, vector.method, vector.body + b"x", ha1_for, NOW)
    assert changed.outcome is (DigestOutcome.WRONG if "auth-int" in vector.credentials else DigestOutcome.STALE)


def test_what_is_stored_for_a_password() -> None:
    assert ha1("Mufasa", "testrealm@host.com", "Circle Of Life", "MD5") == "939e7578ed9e3c518a452acee763bce9"
    assert len(ha1("Оксана", "kobza", "пароль", "SHA-256")) == 64


VERIFIER = DigestVerifier("kobza", SECRET)
ASKED: list[tuple[str, str]] = []


def stored(username: str, algorithm: str) -> str | None:
    ASKED.append((username, algorithm))
    if username != "201":
        return None
    return ha1("201", "kobza", "secret", "SHA-256" if algorithm == "SHA-256" else "MD5")


def login(
    verifier: DigestVerifier = VERIFIER,
    *,
    username: str = "201",
    password: str = "secret",
    at: float = NOW,
    agent: str | None = None,
    method: str = "REGISTER",
) -> str:
    challenges = verifier.challenges(at, user_agent=agent)
    return authorize(
        challenges, method=method, uri="sip:kobza", username=username, password=password, cnonce="c", nonce_count=17
    )


def outcome(credentials: str, now: float = NOW, method: str = "REGISTER", body: bytes = b"") -> DigestOutcome:
    return VERIFIER.verify(credentials, method, body, stored, now).outcome


def test_a_right_password() -> None:
    assert VERIFIER.verify(login(), "REGISTER", b"", stored, NOW) == DigestVerdict(DigestOutcome.OK, "201")
    assert "algorithm=SHA-256" in login()
    assert "nc=00000011" in login()
    assert outcome(login(agent="baresip v1.0.0 (x86_64/linux)")) is DigestOutcome.OK
    for agent in ("JsSIP 3.13.8", "SIP.js/0.21.2"):  # they look at the last challenge alone
        assert "algorithm=MD5" in login(agent=agent)


def test_upper_case_hexadecimal_is_right_too() -> None:
    credentials = parse_auth(login())
    credentials.params["response"] = credentials.params["response"].upper()
    credentials.params["algorithm"] = "sha-256"
    assert outcome(str(credentials)) is DigestOutcome.OK


def test_a_phone_that_a_stranger_wrote() -> None:
    """baresip answered a challenge of ours; the nonce is of another secret and the password the one it was given."""
    register = parse_message(CAPTURED["baresip-register-digest"])
    credentials = register.get("authorization")
    assert credentials is not None

    def ha1_for(username: str, algorithm: str) -> str:
        return ha1(username, "kobza", "verysecret", "MD5")

    assert VERIFIER.verify(credentials, "REGISTER", b"", ha1_for, NOW).outcome is DigestOutcome.STALE
    assert VERIFIER.verify(credentials, "INVITE", b"", ha1_for, NOW).outcome is DigestOutcome.WRONG


def test_a_nonce_lives_its_time_and_no_longer() -> None:
    credentials = login()
    assert outcome(credentials, NOW + 300) is DigestOutcome.OK
    assert outcome(credentials, NOW + 300.002) is DigestOutcome.STALE
    assert outcome(credentials, NOW + 86_400) is DigestOutcome.STALE
    short = DigestVerifier("kobza", SECRET, nonce_lifetime=1.5)
    assert short.verify(credentials, "REGISTER", b"", stored, NOW + 1.5).outcome is DigestOutcome.OK
    assert short.verify(credentials, "REGISTER", b"", stored, NOW + 1.6).outcome is DigestOutcome.STALE


def test_a_nonce_of_the_future_is_stale_beyond_the_same_time() -> None:
    assert outcome(login(at=NOW + 299)) is DigestOutcome.OK
    assert outcome(login(at=NOW + 301)) is DigestOutcome.STALE


def test_a_nonce_of_another_secret_or_realm_is_stale() -> None:
    assert outcome(login(DigestVerifier("kobza", b"t" * 32))) is DigestOutcome.STALE
    nonce = parse_auth(DigestVerifier("other", SECRET).challenges(NOW, user_agent=None)[0]).params["nonce"]
    challenge = f'Digest realm="kobza", nonce="{nonce}", qop="auth"'
    answer = authorize([challenge], method="REGISTER", uri="sip:k", username="201", password="secret", cnonce="c")
    assert outcome(answer) is DigestOutcome.STALE


@pytest.mark.parametrize("nonce", ["", "x", "0" * 12, "0" * 44, "zzzzzzzzzzzz" + "0" * 32, "Оксана", "-1"])
def test_an_invented_nonce_is_stale(nonce: str) -> None:
    challenge = f'Digest realm="kobza", nonce="{nonce}", qop="auth"'
    answer = authorize([challenge], method="REGISTER", uri="sip:k", username="201", password="secret", cnonce="c")
    assert outcome(answer) is DigestOutcome.STALE


def test_nodes_with_the_same_secret_take_each_others_nonces() -> None:
    assert outcome(login(DigestVerifier("kobza", SECRET))) is DigestOutcome.OK


def changed(**params: str | None) -> str:
    """Right MD5 credentials with some parameters changed or (None) taken away."""
    auth = parse_auth(login(agent="baresip"))
    for name, value in params.items():
        if value is None:
            del auth.params[name]
        else:
            auth.params[name] = value
    return str(auth)


WRONG = {
    "password": login(password="Secret"),
    "user": login(username="202"),
    "empty user": login(username=""),
    "realm": changed(realm="asterisk"),
    "algorithm": changed(algorithm="MD5-sess"),
    "SHA-512-256": changed(algorithm="SHA-512-256"),
    "the other algorithm": changed(algorithm="SHA-256"),
    "uri": changed(uri="sip:other"),
    "nonce count": changed(nc="00000012"),
    "cnonce": changed(cnonce="d"),
    "response": changed(response="0" * 32),
    "no response": changed(response=""),
    "response of letters": changed(response="ы" * 32),
    "qop": changed(qop="auth-int"),
    "no qop": changed(qop=None),
    "unprintable user": changed(username="20\u200b1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    verdict = VERIFIER.verify(WRONG[name], "REGISTER", b"", stored, NOW)
    assert verdict.outcome is DigestOutcome.WRONG
    assert verdict.detail
    assert verdict.username.isprintable()


def test_nobody_is_told_who_exists() -> None:
    details = {name: VERIFIER.verify(WRONG[name], "REGISTER", b"", stored, NOW).detail for name in ("password", "user")}
    assert details == {"password": "wrong password", "user": "unknown user"}  # for the log; the outcome is one


def test_the_store_is_asked_only_when_an_answer_can_help() -> None:
    ASKED.clear()
    for name in ("realm", "algorithm", "SHA-512-256", "unprintable user"):
        outcome(WRONG[name])
    assert ASKED == []
    outcome(login(username="х"))
    outcome(login(agent="Baresip"))
    assert ASKED == [("х", "SHA-256"), ("201", "MD5")]


def test_an_empty_stored_digest_lets_nobody_in() -> None:
    """Who has no password of an algorithm stores nothing for it; nothing must not be a password."""
    credentials = login(password="")
    assert VERIFIER.verify(credentials, "REGISTER", b"", lambda *_: None, NOW).outcome is DigestOutcome.WRONG
    forged = parse_auth(login())
    response = {"": "", **forged.params}
    assert VERIFIER.verify(str(forged), "REGISTER", b"", lambda *_: "", NOW).outcome is DigestOutcome.WRONG
    assert response["username"] == "201"


MALFORMED = {
    "nothing": "",
    "rubbish": "Digest",
    "basic": "Basic realm=x",
    "bearer": "Bearer abc.def",
    "broken": 'Digest username="a',
    "twice": changed() + ', username="201"',
    "other qop": changed(qop="auth-conf"),
    **{f"no {name}": changed(**{name: None}) for name in ("username", "realm", "nonce", "uri", "response")},
    "no cnonce": changed(cnonce=None),
    "no nc": changed(nc=None),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    verdict = VERIFIER.verify(MALFORMED[name], "REGISTER", b"", stored, NOW)
    assert (verdict.outcome, verdict.username) == (DigestOutcome.MALFORMED, "")
    assert verdict.detail


def test_a_client_of_rfc_2069_is_let_in() -> None:
    nonce = parse_auth(VERIFIER.challenges(NOW, user_agent=None)[0]).params["nonce"]
    old = f'Digest realm="kobza", nonce="{nonce}"'
    answer = authorize([old], method="REGISTER", uri="sip:k", username="201", password="secret", cnonce="c")
    assert answer.startswith("Digest username=")
    assert "qop" not in answer
    assert "cnonce" not in answer
    assert outcome(answer) is DigestOutcome.OK


def test_auth_int_is_understood() -> None:
    nonce = parse_auth(VERIFIER.challenges(NOW, user_agent=None)[0]).params["nonce"]
    challenge = f'Digest realm="kobza", nonce="{nonce}", qop="auth-int", algorithm=SHA-256'
    answer = authorize(
        [challenge], method="INVITE", uri="sip:k", username="201", password="secret", cnonce="c", body=BODY
    )
    assert outcome(answer, method="INVITE", body=BODY) is DigestOutcome.OK
    assert outcome(answer, method="INVITE", body=BODY[:-1]) is DigestOutcome.WRONG


def test_our_challenges() -> None:
    first, second = VERIFIER.challenges(NOW, user_agent=None)
    assert first.endswith('algorithm=MD5, qop="auth"')
    assert second.endswith('algorithm=SHA-256, qop="auth"')
    assert parse_auth(first).params["nonce"] == parse_auth(second).params["nonce"]
    assert VERIFIER.challenges(NOW, user_agent="Linphone/5.2.5 (belle-sip/5.3.64)") == [first, second]
    assert VERIFIER.challenges(NOW, user_agent="BareSIP v3.10.1") == [first]
    stale = VERIFIER.challenges(NOW, stale=True, user_agent=None)
    assert stale == [f"{first}, stale=true", f"{second}, stale=true"]
    (short,) = VERIFIER.challenges(NOW, user_agent=None, shortest=True)
    (short_stale,) = VERIFIER.challenges(NOW, user_agent=None, shortest=True, stale=True)
    assert len(short) < len(first)
    assert short_stale == f"{short},stale=true"
    assert parse_auth(short).params == {
        name: value for name, value in parse_auth(first).params.items() if name != "algorithm"
    }
    (quoted, _) = DigestVerifier('a"b', SECRET).challenges(NOW, user_agent=None)
    assert parse_auth(quoted).params["realm"] == 'a"b'


CHOICES = [
    (["algorithm=MD5, qop=auth", "algorithm=SHA-256, qop=auth"], "SHA-256", "auth"),
    (["algorithm=SHA-512-256, qop=auth", "algorithm=MD5"], "MD5", ""),
    (["algorithm=AKAv1-MD5", "qop=auth"], "", "auth"),
    (['qop="auth-int, Auth"'], "", "auth"),
    (['qop="auth-int,auth-conf"'], "", "auth-int"),
    (['qop="auth-conf"', "algorithm=md5"], "md5", ""),
]


@pytest.mark.parametrize(("offers", "algorithm", "qop"), CHOICES)
def test_the_strongest_known_challenge_is_answered(offers: list[str], algorithm: str, qop: str) -> None:
    challenges = [f'Digest realm="r", nonce="n", {offer}' for offer in offers]
    answer = authorize(challenges, method="A", uri="sip:h", username="u", password="p", cnonce="c").removeprefix(
        "Digest "
    )
    params = parse_auth(f"Digest {answer}").params
    assert params.get("algorithm", "") == algorithm
    assert params.get("qop", "") == qop


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "Digest",
        "Basic realm=x",
        'Digest realm="r',
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", nonce="n", algorithm=MD5-sess',
        'Digest realm="r", nonce="n", qop="auth-conf"',
        'Digest realm="r", nonce="n", qop=""',
        'NTLM realm="r", nonce="n"',
    ],
)
def test_a_challenge_of_no_use(challenge: str) -> None:
    with pytest.raises(MalformedMessage, match="no usable challenge"):
        authorize([challenge], method="A", uri="sip:h", username="u", password="p", cnonce="c")


def test_names_with_quotes_survive() -> None:
    answer = authorize(
        ['Digest realm="a\\"b", nonce="n"', "Digest"],
        method="A",
        uri="sip:h",
        username='o"k\\',
        password="p",
        cnonce="c",
    )
    assert parse_auth(answer).params["username"] == 'o"k\\'
    assert isinstance(parse_auth(answer), AuthParams)
