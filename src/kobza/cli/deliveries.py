"""`kobza webhook deliveries`, `show`, `curl`, `replay`, `recover`: what was posted, why it failed, and once more."""

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit, print_error, print_table
from kobza.cli.remote import moment_ms, wall_text

if TYPE_CHECKING:
    from kobza.store.deliveries import Attempt, Delivery

DeliveryArgument = Annotated[int, typer.Argument(metavar="ID", min=1, help="As `kobza webhook deliveries` shows it.")]
COLUMNS: Final = ("id", "happened", "state", "number", "other side", "status", "tried", "answer")
SinceHelp: Final = "2026-03-01, 2026-03-01T09:30, today, yesterday, 12h or 7d ago."


class Status(StrEnum):
    """Which deliveries."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


def examples(*lines: str) -> str:
    """Return the epilog with examples of a command."""
    return "\b\nExamples:\n" + "".join(f"  kobza webhook {line}\n" for line in lines)


def register(app: typer.Typer) -> None:
    """Add the commands to the group `webhook`."""
    app.command("deliveries", epilog=examples("deliveries --enterprise ID --status failed"))(deliveries)
    app.command("show", epilog=examples("show 1715 --enterprise ID"))(show)
    app.command("curl", epilog=examples("curl 1715 --enterprise ID", "curl 1715 --enterprise ID --show-secrets"))(curl)
    app.command(
        "replay",
        epilog=examples("replay 1715 1716 --enterprise ID", "replay --since 2h --enterprise ID"),
    )(replay)
    app.command("recover", epilog=examples("recover --since yesterday --enterprise ID"))(recover)


def deliveries(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    status: Annotated[Status | None, typer.Option("--status", metavar="S", help="pending, delivered, failed.")] = None,
    before: Annotated[int | None, typer.Option("--before", metavar="ID", help="Only those before this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was posted, the newest first."""
    from kobza.store import deliveries as stored
    from kobza.webhooks.delivery_log import delivery_shown

    with opened_store(ctx, data) as store, store.read() as conn:
        endpoint = endpoint_of(conn, enterprise)
        found = stored.list_for(conn, enterprise, status=status, before=before, limit=limit)
        all_attempts = [stored.list_attempts(conn, enterprise, each.cursor) for each in found]
    if as_json:
        shown = [delivery_shown(*pair, endpoint) for pair in zip(found, all_attempts, strict=True)]
        sys.stdout.write(_json({"deliveries": shown}) + "\n")
    elif found:
        rows = [_row(*pair) for pair in zip(found, all_attempts, strict=True)]
        print_table("Deliveries", COLUMNS, rows)
    else:
        sys.stdout.write("There are no deliveries.\n")


