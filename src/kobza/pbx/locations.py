"""Where the devices of each number are: the location service of the registrar (RFC 3261 10), in memory.

The journal keeps a copy in the store, which a restart begins with. The memory is what calls go by.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from kobza.sip.errors import MalformedMessage
from kobza.sip.uri import SipUri
from kobza.store.entries import Binding

MAX_DEVICES: Final = 10
"""Contact bindings of one number. One phone that forgets its old contact at each start must not make a call fork into
hundreds."""


class Locations:
    """The contact bindings of all numbers. A number's devices are in the order in which they registered first."""

    def __init__(self) -> None:
        self._by_number: dict[str, list[Binding]] = {}

    def of(self, number: str, now: float) -> list[Binding]:
        """Return the bindings of a number (E.164) that hold at a moment (seconds)."""
        return [binding for binding in self._by_number.get(number, ()) if binding.expires_at > now]

    def all_of(self, number: str) -> Sequence[Binding]:
        """Return the bindings of a number, those that ran out and were not yet swept included. Not to be changed."""
        return self._by_number.get(number, ())

    def find(self, number: str, contact: SipUri) -> Binding | None:
        """Return the binding of a contact, equal by the rules of RFC 3261 19.1.4, expired or not."""
        for binding in self._by_number.get(number, ()):
            if same_contact(binding, contact):
                return binding
        return None

    def put(self, binding: Binding) -> None:
        """Add a binding, or replace the one with the same contact text."""
        devices = self._by_number.setdefault(binding.number, [])
        for index, known in enumerate(devices):
            if known.contact == binding.contact:
                devices[index] = binding
                return
        devices.append(binding)

    def remove(self, binding: Binding) -> None:
        """Forget a binding; nothing happens when it is gone already."""
        devices = self._by_number.get(binding.number)
        if devices is None:
            return
        devices[:] = [known for known in devices if known.contact != binding.contact]
        if not devices:
            del self._by_number[binding.number]

    def load(self, bindings: Iterable[Binding]) -> None:
        """Take over what the store has."""
        for binding in bindings:
            self.put(binding)

    def expired(self, now: float) -> list[Binding]:
        """Return the bindings that have run out."""
        return [binding for binding in self if binding.expires_at <= now]

    def __iter__(self) -> Iterator[Binding]:
        """Every binding."""
        for devices in self._by_number.values():
            yield from devices

    @property
    def numbers(self) -> int:
        """How many numbers have a binding."""
        return len(self._by_number)

    def __len__(self) -> int:
        """How many bindings there are, those that ran out and were not yet swept included."""
        return sum(len(devices) for devices in self._by_number.values())


def same_contact(binding: Binding, contact: SipUri) -> bool:
    """Tell whether a binding is of a contact (RFC 3261 10.3 step 7)."""
    try:
        return SipUri.parse(binding.contact).equivalent(contact)
    except MalformedMessage:
        return False
