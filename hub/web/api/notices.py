"""/api/v1/notices, /api/v1/acknowledgements, /api/v1/undelivered, ready texts of a request"""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import May
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected
from hub.notices import acknowledgement, store
from hub.notices.acknowledgement import Acknowledgement
from hub.notices.model import Choice, Group, Place, Written, clock_of, read_choice
from hub.notices.store import NoticeRow
from hub.orders.offered import offered
from hub.orders.templates import MAX_TEMPLATE
from hub.web.api import schemas as s
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation
from hub.web.api.schemas import time_of

GroupName = Literal["tasks", "orders", "alarms", "digest"]
PlaceName = Literal["workspace", "messenger", "email"]
Clock = Field("", max_length=5, description='HH:MM, "" for none')
Text = Field("", max_length=MAX_TEMPLATE)


def _person(call: Call) -> int:
    """Whose notices. Raises InputRejected for a token that acts for nobody."""
    if call.actor.staff_id is None:
        raise InputRejected(
            "say whose", [FieldProblem("staff_id", "notices are a person's: use a token that acts for one")]
        )
    return call.actor.staff_id


# --- the list --------------------------------------------------------------------------------------------


class NoticePage(s.Page):
    """A page of the list."""

    unread: bool = Field(False, description="only those that are not read")


class NoticeOut(s.Out):
    """Something that the person was told."""

    id: str
    kind: str
    created_at: s.Time
    read_at: s.Time | None
    body: dict[str, Any] = Field(description="what it is about: ids and numbers")


class ReadBody(s.In):
    """Which are read; without ids all of them."""

    ids: list[s.Id] | None = Field(None, max_length=500)


class UnreadOut(s.Out):
    """How many are left."""

    unread: int


def _notice(row: NoticeRow) -> NoticeOut:
    return NoticeOut(
        id=str(row.id), kind=row.kind, created_at=time_of(row.created_at) or "", read_at=time_of(row.read_at),
        body=dict(row.body),
    )  # fmt: skip


def list_notices(conn: Connection, call: Call) -> BaseModel:
    """One's own, newest first."""
    asked: NoticePage = call.query
    before = int(asked.cursor) if asked.cursor is not None else None
    rows = store.page(conn, _person(call), before=before, limit=asked.limit + 1, unread=asked.unread)
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    return list_of(NoticeOut)(
        items=[_notice(row) for row in rows], next_cursor=str(rows[-1].id) if more else None
    )


def read_notices(tx: Tx, call: Call) -> UnreadOut:
    """They are read."""
    body: ReadBody = call.body
    staff_id = _person(call)
    store.read_all(tx, staff_id, None if body.ids is None else [int(one) for one in body.ids])
    return UnreadOut(unread=store.unread(tx.conn, staff_id))


# --- one's own choice ------------------------------------------------------------------------------------


class ChoiceBody(s.In):
    """Where one is told what. A group that is missing goes to workspace and messenger."""

    places: dict[GroupName, list[PlaceName]] = Field(default_factory=dict)
    email: str = Field("", max_length=254)
    quiet_from: str = Clock
    quiet_until: str = Clock
    timezone: str = Field("", max_length=60, description="such as Europe/Kyiv; empty: the hub's")
    digest: str = Field(
        "", max_length=5, description="HH:MM of the morning in numbers, for heads; empty: none"
    )
    alarms_in_quiet: bool = Field(
        True, strict=True, description="alarms of the hub do not wait for the end of the quiet hours"
    )


class ChoiceOut(s.Out):
    """Where one is told what."""

    places: dict[str, list[str]]
    email: str
    quiet_from: str
    quiet_until: str
    timezone: str
    digest: str
    alarms_in_quiet: bool
    messenger: str | None = Field(description="the account through which a messenger is linked")
    version: int


class CodeOut(s.Out):
    """A one-time code: send it to the staff bot within 15 minutes."""

    code: str
    account: str = Field(description="the staff bot's account; empty: the hub has none yet")


