"""What a program should know of a recording that it fetches: its headers, and why one could not be made."""

from kobza.store.recordings import Remarks, said_side


def headers_of(noted: Remarks) -> dict[str, str]:
    """Return the headers that say where silence does not mean that nobody spoke, and who was told of it."""
    headers = {}
    if noted.paused:
        spans = (f"{begin / 1000:.3f}-{end / 1000:.3f}" for begin, end in noted.paused)
        headers["recording-paused"] = ", ".join(spans)
    if noted.undecoded:
        sides = (f"{said_side(side)}={codec}" for side, codecs in noted.undecoded.items() for codec in codecs)
        headers["recording-undecoded"] = ", ".join(sides)
    if noted.announced:
        heard = (f"{said_side(side)}={at / 1000:.3f}" for side, at in noted.announced)
        headers["recording-announced"] = ", ".join(heard)
    if noted.unannounced:
        headers["recording-unannounced"] = ", ".join(map(said_side, noted.unannounced))
    return headers


def why_failed(noted: Remarks) -> str:
    """Return why a recording could not be made."""
    if noted.no_room:
        return "The call was not recorded: the server's disk was full."
    codecs = sorted({codec for spoken in noted.undecoded.values() for codec in spoken})
    if codecs:
        return f"What was spoken came in {', '.join(codecs)}, which is not decoded here."
    return "The recording could not be made; the server's log says why."
