"""URIs: what is read, what is refused, what is equal."""

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.uri import SipUri

READ = {
    "sip:alice@example.com": SipUri("sip", "alice", host="example.com"),
    "SIP:Alice@Example.COM": SipUri("sip", "Alice", host="Example.COM"),
    "sips:example.com:5061": SipUri("sips", host="example.com", port=5061),
    "sip:alice:secret@example.com": SipUri("sip", "alice", "secret", "example.com"),
    "sip:alice:@example.com": SipUri("sip", "alice", "", "example.com"),
    "sip::@example.com": SipUri("sip", "", "", "example.com"),
    "sip:+380671234567;phone-context=x@example.com": SipUri("sip", "+380671234567;phone-context=x", host="example.com"),
    "sip:1_u.R~(!)&'=+$,/?;*@h": SipUri("sip", "1_u.R~(!)&'=+$,/?;*", host="h"),
    "sip:Оксана@example.com": SipUri("sip", "Оксана", host="example.com"),
    "sip:[2001:db8::10]:5070": SipUri("sip", host="2001:db8::10", port=5070),
    "sip:a@[::ffff:192.0.2.1]": SipUri("sip", "a", host="::ffff:192.0.2.1"),
    "sip:pbx_1:00005060": SipUri("sip", host="pbx_1", port=5060),
    "sip:h;lr;transport=tcp;x=a=b": SipUri("sip", host="h", params=(("lr", None), ("transport", "tcp"), ("x", "a=b"))),
    "sip:h;;lr;": SipUri("sip", host="h", params=(("lr", None),)),
    "sip:h;maddr=": SipUri("sip", host="h", params=(("maddr", ""),)),
    "sip:a@h?Replaces=x%3Bto-tag%3D1&b=": SipUri("sip", "a", host="h", headers="Replaces=x%3Bto-tag%3D1&b="),
    "tel:+380-67-123-45-67": SipUri("tel", "+380-67-123-45-67"),
    "TEL:101;phone-context=example.com": SipUri("tel", "101", params=(("phone-context", "example.com"),)),
    "tel:*21#": SipUri("tel", "*21#"),
    "urn:service:sos": SipUri("urn", "service:sos"),
    "soap.beep://192.0.2.103:3002": SipUri("soap.beep", "//192.0.2.103:3002"),
    "http://x/?a=b;c": SipUri("http", "//x/?a=b;c"),
}

REFUSED = {
    "": "no URI scheme",
    "alice": "no URI scheme",
    "alice@example.com": "no URI scheme",
    ":x": "no URI scheme",
    "+sip:x": "no URI scheme",
    "<sip:a@b>": "no URI scheme",
    "sip:": "not a sip URI",
    "sips:": "not a sips URI",
    "sip:@": "not a sip URI",
    "sip:a@": "not a sip URI",
    "sip:a@b@c": "not a sip URI",
    "sip:a@b:": "not a sip URI",
    "sip:a@b:5060x": "not a sip URI",
    "sip:a b@c": "not a sip URI",
    "sip:a@b;x y": "not a sip URI",
    'sip:"a"@b': "not a sip URI",
    "sip:a@b>": "not a sip URI",
    "sip:a@[::1": "not a sip URI",
    "sip:a@[]": "not a sip URI",
    "sip:a@ex%41mple": "not a sip URI",
    "sip:a@b?c?d<": "not a sip URI",
    "sip:a@[1:2]": "not an IPv6 address",
    "sip:a@[:::]": "not an IPv6 address",
    "sip:a@b:65536": "number above 65535",
    "sip:a@b:99999999999999999999": "number above 65535",
    "sip:a@b;=x": "URI parameter without a name",
    "sip:a\0@b": "unprintable character",
    "sip:a@b\r\nVia: x": "unprintable character",
    "sip:\udcff@b": "unprintable character",
    "tel:": "not a tel URI",
    "tel:Оксана": "not a tel URI",
    "tel:+1;x y": "not a tel URI",
    "tel:+1;=": "URI parameter without a name",
    "mailto:a b": "not a URI",
    "mailto:": "not a URI",
}

EQUAL = [
    # RFC 3261 19.1.4
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    # and ours
    ("sip:a%2fb@h", "sip:a%2Fb@h"),
    ("sip:a:p%61ss@h", "sip:a:pass@h"),
    ("sip:h;n%61me=v", "sip:h;name=%76"),
    ("tel:+380-67-123.45(67)", "tel:+380671234567"),
    ("tel:101;phone-context=Example.com", "tel:101;Phone-Context=example.com"),
    ("urn:service:sos", "urn:service:sos"),
]

