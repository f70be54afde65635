"""The catalogues of the portal: each text in both languages, used, and with the places and forms that it needs."""

import re
from datetime import date
from importlib.resources import files
from string import Formatter
from typing import get_args

import pytest

from kobza.call.events import ReleasedBy
from kobza.call.forwarding import Occasion
from kobza.call.group import Strategy
from kobza.call.hours import DAYS as WEEKDAYS
from kobza.call.hours import Callers
from kobza.call.recording_notices import AUDIENCES, VOICES
from kobza.call.states import StateType
from kobza.portal.access import SAID
from kobza.portal.audit_page import COLUMNS
from kobza.portal.audit_page import KINDS as AUDIT_KINDS
from kobza.portal.audit_view import action_key
from kobza.portal.contact_pages import DONE
from kobza.portal.contact_pages import KINDS as KINDS_OF_CONTACTS
from kobza.portal.crm_page import EXPIRIES
from kobza.portal.days_form import spans
from kobza.portal.figures import OF_PEOPLE, PARTS
from kobza.portal.frame import TABS
from kobza.portal.hours import LASTING, MODES
from kobza.portal.limits import FIELDS
from kobza.portal.live_actions import RECORDING
from kobza.portal.passwords import Weakness
from kobza.portal.people import COMPANY_ROLES
from kobza.portal.rendering import make_environment
from kobza.portal.search_form import ORDERS, TALKS
from kobza.portal.services import BULK
from kobza.portal.softphone import TEXTS
from kobza.portal.sound_view import Grade
from kobza.portal.supervision import MODES as SUPERVISED
from kobza.portal.tally import KINDS
from kobza.portal.texts import LANGUAGES, catalogue, say_in
from kobza.sip.diversion import REASONS as DIVERSION_REASONS
from kobza.store.audit import ACTIONS, Via
from kobza.store.tokens import Scope
from kobza.store.users import Role

