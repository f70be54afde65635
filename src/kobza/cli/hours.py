"""`kobza hours …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.call.hours import Callers
from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

if TYPE_CHECKING:
    from kobza.call.hours import WorkingHours

app = typer.Typer(
    name="hours",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Working hours: when calls are taken, and where they go otherwise.",
)

SET_EXAMPLES: Final = """\b
Examples:
  kobza hours set --enterprise ID --week "mon-fri 9-18" --dates "2026-12-25; 2026-12-31 9-15" --closed-to 0501112233
  kobza hours set 200 --enterprise ID --week "mon-fri 9-13, 14-18; sat 22:00-04:00" --closed-to none
  kobza hours set 0671234567 --enterprise ID --week always
"""
OVERRIDE_EXAMPLES: Final = """\b
Examples:
  kobza hours override --enterprise ID --closed --until "2026-12-31 18:00"
  kobza hours override 200 --enterprise ID --open --until 2h
  kobza hours override 200 --enterprise ID --none
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza hours list --enterprise ID
"""
REMOVE_EXAMPLES: Final = """\b
Examples:
  kobza hours remove 200 --enterprise ID
"""

NumberArgument = Annotated[
    str | None,
    typer.Argument(metavar="NUMBER", help="A number or a ringing group; without it the hours of the whole enterprise."),
]


@app.callback()
def hours() -> None:
    """Working hours: when calls are taken, and where they go otherwise."""


@app.command("set", epilog=SET_EXAMPLES)
def set_hours(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    number: NumberArgument = None,
    week: Annotated[
        str | None,
        typer.Option("--week", metavar="W", help='As in "mon-fri 9-13, 14-18; sat 10-15"; always; closed.'),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option("--dates", metavar="D", help='All of them: "2026-12-25; 2026-12-31 9-15"; a day alone is closed.'),
    ] = None,
    closed_to: Annotated[
        str | None,
        typer.Option("--closed-to", metavar="N", help="Where calls go outside the hours; none: they are refused."),
    ] = None,
    callers: Annotated[
        Callers | None, typer.Option("--callers", metavar="C", help="Whose calls: outside (the default) or all.")
    ] = None,
    company_dates: Annotated[
        bool | None,
        typer.Option("--company-dates/--no-company-dates", help="Whether dates of the enterprise count for it too."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="Z", help="Time zone of the whole enterprise, as in Europe/Kyiv.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set working hours; what is not named stays as it is. New ones need --week. It counts from the next call on."""
    from dataclasses import replace

    from kobza.call.forwarding_form import target_of
    from kobza.call.hours_form import dates_of, week_of

    whose = _normal(number)
    changes: dict[str, Any] = {}
    if week is not None:
        changes |= {"week": week_of(week, "--week"), "as_company": False}
    if dates is not None:
        changes["dates"] = dates_of(dates, "--dates")
    if closed_to is not None:
        changes["closed_to"] = None if closed_to == "none" else target_of(whose, closed_to, "--closed-to")
    if callers is not None:
        changes["callers"] = callers
    if company_dates is not None:
        if not whose:
            raise typer.BadParameter("is for a number or a group", param_hint="--company-dates")
        changes["company_dates"] = company_dates
    if zone is not None:
        _check_zone(zone, whose)
    if not changes and zone is None:
        raise typer.BadParameter("nothing to set: give --week, --dates, --closed-to, --callers or --zone")

    def changed(before: "WorkingHours | None", blank: "WorkingHours") -> "WorkingHours | None":
        if not changes:
            return before
        if (before is None or before.as_company) and "week" not in changes:
            raise typer.BadParameter("needed: there are no hours of its own yet", param_hint="--week")
        return replace(before or blank, **changes)

    _change(ctx, data, enterprise, whose, changed, as_json=as_json, zone=zone)


