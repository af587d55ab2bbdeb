"""What states, events and sentences of the domain are called on a page. Tables only.

The tone (neutral, info, good, warn, bad) colours a badge; the text alone says everything.
"""

from __future__ import annotations

from hub.web.i18n import N_

TASK_STATE = {
    "waiting": (N_("In the queue"), "warn"),
    "assigned": (N_("Not accepted yet"), "warn"),
    "accepted": (N_("In work"), "info"),
    "snoozed": (N_("Put off"), "neutral"),
    "done": (N_("Done"), "good"),
    "cancelled": (N_("Cancelled"), "neutral"),
}
MESSAGE_STATE = {
    "sending": N_("is being sent"),
    "sent": N_("sent"),
    "delivered": N_("delivered"),
    "seen": N_("seen"),
    "failed": N_("not delivered"),
    "uncertain": N_("perhaps sent"),
}
TASK_KIND = {
    "request": N_("Request"),
    "read_by_hand": N_("Read by hand"),
    "question": N_("Question about a parcel"),
    "approval": N_("Approval"),
    "order": N_("Work on an order"),
}
APPROVAL = {
    "open": (N_("Asked"), "warn"),
    "agreed": (N_("Agreed"), "good"),
    "returned": (N_("Returned"), "bad"),
    "refused": (N_("Refused"), "bad"),
    "dropped": (N_("Not needed any more"), "neutral"),
}
VERDICT = {
    "agree": N_("agrees"),
    "return": N_("returns it"),
    "refuse": N_("refuses"),
    "comment": N_("comments"),
}
CHANGED = {
    "note": N_("note"),
    "payment": N_("way of payment"),
    "responsible_id": N_("responsible person"),
    "next_contact_at": N_("next contact"),
    "wanted_at": N_("wanted date"),
    "fields": N_("fields of the route"),
}
METHOD = {
    "cash": N_("Cash"),
    "card": N_("Card"),
    "transfer": N_("Bank transfer"),
    "cod": N_("Cash on delivery"),
    "other": N_("Otherwise"),
}
LACKING = {
    "lines": N_("lines"),
    "phone": N_("a telephone of the customer"),
    "parcel": N_("a parcel"),
    "paid": N_("the whole payment"),
    "part_paid": N_("a first payment"),
    "next_contact": N_("a date of next contact"),
    "wanted": N_("the wanted date"),
}
SORT = {
    "number": N_("Number"),
    "stage": N_("Stage"),
    "contact": N_("Contact"),
    "responsible": N_("Responsible"),
    "total": N_("Total"),
    "paid": N_("Paid"),
    "next_contact": N_("Next contact"),
}
KIND = {
    "open": N_("open"),
    "done": N_("ended well"),
    "lost": N_("cancelled: goes to the archive"),
    "back": N_("returned"),
}
WEBHOOK_EVENT = {
    "order.created": N_("An order was made"),
    "order.stage": N_("An order came to another stage"),
    "order.paid": N_("A payment came, or was taken back"),
    "shipment.status": N_("A parcel has another status"),
    "shipment.money": N_("The money of a parcel has another status"),
    "request.created": N_("A customer asks"),
    "request.closed": N_("A request was closed"),
}
REQUEST_STATE = {"open": (N_("Open"), "info"), "closed": (N_("Closed"), "neutral")}
OUTCOME = {
    "order": (N_("Became an order"), "good"),
    "answered": (N_("Answered"), "good"),
    "dead": (N_("Does not buy"), "neutral"),
    "unreachable": (N_("Could not be reached"), "neutral"),
    "duplicate": (N_("Duplicate"), "neutral"),
    "spam": (N_("Spam"), "neutral"),
}
STAGE_TONE = {"open": "info", "done": "good", "lost": "neutral", "back": "bad"}
PAYMENT = {
    "cod": N_("Cash on delivery"),
    "prepaid": N_("Prepaid"),
    "other": N_("Otherwise"),
}
STATUS = {
    "unknown": (N_("No status yet"), "neutral"),
    "created": (N_("Waybill made"), "neutral"),
    "accepted": (N_("Handed to the carrier"), "info"),
    "in_transit": (N_("On its way"), "info"),
    "arrived": (N_("Waiting to be collected"), "warn"),
    "out_for_delivery": (N_("With the courier"), "info"),
    "delivery_attempted": (N_("Courier could not deliver"), "warn"),
    "exception": (N_("Something went wrong"), "bad"),
    "refused": (N_("Refused by the recipient"), "bad"),
    "returning": (N_("On its way back"), "bad"),
    "delivered": (N_("Delivered"), "good"),
    "returned": (N_("Returned to us"), "bad"),
    "cancelled": (N_("Waybill cancelled"), "neutral"),
}
MONEY = {
    "none": (N_("No cash on delivery"), "neutral"),
    "unknown": (N_("The carrier does not tell"), "neutral"),
    "expected": (N_("Recipient has to pay"), "warn"),
    "collected": (N_("Paid by the recipient"), "info"),
    "paid_out": (N_("Paid out to us"), "good"),
    "not_collected": (N_("Nobody paid"), "bad"),
}
RELATION = {
    "outbound": N_("To the customer"),
    "return": N_("Return waybill"),
    "redirect": N_("Redirected"),
    "money": N_("Money transfer"),
    "papers": N_("Papers"),
}
PARCEL_PROBLEM = {
    "not_found": N_("The carrier does not know this number yet."),
    "bad_number": N_("The carrier refuses this number: check it."),
    "no_news": N_("The carrier did not answer about this number; the hub asks again."),
    "unreadable": N_("The carrier's answer made no sense; the hub asks again."),
    "correction": N_("The carrier took a status back: look at the timeline."),
}
ROLE = {"seller": N_("Seller"), "head": N_("Head of sales"), "admin": N_("Administrator")}
SOURCE = {
    "phone": N_("Telephone call"),
    "visit": N_("Visit"),
    "event": N_("Event"),
    "other": N_("Other"),
    "hand": N_("Noted by hand"),
}
ACTOR = {
    "intake": N_("Channel"),
    "tracking": N_("Parcel tracking"),
    "orders": N_("By itself"),
    "cli": N_("Command line"),
}

