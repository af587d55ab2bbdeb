"""Every error as a problem document (RFC 9457): one table from kinds of errors to HTTP statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import orjson
from aiohttp import web

from hub.intake.door import TooMany
from hub.kernel import errors
from hub.sdk.errors import DeliveryRejected

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[errors.HubError], int], ...] = (
    (errors.InputRejected, 422),
    (errors.NotFound, 404),
    (errors.AccessDenied, 403),
    (errors.VersionConflict, 412),
    (errors.RuleSaysNo, 409),
    (errors.TooMany, 429),
    (errors.Unavailable, 503),
    (errors.HubError, 500),
)


def problem(
    status: int,
    detail: str,
    *,
    problems: Sequence[errors.FieldProblem] = (),
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A problem document. `facts` stand beside the standard members."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if problems:
        body["errors"] = [{"path": p.path, "message": p.message} for p in problems]
    for name, value in (facts or {}).items():
        body.setdefault(name, value if isinstance(value, (str, int, bool)) or value is None else str(value))
    return web.Response(
        status=status, body=orjson.dumps(body), content_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def of_error(error: errors.HubError) -> web.Response:
    """The answer to an error of ours."""
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    headers = {}
    if isinstance(error, errors.Unavailable | errors.TooMany):
        headers["Retry-After"] = str(error.retry_after_s)
    problems = error.problems if isinstance(error, (errors.InputRejected, errors.Incomplete)) else ()
    detail = error.message if status != 500 else "something went wrong here; it is in the log"
    return problem(status, detail, problems=problems, facts=error.facts, headers=headers)


def of_rejection(rejected: DeliveryRejected) -> web.Response:
    """The answer to a delivery that is not accepted."""
    status = rejected.status if 400 <= rejected.status <= 499 else 400
    headers = {"Retry-After": str(rejected.retry_after_s)} if isinstance(rejected, TooMany) else {}
    return problem(status, rejected.message, facts={"reason": rejected.reason}, headers=headers)
