"""What the concerns, notices and findings about parcels are called on a page. Tables only."""

from __future__ import annotations

from hub.web.i18n import N_

CONCERN = {
    "waiting": N_("Waiting long"),
    "storage": N_("Storage ends"),
    "money": N_("Money due"),
    "returning": N_("Coming back"),
    "silent": N_("No news"),
    "unknown": N_("Unknown code"),
    "loose": N_("Without an order"),
}
NO_CONCERN = {
    "waiting": N_("No parcel waits so long"),
    "storage": N_("No storage ends so soon"),
    "money": N_("All money for delivered parcels has come"),
    "returning": N_("No parcel is on its way back"),
    "silent": N_("The carriers tell about every parcel"),
    "unknown": N_("Every code of the carriers is known"),
    "loose": N_("Every parcel belongs to an order"),
}
WHY_WAYBILL = {
    "reference": N_("it names the order"),
    "phone": N_("the same telephone"),
}
# What a customer is told where our own words look at the parcel from the shop's side.
PUBLIC_STATUS = {
    "unknown": (N_("No news yet"), "neutral"),
    "created": (N_("Being packed"), "neutral"),
    "arrived": (N_("You can collect it"), "good"),
    "exception": (N_("Delayed"), "warn"),
    "refused": (N_("Not accepted"), "neutral"),
    "returning": (N_("On its way back to the shop"), "neutral"),
    "returned": (N_("Back in the shop"), "neutral"),
}
NOTICE_STEP = {
    "shipped": N_("Handed to the carrier"),
    "arrived": N_("Can be collected"),
    "courier": N_("With the courier"),
    "missed": N_("Courier could not deliver"),
    "delivered": N_("Delivered"),
    "returning": N_("On its way back"),
}
VERDICT = {
    "ready": (N_("Is added"), "good"),
    "warning": (N_("Is added, look at it"), "warn"),
    "present": (N_("There already"), "neutral"),
    "problem": (N_("Problem"), "bad"),
}
RULE = {
    "parcel": N_("The least advanced parcel: %(names)s"),
    "money": N_("its money: %(names)s"),
    "payment": N_("payment: %(names)s"),
}
# Sentences of bulk adding, of found waybills and of the rules of routes; part of `labels.SENTENCES`.
SENTENCES = (
    N_("this waybill goes with %(number)s: take that one off the order"),
    N_("this parcel belongs to no order"),
    N_("parcel %(number)s was moved by somebody else"),
    N_("write such as: parcel delivered; money paid_out; payment cod -> paid"),
    N_("parcel cannot be %(name)s: one of %(names)s"),
    N_("money cannot be %(name)s: one of %(names)s"),
    N_("payment cannot be %(name)s: one of %(names)s"),
    N_("a route has at most %(count)s rules"),
    N_("a rule cancels no order: %(name)s is for people"),
    N_("an order begins at %(name)s: a rule moves forward"),
    N_("this rule never decides: rule %(number)s holds whenever it does"),
    N_("a spreadsheet has shortened this number: make its column text and copy it again"),
    N_("this is no waybill number: 4 to 40 Latin letters and digits"),
    N_("which carrier? accounts: %(names)s"),
    N_("whose number is it? it looks like: %(names)s. Name the carrier"),
    N_("it does not look like a number of this carrier: check it"),
    N_("there is no order %(order)s"),
    N_("the same number as line %(line)s"),
    N_("it is followed already"),
    N_("order %(order)s has this number already: one waybill, one order"),
    N_("some lines cannot be added"),
    N_("these are %(lines)s lines: add at most %(most)s at once"),
    N_("say to which order this waybill belongs: type its number"),
    N_("somebody has decided about this waybill already"),
    N_("this file cannot be read: save it as CSV UTF-8 or as XLSX"),
    N_("this is no XLSX file that can be read: save it again, or as CSV"),
    N_("this is no CSV file: a cell is too long, or a quotation mark is not closed"),
    N_("the file is larger than %(size)s MiB: cut it into parts"),
    N_("the file has more than %(rows)s rows: cut it into parts"),
    N_("this file unpacks to too much: save the sheet as CSV"),
    N_("too many questions: wait a little"),
    N_("these notices cannot be kept"),
    N_("a time of day such as 21:00"),
)
