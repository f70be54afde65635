"""How many calls go over a trunk at once, of those trunks that have a bound."""

from collections.abc import Iterable
from typing import Final

from kobza.call.trunk import Trunk
from kobza.sip.invite import InviteDialog
from kobza.sip.invite_state import OVER


class TrunkLines:
    """The dialogs over each trunk that has a capacity. A dialog that is over makes room by itself.

    So nothing has to be given back, and nothing leaks whatever way a call ends; the dialogs are looked through only
    when a trunk seems full.
    """

    def __init__(self) -> None:
        self._dialogs: Final[dict[str, list[InviteDialog]]] = {}

    def has_room(self, trunk: Trunk) -> bool:
        """Tell whether one more call may go over a trunk."""
        if trunk.capacity is None or len(self._dialogs.get(trunk.trunk_id, ())) < trunk.capacity:
            return True
        return self.in_use(trunk) < trunk.capacity

    def take(self, trunk: Trunk, dialog: InviteDialog) -> None:
        """Note a call that goes over a trunk."""
        if trunk.capacity is not None:
            self._dialogs.setdefault(trunk.trunk_id, []).append(dialog)

    def in_use(self, trunk: Trunk) -> int:
        """Return how many calls go over a trunk that has a capacity."""
        found = self._dialogs.get(trunk.trunk_id)
        if found is None:
            return 0
        found[:] = [dialog for dialog in found if dialog.state not in OVER]
        return len(found)

    def keep(self, trunks: Iterable[Trunk]) -> None:
        """Forget every trunk but these, and those of them whose capacity is no longer bounded."""
        kept = {trunk.trunk_id for trunk in trunks if trunk.capacity is not None}
        for trunk_id in self._dialogs.keys() - kept:
            del self._dialogs[trunk_id]
