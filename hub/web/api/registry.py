"""How an API operation is declared and run.

An operation is data (method, path, models, permission) and one synchronous function on a connection or
a transaction; everything around it is done here, once: who calls, may he, is the input what the model
says, the Idempotency-Key stored in the transaction of the effect, the answer. The OpenAPI document is
made of the same declarations (`hub.web.api.openapi`), so it cannot differ from what runs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import Actor, May
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, HubError, InputRejected
from hub.kernel.ids import parse_id
from hub.kernel.text import sha256_hex
from hub.web.api.schemas import ActingBody, Empty
from hub.web.context import SERVICES, Services
from hub.web.problems import of_error, problem

MAX_BODY = 1024 * 1024
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ETAG = re.compile(r'(?:W/)?"?(\d{1,18})"?')


@dataclass(frozen=True, slots=True)
class Call:
    """One call, checked. `params`: ids of the path as numbers, names as text. `asked`: see `Operation.asks`."""

    services: Services
    actor: Actor
    params: dict[str, Any]
    query: Any
    body: Any
    if_match: int | None
    asked: Any = None

    def said(self) -> Any:
        """What plugins said before the transaction, or raises how they were refused."""
        if isinstance(self.asked, HubError):
            raise self.asked
        return self.asked

    def id(self, name: str = "id") -> int:
        """An id of the path."""
        value = self.params[name]
        assert isinstance(value, int)
        return value

    def acting(self, *, required: bool) -> Actor:
        """Who acts: the caller's person, else `staff_id` of the body (head, admin). Raises InputRejected."""
        wanted = self.body.staff_id if isinstance(self.body, ActingBody) else None
        if wanted is not None and int(wanted) != self.actor.staff_id:
            self.actor.require(May.LEAD)
            staff_id = int(wanted)
            return Actor(f"staff:{staff_id}", self.actor.roles, staff_id)
        if self.actor.staff_id is None and required:
            raise InputRejected(
                "say who acts", [FieldProblem("staff_id", "this token acts for nobody: name the person")]
            )
        return self.actor