EVENT = {
    ("request", "opened"): N_("Request came in"),
    ("request", "closed"): N_("Request closed"),
    ("task", "claimed"): N_("Task taken"),
    ("task", "accepted"): N_("Task accepted"),
    ("task", "completed"): N_("Task done"),
    ("task", "reassigned"): N_("Task handed over"),
    ("task", "released"): N_("Task given back to the queue"),
    ("task", "voided"): N_("Task cancelled"),
    ("ledger", "deal"): N_("Task dealt"),
    ("ledger", "deal_again"): N_("Task dealt again"),
    ("ledger", "claim"): N_("Task taken from the queue"),
    ("ledger", "intercept"): N_("Task taken over"),
    ("request", "written"): N_("Answered"),
    ("request", "message_arrived"): N_("A doubtful message had arrived"),
    ("request", "message_again"): N_("A message was sent again"),
    ("ledger", "by_hand"): N_("Task given by hand"),
    ("ledger", "reassign"): N_("Task handed over"),
    ("ledger", "release"): N_("Task given back to the queue"),
    ("ledger", "hand_over"): N_("Task back in the queue: its person left the team"),
    ("ledger", "void"): N_("Task cancelled"),
    ("order", "created"): N_("Order made"),
    ("order", "lines_added"): N_("Lines added"),
    ("order", "stage"): N_("Stage changed"),
    ("order", "shipment_attached"): N_("Waybill attached"),
    ("order", "shipment_linked"): N_("Related waybill found"),
    ("order", "question"): N_("Question to the seller"),
    ("order", "changed"): N_("Changed"),
    ("order", "approval_asked"): N_("Approval asked for"),
    ("order", "approval"): N_("Approval"),
    ("order", "payment"): N_("Payment"),
    ("order", "payment_reversed"): N_("Payment taken back"),
}
EXCLUDED = {
    "limit": N_("has as many open tasks as the limit allows"),
    "held_before": N_("had this task before and gave it back"),
}
REASON = {
    "followed its parcels": N_("followed its parcels"),
    "left the team": N_("left the team"),
    "everybody agreed": N_("everybody agreed"),
}

# What a form did, shown once on the next page.
NOTICES = {
    "written": N_("Your message is on its way."),
    "decided": N_("Noted."),
    "claimed": N_("The task is yours."),
    "accepted": N_("You are working on this task."),
    "released": N_("The task went back to the queue."),
    "reassigned": N_("The task was handed over."),
    "completed": N_("Closed. Well done."),
    "voided": N_("Cancelled; it costs nobody a turn."),
    "order_made": N_("The order is made."),
    "lines_added": N_("The lines are added."),
    "moved": N_("The stage is changed."),
    "attached": N_("The waybill is attached; its status comes in a moment."),
    "changed": N_("The change is kept."),
    "paid": N_("The payment is written down."),
    "unpaid": N_("The payment is taken back."),
    "decided": N_("Your answer is kept."),
    "route_kept": N_("The route is kept as a new version; running orders stay with theirs."),
    "template_kept": N_("The text is kept."),
    "template_removed": N_("The text is removed."),
    "hook_added": N_("The web hook is added."),
    "hook_changed": N_("The web hook is changed."),
    "hook_removed": N_("The web hook is removed."),
    "sent_again": N_("It is sent once more."),
    "refreshed": N_("The carrier was asked."),
    "signed_in": N_("Welcome!"),
    "signed_out": N_("You are signed out."),
}

