"""The portal's routes, for the one application that serves programs and people."""

from functools import partial

import anyio
from starlette.routing import BaseRoute, Route, WebSocketRoute

from kobza.api.context import ApiContext
from kobza.portal import (
    account,
    actions,
    audit_page,
    board,
    call_page,
    clip,
    contact_actions,
    contact_import,
    contact_pages,
    crm_page,
    deliveries,
    delivery_actions,
    enterprises,
    forwarding,
    groups,
    history,
    hours,
    limits,
    listening,
    live_actions,
    overview,
    own_phone,
    people,
    phone_account,
    recording_notices,
    saved_filters,
    services,
    signin,
    sip_socket,
    softphone,
    sounds,
    statistics,
    supervision,
    system_page,
    token_actions,
    waveform,
    webhook_actions,
)
from kobza.portal.access import (
    ADMINS,
    ANYBODY,
    BEFORE_CHANGE,
    HASHING_AT_ONCE,
    MANAGERS,
    OPERATORS,
    STAFF,
    SYSTEM,
    WATCHERS,
    Access,
    Action,
    Page,
    Portal,
    action,
    page,
)
from kobza.portal.guessing import GuessLimit
from kobza.portal.import_drafts import ImportDrafts
from kobza.portal.known_peaks import KnownPeaks
from kobza.portal.known_tallies import KnownTallies
from kobza.portal.openid_options import OpenIdOptions
from kobza.portal.rendering import Pages, static_file
from kobza.portal.sealing import Sealer
from kobza.portal.signin import SignIn
from kobza.portal.system_port import SystemPort
from kobza.portal.uploads import read_upload
from kobza.portal.vault import Vault


