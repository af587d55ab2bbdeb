"""What an account answers by itself to a new request: decides whether, and with which words.

Off unless somebody switched it on for the account. A request is acknowledged once, a customer once in 24 hours,
by the account he wrote to, and never

    what a program wrote                the plugin says so (`Event.automatic`): the intake does not even ask
    an address that nobody reads        no-reply, mailer-daemon and the like
    a request that has an answer        somebody was quicker
    who left, or cannot be written to

So two hubs that write to each other come to an end at once: an acknowledgement says of itself that a program wrote it,
and where a relay strips that, the second one meets the customer's 24 hours. Outside the planned hours of the
team its own text is sent, with the time at which somebody is there again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May, system
from hub.accounts import store as accounts
from hub.assignment.ledger import peek
from hub.contacts import store as contacts
from hub.db.rows import OutboxRow, RequestRow
from hub.db.tables import acknowledgement, membership, message, message_extra, team
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import DAY, Instant
from hub.kernel.errors import FieldProblem, InputRejected, NotFound, VersionConflict
from hub.notices.texts import Speak
from hub.orders.templates import LANGUAGES, MAX_TEMPLATE, fill, variables_of
from hub.outbox.model import OutboxState
from hub.requests import replies
from hub.requests import store as requests
from hub.requests.model import RequestState
from hub.requests.replies import Letter, Writer
from hub.sdk.messages import OutgoingKind, SendResult, Sent
from hub.staff import schedule
from hub.staff.calendar import shift_starts, working

ACTOR = system("acknowledgement")
VARIABLES = ("contact.name", "request.subject", "team.title", "opens_at")
ONCE_WITHIN = DAY
LOOK_AHEAD = 21 * DAY
_NOBODY_READS = re.compile(
    r"(?:no|do|dont|not|never)[._-]?(?:not[._-]?)?(?:reply|answer)[a-z0-9._+-]*"
    r"|mailer-daemon|postmaster|bounces?(?:[._+-][^@]*)?|notifications?|robot|daemon"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What an account answers by itself. Texts by language; "" or none: no text of its own."""

    account: str
    active: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)
    away_texts: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


# --- settings --------------------------------------------------------------------------------------------


def get(conn: Connection, account: str) -> Acknowledgement:
    """The account's; off where nobody has written any. Raises NotFound for no channel account."""
    accounts.get(conn, "channel", account)
    return known(conn, account)


def known(conn: Connection, account: str) -> Acknowledgement:
    """The same for an account that is there."""
    row = conn.execute(select(acknowledgement).where(acknowledgement.c.account == account)).one_or_none()
    if row is None:
        return Acknowledgement(account=account)
    return Acknowledgement(
        account=account, active=row.active, texts=orjson.loads(row.texts),
        away_texts=orjson.loads(row.away_texts), version=row.version,
    )  # fmt: skip


def keep(
    tx: Tx,
    actor: Actor,
    account: str,
    *,
    active: bool,
    texts: Mapping[str, str],
    away_texts: Mapping[str, str],
    expected_version: int | None = None,
) -> Acknowledgement:
    """Write it. Raises InputRejected naming every fault, VersionConflict, NotFound."""
    actor.require(May.LEAD)
    before = get(tx.conn, account)
    if expected_version is not None and expected_version != before.version:
        raise VersionConflict("the acknowledgement was changed by somebody else", version=before.version)
    problems: list[FieldProblem] = []
    kept = {
        name: _checked(found, name, problems) for name, found in (("text", texts), ("away_text", away_texts))
    }
    if active and not kept["text"]:
        problems.append(FieldProblem("text_uk", "an acknowledgement needs a text"))
    if problems:
        raise InputRejected("something is missing or wrong: see the marked fields", problems)
    values = {
        "active": active, "texts": orjson.dumps(kept["text"]).decode(),
        "away_texts": orjson.dumps(kept["away_text"]).decode(), "actor": actor.label, "updated_at": tx.now,
        "version": before.version + 1,
    }  # fmt: skip
    if before.version:
        tx.execute(update(acknowledgement).where(acknowledgement.c.account == account).values(**values))
    else:
        tx.execute(insert(acknowledgement).values(account=account, **values))
    return known(tx.conn, account)


