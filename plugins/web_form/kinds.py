"""Kinds of forms: what is asked, what the visitor reads afterwards, what the task is called, how soon to react.

Five are ready: message (the default), callback, question, order, presentation. `[channels.<account>.kinds.<name>]`
changes one of them key by key, or adds one, which begins as a message. A form says its kind by `?kind=` of the address
it posts to, or by a field `_kind`; an unknown one is the account's default, because a request matters more than its
label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["uk", "en"]
Text = str | dict[Language, str]
Input = Literal[
    "name", "name*", "phone", "phone*", "email", "email*", "organisation", "organisation*", "when", "when*",
    "message", "message*", "files",
]  # fmt: skip

PLAIN = "message"
MAX_KINDS = 20


def _uk(text: str) -> dict[str, Any]:
    return {"description_uk": text}


class KindSettings(BaseModel):
    """What `[channels.<account>.kinds.<name>]` says; what it leaves out stays as the ready kind has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text | None = Field(
        default=None,
        description="Heading of the form; one text, or one for each language.",
        json_schema_extra=_uk("Заголовок форми; один текст або окремий для кожної мови."),
    )
    confirmation: Text | None = Field(
        default=None,
        description="What the visitor reads after sending.",
        json_schema_extra=_uk("Що бачить відвідувач після надсилання."),
    )
    task_title: Text | None = Field(
        default=None,
        max_length=200,
        description="What the task is called; {who} and {message} are filled in; empty: the message's first line.",
        json_schema_extra=_uk(
            "Назва завдання; {who} і {message} підставляються; порожньо: перший рядок повідомлення."
        ),
    )
    reaction_minutes: int | None = Field(
        default=None,
        ge=0,
        le=10_080,
        description="Within how many minutes of working time somebody has to react; 0: as the team says.",
        json_schema_extra=_uk("За скільки хвилин робочого часу треба відреагувати; 0: як у команди."),
    )
    inputs: tuple[Input, ...] | None = Field(
        default=None,
        min_length=1,
        description="Fields of the hosted and the embedded form in their order; * marks those that must be filled in.",
        json_schema_extra=_uk("Поля форми у їхньому порядку; * позначає обов’язкові."),
    )
    message_label: Text | None = Field(
        default=None,
        description="What the field for the message is called.",
        json_schema_extra=_uk("Як називається поле повідомлення."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind as it is used. Texts by language; `confirmation` may be an address to go to."""

    name: str
    title: Mapping[str, str]
    confirmation: Mapping[str, str]
    task_title: Mapping[str, str]
    message_label: Mapping[str, str]
    inputs: tuple[str, ...]
    reaction_s: int | None = None

    def named(self, language: str, who: str, message: str) -> str:
        """The title of its task; "" leaves it to the hub."""
        pattern = self.task_title.get(language, "")
        if not pattern:
            return ""
        first_line = message.strip().partition("\n")[0].strip()
        return pattern.replace("{message}", first_line or who).replace("{who}", who)[:300]


_SOON = {
    "uk": "Ми отримали ваше повідомлення і скоро відповімо.",
    "en": "We have got your message and will answer soon.",
}
_NOTHING = {"uk": "", "en": ""}

READY: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            name=PLAIN,
            title={"uk": "Напишіть нам", "en": "Write to us"},
            confirmation=_SOON,
            task_title=_NOTHING,
            message_label={"uk": "Повідомлення", "en": "Message"},
            inputs=("name*", "phone*", "email", "message", "files"),
        ),
        Kind(
            name="callback",
            title={"uk": "Передзвоніть мені", "en": "Call me back"},
            confirmation={
                "uk": "Ми зателефонуємо вам найближчим часом.",
                "en": "We will call you shortly.",
            },
            task_title={"uk": "Передзвонити: {who}", "en": "Call back: {who}"},
            message_label={"uk": "Про що поговоримо", "en": "What to talk about"},
            inputs=("name*", "phone*", "when"),
            reaction_s=10 * 60,
        ),
        Kind(
            name="question",
            title={"uk": "Поставте запитання", "en": "Ask a question"},
            confirmation={
                "uk": "Ми отримали ваше запитання і відповімо, щойно з’ясуємо все потрібне.",
                "en": "We have got your question and will answer as soon as we have looked into it.",
            },
            task_title={"uk": "Запитання: {message}", "en": "Question: {message}"},
            message_label={"uk": "Ваше запитання", "en": "Your question"},
            inputs=("name*", "phone*", "email", "message*", "files"),
        ),
        Kind(
            name="order",
            title={"uk": "Зробити замовлення", "en": "Place an order"},
            confirmation={
                "uk": "Ми отримали ваше замовлення і зв’яжемося з вами, щоб його підтвердити.",
                "en": "We have got your order and will contact you to confirm it.",
            },
            task_title={"uk": "Замовлення: {who}", "en": "Order: {who}"},
            message_label={"uk": "Що ви хочете замовити", "en": "What would you like to order"},
            inputs=("name*", "phone*", "email", "message*", "files"),
            reaction_s=15 * 60,
        ),
        Kind(
            name="presentation",
            title={"uk": "Замовити презентацію", "en": "Ask for a presentation"},
            confirmation={
                "uk": "Ми зв’яжемося з вами, щоб домовитися про зручний час.",
                "en": "We will contact you to agree on a time that suits you.",
            },
            task_title={"uk": "Презентація: {who}", "en": "Presentation: {who}"},
            message_label={"uk": "Що вас цікавить", "en": "What you are interested in"},
            inputs=("name*", "organisation", "phone*", "email", "when", "message"),
            reaction_s=60 * 60,
        ),
    )
}


def kinds_of(own: Mapping[str, KindSettings]) -> dict[str, Kind]:
    """The ready kinds with what the settings change, and the added ones."""
    found = dict(READY)
    for name, said in own.items():
        found[name] = _changed(name, found.get(name, READY[PLAIN]), said)
    return found


def _changed(name: str, base: Kind, said: KindSettings) -> Kind:
    limit = base.reaction_s if said.reaction_minutes is None else said.reaction_minutes * 60 or None
    return Kind(
        name=name,
        title=texts(said.title, base.title),
        confirmation=texts(said.confirmation, base.confirmation),
        task_title=texts(said.task_title, base.task_title),
        message_label=texts(said.message_label, base.message_label),
        inputs=said.inputs or base.inputs,
        reaction_s=limit,
    )


def texts(said: Text | None, base: Mapping[str, str] = MappingProxyType({})) -> Mapping[str, str]:
    """A text of the settings by language; a language without one shows the other's."""
    if said is None:
        return base
    if isinstance(said, str):
        return {"uk": said, "en": said}
    other = next(iter(said.values()), "")
    return {"uk": said.get("uk", other), "en": said.get("en", other)}
