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
