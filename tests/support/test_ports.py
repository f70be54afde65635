import socket

from tests.support.ports import free_port, free_ports, free_range


def test_ports_are_even_free_and_never_the_same() -> None:
    ports = [*free_ports(5), free_port()]
    assert len(set(ports)) == 6
    for port in ports:
        assert port % 2 == 0
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", port))


def test_a_taken_port_is_not_handed_out() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port + 2))
        assert free_port() != port + 2


def test_a_row_of_ports_is_apart_from_others() -> None:
    row = free_range(40)
    assert len(row) == 40
    assert row.start % 2 == 0
    assert free_port() not in row
    assert set(free_range(40)) & set(row) == set()
