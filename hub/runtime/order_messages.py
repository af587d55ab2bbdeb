"""What orders tell customers becomes a message of a conversation, by whatever way leads to the customer.

An order knows no channels: it leaves a row of the lane `order_message`. Here the row is turned into a reply
(its own row of the lane `reply`) in the transaction that settles it, so exactly once. Where nothing leads
to the customer, a person is asked to tell him; of a notice about a parcel only the journal tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from hub.access.model import Actor, Role
from hub.assignment.service import open_task
from hub.db.rows import MessageRow, OutboxRow
from hub.db.tx import Tx
from hub.kernel.errors import InputRejected, RuleSaysNo
from hub.orders import service as orders
from hub.orders import store
from hub.orders.asking import ORDERS
from hub.orders.model import OrderRow
from hub.outbox.model import OutboxState
from hub.requests import replies
from hub.requests.replies import Letter, Writer
from hub.requests.store import newest_of_contact
from hub.sdk.messages import SendResult, Sent

NOTICE = "notice"


class OrderMessages:
    """The sink of the lane `order_message`."""

    def __init__(self, writers: Mapping[str, Writer]) -> None:
        self._writers = writers

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult:
        """Nothing leaves here: see `settled`."""
        del rows
        return Sent()

    def settled(self, tx: Tx, row: OutboxRow, state: OutboxState, result: SendResult) -> None:
        """Write the reply, or ask a person."""
        del result
        if state is not OutboxState.DONE:
            return
        told = orjson.loads(row.payload)
        order = store.get(tx.conn, int(told["order_id"]))
        try:
            made = self._reply(tx, order, told)
        except (RuleSaysNo, InputRejected) as error:
            if told.get("event") != NOTICE:
                team_id = store.team_of(tx.conn, order)
                title = f"order {order.number}: tell the customer by hand, no channel leads to him"
                open_task(tx, ORDERS, team_id, kind="order", title=title, subject_id=order.id)
            orders.remark(
                tx, ORDERS, order.id, "message_unsent", {"why": error.message, "text": told["text"]}
            )
        else:
            event = told.get("event") or "message"
            orders.remark(tx, ORDERS, order.id, event, {"message_id": str(made.id), "account": made.account})

    def _reply(self, tx: Tx, order: OrderRow, told: Mapping[str, str | None]) -> MessageRow:
        request_id = told["request_id"] or tx.execute(newest_of_contact(order.contact_id, 1)).scalar()
        if request_id is None:
            raise RuleSaysNo("the customer has never written")
        letter = Letter(text=told["text"] or "")
        return replies.reply(tx, _actor(told["actor"] or ""), int(request_id), letter, self._writers)


def _actor(label: str) -> Actor:
    """Whose move it was: his name stands on the message."""
    kind, _, rest = label.partition(":")
    staff_id = int(rest) if kind == "staff" and rest.isdigit() else None
    return Actor(label, frozenset({Role.SELLER}), staff_id)
