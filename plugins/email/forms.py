"""Mails that a site's form sends for a person: `wordpress@site` with the customer in Reply-To or in the lines.

Such a mail is the customer's request: he is answered, not the site. The lines `label: value` give what else he wrote;
the words are those of Ukrainian, Russian and English forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.sdk import parse_email, parse_phone
from plugins.email.headers import Mailbox

MAX_LINES = 200
MAX_FIELDS = 50
_LINE = re.compile(r"[ \t*•\-]{0,6}([^\n:：]{1,60}?)\*{0,2}\s?[:：]\*{0,2}(?:[ \t]+(.*))?")
# Local parts behind which nobody reads.
_PROGRAMS = frozenset(
    [
        "wordpress",
        "noreply",
        "no-reply",
        "no_reply",
        "donotreply",
        "do-not-reply",
        "form",
        "forms",
        "site",
        "website",
        "webmaster",
        "webform",
        "robot",
        "mailer",
        "bot",
        "notification",
        "notifications",
        "notify",
        "tilda",
        "wix",
        "elementor",
        "cf7",
        "feedback",
        "zayavka",
        "zakaz",
        "zamovlennya",
        "order",
        "orders",
        "www-data",
        "apache",
        "nobody",
        "postmaster-form",
    ]
)
_WORDS: Mapping[str, frozenset[str]] = {
    "name": frozenset(
        [
            "ім'я",
            "імя",
            "ім’я",
            "ваше ім'я",
            "ваше ім’я",
            "ваше імя",
            "піб",
            "п.і.б.",
            "контактна особа",
            "клієнт",
            "покупець",
            "имя",
            "ваше имя",
            "фио",
            "клиент",
            "покупатель",
            "name",
            "your name",
            "your-name",
            "full name",
            "first name",
            "customer",
            "contact name",
        ]
    ),
    "phone": frozenset(
        [
            "телефон",
            "ваш телефон",
            "номер телефону",
            "контактний телефон",
            "моб.",
            "мобільний",
            "тел",
            "тел.",
            "номер телефона",
            "мобильный",
            "phone",
            "your phone",
            "your-phone",
            "phone number",
            "telephone",
            "tel",
            "mobile",
        ]
    ),
    "email": frozenset(
        [
            "e-mail",
            "email",
            "ваш e-mail",
            "ваш email",
            "пошта",
            "електронна пошта",
            "ел. пошта",
            "ел. адреса",
            "почта",
            "электронная почта",
            "эл. почта",
            "your email",
            "your-email",
            "email address",
            "mail",
            "from",
            "від",
            "от",
        ]
    ),
    "message": frozenset(
        [
            "повідомлення",
            "ваше повідомлення",
            "коментар",
            "коментарі",
            "запитання",
            "питання",
            "текст",
            "сообщение",
            "ваше сообщение",
            "комментарий",
            "вопрос",
            "message",
            "your message",
            "your-message",
            "comment",
            "comments",
            "question",
            "text",
            "message body",
        ]
    ),
    "subject": frozenset(
        ["тема", "тема повідомлення", "тема сообщения", "subject", "your subject", "your-subject"]
    ),
}
_ROLE = {word: role for role, words in _WORDS.items() for word in words}


@dataclass(slots=True)
class Form:
    """What the lines say; `roles` by name, phone, email, message, subject; `fields` all the others."""

    roles: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def names_somebody(self) -> bool:
        """Is there an address or a number to answer to?"""
        return bool(self.roles.get("email") or self.roles.get("phone"))


def is_program(mailbox: Mailbox, configured: Iterable[str], *, mailer: str) -> bool:
    """Is the sender a site's program? By the settings, by its name, or by the library that sent it."""
    if any(
        mailbox.address == one or (one.startswith("@") and mailbox.address.endswith(one))
        for one in configured
    ):
        return True
    local = mailbox.local.partition("+")[0]
    return (
        local in _PROGRAMS
        or local.startswith(("noreply", "no-reply", "wordpress"))
        or "phpmailer" in mailer.lower()
    )


def read_form(text: str) -> Form:
    """The lines `label: value`; the message may go on over several lines."""
    form = Form()
    going_on = ""
    for line in text[:50_000].split("\n", MAX_LINES)[:MAX_LINES]:
        if line.rstrip() in {"--", "---"}:
            break
        match = _LINE.fullmatch(line[:1_000].strip())
        label = " ".join(match[1].split()).strip("*_ ").lower() if match else ""
        role = _ROLE.get(label)
        if match is not None and role is not None and role not in form.roles:
            form.roles[role] = (match[2] or "").strip()
            going_on = role if role == "message" else ""
        elif going_on:
            form.roles[going_on] = f"{form.roles[going_on]}\n{line.strip()}".strip()
        elif match is not None and match[2] and len(form.fields) < MAX_FIELDS and "//" not in match[2][:2]:
            form.fields.setdefault(match[1].strip("*_ ")[:100], match[2].strip()[:1_000])
    _settle(form)
    return form


def _settle(form: Form) -> None:
    """A telephone that is none, or an address that is none, is a field like any other."""
    phone, email = form.roles.get("phone", ""), form.roles.get("email", "")
    if email:
        found = next((one for word in email.split()[:6] if (one := parse_email(word.strip("<>(),;")))), None)
        form.roles["email"] = found or ""
    if phone and parse_phone(phone) is None:
        form.fields["phone"] = phone[:100]
        form.roles["phone"] = ""