@app.command(epilog=OVERRIDE_EXAMPLES)
def override(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    number: NumberArgument = None,
    opened: Annotated[bool, typer.Option("--open", help="Take calls until then.")] = False,
    closed: Annotated[bool, typer.Option("--closed", help="Take none until then.")] = False,
    none: Annotated[bool, typer.Option("--none", help="By the week again from now on.")] = False,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="T", help="When it ends: 18:00, 2026-12-31 18:00, 2h or 45m."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Be open or closed until a moment, whatever the week says; it ends by itself."""
    from dataclasses import replace

    from kobza.call.hours import Override, WorkingHours
    from kobza.call.hours_form import until_of

    if opened + closed + none != 1:
        raise typer.BadParameter("give one of --open, --closed and --none")
    if (until is None) is not none:
        raise typer.BadParameter("goes with --open and --closed, which need it", param_hint="--until")

    def changed(before: "WorkingHours | None", blank: "WorkingHours") -> "WorkingHours | None":
        if until is None:
            return None if before is None or before.as_company else replace(before, override=None)
        made = Override(opened, until_of(until, blank.zone, now_ms() / 1000, "--until"))
        return replace(before or WorkingHours(blank.zone, blank.week, as_company=bool(whose)), override=made)

    whose = _normal(number)
    _change(ctx, data, enterprise, whose, changed, as_json=as_json)


@app.command("list", epilog=LIST_EXAMPLES)
def list_hours(
    ctx: typer.Context, enterprise: EnterpriseOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List the working hours of an enterprise, and of its numbers and groups that have their own."""
    from kobza.store import NotInStore, enterprises, hours

    with opened_store(ctx, data) as store, store.read() as connection:
        company = enterprises.find(connection, enterprise)
        if company is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        given = hours.list_for(connection, enterprise)
    rows = [_shown(whose, own, given.get(hours.COMPANY)) for whose, own in given.items()]
    none = "none: calls are taken at any time; see kobza hours set --help"
    more = {"enterprise_id": enterprise, "zone": company.zone}
    emit_rows("hours", rows, as_json=as_json, title=f"Working hours, {enterprise}, {company.zone}", none=none, **more)


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    number: NumberArgument = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the hours of a number or a group, so that those of the enterprise count; or the latter."""
    from kobza.call.numbers import national
    from kobza.store import NotInStore, hours

    whose = _normal(number)
    with changing(ctx, data, "hours.removed", enterprise, whose or enterprise) as (connection, _):
        if not hours.remove(connection, enterprise, whose):
            raise NotInStore("there are no working hours of its own")
    document = {"number": national(whose) if whose else None, "enterprise_id": enterprise}
    emit(document, as_json=as_json, title="Working hours removed")


def _change(
    ctx: typer.Context,
    data: Path | None,
    enterprise: str,
    whose: str,
    changed: Any,
    *,
    as_json: bool,
    zone: str | None = None,
) -> None:
    """Change hours by a function of what they were (None: there were none) and of blank ones; show what they are."""
    from kobza.call.hours import ALWAYS, WorkingHours
    from kobza.store import NotInStore, enterprises, hours

    with changing(ctx, data, "hours.set", enterprise, whose or enterprise) as (connection, _):
        if zone is not None:
            hours.set_zone(connection, enterprise, zone)
        company = enterprises.find(connection, enterprise)
        if company is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        before = hours.find(connection, enterprise, whose)
        made = changed(before, WorkingHours(hours.zone_named(company.zone), ALWAYS))
        if made is not None:
            hours.put(connection, enterprise, whose, made)
        elif before is not None:
            hours.remove(connection, enterprise, whose)
        whole = hours.find(connection, enterprise, hours.COMPANY)
    document = _shown(whose, made, whole)
    document |= {"enterprise_id": enterprise, "zone": company.zone}
    emit(document, as_json=as_json, title=f"Working hours of {document['number'] or 'the enterprise'}")


def _shown(whose: str, own: "WorkingHours | None", company: "WorkingHours | None") -> dict[str, Any]:
    """Return hours as people and programs read them, and what they say now."""
    from kobza.call.durations import rfc3339
    from kobza.call.hours import effective
    from kobza.call.hours_form import dates_text, week_text
    from kobza.call.numbers import national

    counts = company if own is None else effective(own, company if whose else None)
    now = now_ms() / 1000
    state = None if counts is None else counts.state_at(now)
    given = own is not None and not own.as_company
    shown: dict[str, Any] = {"number": national(whose) if whose else None}
    shown["week"] = week_text(own.week) if own is not None and given else None
    shown["dates"] = dates_text(own.dates) if own is not None and given else None
    shown["closed_to"] = national(counts.closed_to) if counts is not None and counts.closed_to else None
    shown["callers"] = None if counts is None else counts.callers.value
    shown["company_dates"] = own is None or own.company_dates if whose else None
    shown["override"] = None
    if own is not None and own.override is not None and own.overridden_at(now):
        shown["override"] = "open" if own.override.open else "closed"
    shown["open"] = state is None or state.open
    shown["until"] = None if state is None or state.until is None else rfc3339(int(state.until * 1000))
    return shown


def _normal(number: str | None) -> str:
    """Return whose hours are meant, as the store has it."""
    from kobza.call.numbers import normalize

    return "" if number is None else normalize(number)


def _check_zone(zone: str, whose: str) -> None:
    from zoneinfo import available_timezones

    if whose:
        raise typer.BadParameter("is one for the whole enterprise: leave NUMBER out", param_hint="--zone")
    if zone not in available_timezones():
        raise typer.BadParameter(f"{zone!r} is no time zone, as in Europe/Kyiv", param_hint="--zone")