# Sentences of the domain's errors, as they are raised; what stands in %(...)s is kept.
SENTENCES = (
    N_("no channel leads to this customer: call him, or add his e-mail address to the contact"),
    N_("%(account)s: he has left this channel or blocked us there"),
    N_("he has left this channel or blocked us there"),
    N_("this customer cannot be reached on this channel"),
    N_("write something, or add a file"),
    N_("%(account)s takes no files"),
    N_("%(account)s takes files up to %(size)s KiB"),
    N_("the other side did not answer in time"),
    N_("it was tried too often"),
    N_("the hub stopped during the call"),
    N_("There is no such thing here."),
    N_("the order is not complete"),
    N_("the lines are not complete"),
    N_("the contact is not valid"),
    N_("this person is not in the task's team"),
    N_("this person has the task already"),
    N_("only members of the task's team can take it"),
    N_("in this team only the head takes over tasks of others"),
    N_("the task waits in the queue: claim it first"),
    N_("somebody else has this task"),
    N_("this request is closed already"),
    N_("nothing was sold: the reason and what was asked for are needed"),
    N_("say why nothing was sold"),
    N_("say what was asked for"),
    N_("say why"),
    N_("this move needs a reason"),
    N_("there is no such stage"),
    N_("no such carrier account"),
    N_("whose number is this?"),
    N_("name the account: it looks like none of the carriers"),
    N_("name the account: it could be %(names)s"),
    N_("this is no waybill number"),
    N_("4 to 40 Latin letters and digits"),
    N_("order %(number)s has this number already: check it, one waybill belongs to one order"),
    N_("this is no telephone number, such as +380671234567"),
    N_("this is no e-mail address"),
    N_("give a name, a telephone or an e-mail"),
    N_("there is no such person working here"),
    N_("a line needs a name"),
    N_("the sum is too large"),
    N_("an order has at most %(count)s lines"),
    N_("name an open member of the task's team"),
    N_("the hub is stopping"),
    N_("the database is not available"),
    N_("The hub cannot store anything right now: repeat the same call later."),
    N_("there is nothing at this address"),
    N_("this address does not take that method"),
    N_("the body is too large"),
    N_("something went wrong here; it is in the log"),
    N_("this link is used up or too old: ask for a new one"),
    N_("your role does not allow this: it needs the right to %(right)s"),
    N_("this answer needs a comment"),
    N_("somebody else is asked for this approval"),
    N_("there is no such route"),
    N_("a payment is a sum above zero; a wrong one is reversed"),
    N_("this payment cannot be written down"),
    N_("taking a payment back needs a reason"),
    N_("this payment was taken back already"),
    N_("the order cannot be changed so"),
    N_("this route cannot be kept"),
    N_("a key has lower-case Latin letters, digits and _, and begins with a letter"),
    N_("a route has 2 to %(count)s stages"),
    N_("a stage needs a title"),
    N_("there is no check %(name)s: %(names)s"),
    N_("an action begins with notify, task, send or next contact"),
    N_("say whom to notify: responsible or heads"),
    N_("say in how many days the next contact is, 1 to 366"),
    N_("say what to do: the title of the task, or the name of the template"),
    N_("the stage %(name)s stands twice"),
    N_("there is no stage %(name)s"),
    N_("a move leads to %(name)s, which is no other stage"),
    N_("there is no field %(name)s"),
    N_("no move leads from here to %(name)s"),
    N_("%(name)s needs no approval"),
    N_("an order begins at the first stage: it is open and asks for nothing"),
    N_("a route needs a stage of the kind done"),
    N_("no move leads to %(name)s"),
    N_("no way leads from %(name)s to an end"),
    N_("there is no template %(name)s: write it first"),
    N_("this template cannot be kept"),
    N_("a name has lower-case letters, digits, - and _ only"),
    N_("a template needs a text"),
    N_("there is no variable %(name)s"),
    N_("braces are not closed: a variable is {{ order.number }}"),
    N_("this template is there already"),
    N_("there is a template with this name and language: change that one"),
    N_("the route %(name)s sends this template at %(stage)s: change that first"),
    N_("this web hook cannot be kept"),
    N_("an address such as https://shop.example/hub, without a login"),
    N_("%(least)s to %(most)s ASCII characters"),
    N_("%(number)s: the carrier refuses this number, check it"),
    N_("%(number)s: the carrier took a status back, check the order"),
)
