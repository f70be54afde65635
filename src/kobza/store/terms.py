"""For how many days an enterprise keeps what: as the settings say, or as was said for it alone."""

from sqlalchemy import Connection, select

from kobza.store.days import LEAST, MOST, OwnTerms
from kobza.store.errors import NotInStore
from kobza.store.schema import enterprises, retention
from kobza.store.upsert import upsert


def own(conn: Connection, enterprise_id: str) -> OwnTerms:
    """Return what an enterprise has of its own."""
    columns = [retention.c[name] for name in OwnTerms._fields]
    row = conn.execute(select(*columns).where(retention.c.enterprise_id == enterprise_id)).one_or_none()
    return OwnTerms() if row is None else OwnTerms._make(row)


def set_own(conn: Connection, enterprise_id: str, terms: OwnTerms, now_ms: int) -> None:
    """Set what an enterprise has of its own. Raises NotInStore, and ValueError that says what is right."""
    known = select(enterprises.c.enterprise_id).where(enterprises.c.enterprise_id == enterprise_id)
    if conn.execute(known).one_or_none() is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    for name, days, least in zip(OwnTerms._fields, terms, LEAST, strict=True):
        if days is not None and not least <= days <= MOST:
            raise ValueError(f"{name}: expected {least} to {MOST} days")
    row = {"enterprise_id": enterprise_id, **terms._asdict(), "changed_at": now_ms}
    upsert(conn, retention, ("enterprise_id",), [row])
