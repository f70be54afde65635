"""The SIP messages of a call as a ladder on its page, drawn by the server."""

from markupsafe import Markup

from kobza.capture import ladder_svg
from kobza.capture.drawing import Arrow, Peer, drawn
from kobza.portal.formats import clock_text
from kobza.portal.texts import Say
from kobza.store.messages import SipLadder


def message_ladder(said: SipLadder, say: Say) -> Markup:
    """Draw what was said, as an `<svg>` element. Of a trunk the page does not tell the name: it is the operator's."""

    def name(peer: Peer) -> str:
        if peer.is_caller:
            return say("ladder_caller")
        kind = say("ladder_trunk") if peer.trunk else say("ladder_phone")
        return kind if peer.trunk and peer.alone else f"{kind} {peer.number}"

    return Markup(ladder_svg.part(drawn(said, name), say("sip_messages"), _time))  # noqa: S704 - it escapes each text


def _time(arrow: Arrow) -> str:
    return f"{clock_text(arrow.at_ms, seconds=True)}.{arrow.at_ms % 1000:03}"