Reads = Callable[[Connection, Call], BaseModel]
Writes = Callable[[Tx, Call], BaseModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. Exactly one of `reads` and `writes`; `afterwards` runs on the result, off any transaction.

    asks  asks plugins, in a thread, before the transaction: no plugin's code runs while anything is locked
    """

    method: str
    path: str
    summary: str
    tag: str
    may: May
    result: type[BaseModel]
    reads: Reads | None = None
    writes: Writes | None = None
    asks: Callable[[Call], Any] | None = None
    afterwards: Callable[[Call, BaseModel], Any] | None = None
    query: type[BaseModel] = Empty
    body: type[BaseModel] | None = None
    status: int = 200
    versioned: bool = False
    errors: Sequence[int] = ()

    @property
    def name(self) -> str:
        """operationId: get_tasks_id_why."""
        return re.sub(
            r"[^a-z0-9]+", "_", f"{self.method.lower()} {self.path}".replace("{", "").replace("}", "")
        ).strip("_")

    async def __call__(self, request: web.Request) -> web.Response:
        """Run one request."""
        services = request.app[SERVICES]
        actor = await authenticate(services, request)
        if actor is None:
            return problem(
                401,
                "send a bearer token: `hub token add NAME --role ROLE`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        actor.require(self.may)
        try:
            raw = await request.read() if self.body is not None else b""
            call = Call(
                services,
                actor,
                _params(request),
                read_query(self.query, request),
                read_body(self.body, request, raw) if self.body is not None else None,
                if_match(request) if self.versioned else None,
            )
        except UnsupportedMedia:
            return problem(415, "send application/json")
        if self.asks is not None:
            call = replace(call, asked=await asyncio.to_thread(_told, self.asks, call))
        if self.reads is not None:
            reads = self.reads
            result = await services.db.read(lambda conn: reads(conn, call))
        else:
            written = await self._write(request, call, raw)
            if isinstance(written, web.Response):
                return written
            result = written
        if self.afterwards is not None:
            result = await self.afterwards(call, result)
        return answer(result, self.status)

    async def _write(self, request: web.Request, call: Call, raw: bytes) -> BaseModel | web.Response:
        key = request.headers.get("Idempotency-Key")
        writes = self.writes
        assert writes is not None
        if key is None or self.method != "POST":
            return await call.services.db.write(lambda tx: writes(tx, call))
        if not _KEY.fullmatch(key):
            raise InputRejected(
                "this is no Idempotency-Key",
                [FieldProblem("Idempotency-Key", "1 to 200 printable ASCII characters")],
            )
        return await Idempotent(self, call, request.path, key, raw).run()


def _told(asks: Callable[[Call], Any], call: Call) -> Any:
    """A refusal is kept for the transaction: under an Idempotency-Key it is a first answer like others."""
    try:
        return asks(call)
    except HubError as error:
        return error


class Idempotent:
    """A write under an Idempotency-Key: the effect and its answer are stored together, or neither."""

    _in_flight: ClassVar[set[str]] = set()  # of this process; another process waits on the unique index

    def __init__(self, operation: Operation, call: Call, path: str, key: str, raw: bytes) -> None:
        self._operation = operation
        self._call = call
        self._digest = sha256_hex(raw)
        self._scope = sha256_hex(
            call.actor.label.encode(), operation.method.encode(), path.encode(), key.encode()
        )

    async def run(self) -> web.Response:
        """The first answer, however often it is called."""
        if self._scope in self._in_flight:
            return problem(409, "the same call is under way", headers={"Retry-After": "1"})
        self._in_flight.add(self._scope)
        try:
            stored = await self._call.services.db.write(self._once)
        except HubError as error:
            stored = await self._keep_refusal(of_error(error))
        finally:
            self._in_flight.discard(self._scope)
        if stored.body_digest != self._digest:
            return problem(422, "this Idempotency-Key was used before with another body: take a new one")
        media = "application/json" if stored.status < 400 else "application/problem+json"
        return web.Response(status=stored.status, text=stored.answer, content_type=media)

    def _once(self, tx: Tx) -> access.Replay:
        known = access.find_replay(tx.conn, self._scope, tx.now)
        if known is not None:
            return known
        writes = self._operation.writes
        assert writes is not None
        result = writes(tx, self._call)
        replay = access.Replay(self._digest, self._operation.status, result.model_dump_json())
        access.store_replay(tx, self._scope, replay)
        return replay

    async def _keep_refusal(self, refusal: web.Response) -> access.Replay:
        """4xx answers are first answers too; 5xx are not stored: try again."""
        assert isinstance(refusal.body, bytes)
        replay = access.Replay(self._digest, refusal.status, refusal.body.decode())
        if refusal.status >= 500:
            return replay

        def keep(tx: Tx) -> access.Replay:
            known = access.find_replay(tx.conn, self._scope, tx.now)  # another process may have been first
            if known is None:
                access.store_replay(tx, self._scope, replay)
            return known or replay

        return await self._call.services.db.write(keep)


class UnsupportedMedia(Exception):
    """The body is not JSON by its own words."""


async def authenticate(services: Services, request: web.Request) -> Actor | None:
    """Who a bearer token speaks for."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 10 <= len(token) <= 200:
        return None
    return await services.db.read(lambda conn: access.find_token(conn, token.strip()))


def _params(request: web.Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in request.match_info.items():
        if name == "name":
            found[name] = value[:200]
            continue
        try:
            found[name] = parse_id(value)
        except ValueError as error:
            raise InputRejected(str(error), [FieldProblem(name, str(error))]) from error
    return found


def read_query(model: type[BaseModel], request: web.Request) -> BaseModel:
    """The query by its model; a repeated key is an error. Raises InputRejected."""
    if len(request.query) != len(set(request.query)):  # its length counts values, its keys stand once
        raise InputRejected("a key of the query stands twice")
    try:
        return model.model_validate_strings(dict(request.query))
    except ValidationError as error:
        raise rejected(error, "the query is not valid") from None


def read_body(model: type[BaseModel], request: web.Request, raw: bytes) -> BaseModel:
    """The JSON body by its model. Raises InputRejected, UnsupportedMedia."""
    if raw and request.content_type != "application/json":
        raise UnsupportedMedia
    if len(raw) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(raw))
    try:
        value = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        raise InputRejected("the body is not valid JSON") from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise rejected(error, "the body is not valid") from None


def rejected(error: ValidationError, message: str) -> InputRejected:
    """Pydantic's findings, without the values."""
    problems = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(str(part) for part in detail["loc"])
        words = detail["msg"].removeprefix("Value error, ")
        problems.append(FieldProblem(path, words[:1].lower() + words[1:]))
    return InputRejected(message, problems)


def if_match(request: web.Request) -> int | None:
    """The version of an If-Match header. Raises InputRejected."""
    value = request.headers.get("If-Match")
    if value is None or value.strip() == "*":
        return None
    found = _ETAG.fullmatch(value.strip())
    if found is None:
        raise InputRejected(
            "this is no If-Match", [FieldProblem("If-Match", 'the version in quotes, such as "3"')]
        )
    return int(found.group(1))


def answer(result: BaseModel, status: int) -> web.Response:
    """A result as JSON, with its version as ETag."""
    headers = {}
    version = getattr(result, "version", None)
    if isinstance(version, int):
        headers["ETag"] = f'"{version}"'
    return web.Response(
        status=status, text=result.model_dump_json(), content_type="application/json", headers=headers
    )


def bound(operations: Sequence[Operation], prefix: str) -> list[web.RouteDef]:
    """Routes of operations below a prefix."""
    paths = {o.path for o in operations}
    return [web.route(o.method, prefix + pattern(o.path, paths), o.__call__) for o in operations]


def pattern(path: str, paths: Collection[str]) -> str:
    """aiohttp's pattern of a path: an id at its end is none of the words that have a path of their own there."""
    before, _, last = path.rpartition("/")
    if not last.startswith("{"):
        return path
    words = sorted(p.rpartition("/")[2] for p in paths if p.rpartition("/")[0] == before and "{" not in p)
    return f"{before}/{{{last[1:-1]}:(?!(?:{'|'.join(words)})$)[^{{}}/]+}}" if words else path
