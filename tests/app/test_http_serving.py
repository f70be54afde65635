"""HTTP serving, without a client."""

from fastapi import FastAPI

from kobza.api.event_streams import EventStreams
from kobza.app.http_serving import HttpServing
from kobza.config.values import ListenAddress

LONGEST_OF_CLIENTS = 60
"""Seconds for which a client keeps a connection that it does not use: nginx, of those that are widely used."""


def test_a_connection_is_kept_for_longer_than_any_client_keeps_it() -> None:
    """Else a request may meet its end: found by `make soak`, whose click2dial was lost where both kept it for 5 s."""
    serving = HttpServing(FastAPI(), ListenAddress("127.0.0.1", 0), EventStreams(most=1, most_of_enterprise=1))
    assert serving._server.config.timeout_keep_alive > LONGEST_OF_CLIENTS
