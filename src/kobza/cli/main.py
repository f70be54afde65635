"""The entry point of `kobza`: assembles the commands and turns every failure into one clear line and an exit code.

Exit codes: 0 done; 1 refused or failed; 2 wrong use or wrong settings; 130 interrupted.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Annotated, Final

import typer
from typer.main import get_command

from kobza import BUILD
from kobza.cli import (
    backup,
    bans,
    call,
    capture,
    compare,
    config,
    dev,
    doctor,
    enterprise,
    erase,
    events,
    forward,
    group,
    history,
    hold,
    hours,
    init,
    limits,
    number,
    person,
    presentation,
    record,
    recordings,
    retention,
    run,
    sound,
    token,
    trace,
    trunk,
    webhook,
)
from kobza.cli.options import ConfigOption, DataOption, GlobalOptions
from kobza.cli.output import print_error

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130

app = typer.Typer(
    name="kobza",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="""\b
Examples:
  kobza init
  kobza enterprise add "Bakery" --admin olena --password … --json
  kobza number add 0671234567 --enterprise ID --name "Olena" --package call_recording
  kobza serve --http 127.0.0.1:8080 --sip udp:127.0.0.1:5060
  kobza demo
  kobza history --from yesterday --csv
  kobza events --follow
  kobza call dial 0671234567 0501112233
""",
)
for command in (
    enterprise,
    person,
    token,
    number,
    forward,
    group,
    hours,
    sound,
    presentation,
    trunk,
    webhook,
    call,
    record,
    recordings,
    retention,
    hold,
    erase,
    dev,
    bans,
    limits,
):
    app.add_typer(command.app)
for module in (init, config, run, history, events, compare, backup, erase, doctor, trace, capture):
    module.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"kobza {version('kobza')} ({BUILD})\n")
        raise typer.Exit


@app.callback()
def kobza(
    ctx: typer.Context,
    data: DataOption = None,
    config_file: ConfigOption = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A self-hosted Virtual Mobile PBX: SIP calls, recordings, and an HTTP interface for the CRM."""
    ctx.obj = GlobalOptions(data, config_file)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    try:
        result = _command()(args=arguments, prog_name="kobza", standalone_mode=False)
    except typer.TyperException as error:
        print_usage_error(error)
        return WRONG_USE
    except (typer.Abort, KeyboardInterrupt):
        print_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `kobza … | head`: nobody reads on, which is no failure
        sys.stderr.close()
        return FAILED
    except Exception as error:
        known = _expected(error)
        if known is None:
            raise
        message, code = known
        print_error(message)
        return code
    return result if isinstance(result, int) else 0


@cache
def _command() -> Callable[..., object]:
    """Return all commands, put together once: that takes longer than most of them."""
    return get_command(app)


def print_usage_error(error: typer.TyperException) -> None:
    """Say what is wrong with the command line; the help itself, when nothing was given, stays as it is."""
    message = error.format_message()
    if message.startswith("Usage: "):
        sys.stderr.write(message + "\n")
        return
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    print_error(message.replace("\n", " ").rstrip(".") + hint)


def _expected(error: Exception) -> tuple[str, int] | None:
    """Return what to say of an error that a user can do something about, and the exit code; None for a bug."""
    from kobza.call.errors import KobzaError
    from kobza.config.loading import ConfigError
    from kobza.store.errors import StoreError

    if isinstance(error, ConfigError):
        return str(error), WRONG_USE
    if _is_client_error(error):
        return str(error), FAILED
    if isinstance(error, KobzaError):
        return error.detail, FAILED
    if isinstance(error, StoreError | OSError):
        return str(error), FAILED
    if type(error).__name__ == "OperationalError":  # the database's own: locked for long, disk full
        return f"the store cannot be used now: {getattr(error, 'orig', error)}", FAILED
    return None


def _is_client_error(error: Exception) -> bool:
    if "kobza.client" not in sys.modules:  # whoever raised one has imported it
        return False
    from kobza.client.errors import ClientError

    return isinstance(error, ClientError)
