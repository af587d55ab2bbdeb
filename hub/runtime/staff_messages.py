"""Where messages to the staff leave through: the staff bot's account, or an e-mail account.

staff_message   notices of one person for one place that are due together, as one message; what is not true
                any more (a task that somebody else has by now) is left out, and nothing is sent where
                nothing is left
staff_answer    what the bot says to whoever wrote to it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.db.database import Database
from hub.db.rows import OutboxRow
from hub.db.tables import staff
from hub.db.tx import Tx
from hub.notices import store
from hub.notices.bot import task_buttons
from hub.notices.model import Place, StaffAccounts
from hub.notices.put import forget
from hub.notices.texts import N_, Speak, Told, last_files, last_words, subject, tell
from hub.outbox.model import OutboxState
from hub.runtime.sending import send_guarded
from hub.sdk.channel import Channel
from hub.sdk.messages import Button, Later, Outgoing, OutgoingKind, Refused, Sender, SendResult, Sent

SWITCHED_OFF_WAIT_S = 60.0
LISTED = 15
NOTHING_LEFT = Sent()


class StaffMessages:
    """The sink of both lanes. `base_url`: where the workspace is, for links; "" leaves them out."""

    def __init__(
        self,
        db: Database,
        channels: Mapping[str, Channel],
        accounts: StaffAccounts,
        speak: Speak,
        language: str,
        base_url: str,
    ) -> None:
        self._db = db
        self._channels = channels
        self._accounts = accounts
        self._speak = speak
        self._language = language
        self._base_url = base_url.rstrip("/")

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult:
        """One message for all of them."""
        first = orjson.loads(rows[0].payload)
        if "channel_id" in first:
            return await self._call(first["account"], self._answer(rows[0], first))
        place = Place(first["place"])
        account = self._accounts.mail if place is Place.EMAIL else self._accounts.bot
        if not account:
            return Refused(f"no account writes to the staff by {place}: see the settings")
        outgoing = await self._db.read(lambda conn: self._compose(conn, account, place, rows))
        return NOTHING_LEFT if outgoing is None else await self._call(account, outgoing)

    async def _call(self, account: str, outgoing: Outgoing) -> SendResult:
        channel = self._channels.get(account)
        if channel is None or not channel.capabilities.sends:
            return Later(SWITCHED_OFF_WAIT_S)
        return await send_guarded(self._db, account, channel, outgoing)

    def _answer(self, row: OutboxRow, told: Mapping[str, object]) -> Outgoing:
        buttons = told["buttons"]
        assert isinstance(buttons, list)
        return Outgoing(
            id=str(row.id),
            kind=OutgoingKind.STAFF,
            to=Sender(channel_id=str(told["channel_id"])),
            text=str(told["text"]),
            buttons=tuple(
                tuple(Button(label=label, action=action) for label, action in line) for line in buttons
            ),
        )

    def _compose(
        self, conn: Connection, account: str, place: Place, rows: Sequence[OutboxRow]
    ) -> Outgoing | None:
        payloads = [orjson.loads(row.payload) for row in rows]
        staff_id = int(payloads[0]["staff_id"])
        to = self._address(conn, staff_id, account, place)
        if to is None:
            return None  # he has chosen otherwise meanwhile, or works here no more
        person = conn.execute(select(staff.c.language).where(staff.c.id == staff_id)).scalar_one_or_none()
        language = person or self._language
        speech = self._speak(language)
        found = tell(conn, speech, store.some(conn, [int(one["notice_id"]) for one in payloads]))
        told = [one for one in found if one.kind != "task_assigned" or one.mine]
        if not told:
            return None
        buttons: tuple[tuple[Button, ...], ...] = ()
        if place is Place.MESSENGER:
            several = len(told) > 1
            buttons = tuple(
                tuple(Button(label=label, action=action) for label, action in line)
                for number, one in enumerate(told[:LISTED], 1)
                if one.kind == "task_assigned" and one.task_id is not None
                for line in [
                    task_buttons(speech, one.task_id, f" {number}" if several else "", accepted=one.accepted)
                ]
            )
        lines = [
            self._lines(conn, one, number if len(told) > 1 else 0)
            for number, one in enumerate(told[:LISTED], 1)
        ]
        if len(told) > LISTED:
            lines.append(speech.t(N_("… and more: see the workspace")))
        if len(told) == 1 and told[0].task_id is not None and place is Place.MESSENGER:
            lines.append(speech.t(N_("Answer this message to write to the customer.")))
        if place is Place.EMAIL:
            lines.append(speech.t(N_("Nobody reads answers to this mail: open the hub.")))
        return Outgoing(
            id=str(rows[0].id), kind=OutgoingKind.STAFF, to=to, text="\n\n".join(lines),
            subject=subject(told, speech), buttons=buttons, language=language,
        )  # fmt: skip

    def _address(self, conn: Connection, staff_id: int, account: str, place: Place) -> Sender | None:
        works = conn.execute(
            select(staff.c.id).where(staff.c.id == staff_id, staff.c.state == "active")
        ).first()
        if works is None:
            return None
        if place is Place.EMAIL:
            email = store.choice(conn, staff_id).email
            return Sender(email=email) if email else None
        link = store.link_of(conn, staff_id)
        return Sender(channel_id=link.channel_id) if link is not None and link.account == account else None

    def _lines(self, conn: Connection, one: Told, number: int) -> str:
        head = f"{number}. {one.title}" if number else one.title
        lines = [head, *one.details]
        if not number and one.kind == "task_assigned" and one.task_id is not None:
            words = last_words(conn, one.task_id)
            lines += ["", words] if words and words not in one.title else []
            lines += self._files(conn, one.task_id)
        if self._base_url and one.path:
            lines.append(self._base_url + one.path)
        return "\n".join(lines)

    def _files(self, conn: Connection, task_id: int) -> list[str]:
        """Each with its address in the workspace: it opens for whoever may see the conversation."""
        lines = []
        for file in last_files(conn, task_id):
            where = f" {self._base_url}/files/{file.id}" if self._base_url else ""
            lines.append(f"📎 {file.name or 'file'}{where}")
        return lines

    def settled(self, tx: Tx, row: OutboxRow, state: OutboxState, result: SendResult) -> None:
        """Remember under which id it left, so that an answer finds its task."""
        told = orjson.loads(row.payload)
        if state is OutboxState.DONE and "channel_id" in told:
            forget(tx, row)
        if state is not OutboxState.DONE or not isinstance(result, Sent) or not result.provider_id:
            return
        if "notice_id" not in told or told["place"] != Place.MESSENGER:
            return
        rows = store.some(tx.conn, [int(told["notice_id"])])
        for one in rows:
            task_id = one.body.get("task_id")
            store.remember(
                tx, self._accounts.bot, result.provider_id, one.staff_id, int(task_id) if task_id else None
            )
