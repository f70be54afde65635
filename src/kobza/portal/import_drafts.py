"""What somebody is about to import: kept between the page that shows it and the button that makes it so."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

KEPT: Final = 20
"""Drafts at a time, one for each login: of some 2 MB at most."""
KEPT_FOR: Final = 1800.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Changes that were shown. `subject` says of what."""

    login: str
    enterprise_id: str
    subject: str
    changes: tuple[Any, ...]
    made_at: float


class ImportDrafts:
    """The drafts of one process; after its restart a file has to be uploaded again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Draft] = OrderedDict()

    def keep(self, draft: Draft) -> str:
        """Keep a draft in place of the one that its login has; return its key. The oldest of too many goes."""
        for key, other in list(self._kept.items()):
            if other.login == draft.login:
                del self._kept[key]
        key = secrets.token_urlsafe(18)
        self._kept[key] = draft
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return key

    def take(self, key: str, login: str, enterprise_id: str, subject: str, now: float) -> Draft | None:
        """Return a draft and forget it; None for one that is another's, too old or not there."""
        draft = self._kept.get(key)
        if draft is None or (draft.login, draft.enterprise_id, draft.subject) != (login, enterprise_id, subject):
            return None
        del self._kept[key]
        return draft if now - draft.made_at < KEPT_FOR else None
