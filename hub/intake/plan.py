"""Decides what a batch of deliveries becomes: rows to insert, rows to change, one result an item.

Pure but for the ids: it works on the snapshot that was read after the lock, and starts from a fresh one
each time the batch is written again. Items of one contact are planned in order of arrival, so the second
of two equal texts in one batch joins the request of the first, as it would have a second later.

    known delivery key         the stored first outcome (another body under the same key: KeyReused)
    known message id           the request that holds it
    same text within 10 min    joins the contact's open request, marked "sent again"
    another text               chats and mail join the open request; a form opens a new one, which is
                               then the joining one; a snoozed task wakes
    who asked before           goes to his person, if he can be dealt it, else by the rule; in chats and
                               mail, within a day of the end, it stays his without a charge
    answers a message of ours  joins the request of that message, whoever of the firm writes
    what cannot be understood  stored raw; at the third try a task "read this by hand"
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

from hub.assignment.ledger import Entries
from hub.assignment.policy import (
    NOTHING,
    EligibleSet,
    Member,
    Needs,
    Roster,
    deal,
    deal_to,
    eligible_set,
    keep_with,
    needs_text,
)
from hub.contacts.model import Person
from hub.db import rows as r
from hub.db.tx import Tx
from hub.intake.extras import extra_rows
from hub.intake.model import DeliveryState, KeyReused, Message, Prepared, Result, retry_at
from hub.intake.planned import NO_ROUTES, PLAIN, Plan, Route
from hub.intake.snapshot import KnownDelivery, OpenRequest, OpenTask, Snapshot, another_key
from hub.intake.staffside import staff_row, told_by_message, told_by_signal
from hub.kernel import text
from hub.kernel.clock import DAY, Instant, instant
from hub.outbox.put import notice_row
from hub.requests.language import language_of
from hub.requests.model import says_again
from hub.sdk.messages import EventKind, Outcome, OutcomeKind

ACTOR = "intake"
FOLLOW_UP_WITHIN = DAY

_KIND = {
    DeliveryState.STORED: OutcomeKind.ACCEPTED,
    DeliveryState.NOTED: OutcomeKind.NOTED,
    DeliveryState.SPAM: OutcomeKind.NOTED,
}


class Planner:
    """Plans one batch. Build a new one for each try."""

    def __init__(
        self,
        tx: Tx,
        snapshot: Snapshot,
        items: Sequence[Prepared],
        stored_sets: dict[str, int] | None = None,
        routing: Mapping[str, Route] = NO_ROUTES,
    ) -> None:
        self._tx = tx
        self._now = tx.now
        self._known = snapshot
        self._items = items
        self._routing = routing
        self._sets: dict[int, dict[Needs, EligibleSet]] = {}
        self._ids: Iterator[int] = iter(())
        self._notices: dict[int, tuple[int, list[str]]] = {}
        self._newest: OpenTask | None = None
        self.plan = Plan()
        self.entries = Entries(tx, ACTOR, stored_sets)

    def run(self) -> Plan:
        """Decide every item."""
        self._ids = iter(self._tx.new_ids(9 * len(self._items) + 16))
        for item in self._items:
            self.plan.results.append(self._decide(item))
        self._tell_the_staff()
        return self.plan

    def _id(self) -> int:
        try:
            return next(self._ids)
        except StopIteration:
            self._ids = iter(self._tx.new_ids(64))
            return next(self._ids)

    # --- one delivery --------------------------------------------------------------------------------

    def _decide(self, item: Prepared) -> Result:
        account = item.raw.account
        key = (item.external_id, account) if item.external_id is not None else None
        known = self._known.deliveries.get(key) if key is not None else None
        if known is not None and known.id != item.earlier:
            self.plan.delivery_ids.append(known.id)
            return self._repeat(item, known)
        if self._routing.get(account, PLAIN).staff:
            item = self._to_the_staff(item)
        delivery_id = item.earlier or self._id()
        self.plan.delivery_ids.append(delivery_id)
        correlation_id = self._id()
        request_id = None
        task_id = None
        for message in item.messages:
            opened, task = self._message(item, message, delivery_id, correlation_id)
            request_id = request_id or opened
            task_id = task_id or task
        if item.signals:
            self.plan.signals.append((account, item.signals))
            for signal in item.signals:
                if signal.kind is EventKind.JOINED and signal.source != "{}":
                    self._known.starts[signal.channel_id, account] = signal.source
        next_try = retry_at(item.attempts, self._now) if item.state not in _KIND else None
        if item.state not in _KIND and next_try is None:
            task_id = self._read_by_hand(item, delivery_id, correlation_id)
        self._store(item, delivery_id, request_id, task_id, next_try, correlation_id)
        if key is not None:
            self._known.deliveries[key] = KnownDelivery(delivery_id, item.digest, item.state, request_id)
        return outcome(item.state, request_id)

    def _to_the_staff(self, item: Prepared) -> Prepared:
        """What is written to the staff's own bot: no request, but a command that is carried out once."""
        account = item.raw.account
        for told in (*map(told_by_message, item.messages), *map(told_by_signal, item.signals)):
            if told is not None:
                self.plan.outbox.append(
                    staff_row(self._id(), account, told, self._now, self._tx.correlation_id)
                )
        state = DeliveryState.NOTED if item.state in _KIND else item.state
        return dataclasses.replace(item, messages=(), signals=(), state=state)

    def _repeat(self, item: Prepared, known: KnownDelivery) -> Result:
        if item.digest and known.digest and item.digest != known.digest:
            return KeyReused()
        if item.earlier is None:
            account = item.raw.account
            self.plan.repeated[account] = self.plan.repeated.get(account, 0) + 1
            self.plan.repeats_of.append(known.id)
        else:  # a stored row turns out to be a repeat of another: it is finished
            self._store(item, item.earlier, known.request_id, None, None, self._id(), DeliveryState.NOTED)
        return outcome(known.state, known.request_id, repeated=True)

    def _store(
        self,
        item: Prepared,
        delivery_id: int,
        request_id: int | None,
        task_id: int | None,
        next_try: int | None,
        correlation_id: int,
        state: DeliveryState | None = None,
    ) -> None:
        raw = item.raw
        settled_as_repeat = item.earlier is not None and state is not None  # the key belongs to the first
        external_id = None if settled_as_repeat else item.external_id
        row = r.DeliveryRow(
            delivery_id,
            external_id,
            raw.account,
            item.digest,
            state or item.state,
            request_id,
            task_id,
            item.reason,
            item.attempts,
            0,
            instant(raw.received_at),
            next_try,
            correlation_id,
        )
        if item.earlier is not None:
            self.plan.replayed.append(row)
            return
        self.plan.deliveries.append(row)
        self.plan.stored[raw.account] = self.plan.stored.get(raw.account, 0) + 1
        self.plan.bodies.append(
            r.DeliveryBodyRow(
                delivery_id,
                raw.method,
                text.clean(raw.path, text.SUBJECT),
                item.headers,
                item.query,
                raw.address,
                None if item.blob else raw.body,
                item.blob,
                len(raw.body),
            )
        )

    # --- one message ---------------------------------------------------------------------------------

    def _message(
        self, item: Prepared, message: Message, delivery_id: int, correlation_id: int
    ) -> tuple[int | None, int | None]:
        """The request that holds the message, and the task it opened, if any."""
        event, account = message.event, item.raw.account
        message_key = event.message_id or None
        if message_key is not None:
            message_key = self._own_key(message_key, account, message)
            known = self._known.message_keys.get((message_key, account))
            if known is not None:
                return known, None
        echo = event.kind is EventKind.ECHO
        if echo and not any(key in self._known.contacts for key in message.person.identities):
            return None, None  # we wrote to somebody who has never asked us anything
        contact_id, others = self._contact(message.person)
        thread = self._thread(account, message)
        current = thread or self._known.open_requests.get((contact_id, item.team_id))
        if echo and current is None:
            return None, None
        again = current is not None and says_again(
            message.text_key, current.text_key, Instant(current.opened_at), self._now
        )
        task_id = None
        if current is not None and (again or event.joins_open or thread is not None):
            request_id = current.id
            if not echo:
                self._joined(current, again=again)
        else:
            request_id, task_id = self._open(item, message, contact_id, current, correlation_id)
        for other in others:
            self.plan.doubts.append(
                r.ContactDoubtRow(self._id(), request_id, contact_id, other, "two contacts", self._now)
            )
        if message_key is not None:
            self._known.message_keys[message_key, account] = request_id
            if event.shared_id:
                self._known.texts.setdefault((message_key, account), message.text_key)
        message_id = self._id()
        if message.extra is not None:
            extra, files = extra_rows(message.extra, message_id, self._now, self._id)
            self.plan.extras.append(extra)
            self.plan.attachments += files
        self.plan.messages.append(
            r.MessageRow(
                message_id,
                message_key,
                account,
                request_id,
                contact_id,
                delivery_id,
                "out" if echo else "in",
                None,
                message.text,
                message.fields,
                instant(event.sent_at) if event.sent_at is not None else None,
                self._now,
                "sent" if echo else "repeat" if again else "received",
            )
        )
        return request_id, task_id

    def _own_key(self, key: str, account: str, message: Message) -> str:
        """Another mail under the same id is another message."""
        before = self._known.texts.get((key, account)) if message.event.shared_id else None
        return key if before in (None, message.text_key) else another_key(message)

    def _thread(self, account: str, message: Message) -> OpenRequest | None:
        """The open request of the conversation that this message answers."""
        names = [(account, message.event.message_id)] if message.event.shared_id else []
        if message.extra is not None:
            names += [("", message.extra.thread_token), *((account, one) for one in message.extra.replies_to)]
        return next((self._known.threads[name] for name in names if name in self._known.threads), None)

    def _contact(self, person: Person) -> tuple[int, list[int]]:
        """The contact of the strongest identity that is known, else a new one; others it clashes with."""
        known = self._known.contacts
        found = [known[key] for key in person.identities if key in known]
        contact_id = found[0] if found else self._new_contact(person)
        for key in person.identities:
            if key not in known:
                known[key] = contact_id
                self.plan.identities.append(r.IdentityRow(key.value, key.kind, contact_id, self._now))
        return contact_id, [other for other in dict.fromkeys(found) if other != contact_id] if found else []

    def _new_contact(self, person: Person) -> int:
        contact_id = self._id()
        self.plan.contacts.append(
            r.ContactRow(
                contact_id,
                person.kind,
                person.name,
                person.organisation,
                person.language,
                "",
                self._now,
                self._now,
            )
        )
        return contact_id

    def _joined(self, current: OpenRequest, *, again: bool) -> None:
        request_id = current.id
        if current.task is not None and current.task.state == "snoozed":
            self.plan.woken.append(current.task.id)
        row = self.plan.requests.get(request_id)
        if row is not None:
            self.plan.requests[request_id] = row._replace(sent_again=row.sent_again + again)
        elif again:
            self.plan.sent_again.append(request_id)

    def _open(
        self,
        item: Prepared,
        message: Message,
        contact_id: int,
        current: OpenRequest | None,
        correlation_id: int,
    ) -> tuple[int, int]:
        if current is not None:
            self._demote(current)
        request_id = self._id()
        subject = message.subject or message.person.name
        needs = self._needs(item.raw.account, message)
        if not message.event.automatic and message.event.kind is EventKind.MESSAGE:
            self.plan.opened.append((item.raw.account, request_id, contact_id, correlation_id))
        self.plan.requests[request_id] = r.RequestRow(
            request_id,
            item.team_id,
            contact_id,
            item.raw.account,
            "open",
            True,
            subject,
            self._source(item.raw.account, message),
            needs.language or None,
            message.text_key,
            0,
            0,
            self._now,
            self._now + DAY,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            ACTOR,
            correlation_id,
            self._now,
        )
        opened = self._known.open_requests[contact_id, item.team_id] = OpenRequest(
            request_id, message.text_key, self._now, stored=False
        )
        self._note("request", request_id, "opened", correlation_id)
        person = self._person_of(contact_id, item.team_id, current)
        kept = current is None and message.event.joins_open and self._just_finished(contact_id, item.team_id)
        task_id = self._task(
            item.team_id, request_id, "request", message.task_title or subject, None, correlation_id, needs, person,
            kept=kept, reaction=message.reaction_ms,
        )  # fmt: skip
        opened.task = self._newest
        return request_id, task_id

    def _source(self, account: str, message: Message) -> str:
        """Where he came from: what the message tells, and the link by which he opened the chat."""
        key = (message.event.sender.channel_id, account)
        start = self._known.starts.pop(key, None) if self._known.starts else None
        if start is None:
            return message.source
        self.plan.started.append(key)
        return json.dumps({**json.loads(start), **json.loads(message.source)}, ensure_ascii=False)

    def _needs(self, account: str, message: Message) -> Needs:
        route = self._routing.get(account, PLAIN)
        return Needs(account, language_of(route.language, message.person.language, message.text), route.skill)

    def _person_of(self, contact_id: int, team_id: int, current: OpenRequest | None) -> int | None:
        """Who has the contact's open request, else who finished his last one."""
        if current is not None and current.task is not None:
            return current.task.membership_id
        owner = self._known.owners.get((contact_id, team_id))
        return owner.membership_id if owner is not None else None

    def _just_finished(self, contact_id: int, team_id: int) -> bool:
        owner = self._known.owners.get((contact_id, team_id))
        return owner is not None and self._now - owner.closed_at <= FOLLOW_UP_WITHIN

    def _demote(self, current: OpenRequest) -> None:
        """At most one open request of a contact and team is the joining one: the newest."""
        if current.stored:
            self.plan.demoted.append(current.id)
        else:
            self.plan.requests[current.id] = self.plan.requests[current.id]._replace(joining=False)

    # --- tasks ---------------------------------------------------------------------------------------

    def _read_by_hand(self, item: Prepared, delivery_id: int, correlation_id: int) -> int:
        title = f"{item.raw.account}: {item.state}"
        return self._task(item.team_id, None, "read_by_hand", title, delivery_id, correlation_id)

    def _task(
        self,
        team_id: int,
        request_id: int | None,
        kind: str,
        title: str,
        subject_id: int | None,
        correlation_id: int,
        needs: Needs = NOTHING,
        person: int | None = None,
        *,
        kept: bool = False,
        reaction: int | None = None,
    ) -> int:
        """A new task, dealt at once if anybody can take it, else waiting in the queue.

        `person`: whose customer it is; `kept`: he has only just finished with him, so it stays his.
        `reaction`: a limit of its own, else its team's.
        """
        task_id = self._id()
        roster = self._known.rosters[team_id]
        given = self._give(roster, task_id, correlation_id, needs, person, kept=kept)
        state, holder, staff_id, seq, paid, since, react_by = "waiting", None, None, None, 0, None, None
        if given is not None:
            entry, taker = given
            if taker.limit is not None and taker.load >= taker.limit:
                self._sets.pop(team_id, None)
            state, holder, staff_id, seq = "assigned", taker.id, taker.staff_id, entry.seq
            paid, since = entry.units, self._now
            limit = reaction if reaction is not None else roster.rules.reaction
            react_by = None if limit is None else self._now + limit
            self._notices.setdefault(staff_id, (correlation_id, []))[1].append(str(task_id))
        self._newest = OpenTask(task_id, state, holder)
        row = r.TaskRow(
            task_id, team_id, request_id, kind, state, holder, staff_id, title, seq, paid, "[]", self._now, since,
            None, None, None, None, None, None, subject_id, ACTOR, correlation_id, self._now, 1,
            needs_text(needs), react_by, reaction,
        )  # fmt: skip
        self.plan.tasks.append(row)
        return task_id

    def _give(
        self,
        roster: Roster,
        task_id: int,
        correlation_id: int,
        needs: Needs,
        person: int | None,
        *,
        kept: bool,
    ) -> tuple[r.LedgerRow, Member] | None:
        """The entry and who has the task now; None if nobody can take it."""
        member = roster.members.get(person) if person is not None else None
        if kept and member is not None and not member.closed and not member.away:
            keep_with(roster, member.id)
            entry = self.entries.add(
                roster, "follow_up", task_id=task_id, needs=needs_text(needs), units=0, correlation_id=correlation_id,
                taker=member.id, credit_after=member.credit,
            )  # fmt: skip
            return entry, member
        chosen_from = self._set(roster, needs)
        if not chosen_from.ids:
            return None
        if member is not None and roster.rules.returning and member.id in chosen_from.ids:
            choice, event = deal_to(roster, chosen_from, member.id), "returning"
        else:
            choice, event = deal(roster, chosen_from), "deal"
        entry = self.entries.dealt(
            roster, event, task_id, needs_text(needs), chosen_from, choice, correlation_id
        )
        return entry, roster.members[choice.taker]

    def _set(self, roster: Roster, needs: Needs) -> EligibleSet:
        """The eligible set, computed once for as long as nobody reaches a limit."""
        sets = self._sets.setdefault(roster.team_id, {})
        found = sets.get(needs)
        if found is None:
            found = sets[needs] = eligible_set(roster, (), needs)
        return found

    def _tell_the_staff(self) -> None:
        """One notice a person for all that this batch dealt him; it bears the correlation id of the first."""
        for staff_id, (correlation_id, task_ids) in self._notices.items():
            row = notice_row(self._id(), "task_assigned", staff_id, task_ids, self._now, correlation_id)
            self.plan.outbox.append(row)

    def _note(self, entity: str, entity_id: int, event: str, correlation_id: int) -> None:
        self.plan.journal.append(
            r.JournalRow(self._id(), entity, entity_id, event, ACTOR, None, "{}", self._now, correlation_id)
        )


def outcome(state: str, request_id: int | None, *, repeated: bool = False) -> Outcome:
    """What the sender is told about a stored delivery."""
    kind = _KIND.get(DeliveryState(state), OutcomeKind.PENDING)
    return Outcome(kind=kind, request_id=str(request_id) if request_id is not None else "", repeated=repeated)
