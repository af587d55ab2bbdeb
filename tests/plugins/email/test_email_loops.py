"""Two hubs that write to each other by mail come to an end, and what a program wrote is known as such."""

import pytest

from hub.sdk import EventKind, Outgoing, OutgoingKind, Sender
from plugins.email import message
from plugins.email.compose import compose
from plugins.email.settings import EmailSettings
from tests.plugins.email.conftest import RECEIVED_AT, SETTINGS, mail, pulled

A = EmailSettings.model_validate({**SETTINGS, "address": "a@example.org"})
B = EmailSettings.model_validate({**SETTINGS, "address": "b@example.org"})


def acknowledged(from_settings, to, **more):
    """The bytes of an acknowledgement."""
    outgoing = Outgoing(
        id="1", kind=OutgoingKind.ACKNOWLEDGEMENT, to=Sender(email=to), text="Ми отримали лист", subject="Re: Q", **more
    )  # fmt: skip
    made = compose(outgoing, from_settings, RECEIVED_AT)
    assert not hasattr(made, "reason")
    return made


def test_an_acknowledgement_says_that_a_program_wrote_it_and_opens_nothing_at_another_hub():
    made = acknowledged(A, "b@example.org", replies_to=("q1@example.org",))
    assert made["Auto-Submitted"] == "auto-replied"
    assert message.read(pulled(made.as_bytes()), B).kind is EventKind.IGNORED


def test_e9_a_relay_that_strips_the_header_still_makes_no_second_answer_of_ours():
    """Its Message-ID is a hub's: shown, since a person may have written it, and never acknowledged."""
    made = acknowledged(A, "b@example.org")
    for name in ("Auto-Submitted", "X-Auto-Response-Suppress"):
        del made[name]
    found = message.read(pulled(made.as_bytes()), B)
    assert (found.kind, found.automatic) == (EventKind.MESSAGE, True)


def test_what_another_business_writes_through_its_hub_is_a_request_here():
    outgoing = Outgoing(
        id="7", kind=OutgoingKind.REPLY, to=Sender(email="b@example.org"), text="Чи є стільці?", subject="Q"
    )
    made = compose(outgoing, A, RECEIVED_AT)
    assert not hasattr(made, "reason")
    found = message.read(pulled(made.as_bytes()), B)
    assert (found.kind, found.sender.email, found.text) == (
        EventKind.MESSAGE,
        "a@example.org",
        "Чи є стільці?",
    )
    assert message.read(pulled(made.as_bytes()), A).kind is EventKind.IGNORED, "our own copy"


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [
        ({}, False),
        ({"auto_submitted": "auto-generated"}, True),
        ({"auto_submitted": "no"}, False),
    ],
)
def test_what_a_program_wrote_of_its_own_accord_is_a_request_that_is_never_acknowledged(
    event, headers, automatic
):
    found = event(mail(**headers))
    assert (found.kind, found.automatic) == (EventKind.MESSAGE, automatic)


def test_a_list_that_is_taken_is_never_acknowledged(event):
    found = event(mail(list_id="<news.example.com>"), take_lists=True)
    assert (found.kind, found.automatic) == (EventKind.MESSAGE, True)


def test_mail_ids_may_be_shared(event):
    assert event(mail()).shared_id
