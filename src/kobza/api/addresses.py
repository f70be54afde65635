"""Addresses of clients."""

from starlette.requests import HTTPConnection


def client_address(request: HTTPConnection) -> str:
    """Return the address that a request comes from; empty when it comes over a unix socket."""
    return request.client.host if request.client is not None else ""
