"""`kobza sound …`."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit

app = typer.Typer(
    name="sound",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What callers hear: the music that holds them, and the ringback of which country.",
)

MUSIC_EXAMPLES: Final = """\b
Examples:
  kobza sound music waltz.mp3 --enterprise ID
  kobza sound music --enterprise ID --none
"""
RINGBACK_EXAMPLES: Final = """\b
Examples:
  kobza sound ringback uk --enterprise ID
  kobza sound ringback usual --enterprise ID
"""
SHOW_EXAMPLES: Final = """\b
Examples:
  kobza sound show --enterprise ID
"""
USUAL: Final = "usual"


@app.callback()
def sound() -> None:
    """What callers hear: the music that holds them, and the ringback of which country."""


@app.command(epilog=MUSIC_EXAMPLES)
def music(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="WAV or mp3, at most 20 MB and ten minutes.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Our own music again.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the music that an enterprise's phones hold others with. It is heard from the next hold on."""
    from kobza.media.sound_reading import UnfitSound, telephone_sound
    from kobza.store import sounds

    if (file is None) is not none:
        raise typer.BadParameter("give a file, or --none", param_hint="FILE")
    octets = b""
    if file is not None:
        try:
            octets = telephone_sound(file.read_bytes())
        except OSError as error:
            raise typer.BadParameter(f"cannot be read: {error.strerror}", param_hint="FILE") from error
        except UnfitSound as error:
            raise typer.BadParameter(str(error), param_hint="FILE") from error
    with changing(ctx, data, "sound.set" if file else "sound.removed", enterprise, "music") as (connection, _):
        sounds.ringback(connection, enterprise)  # raises NotInStore
        if file is None:
            sounds.remove(connection, enterprise, "music")
        else:
            sounds.put(connection, enterprise, "music", file.name, octets, now_ms())
    _show(ctx, data, enterprise, as_json=as_json)


@app.command(epilog=RINGBACK_EXAMPLES)
def ringback(
    ctx: typer.Context,
    country: Annotated[
        str, typer.Argument(metavar="COUNTRY", help="ua, pl, de, uk, us …, or usual; a wrong one lists all.")
    ],
    enterprise: EnterpriseOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the country whose ringback an enterprise's calls have where it is made here. It counts from the next call."""
    from kobza.media.ringback import CADENCES
    from kobza.store import sounds

    if country not in CADENCES and country != USUAL:
        raise typer.BadParameter(f"one of {', '.join(sorted(CADENCES))}, {USUAL}", param_hint="COUNTRY")
    with changing(ctx, data, "sound.set", enterprise, "ringback") as (connection, _):
        sounds.set_ringback(connection, enterprise, None if country == USUAL else country)
    _show(ctx, data, enterprise, as_json=as_json)


@app.command(epilog=SHOW_EXAMPLES)
def show(
    ctx: typer.Context, enterprise: EnterpriseOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Show what an enterprise has set."""
    _show(ctx, data, enterprise, as_json=as_json)


def _show(ctx: typer.Context, data: Path | None, enterprise: str, *, as_json: bool) -> None:
    from kobza.store import sounds

    with opened_store(ctx, data) as store, store.read() as connection:
        country = sounds.ringback(connection, enterprise)
        found = sounds.find(connection, enterprise, "music")
    document: dict[str, Any] = {
        "enterprise_id": enterprise,
        "music": None if found is None else found.name,
        "music_seconds": None if found is None else round(found.duration_ms / 1000, 1),
        "ringback": country or USUAL,
    }
    emit(document, as_json=as_json, title=f"Sounds, {enterprise}")
