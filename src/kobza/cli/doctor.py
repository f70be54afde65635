"""`kobza doctor`."""

from typing import Annotated, Final

import typer

from kobza.cli.options import ConfigOption, DataOption, JsonOption, load_settings
from kobza.cli.output import emit, print_table

EXAMPLES = """\b
Examples:
  kobza doctor
  kobza doctor --thorough --json
"""
UNHEALTHY: Final = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", epilog=EXAMPLES)(doctor)


def doctor(
    ctx: typer.Context,
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Compare the indexes of an SQLite store with its tables too."),
    ] = False,
    data: DataOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Look at the whole installation and say what to do. Changes nothing; a server may run meanwhile."""
    from kobza.app.doctor.examination import Examination, of_wrong_settings
    from kobza.app.doctor.findings import healthy
    from kobza.config.loading import ConfigError

    try:
        findings = Examination(load_settings(ctx, data=data, config=config_file), thorough).findings()
    except ConfigError as error:
        findings = of_wrong_settings(error)
    if as_json:
        rows = [{**finding._asdict(), "state": str(finding.state)} for finding in findings]
        emit({"healthy": healthy(findings), "findings": rows}, as_json=True, title="")
    else:
        print_table(
            "All is well" if healthy(findings) else "Something has to be done",
            ("", "what", "found", "what to do"),
            [(str(finding.state), finding.check, finding.found, finding.advice) for finding in findings],
        )
    return 0 if healthy(findings) else UNHEALTHY