def show(
    ctx: typer.Context,
    delivery: DeliveryArgument,
    enterprise: EnterpriseOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a delivery with each attempt: what was sent, what came back, how long it took. Secrets are masked."""
    from kobza.webhooks.delivery_log import attempt_shown, delivery_shown

    with opened_store(ctx, data) as store, store.read() as conn:
        endpoint = endpoint_of(conn, enterprise)
        found, attempts = _found(conn, enterprise, delivery)
    if as_json:
        sys.stdout.write(_json(delivery_shown(found, attempts, endpoint)) + "\n")
        return
    lines = [f"Delivery {found.cursor}: {found.status}, {len(attempts)} attempts", "", found.payload.decode(), ""]
    for attempt in map(attempt_shown, attempts):
        taken = f"HTTP {attempt['status_code']}" if attempt["error"] is None else attempt["error"]
        lines.append(f"Attempt {attempt['attempt']} at {attempt['started_at']}, {attempt['duration_ms']} ms: {taken}")
        lines.append(f"  POST {attempt['url']} ({attempt['address'] or 'no address'})")
        phases = (("connected in", "connect_ms"), ("answer after", "first_byte_ms"))
        lines += [f"  {words} {attempt[name]} ms" for words, name in phases if attempt[name] is not None]
        lines += [f"  > {name}: {value}" for name, value in attempt["request_headers"]]
        if attempt["http_version"] is not None:
            lines.append(f"  < HTTP/{attempt['http_version']} {attempt['status_code']}")
        lines += [f"  < {name}: {value}" for name, value in attempt["response_headers"]]
        lines += [f"  | {line}" for line in (attempt["response"] or "").splitlines()]
        lines.append("")
    sys.stdout.write("\n".join(map(_printable, lines)))


def curl(
    ctx: typer.Context,
    delivery: DeliveryArgument,
    enterprise: EnterpriseOption,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="With the token itself, and signed anew; else $REMOTE_TOKEN.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Print the command that sends a delivery as its last attempt did."""
    import time

    from kobza.webhooks.client import HEADERS
    from kobza.webhooks.curl import curl_command
    from kobza.webhooks.delivery_log import curl_of
    from kobza.webhooks.endpoint import callstate_url
    from kobza.webhooks.signing import signature_headers

    with opened_store(ctx, data) as store, store.read() as conn:
        endpoint = endpoint_of(conn, enterprise)
        found, attempts = _found(conn, enterprise, delivery)
    command = curl_of(found, attempts, endpoint)
    if show_secrets:
        if endpoint is None:
            raise typer.BadParameter("there is no webhook, and so no token", param_hint="--show-secrets")
        headers = {**HEADERS, "Authorization": f"Bearer {endpoint.token}"}
        if endpoint.secret is not None:
            headers |= signature_headers(endpoint.secret, found.event_id, found.payload, time.time())
        command = curl_command(str(callstate_url(endpoint.url)), headers.items(), found.payload)
    sys.stdout.write(command + "\n")


def replay(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    chosen: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="As `kobza webhook deliveries` shows them.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help=f"Or all since: {SinceHelp}")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="With --since: and no later.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send deliveries once more, taken or not. A server that runs begins within a second."""
    from kobza.store import replays

    if bool(chosen) is (since is not None):
        raise typer.BadParameter("give ids, or --since TIME", param_hint="ID")
    now = datetime.now(UTC)
    first = None if since is None else moment_ms(since, now, "--since")
    last = int(now.timestamp() * 1000) if until is None else moment_ms(until, now, "--until", end=True)
    with opened_store(ctx, data) as store, store.write() as conn:
        endpoint_of(conn, enterprise)
        if first is None:
            count = replays.replay_chosen(conn, enterprise, chosen or [])
        else:
            count = replays.replay_since(conn, enterprise, first, last)
    if chosen and count < len(set(chosen)):
        print_error(f"note: {len(set(chosen)) - count} of these ids are no deliveries of the enterprise")
    emit({"replayed": count}, as_json=as_json, title="Owed once more")


def recover(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help=SinceHelp)],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send what was not taken: what failed, and what happened while the webhook was switched off or not set."""
    from kobza.store import replays
    from kobza.store.errors import NotInStore

    moment = moment_ms(since, datetime.now(UTC), "--since")
    with opened_store(ctx, data) as store, store.write() as conn:
        endpoint = endpoint_of(conn, enterprise)
        if endpoint is None:
            raise NotInStore("there is no webhook; set one with `kobza webhook set`")
        recovered = replays.recover(conn, enterprise, moment, extended=endpoint.extended)
    document = {"recovered": recovered.failed + recovered.missed, "missed": recovered.missed}
    emit(document, as_json=as_json, title="Owed")


def endpoint_of(conn: Any, enterprise: str) -> Any:
    """Return the endpoint, None without one. Raises NotInStore when there is no such enterprise."""
    from kobza.store import endpoints, enterprises
    from kobza.store.errors import NotInStore

    if enterprises.find(conn, enterprise) is None:
        raise NotInStore(f"there is no enterprise {enterprise}")
    return endpoints.get(conn, enterprise)


def _found(conn: Any, enterprise: str, delivery: int) -> "tuple[Delivery, list[Attempt]]":
    from kobza.store import deliveries as stored
    from kobza.store.errors import NotInStore

    found = stored.find(conn, enterprise, delivery)
    if found is None:
        raise NotInStore(f"the enterprise has no delivery {delivery}")
    return found, stored.list_attempts(conn, enterprise, delivery)


def _row(delivery: "Delivery", attempts: "list[Attempt]") -> tuple[str, ...]:
    state = json.loads(delivery.payload)
    last = attempts[-1] if attempts else None
    answer = "" if last is None else last.error or f"HTTP {last.status_code}, {last.duration_ms} ms"
    return (
        str(delivery.cursor),
        wall_text(datetime.fromtimestamp(delivery.occurred_at / 1000, UTC)),
        state["state_type"],
        state["state_owner"],
        state["phone_number"],
        delivery.status,
        str(delivery.attempts),
        answer,
    )


def _printable(line: str) -> str:
    """Return a line without what would steer a terminal: answers are written by others."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in line)


def _json(document: dict[str, Any]) -> str:
    import msgspec

    return msgspec.json.encode(document).decode()
