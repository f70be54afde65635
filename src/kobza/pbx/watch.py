"""Who watches how calls go, step by step: the traces. Usually nobody does, which costs a comparison with None."""

from collections.abc import Sequence
from typing import Protocol

from kobza.call.events import CallFact
from kobza.pbx.admission import Admitted, Turned
from kobza.pbx.journal import Then


class CallWatch(Protocol):
    """Is told what happens to every call. Moments are in seconds since the epoch; nothing may be raised."""

    def admitted(
        self, call_id: str, *, received_at: float, identified_at: float | None, status: int | None, trunk: str | None
    ) -> None:
        """Hear that it was just decided about an INVITE, received at a moment.

        `identified_at` is when it was known who calls, `status` what refuses the call, None when it may begin, and
        `trunk` the name of the one it came by.
        """
        ...

    def happened(self, facts: Sequence[CallFact]) -> None:
        """Hear facts of a call that are nothing to be stored."""
        ...

    def writing(self, facts: Sequence[CallFact], entries: int, then: Then | None) -> Then:
        """Hear facts of a call that are about to be handed to the journal as so many entries.

        Return what is to be called once they are stored: it calls `then`.
        """
        ...


def tell_admission(watch: CallWatch | None, call_id: str, answer: Admitted | Turned, received_at: float) -> None:
    """Tell the watch, if there is one, what was just decided about an INVITE that was received at a moment."""
    if watch is None:
        return
    watch.admitted(
        call_id,
        received_at=received_at,
        identified_at=answer.identified_at,
        status=answer.status if isinstance(answer, Turned) else None,
        trunk=None if answer.trunk is None else answer.trunk.name,
    )
