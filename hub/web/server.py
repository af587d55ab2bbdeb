"""The aiohttp application: webhooks, API, workspace, health; and the one place that turns errors to answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from hub.kernel.errors import HubError
from hub.web import calendar, health, metrics, public_files, webhooks
from hub.web.api.routes import api_routes
from hub.web.context import SERVICES, Services
from hub.web.metrics import METRICS, Metrics
from hub.web.problems import of_error, problem
from hub.web.workspace.routes import page_of_error, workspace_routes

log = structlog.get_logger("hub.web")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 2 * 1024 * 1024


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No traceback reaches anybody: every error becomes a problem document, or a page in the workspace."""
    answers = request.app[METRICS].answers
    try:
        response = await handler(request)
        answers[request.method, _route(request), response.status] += 1
        return response
    except HubError as error:
        answer = of_error(error)
        if answer.status >= 500 and answer.status != 503:
            log.exception("request_failed", path=_route(request), error=type(error).__name__)
    except web.HTTPException as error:
        if error.status < 400:
            answers[request.method, _route(request), error.status] += 1
            raise
        answer = problem(error.status, _SENTENCES.get(error.status, error.reason), headers=_kept(error))
    except Exception as error:
        # The last boundary: a bug of ours.
        log.exception("request_raised", path=_route(request), error=type(error).__name__)
        answer = problem(500, "something went wrong here; it is in the log")
    answers[request.method, _route(request), answer.status] += 1
    return page_of_error(request, answer) if _wants_page(request) else answer


_SENTENCES = {
    404: "there is nothing at this address",
    405: "this address does not take that method",
    413: "the body is too large",
}


def _kept(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


def _wants_page(request: web.Request) -> bool:
    path = request.path
    return not path.startswith(
        ("/api/", "/in/", "/calendar/", "/healthz", "/readyz", "/metrics")
    ) and "text/html" in request.headers.get("Accept", "")


def _route(request: web.Request) -> str:
    """The pattern of the route, never the path itself: it may hold secrets."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def build_web(services: Services) -> web.Application:
    """The application of one process."""
    app = build_bare(services)
    app.add_routes(webhooks.routes())
    app.add_routes(calendar.routes())
    app.add_routes(public_files.routes())
    app.add_routes(api_routes())
    workspace_routes(app)
    return app


def build_bare(services: Services) -> web.Application:
    """What every process answers, one that only works in the background too: is it alive, ready, and how it does."""
    app = web.Application(middlewares=[errors], client_max_size=MAX_BODY)
    app[SERVICES] = services
    app[METRICS] = Metrics(services)
    app.add_routes(health.routes())
    app.add_routes(metrics.routes())
    return app
