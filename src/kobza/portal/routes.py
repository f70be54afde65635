"""The portal's routes, for the one application that serves programs and people."""

import anyio
from starlette.routing import BaseRoute, Route

from kobza.api.context import ApiContext
from kobza.portal import actions, board, call_page, history, live_actions, pages, statistics, token_actions, waveform
from kobza.portal.access import HASHING_AT_ONCE, Portal, action, page
from kobza.portal.known_peaks import KnownPeaks
from kobza.portal.known_tallies import KnownTallies
from kobza.portal.rendering import Pages, static_file
from kobza.portal.signin import CookieSigner, GuessLimit


def portal_routes(context: ApiContext, secret: bytes) -> list[BaseRoute]:
    """Return the routes. `secret` (32 bytes or more) signs the cookies: whoever has it can sign in as anybody."""
    portal = Portal(
        context=context,
        signer=CookieSigner(secret),
        pages=Pages(),
        guesses=GuessLimit(),
        hashing=anyio.Semaphore(HASHING_AT_ONCE),
        peaks=KnownPeaks(),
        tallies=KnownTallies(),
    )
    sign_in = actions.SignIn(portal)
    shown = {
        "/": pages.overview,
        "/live": board.board,
        "/live/stream": board.board_stream,
        "/history": history.history,
        "/history.{kind}": history.history_file,
        "/history/{call_id}": call_page.call_page,
        "/statistics": statistics.statistics,
        "/statistics/{part}.csv": statistics.statistics_file,
        "/statistics/{part}.svg": statistics.statistics_picture,
        "/statistics/{part}": statistics.statistics_part,
        "/provisioning": pages.provisioning,
        "/crm-integration": pages.crm_integration,
        "/recordings/{record_id}": pages.recording,
        "/recordings/{record_id}/waveform": waveform.waveform,
    }
    forms = {
        "/signout": actions.sign_out,
        "/live/hangup": live_actions.hang_up,
        "/live/hold": live_actions.hold,
        "/live/resume": live_actions.resume,
        "/live/transfer": live_actions.transfer,
        "/provisioning/dnd": actions.switch_dnd,
        "/crm-integration/webhook": actions.set_webhook,
        "/crm-integration/webhook/activate": actions.activate_webhook,
        "/crm-integration/webhook/remove": actions.remove_webhook,
        "/crm-integration/tokens/add": token_actions.add_token,
        "/crm-integration/tokens/rotate": token_actions.rotate_token,
        "/crm-integration/tokens/revoke": token_actions.revoke_token,
    }
    return [
        Route("/static/{name}", static_file, methods=["GET"]),
        Route("/signin", sign_in.form, methods=["GET"]),
        Route("/signin", sign_in.sign_in, methods=["POST"]),
        Route("/language/{language}", actions.choose_language, methods=["GET"]),
        Route("/theme/{theme}", actions.choose_theme, methods=["GET"]),
        *(Route(path, page(portal, show), methods=["GET"]) for path, show in shown.items()),
        *(Route(path, action(portal, act), methods=["POST"]) for path, act in forms.items()),
    ]
