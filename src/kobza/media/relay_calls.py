"""The calls of a relay by their id, and the ports that are bound for calls to come: how both come and go."""

import logging

from kobza.media.messages import Configure, Open, Opened, OpenFailed, Reserve, Reserved, Take
from kobza.media.plane import Side
from kobza.media.port_pair import PortPair, drain
from kobza.media.relay_call import RelayCall
from kobza.media.relay_context import RelayContext

log = logging.getLogger("kobza.media.relay")


class RelayCalls:
    """Carries out the commands that a call begins and ends by."""

    def __init__(self, context: RelayContext) -> None:
        self._context = context
        self.by_id: dict[str, RelayCall] = {}
        self._reserved: dict[int, PortPair] = {}
        """By even port."""

    def open(self, command: Open) -> Opened | OpenFailed:
        """Bind ports for sides of a call; return what is to be reported."""
        pairs: dict[Side, PortPair] = {}
        for side, port in command.ports.items():
            try:
                pairs[side] = PortPair(command.host, port)
            except OSError as error:
                for pair in pairs.values():
                    pair.close()
                return OpenFailed(command.request, port, error.strerror or str(error))
        self._give(command.call_id, pairs)
        return Opened(command.request)

    def reserve(self, command: Reserve) -> Reserved:
        """Bind ports for calls to come; return what is to be reported."""
        host = command.host
        bound: list[int] = []
        refused: list[int] = []
        for port in command.ports:
            try:
                self._reserved[port] = PortPair(host, port)
            except OSError as error:
                log.warning("port %d or the one above cannot be bound: %s", port, error.strerror or error)
                refused.append(port)
            else:
                bound.append(port)
        return Reserved(bound, refused)

    def take(self, command: Take) -> None:
        """Give sides of a call ports that were reserved."""
        pairs: dict[Side, PortPair] = {}
        for side, port in command.ports.items():
            pair = self._reserved.pop(port, None)
            if pair is None:
                log.error("port %d was not reserved", port, extra={"call_id": command.call_id})
                continue
            pairs[side] = pair
        drain(pairs.values())
        self._give(command.call_id, pairs)

    def _give(self, call_id: str, pairs: dict[Side, PortPair]) -> None:
        """Give a call its ports; one that is not there yet begins."""
        call = self.by_id.get(call_id)
        if call is None:
            call = self.by_id[call_id] = RelayCall(self._context, call_id)
        for side, pair in pairs.items():
            call.open(side, pair)

    def configure(self, command: Configure) -> RelayCall | None:
        """Set what happens to both sides of a call; return it, None: it is not there."""
        call = self.by_id.get(command.call_id)
        if call is not None:
            call.configure(command.caller, command.callee)
        return call

    def close(self) -> None:
        """Close the ports that no call has taken."""
        for pair in self._reserved.values():
            pair.close()
        self._reserved.clear()