def portal_routes(
    context: ApiContext, secret: bytes, openid: OpenIdOptions | None = None, system: SystemPort | None = None
) -> list[BaseRoute]:
    """Return the routes. `secret` (32 bytes or more) seals what browsers keep, signs the forms and encrypts what the
    store keeps of second factors; `openid` is the provider by which people may sign in too,
    `system` the installation as a whole.
    """
    portal = Portal(
        context=context,
        sealer=Sealer(secret),
        vault=Vault(secret),
        pages=Pages(),
        guesses=GuessLimit(),
        hashing=anyio.Semaphore(HASHING_AT_ONCE),
        peaks=KnownPeaks(),
        tallies=KnownTallies(),
        drafts=ImportDrafts(),
        system=system,
    )
    sign_in = SignIn(portal, None if openid is None else openid.label or "")
    shown: dict[str, tuple[Page, Access]] = {
        "/": (overview.overview, STAFF),
        "/phone": (softphone.phone_page, STAFF),
        "/phone/who": (softphone.who, STAFF),
        "/live": (board.board, STAFF),
        "/live/stream": (board.board_stream, STAFF),
        "/history": (history.history, STAFF),
        "/history.{kind}": (history.history_file, STAFF),
        "/history/{call_id}": (call_page.call_page, STAFF),
        "/recordings/{record_id}": (listening.recording, STAFF),
        "/recordings/{record_id}/waveform": (waveform.waveform, STAFF),
        "/statistics": (statistics.statistics, WATCHERS),
        "/statistics/{part}.csv": (statistics.statistics_file, WATCHERS),
        "/statistics/{part}.svg": (statistics.statistics_picture, WATCHERS),
        "/statistics/{part}": (statistics.statistics_part, WATCHERS),
        "/contacts": (contact_pages.contacts, STAFF),
        "/contacts.{kind}": (contact_pages.contacts_file, WATCHERS),
        "/contacts/new": (contact_pages.new_contact, ADMINS),
        "/contacts/edit": (contact_pages.contact, ADMINS),
        "/contacts/doubles": (contact_pages.doubles_page, ADMINS),
        "/contacts/import": (contact_import.import_form, ADMINS),
        "/provisioning": (services.provisioning, ADMINS),
        "/provisioning.csv": (services.services_file, ADMINS),
        "/provisioning/account": (phone_account.account_page, ADMINS),
        "/provisioning/forwarding": (forwarding.forwarding_page, ADMINS),
        "/provisioning/groups": (groups.groups_page, ADMINS),
        "/provisioning/hours": (hours.hours_page, ADMINS),
        "/provisioning/limits": (limits.limits_page, ADMINS),
        "/provisioning/sounds": (sounds.sounds_page, ADMINS),
        "/provisioning/recording": (recording_notices.notices_page, ADMINS),
        "/own/forwarding": (forwarding.own_forwarding_page, STAFF),
        "/crm-integration": (crm_page.crm_integration, ADMINS),
        "/crm-integration/deliveries": (deliveries.deliveries_page, ADMINS),
        "/crm-integration/deliveries/{cursor}": (deliveries.delivery_page, ADMINS),
        "/people": (people.people, MANAGERS),
        "/audit": (audit_page.audit_page, MANAGERS),
        "/audit.csv": (audit_page.audit_file, MANAGERS),
        "/enterprises": (enterprises.enterprises_page, OPERATORS),
        "/system": (system_page.system_page, SYSTEM),
        "/system/now": (system_page.system_now, SYSTEM),
        "/account": (account.account, ANYBODY),
        "/account/password": (account.password_page, BEFORE_CHANGE),
        "/account/second-factor": (account.second_factor_page, ANYBODY),
    }
    forms: dict[str, tuple[Action, Access]] = {
        "/signout": (signin.sign_out, BEFORE_CHANGE),
        "/account/password": (account.change_password, BEFORE_CHANGE),
        "/account/second-factor": (account.switch_on_second_factor, ANYBODY),
        "/account/second-factor/off": (account.switch_off_second_factor, ANYBODY),
        "/account/second-factor/codes": (account.renew_codes, ANYBODY),
        "/account/sessions/end": (account.end_session, ANYBODY),
        "/account/sessions/end-others": (account.end_other_sessions, ANYBODY),
        "/enterprises/enter": (enterprises.enter, OPERATORS),
        "/enterprises/leave": (enterprises.leave, OPERATORS),
        "/system/examine": (system_page.examine, SYSTEM),
        "/people/add": (people.add_person, MANAGERS),
        "/people/change": (people.change_person, MANAGERS),
        "/people/reset": (people.reset_person, MANAGERS),
        "/people/remove": (people.remove_person, MANAGERS),
        "/own/dial": (own_phone.dial, STAFF),
        "/own/dnd": (own_phone.switch_own_dnd, STAFF),
        "/phone/transfer": (softphone.transfer, STAFF),
        "/live/hangup": (live_actions.hang_up, STAFF),
        "/live/hold": (live_actions.hold, STAFF),
        "/live/resume": (live_actions.resume, STAFF),
        "/live/transfer": (live_actions.transfer, STAFF),
        "/live/record": (live_actions.record, STAFF),
        "/live/supervise": (supervision.supervise, WATCHERS),
        "/history/saved": (saved_filters.save_filter, STAFF),
        "/history/saved/remove": (saved_filters.remove_filter, STAFF),
        "/contacts/save": (contact_actions.save_contact, ADMINS),
        "/contacts/remove": (contact_actions.remove_contact, ADMINS),
        "/contacts/merge": (contact_actions.merge_contacts, ADMINS),
        "/contacts/import/apply": (contact_import.import_contacts, ADMINS),
        "/provisioning/change": (services.change_many, ADMINS),
        "/provisioning/apply": (services.apply_services, ADMINS),
        "/provisioning/account": (phone_account.renew_password, ADMINS),
        "/provisioning/supervision": (supervision.set_policy, ADMINS),
        "/provisioning/dnd": (actions.switch_dnd, ADMINS),
        "/provisioning/forwarding": (forwarding.set_forwarding, ADMINS),
        "/provisioning/calls": (forwarding.set_calls, ADMINS),
        "/provisioning/clip": (clip.set_clip, ADMINS),
        "/provisioning/groups": (groups.set_group, ADMINS),
        "/provisioning/groups/remove": (groups.remove_group, ADMINS),
        "/provisioning/hours": (hours.set_hours, ADMINS),
        "/provisioning/limits": (limits.set_limits, ADMINS),
        "/provisioning/sounds": (sounds.set_ringback, ADMINS),
        "/provisioning/sounds/remove": (sounds.remove_music, ADMINS),
        "/provisioning/recording": (recording_notices.set_notices, ADMINS),
        "/provisioning/recording/sound/remove": (recording_notices.remove_sound, ADMINS),
        "/provisioning/hours/override": (hours.override_hours, ADMINS),
        "/own/forwarding": (forwarding.set_own_forwarding, STAFF),
        "/own/calls": (forwarding.set_own_calls, STAFF),
        "/crm-integration/webhook": (webhook_actions.set_webhook, ADMINS),
        "/crm-integration/webhook/activate": (webhook_actions.activate_webhook, ADMINS),
        "/crm-integration/webhook/remove": (webhook_actions.remove_webhook, ADMINS),
        "/crm-integration/webhook/test": (webhook_actions.try_webhook, ADMINS),
        "/crm-integration/deliveries/replay": (delivery_actions.replay_chosen, ADMINS),
        "/crm-integration/deliveries/replay-one": (delivery_actions.replay_one, ADMINS),
        "/crm-integration/deliveries/recover": (delivery_actions.recover, ADMINS),
        "/crm-integration/tokens/add": (token_actions.add_token, ADMINS),
        "/crm-integration/tokens/rotate": (token_actions.rotate_token, ADMINS),
        "/crm-integration/tokens/revoke": (token_actions.revoke_token, ADMINS),
    }
    uploads: dict[str, tuple[Action, Access]] = {
        "/contacts/import": (contact_import.upload_contacts, ADMINS),
        "/provisioning/import": (services.upload_numbers, ADMINS),
        "/provisioning/sounds/music": (sounds.set_music, ADMINS),
        "/provisioning/recording/sound": (recording_notices.set_sound, ADMINS),
    }
    return [
        Route("/static/{name}", static_file, methods=["GET"]),
        WebSocketRoute("/sip", partial(sip_socket.sip_socket, portal)),
        Route("/signin", sign_in.form, methods=["GET"]),
        Route("/signin", sign_in.sign_in, methods=["POST"]),
        Route("/signin/code", sign_in.code_form, methods=["GET"]),
        Route("/signin/code", sign_in.check_code, methods=["POST"]),
        *([] if openid is None else _openid_routes(portal, sign_in, openid)),
        Route("/language/{language}", actions.choose_language, methods=["GET"]),
        Route("/theme/{theme}", actions.choose_theme, methods=["GET"]),
        *(Route(path, page(portal, show, access), methods=["GET"]) for path, (show, access) in shown.items()),
        *(Route(path, action(portal, act, access), methods=["POST"]) for path, (act, access) in forms.items()),
        *(
            Route(path, action(portal, act, access, read_upload), methods=["POST"])
            for path, (act, access) in uploads.items()
        ),
    ]


def _openid_routes(portal: Portal, sign_in: SignIn, options: OpenIdOptions) -> list[BaseRoute]:
    from kobza.portal.openid_provider import OpenIdProvider  # their libraries take half a second to load
    from kobza.portal.openid_signin import OpenIdSignIn

    pages = OpenIdSignIn(portal, sign_in, OpenIdProvider(options))
    return [
        Route("/signin/openid", pages.begin, methods=["GET"]),
        Route("/signin/openid/back", pages.back, methods=["GET"]),
    ]