DIFFERENT = [
    # RFC 3261 19.1.4
    ("sip:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    # and ours
    ("sip:a@h", "sips:a@h"),
    ("sip:a@h", "sip:a:@h"),
    ("sip:a:x@h", "sip:a:y@h"),
    ("sip:a%2Fb@h", "sip:a/b@h"),
    ("sip:h", "sip:h;user=phone"),
    ("sip:h", "sip:h;ttl=1"),
    ("sip:h", "sip:h;maddr=192.0.2.1"),
    ("sip:h;method=BYE", "sip:h"),
    ("tel:+380671234567", "tel:380671234567"),
    ("tel:101;phone-context=a", "tel:101;phone-context=b"),
    ("tel:101", "tel:101;phone-context=b"),
    ("urn:service:sos", "urn:service:SOS"),
]


@pytest.mark.parametrize(("text", "uri"), READ.items())
def test_reading_and_writing(text: str, uri: SipUri) -> None:
    read = SipUri.parse(text)
    assert read == uri
    assert SipUri.parse(str(read)) == uri
    assert str(SipUri.parse(str(read))) == str(read)


@pytest.mark.parametrize(("text", "what"), REFUSED.items())
def test_refusing(text: str, what: str) -> None:
    with pytest.raises(MalformedMessage, match=what) as raised:
        SipUri.parse(text, "Contact header")
    assert raised.value.where == "Contact header"
    assert str(raised.value).startswith("Contact header: ")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal(one: str, other: str) -> None:
    assert SipUri.parse(one).equivalent(SipUri.parse(other))
    assert SipUri.parse(other).equivalent(SipUri.parse(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str) -> None:
    assert not SipUri.parse(one).equivalent(SipUri.parse(other))
    assert not SipUri.parse(other).equivalent(SipUri.parse(one))


def test_params() -> None:
    uri = SipUri.parse("sip:h;LR;Transport=TCP;transport=udp;x=")
    assert uri.param("lr") == ""
    assert uri.param("x") == ""
    assert uri.param("transport") == "TCP"
    assert uri.param("maddr") is None


def test_writing_escapes_what_may_not_stand_in_a_user_part() -> None:
    assert str(SipUri("sip", 'a b@"<:>\x01', host="h")) == "sip:a%20b%40%22%3C%3A%3E%01@h"
    assert str(SipUri("sip", "\udcff", host="h")) == "sip:%ED%B3%BF@h"
    assert str(SipUri("tel", "+38 067")) == "tel:+38%20067"


def test_the_dialled_text_has_its_escapes_resolved_once() -> None:
    assert SipUri.parse("sip:%2B38067%2523@h").unescaped_user == "+38067%23"
    assert SipUri.parse("sip:%D0%9E%D0%BA@h").unescaped_user == "Ок"
    assert SipUri.parse("sip:plain@h").unescaped_user == "plain"
    assert SipUri.parse("sip:%00%ff@h").unescaped_user == "\N{REPLACEMENT CHARACTER}" * 2
    assert SipUri.parse("sip:%zz@h").unescaped_user == "%zz"


@pytest.mark.parametrize(
    ("uri", "dialled"),
    [
        ("sip:0671234567@h", "0671234567"),
        ("sip:%2B380671234567@h;user=phone", "+380671234567"),
        ("sip:+380671234567;npdi@h;user=phone", "+380671234567"),
        ("sip:+380671234567;cpc=ordinary;oli=0@h", "+380671234567"),
        ("sip:+380671234567%3Bnpdi@h", "+380671234567;npdi"),  # escaped it is of the user part
        ("sip:*80671234567@h", "*80671234567"),
        ("tel:+380-67-123-45-67;npdi;rn=+380990", "+380-67-123-45-67"),
        ("tel:1234567;phone-context=+380-67", "+380671234567"),
        ("sip:123-45-67;phone-context=+38067@h;user=phone", "+380671234567"),
        ("sip:123-45-67;Phone-Context=%2B38067@h", "123-45-67"),  # escaped by nobody
        ("tel:0671234567;phone-context=+380", "0671234567"),  # begins with the prefix that is dialled within +380
        ("tel:380671234567;phone-context=+380", "380671234567"),
        ("tel:112;phone-context=+380", "112"),
        ("tel:1234567;phone-context=ims.example.com", "1234567"),
        ("tel:+380671234567;phone-context=+1", "+380671234567"),
        ("tel:*211234567;phone-context=+380", "*211234567"),
        ("sip:;npdi@h", ""),
    ],
)
def test_the_number_that_is_dialled_is_without_its_parameters(uri: str, dialled: str) -> None:
    assert SipUri.parse(uri).dialled == dialled


def test_only_sip_and_tel_are_supported() -> None:
    assert [SipUri.parse(text).is_supported for text in ("sip:h", "sips:h", "tel:1", "urn:x", "http://h")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_long_hostile_uri_is_refused_at_once() -> None:
    for text in ("sip:" + "a" * 60_000 + "@", "sip:" + ":" * 60_000, "tel:" + "1" * 60_000 + "x", "a" * 60_000 + " "):
        with pytest.raises(MalformedMessage):
            SipUri.parse(text)
