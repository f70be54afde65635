"""All targets."""

from typing import Final

from tests.fuzz import media, signalling

TARGETS: Final = (*signalling.TARGETS, *media.TARGETS)
BY_NAME: Final = {target.name: target for target in TARGETS}
