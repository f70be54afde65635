"""`kobza erase` and `kobza erasure …`: all of a telephone number, and the certificates of it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kobza.cli.changing import whoever
from kobza.cli.clock import now_ms
from kobza.cli.options import ByOption, DataOption, EnterpriseOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, print_error, print_table

if TYPE_CHECKING:
    from kobza.app.certificate import Language

app = typer.Typer(name="erasure", no_args_is_help=True, rich_markup_mode=None, help="Certificates of erasures.")

ERASE_EXAMPLES = """\b
Examples:
  kobza erase 0671234567 --enterprise ID --reference "request 17 of 2026-11-26"
  kobza erase 0671234567 --enterprise ID --address-book --yes --out /srv/certificates --json
"""
LIST_EXAMPLES = """\b
Examples:
  kobza erasure list --enterprise ID
"""
SHOW_EXAMPLES = """\b
Examples:
  kobza erasure show 5b1e2c3d4f50 --language uk
  kobza erasure show 5b1e2c3d4f50 --json
"""
INCOMPLETE = 1

OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write the certificate into this folder, as JSON and text.")
]
LanguageOption = Annotated[Literal["en", "uk"], typer.Option("--language", help="Of the certificate for people.")]


def register(main: typer.Typer) -> None:
    """Add the command."""
    main.command("erase", epilog=ERASE_EXAMPLES)(erase)


@app.callback()
def erasure() -> None:
    """Certificates of erasures."""


def erase(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The number in any usual spelling.")],
    enterprise: EnterpriseOption,
    by: ByOption = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="TEXT", help="Why: the request, its date. It is in the certificate.")
    ] = "",
    address_book: Annotated[
        bool, typer.Option("--address-book", help="Its name and department in the address book too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    out: OutOption = None,
    language: LanguageOption = "en",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Erase everything about one telephone number, for good, and print the certificate. It cannot be undone."""
    from kobza.app.archiving import eraser_of
    from kobza.app.certificate import document
    from kobza.call.numbers import national, normalize
    from kobza.store.erasure import Request
    from kobza.store.erasure import erase as run

    settings = load_settings(ctx, data=data).settings
    e164 = normalize(number)
    if not yes:
        typer.confirm(
            f"Erase everything that enterprise {enterprise} has of {national(e164)}, for good?", abort=True, err=True
        )
    with opened_store(ctx, data) as store:
        request = Request(enterprise, e164, by or whoever(), reference.strip(), address_book)
        done = run(store, request, now_ms, erase_file=eraser_of(settings).erase)
        certificate = document(store, done.erasure_id)
    _show(certificate, out, language, as_json=as_json)
    if not certificate["complete"]:
        print_error("not everything could be erased: the certificate says what is left, and why")
        return INCOMPLETE
    return 0


@app.command("list", epilog=LIST_EXAMPLES)
def list_erasures(
    ctx: typer.Context,
    enterprise: Annotated[
        str | None, typer.Option("--enterprise", metavar="ID", help="Of this enterprise; else of all.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the erasures that were made."""
    from kobza.call.durations import rfc3339
    from kobza.store import erasures

    with opened_store(ctx, data) as store, store.read() as conn:
        found = erasures.list_all(conn, enterprise)
    rows = [
        {
            "certificate": each.erasure_id,
            "enterprise_id": each.enterprise_id,
            "number": each.number if each.finished_at else erasures.masked(each.number),
            "finished_at": None if each.finished_at is None else rfc3339(each.finished_at),
            "erased_by": each.erased_by,
            "reference": each.reference,
            "calls": each.tally.went["calls"].count,
            "complete": each.finished_at is not None and not each.tally.kept,
        }
        for each in found
    ]
    if as_json:
        emit({"erasures": rows}, as_json=True, title="")
    elif rows:
        print_table("Erasures", list(rows[0]), [[_text(value) for value in row.values()] for row in rows])
    else:
        sys.stdout.write("Nothing was erased yet.\n")


@app.command(epilog=SHOW_EXAMPLES)
def show(
    ctx: typer.Context,
    certificate_id: Annotated[str, typer.Argument(metavar="CERTIFICATE", help="As `kobza erasure list` shows it.")],
    out: OutOption = None,
    language: LanguageOption = "en",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a certificate again."""
    from kobza.app.certificate import document

    with opened_store(ctx, data) as store:
        certificate = document(store, certificate_id)
    _show(certificate, out, language, as_json=as_json)


def _show(certificate: dict[str, Any], out: Path | None, language: "Language", *, as_json: bool) -> None:
    import json

    from kobza.app.certificate import text

    for_people = text(certificate, language)
    if out is not None:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"erasure-{certificate['certificate']}"
        (out / f"{name}.json").write_text(json.dumps(certificate, ensure_ascii=False, indent=2) + "\n", "utf-8")
        (out / f"{name}.txt").write_text(for_people, "utf-8")
    if as_json:
        emit(certificate, as_json=True, title="")
    else:
        sys.stdout.write(for_people)


def _text(value: Any) -> str:
    match value:
        case None:
            return "not finished"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
