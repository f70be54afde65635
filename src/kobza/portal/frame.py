"""What the frame of every page shows: whose it is, and the pages that they may see."""

from typing import Any, Final, NamedTuple

from kobza.portal.access import ADMINS, MANAGERS, OPERATORS, STAFF, SYSTEM, WATCHERS, Access, Visitor


class Tab(NamedTuple):
    """A page in the header."""

    path: str
    key: str
    """Of its text."""
    access: Access
    own_number: bool = False
    """Whether it is for those alone who have a number."""


TABS: Final = (
    Tab("/enterprises", "enterprises", OPERATORS),
    Tab("/system", "system", SYSTEM),
    Tab("/", "overview", STAFF),
    Tab("/phone", "phone", STAFF, own_number=True),
    Tab("/history", "history", STAFF),
    Tab("/statistics", "statistics", WATCHERS),
    Tab("/contacts", "contacts", STAFF),
    Tab("/provisioning", "provisioning", ADMINS),
    Tab("/crm-integration", "crm", ADMINS),
    Tab("/people", "people", MANAGERS),
    Tab("/audit", "audit", MANAGERS),
    Tab("/manual/openapi.html", "manual", ADMINS),
)


def common(visitor: Visitor) -> dict[str, Any]:
    """Return what the frame of every page shows."""
    here = [tab for tab in TABS if visitor.at is not None or not tab.access.enterprise]
    here = [tab for tab in here if not tab.own_number or visitor.own_number is not None]
    return {
        "enterprise": "" if visitor.at is None else visitor.at.name,
        "csrf": visitor.csrf,
        "tabs": [tab for tab in here if tab.access.roles & visitor.roles],
        "account_name": visitor.user.name or visitor.login,
        "visiting": visitor.user.enterprise_id is None and visitor.at is not None,
        "may_control": visitor.may_control,
        "dials": visitor.own_number is not None,
    }