def _checked(found: Mapping[str, str], name: str, problems: list[FieldProblem]) -> dict[str, str]:
    kept = {}
    for language, typed in found.items():
        where = f"{name}_{language}"
        body = text.clean(typed, MAX_TEMPLATE)
        if language not in LANGUAGES:
            problems.append(FieldProblem(where, "one of uk, en"))
        unknown = [one for one in dict.fromkeys(variables_of(body)) if one not in VARIABLES]
        if unknown:
            problems.append(FieldProblem(where, f"there is no variable {', '.join(unknown)}"))
        if body:
            kept[language] = body
    return kept


# --- deciding --------------------------------------------------------------------------------------------


def nobody_reads(address: str) -> bool:
    """Is this an address that programs write from?"""
    return _NOBODY_READS.fullmatch(address.partition("@")[0].casefold()) is not None


def pick(texts: Mapping[str, str], wanted: Sequence[str]) -> str:
    """The text of the first language that has one, else any."""
    return next((texts[one] for one in wanted if texts.get(one)), "") or next(iter(texts.values()), "")


def hours(conn: Connection, team_id: int, now: Instant) -> tuple[bool, Instant | None]:
    """(is anybody of the team planned to work now, when somebody is next; None where nobody is planned)."""
    zone = ZoneInfo(peek(conn, team_id).rules.timezone)
    people = conn.execute(
        select(membership.c.staff_id).where(membership.c.team_id == team_id, membership.c.closed_at.is_(None))
    ).scalars()
    calendars = schedule.read(conn, list(people), zone).values()
    if not calendars or any(working(one, now, Instant(now + 1), plan=True) for one in calendars):
        return True, None
    starts = [at for one in calendars for at in shift_starts(one, now, Instant(now + LOOK_AHEAD))]
    return False, min(starts, default=None)


class AcknowledgementSink:
    """The outbox lane `acknowledgement`: turned into a message of the conversation, in its own transaction."""

    def __init__(self, writers: Mapping[str, Writer], speak: Speak, language: str) -> None:
        self._writers = writers
        self._speak = speak
        self._language = language

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult:
        """Nothing leaves here: see `settled`."""
        del rows
        return Sent()

    def settled(self, tx: Tx, row: OutboxRow, state: OutboxState, result: SendResult) -> None:
        """Write the message, if there is to be one."""
        del result
        told = orjson.loads(row.payload)
        writer = self._writers.get(told["account"])
        if state is not OutboxState.DONE or writer is None:
            return
        chosen = known(tx.conn, writer.account)
        try:
            found = requests.get(tx.conn, int(told["request_id"]))
        except NotFound:
            return
        if chosen.active and found.state == RequestState.OPEN and self._may(tx, found, writer):
            body = self._text(tx, chosen, found)
            letter = Letter(text=body, kind=OutgoingKind.ACKNOWLEDGEMENT)
            subject = replies.answer_subject(found.subject)
            replies.put_out(tx, ACTOR, found.id, requests.home_of(found), writer.account, letter, subject)

    def _may(self, tx: Tx, found: RequestRow, writer: Writer) -> bool:
        contact = contacts.get(tx.conn, found.contact_id)
        ways = replies.ways(tx.conn, contact, {writer.account: writer}, requests.home_of(found))
        way = next((one for one in ways if not one.closed), None)
        if way is None or (writer.writes_to == "email" and nobody_reads(way.address)):
            return False
        answered = select(message.c.id).where(message.c.request_id == found.id, message.c.direction == "out")
        if tx.execute(answered.limit(1)).first() is not None:
            return False
        lately = (
            select(message.c.id)
            .join(message_extra, message_extra.c.message_id == message.c.id)
            .where(
                message.c.request_id.in_(requests.newest_of_contact(found.contact_id)),
                message_extra.c.kind == OutgoingKind.ACKNOWLEDGEMENT,
                message.c.created_at > tx.now - ONCE_WITHIN,
            )
        )
        return tx.execute(lately.limit(1)).first() is None

    def _text(self, tx: Tx, chosen: Acknowledgement, found: RequestRow) -> str:
        contact = contacts.get(tx.conn, found.contact_id).row
        wanted = [found.language or "", contact.language or "", self._language]
        there, opens_at = hours(tx.conn, found.team_id, tx.now)
        texts = chosen.texts if there or not chosen.away_texts else chosen.away_texts
        body = pick(texts, wanted)
        language = next((one for one in wanted if texts.get(one) == body), self._language)
        speech = self._speak(language)
        return fill(
            body,
            {
                "contact.name": contact.name or contact.organisation,
                "request.subject": found.subject,
                "team.title": tx.execute(select(team.c.title).where(team.c.id == found.team_id)).scalar_one(),
                "opens_at": speech.when(opens_at) if opens_at is not None else "",
            },
        )