USED = re.compile(r'\bsay(?:\.count)?\(\s*["\'](\w+)["\']\s*[),]')
MADE_UP = {
    *TEXTS,
    *("active", "inactive", "alerting", "established", "held", "finished"),
    *("available", "busy", "unavailable"),
    *("incoming", "outgoing", "local", "convergent", "api_fmc", "call_recording"),
    *("pending", "delivered", "failed"),
    *(f"token_{state}" for state in ("active", "ending", "replaced", "expired", "revoked")),
    *(f"scope_{scope}{suffix}" for scope in Scope for suffix in ("", "_hint")),
    *(f"expires_{value or 'never'}" for value in EXPIRIES),
    *(f"token_refused_{reason}" for reason in ("name", "scope", "many", "ended")),
    *("wrong_password", "error_stale", "error_role", "code_wrong", "code_too_late"),
    *(f"theme_{theme}" for theme in ("light", "auto", "dark")),
    *(tab.key for tab in TABS),
    *COLUMNS,
    *(action_key(action) for action in ACTIONS),
    *(f"audit_kind_{kind}" for kind in AUDIT_KINDS),
    *(f"audit_via_{via}" for via in get_args(Via)),
    *(f"role_{role}" for role in Role),
    *(f"role_{role}_may" for role in COMPANY_ROLES),
    *(f"password_{wrong}" for wrong in get_args(Weakness)),
    *(f"person_refused_{reason}" for reason in ("taken", "login", "name", "role", "number", "last", "self")),
    *("people_lead", "operators_lead", "board", "board_own"),
    *("calls_answered", "calls_unanswered", "recorded_yes", "recorded_no", "yes", "no"),
    *(f"talk_{talk}" for talk in TALKS),
    *(f"sort_{order}" for order in ORDERS),
    *(f"ladder_{state}" for state in ("dialling", "alerting", "established", "held")),
    *(f"record_{what}" for what in RECORDING),
    *("record_is_on", "record_is_paused"),
    *("voice_of_caller", "voice_of_called", "not_heard_both", "not_heard_caller", "not_heard_called"),
    *(f"recording_{what}" for what in ("cannot_be_heard", "failed", "undecoded", "side_undecoded", "caller", "callee")),
    *(f"supervise_{mode}{suffix}" for mode in SUPERVISED for suffix in ("", "_hint")),
    *(f"sound_{place}" for place in ("at_caller", "at_called", *get_args(Grade))),
    *(f"state_{state}" for state in StateType),
    *(f"sent_on_{reason.replace('-', '_')}" for reason in DIVERSION_REASONS),
    *(f"ended_by_{who}" for who in get_args(ReleasedBy)),
    *("call_unknown", "call_erased", "hold", "resume", "hang_up"),
    *(f"error_{code}" for code in SAID),
    *(f"limits_{name}" for name in FIELDS),
    *("show_more", "look_on", "wrong_choice", "wrong_day", "wrong_interval", "too_many_to_sort"),
    *("begun", "direction", "from", "caller_name", "caller_department", "to", "called_name", "called_department"),
    *("statistics", "too_many_days", "day", "hour", "name", "number", "department"),
    *(f"span_{span.key}" for span in spans(date(2026, 4, 20))),
    *(f"stat_part_{part}" for part in PARTS),
    *(f"stat_hint_{part}" for part in ("week", "waits", "people", "departments")),
    *(f"stat_kind_{kind}" for kind in KINDS),
    *("stat_calls", "stat_incoming", "stat_missed", "stat_talk", "stat_lost", "stat_share", "stat_share_answered"),
    *("stat_share_soon", "stat_all", "stat_per_day", "stat_of_answered", "stat_numbers", "stat_week", *OF_PEOPLE),
    *("stat_missed_calls", "stat_last_call", "stat_called", "stat_tried"),
    *("contacts", *(f"contacts_{value}" for value in (*KINDS_OF_CONTACTS, *DONE)), "contacts_forget", "contacts_new"),
    *(f"import_{fault}" for fault in ("bad_number", "no_number", "no_name", "too_long", "said_again", "broken_card")),
    *(f"import_{why}" for why in ("empty", "no_number_column", "too_many_lines", "broken_table", "too_large")),
    *(f"bulk_{act}" for act in BULK),
    *(f"import_{fault}" for fault in ("many_numbers", "bad_switch", "not_yours", "no_service_column")),
    *("dnd", "hidden", "own_text", "import_bad_forward", "call_waiting", "max_calls", "import_bad_max_calls"),
    *("import_bad_week", "import_no_week"),
    *(f"forward_{each.value}{suffix}" for each in Occasion for suffix in ("", "_hint")),
    *(f"work_hours_until_{day}" for day in WEEKDAYS),
    *(f"work_hours_lasting_{value}" for value in LASTING),
    *(f"work_hours_mode_{value}" for value in MODES),
    *(f"work_hours_callers_{value}" for value in Callers),
    *("work_hours_open", "work_hours_closed", "work_hours_open_until", "work_hours_closed_until"),
    *("work_hours_override_open", "work_hours_override_closed"),
    *(f"strategy_{each.value}" for each in Strategy),
    *(f"group_wrong_{field}" for field in ("number", "number_taken", "members", "seconds", "then", "name")),
    *("group_change", "group_new"),
    *(f"openid_{why}" for why in ("away", "wrong", "stale", "refused", "no_claim", "unverified", "not_allowed")),
    *("openid_unknown", "openid_other"),
    *(f"system_part_{part}" for part in ("store", "journal", "sip", "media")),
    *(
        f"system_{tile}"
        for tile in ("calls", "load", "registered", "owed", "journal", "media", "door", "bucket", "disk", "up")
    ),
    *(f"system_reach_{reach}" for reach in ("up", "down", "unknown", "resting")),
    *(f"system_registration_{state}" for state in ("none", "registered", "trying", "failed")),
    *(f"system_finding_{state}" for state in ("good", "look", "bad")),
    *("gigabytes", "megabytes", "system_media_up", "system_media_down", "system_lag", "system_lag_beyond"),
    *("system_examine", "system_examining"),
    *("recording_failed", "recording_cannot_be_heard", "recording_caller", "recording_callee"),
    *("recording_undecoded", "recording_side_undecoded", "recording_had_no_room", "recording_was_cut"),
    *(f"sample_{what}" for what in ("history", "call", "phones", "events")),
    *("webhook_taken", "webhook_not_taken", "delivery_unknown", "delivery_erased", "wrong_number"),
    *("recording_cannot_be_heard", "recording_failed", "recording_side_undecoded", "recording_undecoded"),
    *(f"recording_{side}" for side in ("caller", "callee")),
    *("sounds_no_file", "sounds_unfit", "notices_sound_unfit", "notices_wrong_beep"),
    *(f"notices_to_{to}" for to in AUDIENCES),
    *(f"notices_voice_{voice}" for voice in VOICES),
    *("recording_announced", "recording_unannounced"),
    *("answered_number", "talk", "rang_for", "outcome", "recording", "call_id"),
    *(f"{figure}_at_{side}" for figure in ("mos", "loss", "jitter") for side in ("caller", "called")),
}
"""Keys that are put together from values, or stand in tables."""


def used_keys() -> set[str]:
    environment = make_environment()
    assert environment.loader is not None
    sources = [environment.loader.get_source(environment, name)[0] for name in environment.loader.list_templates()]
    sources += [entry.read_text() for entry in files("kobza.portal").iterdir() if entry.name.endswith(".py")]
    return {key for source in sources for key in USED.findall(source)} | MADE_UP


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_that_is_used_exists_and_every_one_that_exists_is_used(language: str) -> None:
    texts = catalogue(language)  # type: ignore[arg-type]
    assert {message.id if isinstance(message.id, str) else message.id[0] for message in texts if message.id} == (
        used_keys()
    )
    for message in texts:
        forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        assert all(str(form or "").strip() for form in forms), message.id
        assert not message.fuzzy or not message.id, message.id
        assert len(forms) == (texts.num_plurals if isinstance(message.id, tuple) else 1)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_a_text_has_the_same_places_in_both_languages() -> None:
    english, ukrainian = catalogue("en"), catalogue("uk")
    for message in (each for each in english if each.id):
        other = ukrainian.get(message.id if isinstance(message.id, str) else message.id[0])
        assert other is not None
        assert places(str(message.string)) == places(str(other.string)), message.id


def test_a_key_that_no_catalogue_has_is_a_mistake() -> None:
    for language in LANGUAGES:
        with pytest.raises(KeyError):
            say_in(language)("no such text")
        with pytest.raises(KeyError):
            say_in(language).count("no such text", 2)
