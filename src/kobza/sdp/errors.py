"""What can go wrong with a session description."""


class MalformedSdp(ValueError):
    """Bytes that are not a session description: the only exception that parsing one raises.

    `what` says what is wrong, `where` names the place ("line 4", "m= line").
    """

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} ({where})")
        self.what = what
        self.where = where


class NotAcceptable(Exception):
    """A well-formed description that cannot be agreed upon: no audio, no common codec, a transport not spoken here.

    The text says which; SIP answers 488 (RFC 3261, section 21.4.26).
    """
