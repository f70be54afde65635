"""Metrics of the journal, the store and what is owed to webhooks."""

from collections.abc import Iterable
from typing import Final

from kobza.observe.metrics.metric import Metric, Sample, by_label, one
from kobza.observe.sources import Sources


def _owed(of: Sources) -> Iterable[Sample]:
    if of.stored is None:
        return
    yield ("on",), of.stored.owed.deliveries
    yield ("off",), of.stored.waiting.deliveries


def _oldest(of: Sources) -> Iterable[Sample]:
    if of.stored is None:
        return
    for kind, owed in (("on", of.stored.owed), ("off", of.stored.waiting)):
        yield (kind,), 0.0 if owed.oldest_at is None else max(0.0, of.now() - owed.oldest_at / 1000)


STORAGE: Final = (
    Metric(
        "kobza_journal_waiting_entries",
        "gauge",
        "Entries of the journal that are not stored yet. At 20,000 new calls are refused.",
        lambda of: one(of.journal.waiting),
    ),
    Metric(
        "kobza_journal_oldest_entry_seconds",
        "gauge",
        "For how long the oldest of them waits, in seconds.",
        lambda of: one(of.journal.oldest_age),
    ),
    Metric(
        "kobza_journal_commit_seconds",
        "histogram",
        "Time that a commit of the journal took, in seconds; there is one in 5 ms at most.",
        lambda of: one(of.journal.counts.commit_seconds),
    ),
    Metric(
        "kobza_journal_entries_total",
        "counter",
        "Entries that the journal has stored.",
        lambda of: one(of.journal.counts.entries),
    ),
    Metric(
        "kobza_journal_failures_total",
        "counter",
        "Commits of the journal that failed; they are tried again until they succeed.",
        lambda of: one(of.journal.counts.failures),
    ),
    Metric(
        "kobza_journal_rejected_entries_total",
        "counter",
        "Entries that the store will never take, and that are lost: a fault of the code, in the log.",
        lambda of: one(of.journal.counts.rejected),
    ),
    Metric(
        "kobza_store_errors_total",
        "counter",
        "How often the store did not answer a question or take a setting: away, locked for long, the disk full.",
        lambda of: one(of.store.failures),
    ),
    Metric(
        "kobza_store_up",
        "gauge",
        "1 while the store answers.",
        lambda of: one(of.stored is not None),
    ),
    Metric(
        "kobza_webhook_deliveries_owed",
        "gauge",
        "Call states that endpoints have not taken yet: of endpoints that are on, or off; absent without the store.",
        _owed,
        ("endpoint",),
    ),
    Metric(
        "kobza_webhook_oldest_owed_seconds",
        "gauge",
        "Age of the oldest of them, in seconds; 0 when there is none.",
        _oldest,
        ("endpoint",),
    ),
    Metric(
        "kobza_webhook_attempts_total",
        "counter",
        "POSTs of call states, by what came of them and the class of the answer's status (`none` without an answer).",
        lambda of: by_label(of.dispatcher.counts.attempts),
        ("outcome", "status"),
    ),
    Metric(
        "kobza_webhook_attempt_seconds",
        "histogram",
        "Time that a POST of a call state took, in seconds.",
        lambda of: one(of.dispatcher.counts.attempt_seconds),
    ),
    Metric(
        "kobza_webhook_delay_seconds",
        "histogram",
        "Time from a call's change of state until its endpoint took it, in seconds.",
        lambda of: one(of.dispatcher.counts.delay_seconds),
    ),
    Metric(
        "kobza_webhook_in_flight",
        "gauge",
        "POSTs of call states that are under way.",
        lambda of: one(of.dispatcher.in_flight),
    ),
    Metric(
        "kobza_webhook_held",
        "gauge",
        "Deliveries held in memory; what is beyond waits in the store.",
        lambda of: one(of.dispatcher.held),
    ),
    Metric(
        "kobza_webhook_unsaved_results",
        "gauge",
        "Results of POSTs that the journal has not taken yet.",
        lambda of: one(of.dispatcher.unsaved),
    ),
    Metric(
        "kobza_webhook_endpoints",
        "gauge",
        "Endpoints that are set, switched on or off.",
        lambda of: by_label(
            {
                "on": sum(one.active for one in of.view.snapshot.endpoints.values()),
                "off": sum(not one.active for one in of.view.snapshot.endpoints.values()),
            }
        ),
        ("endpoint",),
    ),
    Metric(
        "kobza_webhook_switched_off_total",
        "counter",
        "Endpoints that were switched off: `gone` (answered 410), `failing` (took nothing for too long).",
        lambda of: by_label({name: of.dispatcher.counts.switched_off[name] for name in ("gone", "failing")}),
        ("reason",),
    ),
    Metric(
        "kobza_webhook_endpoints_failing",
        "gauge",
        "Endpoints whose last POST failed.",
        lambda of: one(of.dispatcher.failing),
    ),
    Metric(
        "kobza_webhook_endpoints_behind",
        "gauge",
        "Endpoints that owe more than memory may hold for them.",
        lambda of: one(of.dispatcher.behind),
    ),
)