def _choice(conn: Connection, staff_id: int, chosen: Choice) -> ChoiceOut:
    link = store.link_of(conn, staff_id)
    quiet = chosen.quiet or (None, None)
    return ChoiceOut(
        places={str(group): [str(place) for place in Place if chosen.wants(group, place)] for group in Group},
        email=chosen.email,
        quiet_from=clock_of(quiet[0]),
        quiet_until=clock_of(quiet[1]),
        timezone=chosen.timezone,
        digest=clock_of(chosen.digest),
        alarms_in_quiet=chosen.alarms_in_quiet,
        messenger=link.account if link is not None else None,
        version=chosen.version,
    )


def get_choice(conn: Connection, call: Call) -> ChoiceOut:
    """One's own."""
    staff_id = _person(call)
    return _choice(conn, staff_id, store.choice(conn, staff_id))


def put_choice(tx: Tx, call: Call) -> ChoiceOut:
    """Another one. Only who leads gets a digest."""
    body: ChoiceBody = call.body
    staff_id = _person(call)
    if body.digest:
        call.actor.require(May.LEAD)
    written = Written(
        places={group: frozenset(found) for group, found in body.places.items()},
        email=body.email, quiet_from=body.quiet_from, quiet_until=body.quiet_until, timezone=body.timezone,
        digest=body.digest, alarms_in_quiet=body.alarms_in_quiet,
    )  # fmt: skip
    usual = ZoneInfo(call.services.loaded.settings.hub.timezone)
    return _choice(
        tx.conn, staff_id, store.keep_choice(tx, staff_id, read_choice(written), usual, call.if_match)
    )


def make_code(tx: Tx, call: Call) -> CodeOut:
    """A code for the staff bot; the one before ends."""
    staff_id = _person(call)
    access.write_audit(tx, call.actor, "messenger_code", str(staff_id))
    return CodeOut(code=store.make_code(tx, staff_id), account=call.services.staff_accounts.bot)


def end_link(tx: Tx, call: Call) -> ChoiceOut:
    """The messenger is one's own no more."""
    staff_id = _person(call)
    if store.unlink(tx, staff_id):
        access.write_audit(tx, call.actor, "messenger_ended", str(staff_id))
    return _choice(tx.conn, staff_id, store.choice(tx.conn, staff_id))


# --- acknowledgements --------------------------------------------------------------------------------------


class TextsBody(s.In):
    """A text by language."""

    uk: str = Text
    en: str = Text


class AcknowledgementBody(s.In):
    """What an account answers by itself to a new request."""

    active: bool = Field(strict=True)
    texts: TextsBody = TextsBody()
    away_texts: TextsBody = Field(
        TextsBody(), description="outside the team's planned hours; empty: the same"
    )


class AcknowledgementOut(s.Out):
    """What an account answers by itself to a new request."""

    account: str
    active: bool
    texts: dict[str, str]
    away_texts: dict[str, str]
    version: int


def _acknowledgement(found: Acknowledgement) -> AcknowledgementOut:
    return AcknowledgementOut(
        account=found.account, active=found.active, texts=dict(found.texts), away_texts=dict(found.away_texts),
        version=found.version,
    )  # fmt: skip


def get_acknowledgement(conn: Connection, call: Call) -> AcknowledgementOut:
    """Off and empty where nobody has written any."""
    return _acknowledgement(acknowledgement.get(conn, call.params["name"]))


def put_acknowledgement(tx: Tx, call: Call) -> AcknowledgementOut:
    """Texts, on or off."""
    body: AcknowledgementBody = call.body
    kept = acknowledgement.keep(
        tx, call.actor, call.params["name"], active=body.active, texts=body.texts.model_dump(),
        away_texts=body.away_texts.model_dump(), expected_version=call.if_match,
    )  # fmt: skip
    access.write_audit(tx, call.actor, "acknowledgement_kept", call.params["name"])
    return _acknowledgement(kept)


# --- what could not be delivered ---------------------------------------------------------------------------


class UndeliveredOut(s.Out):
    """Something that was given up."""

    id: str
    lane: str
    kind: str
    created_at: s.Time
    reason: str | None


class SettledOut(s.Out):
    """It is settled."""

    id: str


