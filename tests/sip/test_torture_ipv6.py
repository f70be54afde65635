"""RFC 5118, message by message: what is read of it here, and what is refused.

The RFC leaves open what becomes of three colons before an IPv4 address (4.10), which the grammar of RFC 3261 allows by
mistake: here they are no address, as peers that read it as different ones would be sent to different places.
"""

from typing import Any

import pytest

from kobza.sdp.audio import audio_of
from kobza.sdp.description import SessionDescription
from kobza.sip.message import SipRequest, parse_message
from tests.sip.examples import TORTURE_IPV6, faults
from tests.sip.test_torture import value

# fmt: off
OUTCOMES: dict[str, tuple[str, dict[str, Any]]] = {
    "ipv6-good": ("4.1", {"uri.host": "2001:db8::10", "uri.port": None, "contacts.0.uri.host": "2001:db8::1"}),
    "port-ambiguous": ("4.3", {"uri.host": "2001:db8::10:5070", "uri.port": None}),
    "port-unambiguous": ("4.4", {"uri.host": "2001:db8::10", "uri.port": 5070}),
    "via-received-param-with-delim": ("4.5", {"via.host": "2001:db8::9:1", "via.received": "2001:db8::9:255"}),
    "via-received-param-no-delim": ("4.5", {"via.host": "2001:db8::9:1", "via.received": "2001:db8::9:255"}),
    "ipv6-in-sdp": ("4.6", {"contacts.0.uri.host": "2001:db8::20"}),
    "mult-ip-in-header": ("4.7", {
        "vias.0.host": "2001:db8::9:1", "vias.0.port": 6050, "vias.1.host": "192.0.2.1",
        "vias.2.host": "2001:db8::9:255", "vias.2.received": "192.0.2.200",
    }),
    "mult-ip-in-sdp": ("4.8", {"via.host": "2001:db8::9:1"}),
    "ipv4-mapped-ipv6": ("4.9", {
        "vias.0.host": "::ffff:192.0.2.10", "vias.0.port": 19823, "contacts.0.uri.host": "::ffff:192.0.2.2",
    }),
    "ipv6-correct-abnf-2-colons": ("4.10", {"uri.host": "2001:db8::192.0.2.1"}),
}
BROKEN = {
    "ipv6-bad": ("4.2", {"uri"}),
    "ipv6-bug-abnf-3-colons": ("4.10", {"uri", "to"}),
}
"""Those of which a part cannot be read: whoever needs it answers 400."""
# fmt: on
AUDIO = {
    "ipv6-in-sdp": ("2001:db8::20", 6000),
    "mult-ip-in-sdp": ("192.0.2.1", 22334),
    "ipv4-mapped-ipv6": ("::ffff:c000:202", 6000),
}


def test_every_message_of_the_rfc_is_here() -> None:
    assert OUTCOMES.keys() | BROKEN.keys() == set(TORTURE_IPV6)
    assert {section for section, _ in (*OUTCOMES.values(), *BROKEN.values())} == {f"4.{n}" for n in range(1, 11)}


@pytest.mark.parametrize("name", OUTCOMES)
def test_it_is_read_and_written_as_it_came(name: str) -> None:
    message = parse_message(TORTURE_IPV6[name])
    fields = OUTCOMES[name][1]
    assert {path: value(message, path) for path in fields} == fields
    assert not faults(message)
    assert message.to_bytes() == TORTURE_IPV6[name]


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_read_but_for_what_is_broken(name: str) -> None:
    message = parse_message(TORTURE_IPV6[name])
    assert isinstance(message, SipRequest)
    assert set(faults(message)) == BROKEN[name][1]


@pytest.mark.parametrize("name", AUDIO)
def test_where_its_audio_is_sent(name: str) -> None:
    to = audio_of(SessionDescription.parse(parse_message(TORTURE_IPV6[name]).body)).destination
    assert (to.host, to.port) == AUDIO[name]
