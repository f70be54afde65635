"""Options that several commands share, and the way from them to the settings and the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kobza.config.loading import Loaded
    from kobza.store.store import Store

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data directory (or KOBZA_DATA).", show_default=False)
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration file (or KOBZA_CONFIG).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
EnterpriseOption = Annotated[str, typer.Option("--enterprise", metavar="ID", help="Id of the enterprise.")]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="WHO", help="Who does it; without it the user of this machine.")
]
HttpOption = Annotated[
    str | None,
    typer.Option("--http", metavar="ADDRESS:PORT", help="Address and port of the API and the portal."),
]
SipOption = Annotated[
    list[str] | None,
    typer.Option("--sip", metavar="TRANSPORT:ADDRESS:PORT", help="Where SIP is spoken; may be given several times."),
]
RtpPortsOption = Annotated[
    str | None, typer.Option("--rtp-ports", metavar="FIRST-LAST", help="UDP ports of the media.")
]
RtpHostOption = Annotated[
    str | None, typer.Option("--rtp-host", metavar="ADDRESS", help="Address of the media, as phones are told it.")
]


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What was given before the command: `kobza --data DIR init`."""

    data: Path | None = None
    config: Path | None = None


def load_settings(ctx: typer.Context, *, data: Path | None = None, **overrides: Any) -> "Loaded":
    """Load the settings for a command. An option after the command wins over the same one before it."""
    from kobza.config.loading import load

    given = ctx.find_object(GlobalOptions) or GlobalOptions()
    config = overrides.pop("config", None) or given.config
    return load(config=config, overrides={"data": data or given.data, **overrides})


@contextmanager
def opened_store(ctx: typer.Context, data: Path | None) -> "Iterator[Store]":
    """Open the store of the settings for one command."""
    from kobza.config.settings import store_place
    from kobza.store.store import Store

    store = Store.open(store_place(load_settings(ctx, data=data).settings))
    try:
        yield store
    finally:
        store.close()
