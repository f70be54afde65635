"""What a user agent counts: each message once, repetitions apart, and labels that peers cannot multiply."""

from itertools import count

from kobza.sip.flow import Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.ua import UserAgent
from kobza.sip.uri import SipUri

FLOW = Flow(Transport.UDP, ("192.0.2.1", 5060), ("198.51.100.7", 5060))


def agent() -> UserAgent:
    tokens = count(1)
    return UserAgent(new_token=lambda: f"t{next(tokens):08}")


def request(method: str, number: int) -> bytes:
    return (
        f"{method} sip:kobza.example SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK{number}\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:a@b.example>;tag=1\r\nTo: <sip:kobza.example>\r\n"
        f"Call-ID: c{number}\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def test_methods_that_are_made_up_count_as_one() -> None:
    ua = agent()
    for number in range(1, 50):
        ua.receive(request(f"BREW{number}", number), FLOW, 0.0)
    assert ua.traffic.requests_received == {"other": 49}
    assert ua.traffic.responses_sent == {("other", 501): 49}


def test_what_comes_again_is_a_repetition() -> None:
    ua = agent()
    for _ in range(3):
        ua.receive(request("SUBSCRIBE", 1), FLOW, 0.0)
    traffic = ua.traffic
    assert (traffic.requests_received, traffic.repeated) == ({"SUBSCRIBE": 1}, 2)
    assert traffic.responses_sent == {("SUBSCRIBE", 405): 1}


def test_what_is_sent_again_is_a_retransmission_and_silence_a_timeout() -> None:
    ua, address = agent(), NameAddr("", SipUri("sip", user="a", host="b.example"))
    ua.request("OPTIONS", "sip:b.example", from_=address, to=address, flow=FLOW, now=0.0)
    sent = len(ua.take_transmits())
    while (deadline := ua.next_deadline()) is not None:
        ua.handle_timers(deadline)
        sent += len(ua.take_transmits())
    traffic = ua.traffic
    assert traffic.requests_sent == {"OPTIONS": 1}
    assert (traffic.retransmitted, traffic.timeouts) == (sent - 1, 1)
    assert traffic.retransmitted > 5
