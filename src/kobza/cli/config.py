"""`kobza config`."""

import json
import sys

import typer

from kobza.cli.options import ConfigOption, DataOption, JsonOption, load_settings
from kobza.cli.output import print_table

EXAMPLES = """\b
Examples:
  kobza config
  KOBZA_LOG_LEVEL=debug kobza config --config /etc/kobza.toml --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("config", epilog=EXAMPLES)(show)


def show(
    ctx: typer.Context, data: DataOption = None, config_file: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Print the settings in force and where each comes from; secrets are masked."""
    loaded = load_settings(ctx, data=data, config=config_file)
    shown = loaded.shown()
    if as_json:
        document = {"file": str(loaded.file) if loaded.file else None, "settings": shown}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    rows = [(name, _text(item["value"]), item["source"]) for name, item in shown.items()]
    print_table(f"Settings (file: {loaded.file or 'none'})", ("setting", "value", "from"), rows)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)