def list_undelivered(conn: Connection, _call: Call) -> BaseModel:
    """Newest first, at most 100; replies stand in their conversations, web hooks have a list of their own."""
    return list_of(UndeliveredOut)(
        items=[
            UndeliveredOut(
                id=str(row.id), lane=row.lane, kind=row.kind, created_at=time_of(row.created_at) or "",
                reason=row.last_error,
            )
            for row in store.undelivered(conn)
        ]
    )  # fmt: skip


def send_again(tx: Tx, call: Call) -> SettledOut:
    """Once more."""
    store.send_again(tx, call.id())
    access.write_audit(tx, call.actor, "undelivered_again", str(call.id()))
    return SettledOut(id=str(call.id()))


def drop(tx: Tx, call: Call) -> SettledOut:
    """It need not be sent any more."""
    store.drop(tx, call.id())
    access.write_audit(tx, call.actor, "undelivered_drop", str(call.id()))
    return SettledOut(id=str(call.id()))


# --- ready texts -------------------------------------------------------------------------------------------


class OfferedOut(s.Out):
    """A text for replies with everything filled in."""

    name: str
    language: str
    text: str
    missing: list[str] = Field(description="variables that nothing stands for yet")


def list_offered(conn: Connection, call: Call) -> BaseModel:
    """Those in the customer's language first."""
    return list_of(OfferedOut)(
        items=[
            OfferedOut(name=one.name, language=one.language, text=one.text, missing=list(one.missing))
            for one in offered(conn, call.id(), call.actor.staff_id)
        ]
    )


_MINE: dict[str, Any] = {"tag": "notices", "errors": (422,)}
_OPERATE: dict[str, Any] = {"tag": "notices", "may": May.OPERATE}
_ACK: dict[str, Any] = {"tag": "channels", "may": May.LEAD, "result": AcknowledgementOut}
OPERATIONS = (
    Operation(
        method="GET", path="/notices", summary="List one's own notices", may=May.SEE, query=NoticePage,
        result=list_of(NoticeOut), reads=list_notices, **_MINE,
    ),
    Operation(
        method="POST", path="/notices/read", summary="Mark notices as read", may=May.WORK, body=ReadBody,
        result=UnreadOut, writes=read_notices, **_MINE,
    ),
    Operation(
        method="GET", path="/notices/choice", summary="Where one is told what", may=May.SEE, result=ChoiceOut,
        reads=get_choice, **_MINE,
    ),
    Operation(
        method="PUT", path="/notices/choice", summary="Choose where one is told what", may=May.WORK, body=ChoiceBody,
        result=ChoiceOut, writes=put_choice, versioned=True, tag="notices", errors=(412, 422),
    ),
    Operation(
        method="POST", path="/notices/messenger", summary="A one-time code that links a messenger", may=May.WORK,
        result=CodeOut, writes=make_code, status=201, **_MINE,
    ),
    Operation(
        method="DELETE", path="/notices/messenger", summary="Unlink the messenger", may=May.WORK, result=ChoiceOut,
        writes=end_link, **_MINE,
    ),
    Operation(
        method="GET", path="/acknowledgements/{name}", summary="What a channel account answers by itself",
        reads=get_acknowledgement, errors=(404,), **_ACK,
    ),
    Operation(
        method="PUT", path="/acknowledgements/{name}", summary="Change what a channel account answers by itself",
        body=AcknowledgementBody, writes=put_acknowledgement, versioned=True, errors=(404, 412, 422), **_ACK,
    ),
    Operation(
        method="GET", path="/undelivered", summary="What could not be delivered", result=list_of(UndeliveredOut),
        reads=list_undelivered, **_OPERATE,
    ),
    Operation(
        method="POST", path="/undelivered/{id}/again", summary="Send something that was given up once more",
        result=SettledOut, writes=send_again, errors=(404,), **_OPERATE,
    ),
    Operation(
        method="POST", path="/undelivered/{id}/drop", summary="Drop something that was given up", result=SettledOut,
        writes=drop, errors=(404,), **_OPERATE,
    ),
    Operation(
        method="GET", path="/requests/{id}/templates", summary="Ready texts for a request, filled in",
        tag="templates", may=May.SEE, result=list_of(OfferedOut), reads=list_offered, errors=(404,),
    ),
)  # fmt: skip
