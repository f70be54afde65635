"""Why a server does not start, or stopped."""


class ServerError(Exception):
    """The server cannot start, or a part of it died; one line for people."""
