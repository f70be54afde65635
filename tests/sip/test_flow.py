"""Flows and transports."""

from kobza.sip.flow import Flow, Transmit, Transport, host_text


def test_only_udp_may_lose_a_message() -> None:
    assert {transport: transport.reliable for transport in Transport} == {
        Transport.UDP: False,
        Transport.TCP: True,
        Transport.TLS: True,
        Transport.WS: True,
        Transport.WSS: True,
    }


def test_default_ports() -> None:
    assert {transport.value: transport.default_port for transport in Transport} == {
        "UDP": 5060,
        "TCP": 5060,
        "TLS": 5061,
        "WS": 80,
        "WSS": 443,
    }


def test_hosts_as_sip_writes_them() -> None:
    assert host_text("192.0.2.1") == "192.0.2.1"
    assert host_text("2001:db8::1") == "[2001:db8::1]"
    assert host_text("pbx.example.net") == "pbx.example.net"


def test_a_flow_is_a_key() -> None:
    flow = Flow(Transport.TCP, ("192.0.2.1", 5060), ("192.0.2.2", 5061), 3)
    assert {flow: 1}[Flow(Transport.TCP, ("192.0.2.1", 5060), ("192.0.2.2", 5061), 3)] == 1
    assert flow != flow._replace(connection=4)
    assert Flow(Transport.UDP, flow.local, flow.remote).connection == 0
    assert Transmit(flow, b"x").flow is flow
