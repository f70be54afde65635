"""Metrics of calls, trunks and registrations."""

from typing import Final

from kobza.observe.metrics.metric import Metric, by_label, one

CALLS: Final = (
    Metric(
        "kobza_calls_attempts_total",
        "counter",
        "Calls that began (seizures), by direction and by who started them.",
        lambda of: by_label(of.books.meter.attempts),
        ("direction", "origin"),
    ),
    Metric(
        "kobza_calls_answers_total",
        "counter",
        "Calls that were answered; divided by the attempts it is the answer-seizure ratio (ASR).",
        lambda of: by_label(of.books.meter.answers),
        ("direction",),
    ),
    Metric(
        "kobza_calls_ended_total",
        "counter",
        "Calls that are over, by what became of them and their cause (Q.850).",
        lambda of: by_label(of.books.meter.ends),
        ("direction", "outcome", "cause"),
    ),
    Metric(
        "kobza_calls_refused_total",
        "counter",
        "Calls answered 503 because they could not be written down: the journal is full or has stopped.",
        lambda of: one(of.books.meter.refused),
    ),
    Metric(
        "kobza_outside_refused_total",
        "counter",
        "Calls that did not go out by a trunk: a number or an enterprise had spent what it may, or the destination is "
        "denied.",
        lambda of: by_label(of.guard.refused),
        ("limit",),
    ),
    Metric(
        "kobza_calls_active",
        "gauge",
        "Calls that are on, answered or not.",
        lambda of: by_label(of.books.meter.active),
        ("direction",),
    ),
    Metric(
        "kobza_calls_talking",
        "gauge",
        "Calls that are on and were answered.",
        lambda of: by_label(of.books.meter.talking),
        ("direction",),
    ),
    Metric(
        "kobza_calls_carried",
        "gauge",
        "Calls that are in memory: those that are on, and for some seconds those whose phones do not confirm the end.",
        lambda of: one(len(of.switch)),
    ),
    Metric(
        "kobza_call_legs",
        "gauge",
        "SIP dialogs of calls, early ones included: two of a plain call, more while several phones ring.",
        lambda of: one(of.switch.sip_counts.dialogs),
    ),
    Metric(
        "kobza_call_setup_seconds",
        "histogram",
        "Time from the INVITE until the called side rings or answers (post-dial delay), in seconds.",
        lambda of: by_label(of.books.meter.setup),
        ("direction",),
    ),
    Metric(
        "kobza_call_duration_seconds",
        "histogram",
        "Time from answer to end of answered calls, in seconds.",
        lambda of: by_label(of.books.meter.talk),
        ("direction",),
    ),
    Metric(
        "kobza_trunk_attempts_total",
        "counter",
        "Legs of calls that came by a trunk or went out by it.",
        lambda of: by_label(of.books.meter.trunk_attempts),
        ("trunk", "direction"),
    ),
    Metric(
        "kobza_trunk_answers_total",
        "counter",
        "Those of them that were answered.",
        lambda of: by_label(of.books.meter.trunk_answers),
        ("trunk", "direction"),
    ),
    Metric(
        "kobza_trunk_ended_total",
        "counter",
        "Those of them that are over, by what became of them.",
        lambda of: by_label(of.books.meter.trunk_ends),
        ("trunk", "direction", "outcome"),
    ),
    Metric(
        "kobza_trunk_calls",
        "gauge",
        "Legs of calls that are on by a trunk.",
        lambda of: by_label(of.books.meter.on_trunks),
        ("trunk", "direction"),
    ),
    Metric(
        "kobza_trunk_usable",
        "gauge",
        "1 when the trunk answers OPTIONS or is not asked, and has us registered if it is to; 0: it is passed over.",
        lambda of: by_label({kept.trunk.name: int(kept.is_usable(of.now())) for kept in of.keeper}),
        ("trunk",),
    ),
    Metric(
        "kobza_trunk_resting",
        "gauge",
        "1 while the trunk wants no calls, as it said by 503 with Retry-After: none go there that can go elsewhere.",
        lambda of: by_label({kept.trunk.name: int(of.view.hops.rests(kept.trunk)) for kept in of.keeper}),
        ("trunk",),
    ),
    Metric(
        "kobza_trunk_registered",
        "gauge",
        "1 when we are registered at the trunk; of those where we are to be.",
        lambda of: by_label(
            {kept.trunk.name: int(kept.is_registered(of.now())) for kept in of.keeper if kept.registers}
        ),
        ("trunk",),
    ),
    Metric(
        "kobza_trunk_servers",
        "gauge",
        "Servers (transport, address and port) to which the trunk's name or address leads; 0: calls cannot go there.",
        lambda of: by_label({kept.trunk.name: len(of.view.hops.all(kept.trunk)) for kept in of.keeper}),
        ("trunk",),
    ),
    Metric(
        "kobza_trunk_stale",
        "gauge",
        "1 while no name server answers and the trunk is reached where its name led before.",
        lambda of: by_label({kept.trunk.name: int(of.view.hops.is_stale(kept.trunk)) for kept in of.keeper}),
        ("trunk",),
    ),
    Metric(
        "kobza_numbers",
        "gauge",
        "Numbers that are set up.",
        lambda of: one(len(of.view.snapshot.subscribers)),
    ),
    Metric(
        "kobza_registered_numbers",
        "gauge",
        "Numbers with at least one phone that is registered.",
        lambda of: one(of.locations.numbers),
    ),
    Metric(
        "kobza_registrations",
        "gauge",
        "Phones that are registered (contact bindings).",
        lambda of: one(len(of.locations)),
    ),
)
