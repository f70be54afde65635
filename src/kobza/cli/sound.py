"""`kobza sound …`."""

from dataclasses import replace
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
    help="What people hear: the music that holds them, the ringback of a country, that they are recorded.",
)

MUSIC_EXAMPLES: Final = """\b
Examples:
  kobza sound music waltz.mp3 --enterprise ID
  kobza sound music --enterprise ID --none
"""
RECORDING_EXAMPLES: Final = """\b
Examples:
  kobza sound recording --to outside --beep 15 --enterprise ID
  kobza sound recording consent.wav --to both --enterprise ID
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
    """What people hear: the music that holds them, the ringback of a country, that they are recorded."""


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
    from kobza.store import sounds

    if (file is None) is not none:
        raise typer.BadParameter("give a file, or --none", param_hint="FILE")
    octets = b"" if file is None else _octets(file)
    with changing(ctx, data, "sound.set" if file else "sound.removed", enterprise, "music") as (connection, _):
        sounds.ringback(connection, enterprise)  # raises NotInStore
        if file is None:
            sounds.remove(connection, enterprise, "music")
        else:
            sounds.put(connection, enterprise, "music", file.name, octets, now_ms())
    _show(ctx, data, enterprise, as_json=as_json)


def _octets(file: Path) -> bytes:
    """Return a file as what the relay plays. Raises BadParameter."""
    from kobza.media.sound_reading import UnfitSound, telephone_sound

    try:
        return telephone_sound(file.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"cannot be read: {error.strerror}", param_hint="FILE") from error
    except UnfitSound as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error


@app.command(epilog=RECORDING_EXAMPLES)
def recording(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The announcement: WAV or mp3, at most 30 s.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="WHO", help="Who hears it: nobody, outside, caller, called or both.")
    ] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", metavar="LANGUAGE", help="Of our announcement: uk or en.")
    ] = None,
    beep: Annotated[
        int | None, typer.Option("--beep", metavar="SECONDS", help="A beep every 5 to 120 s; 0: none.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Our announcement again, in place of a file.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set what people are told whose talk is recorded. What is not named stays; it counts from the next recording."""
    from kobza.call.recording_notices import AUDIENCES, BEEP_AT_LEAST, BEEP_AT_MOST, VOICES
    from kobza.pbx.sound_intake import MAX_ANNOUNCEMENT
    from kobza.store import recording_notices, sounds

    if (to, voice, beep, file, none) == (None, None, None, None, False):
        raise typer.BadParameter("say what is to change", param_hint="--to, --voice, --beep, FILE or --none")
    if to is not None and to not in AUDIENCES:
        raise typer.BadParameter(f"one of {', '.join(AUDIENCES)}", param_hint="--to")
    if voice is not None and voice not in VOICES:
        raise typer.BadParameter(f"one of {', '.join(VOICES)}", param_hint="--voice")
    if beep and not BEEP_AT_LEAST <= beep <= BEEP_AT_MOST:
        raise typer.BadParameter(f"from {BEEP_AT_LEAST} to {BEEP_AT_MOST}, or 0", param_hint="--beep")
    if file is not None and none:
        raise typer.BadParameter("give a file, or --none", param_hint="FILE")
    octets = b"" if file is None else _octets(file)
    if len(octets) > MAX_ANNOUNCEMENT * sounds.OCTETS_A_SECOND:
        raise typer.BadParameter(f"an announcement lasts {MAX_ANNOUNCEMENT} s at most", param_hint="FILE")
    if (to, voice, beep) != (None, None, None):
        with changing(ctx, data, "sound.set", enterprise, "notices") as (connection, _):
            was = recording_notices.find(connection, enterprise)
            chosen = replace(
                was,
                announced_to=to or was.announced_to,
                voice=voice or was.voice,
                beep_every=was.beep_every if beep is None else beep,
            )
            recording_notices.put(connection, enterprise, chosen)
    if file is not None or none:
        with changing(ctx, data, "sound.set" if file else "sound.removed", enterprise, "recording") as (connection, _):
            recording_notices.find(connection, enterprise)  # raises NotInStore
            if file is None:
                sounds.remove(connection, enterprise, "recording")
            else:
                sounds.put(connection, enterprise, "recording", file.name, octets, now_ms())
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
    from kobza.store import recording_notices, sounds

    with opened_store(ctx, data) as store, store.read() as connection:
        country = sounds.ringback(connection, enterprise)
        found = sounds.find(connection, enterprise, "music")
        notices = recording_notices.find(connection, enterprise)
        own = sounds.find(connection, enterprise, "recording")
    document: dict[str, Any] = {
        "enterprise_id": enterprise,
        "music": None if found is None else found.name,
        "music_seconds": None if found is None else round(found.duration_ms / 1000, 1),
        "ringback": country or USUAL,
        "recording_told": notices.announced_to,
        "recording_voice": notices.voice,
        "recording_sound": None if own is None else own.name,
        "recording_beep": notices.beep_every,
    }
    emit(document, as_json=as_json, title=f"Sounds, {enterprise}")
