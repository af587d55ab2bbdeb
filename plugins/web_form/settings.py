"""The keys of one web form account. Each key says what it does in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from hub.sdk import SettingWrong, labels
from plugins.web_form.files import FileType
from plugins.web_form.kinds import MAX_KINDS, PLAIN, READY, Kind, KindSettings, kinds_of, texts

KIND_NAME = r"^[a-z0-9][a-z0-9_\-]{0,39}$"
KindName = Annotated[str, StringConstraints(pattern=KIND_NAME)]
Role = Literal["name", "phone", "email", "message", "organisation", "subject", "ignore"]

LANGUAGES = ("uk", "en")
MAX_BODY_BYTES = 1024 * 1024
MAX_UPLOAD_BYTES = 24 * 1024 * 1024
MIN_SECRET = 16
# Names that a honeypot cannot have: every honest form fills them.
_TAKEN = frozenset({"name", "phone", "email", "message", "organisation", "subject", "test", "tranid"})


def is_address(text: str) -> bool:
    """Is this thank-you setting an address to go to, and not a text to show?"""
    return text.startswith(("http://", "https://", "/"))


def _default_title() -> dict[Literal["uk", "en"], str]:
    return {"uk": "Напишіть нам", "en": "Write to us"}


class WebFormSettings(BaseModel):
    """One web form account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_per_minute: int = Field(
        default=120,
        ge=0,
        description="Deliveries a minute from one network address; 0 switches the limit off.",
        json_schema_extra=labels(
            en="Deliveries a minute",
            uk="Надсилань за хвилину",
            help_uk="Скільки надсилань за хвилину приймати з однієї адреси; 0 вимикає обмеження.",
        ),
    )
    honeypot: str = Field(
        default="website",
        max_length=60,
        pattern=r"^[A-Za-z0-9_\-]*$",
        description="Name of the hidden field that only robots fill; empty switches the trap off.",
        json_schema_extra=labels(
            en="Hidden field for robots",
            uk="Приховане поле для роботів",
            help_uk="Назва прихованого поля, яке заповнюють лише роботи; порожньо вимикає пастку.",
        ),
    )
    fields: Mapping[str, Role] = Field(
        default_factory=dict,
        max_length=200,
        description="Your field name = name, phone, email, message, organisation, subject or ignore.",
        json_schema_extra=labels(
            en="Your fields",
            uk="Ваші поля",
            help_uk="Ваше поле = name, phone, email, message, organisation, subject або ignore.",
        ),
    )
    title: str | dict[Literal["uk", "en"], str] = Field(
        default_factory=_default_title,
        description="Heading of the hosted form page; one text, or one for each language.",
        json_schema_extra=labels(
            en="Heading of the page",
            uk="Заголовок сторінки",
            help_uk="Заголовок сторінки з формою; один текст або окремий для кожної мови.",
            first=True,
        ),
    )
    thank_you: str | dict[Literal["uk", "en"], str] = Field(
        default="",
        description="After sending: a text to show, or an address to go to (http, https or /path).",
        json_schema_extra=labels(
            en="After sending",
            uk="Після надсилання",
            help_uk="Після надсилання: текст або адреса переходу (http, https чи /шлях).",
            first=True,
        ),
    )
    max_body_bytes: int = Field(
        default=MAX_BODY_BYTES,
        ge=1024,
        le=MAX_BODY_BYTES,
        description="Largest accepted body, in bytes.",
        json_schema_extra=labels(
            en="Largest body, bytes",
            uk="Найбільше тіло, байтів",
            help_uk="Найбільший розмір тіла запиту в байтах.",
        ),
    )
    max_files: int = Field(
        default=5,
        ge=0,
        le=20,
        description="Most files of one form; 0: no files are taken.",
        json_schema_extra=labels(
            en="Most files",
            uk="Найбільше файлів",
            help_uk="Скільки файлів приймати в одній формі; 0: файли не приймаються.",
        ),
    )
    max_file_bytes: int = Field(
        default=5 * 1024 * 1024,
        ge=1024,
        le=MAX_UPLOAD_BYTES,
        description="Largest accepted file, in bytes.",
        json_schema_extra=labels(
            en="Largest file, bytes",
            uk="Найбільший файл, байтів",
            help_uk="Найбільший розмір файлу в байтах.",
        ),
    )
    max_upload_bytes: int = Field(
        default=10 * 1024 * 1024,
        ge=1024,
        le=MAX_UPLOAD_BYTES,
        description="Largest accepted form with all its files, in bytes.",
        json_schema_extra=labels(
            en="Largest form with files, bytes",
            uk="Найбільша форма з файлами, байтів",
            help_uk="Найбільший розмір форми разом з усіма файлами в байтах.",
        ),
    )
    file_types: tuple[FileType, ...] = Field(
        default=("picture", "document", "text"),
        description="Files that are taken, told by their content: picture, document, text, archive, audio, video.",
        json_schema_extra=labels(
            en="Kinds of files",
            uk="Види файлів",
            help_uk="Які файли приймати (за вмістом): picture, document, text, archive, audio, video.",
        ),
    )
    kind: str = Field(
        default=PLAIN,
        pattern=KIND_NAME,
        description="Kind of a form that names none: message, callback, question, order, presentation or one of yours.",
        json_schema_extra=labels(
            en="Kind of the form",
            uk="Вид форми",
            help_uk="Вид форми, яка його не називає: message, callback, question, order, presentation або ваш.",
        ),
    )
    kinds: Mapping[KindName, KindSettings] = Field(
        default_factory=dict,
        max_length=MAX_KINDS,
        description="Kinds of your own, and changes to the ready ones.",
        json_schema_extra=labels(
            en="Your kinds of forms", uk="Ваші види форм", help_uk="Ваші види форм і зміни в готових."
        ),
    )
    task_language: Literal["uk", "en"] = Field(
        default="uk",
        description="Language of the titles of tasks.",
        json_schema_extra=labels(
            en="Language of task titles",
            uk="Мова назв завдань",
            help_uk="Мова назв завдань.",
            choices={
                "uk": {"en": "Ukrainian", "uk": "українська"},
                "en": {"en": "English", "uk": "англійська"},
            },
        ),
    )
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="Deliveries must be signed with it (X-Signature); the hosted and the embedded form are off then.",
        json_schema_extra=labels(
            en="Secret of the signature",
            uk="Секрет підпису",
            help_uk="Надсилання мають бути підписані ним (X-Signature); власна і вбудована форми тоді вимкнені.",
        ),
    )
    old_secret: SecretStr = Field(
        default=SecretStr(""),
        description="The secret before, valid too while you exchange it.",
        json_schema_extra=labels(
            en="Secret before",
            uk="Попередній секрет",
            help_uk="Попередній секрет: теж чинний, поки ви його змінюєте.",
        ),
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description="Sites whose pages may send by script and use the embedded form, such as https://shop.example.",
        json_schema_extra=labels(
            en="Sites",
            uk="Сайти",
            help_uk="Сайти, сторінки яких можуть надсилати скриптом і вбудованою формою: https://shop.example.",
            first=True,
        ),
    )
    turnstile_site_key: str = Field(
        default="",
        max_length=100,
        pattern=r"^[A-Za-z0-9_.\-]*$",
        description="Site key of Cloudflare Turnstile; empty: no check.",
        json_schema_extra=labels(
            en="Turnstile: site key",
            uk="Turnstile: ключ сайту",
            help_uk="Ключ сайту Cloudflare Turnstile; порожньо: без перевірки.",
        ),
    )
    turnstile_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret key of Cloudflare Turnstile.",
        json_schema_extra=labels(
            en="Turnstile: secret key",
            uk="Turnstile: секретний ключ",
            help_uk="Секретний ключ Cloudflare Turnstile.",
        ),
    )
    turnstile_down: Literal["take", "refuse"] = Field(
        default="take",
        description="When Cloudflare does not answer: take the request and mark it, or refuse it for the moment.",
        json_schema_extra=labels(
            en="Turnstile does not answer",
            uk="Turnstile не відповідає",
            help_uk="Коли Cloudflare не відповідає: прийняти звернення з позначкою чи тимчасово відмовити.",
            choices={
                "take": {"en": "take and mark it", "uk": "прийняти з позначкою"},
                "refuse": {"en": "refuse for the moment", "uk": "тимчасово відмовити"},
            },
        ),
    )
    turnstile_timeout_s: float = Field(
        default=3.0,
        ge=0.2,
        le=4.5,
        description="How long Cloudflare is waited for, in seconds.",
        json_schema_extra=labels(
            en="Turnstile: seconds to wait",
            uk="Turnstile: секунд чекати",
            help_uk="Скільки секунд чекати на Cloudflare.",
        ),
    )
    turnstile_base_url: str = Field(
        default="https://challenges.cloudflare.com",
        pattern=r"^https?://[^\s'\";,]+$",
        description="Address of Turnstile; an emulator's address in tests.",
        json_schema_extra=labels(
            en="Turnstile: address",
            uk="Turnstile: адреса",
            help_uk="Адреса Turnstile; у тестах адреса емулятора.",
        ),
    )
    region: str = Field(
        default="UA",
        pattern=r"^[A-Z]{2}$",
        description="Country (ISO 3166) of telephone numbers typed without a country code.",
        json_schema_extra=labels(
            en="Country of telephone numbers",
            uk="Країна телефонних номерів",
            help_uk="Країна (ISO 3166) телефонних номерів, набраних без коду країни.",
        ),
    )

    @field_validator("honeypot")
    @classmethod
    def _honeypot_is_free(cls, value: str) -> str:
        if value.lower() in _TAKEN:
            raise SettingWrong(
                "this name belongs to a real field: choose another one, such as website",
                "ця назва належить справжньому полю: виберіть іншу, наприклад website",
            )
        return value

    @field_validator("thank_you")
    @classmethod
    def _thank_you_is_safe(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        for text in [value] if isinstance(value, str) else value.values():
            _check_thank_you(text)
        return value

    @field_validator("kinds")
    @classmethod
    def _confirmations_are_safe(cls, value: Mapping[str, KindSettings]) -> Mapping[str, KindSettings]:
        for kind in value.values():
            for text in texts(kind.confirmation or "").values():
                _check_thank_you(text)
        return value

    @field_validator("secret", "old_secret")
    @classmethod
    def _secret_is_long(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and len(value.get_secret_value()) < MIN_SECRET:
            raise SettingWrong(
                f"a secret has at least {MIN_SECRET} characters",
                f"секрет має щонайменше символів: {MIN_SECRET}",
            )
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _is_origin(origin):
                raise SettingWrong(
                    "an origin is a site without a path, in lower case, such as https://shop.example",
                    "це має бути сайт без шляху, малими літерами, на зразок https://shop.example",
                )
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> WebFormSettings:
        if self.kind not in {*READY, *self.kinds}:
            raise SettingWrong(
                f"kind: there is no kind {self.kind!r}; add it under kinds, or take a ready one",
                f"kind: виду {self.kind!r} немає; додайте його до kinds або візьміть готовий",
            )
        if bool(self.turnstile_site_key) != bool(self.turnstile_secret.get_secret_value()):
            raise SettingWrong(
                "turnstile_site_key and turnstile_secret belong together: set both or none",
                "turnstile_site_key і turnstile_secret разом: задайте обидва або жодного",
            )
        if self.old_secret.get_secret_value() and not self.secret.get_secret_value():
            raise SettingWrong(
                "old_secret needs secret beside it: to sign no more, take both away",
                "old_secret потребує secret поруч: щоб не підписувати, приберіть обидва",
            )
        return self

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What deliveries may be signed with; empty: nothing is signed."""
        both = (self.secret.get_secret_value(), self.old_secret.get_secret_value())
        return tuple(one.encode() for one in both if one)

    @property
    def checks_people(self) -> bool:
        """Is Turnstile asked?"""
        return bool(self.turnstile_site_key)

    def all_kinds(self) -> dict[str, Kind]:
        """Every kind as it is used: the ready ones, those of the settings, and what the account says for all.

        `title` is the heading of the default kind, `thank_you` the confirmation of all, unless a kind has its own.
        """
        found = kinds_of(self.kinds)
        own_title = "title" in self.model_fields_set
        for name, kind in found.items():
            said = self.kinds.get(name, KindSettings())
            title = (
                texts(self.title) if own_title and name == self.kind and said.title is None else kind.title
            )
            thanks = (
                texts(self.thank_you) if self.thank_you and said.confirmation is None else kind.confirmation
            )
            found[name] = replace(kind, title=title, confirmation=thanks)
        return found


_OF_HOSTS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-:[]")


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return (
        parts.scheme in {"http", "https"}
        and text == f"{parts.scheme}://{parts.netloc}"
        and bool(parts.hostname)
        and not set(parts.netloc) - _OF_HOSTS
        and text == text.lower()
    )


def _check_thank_you(text: str) -> None:
    """Raise ValueError where a browser would be sent somewhere else than http, https or this site."""
    one_word = bool(text) and not any(c.isspace() or not c.isprintable() for c in text)
    if is_address(text):
        if text.startswith("//") or "\\" in text or not one_word:
            raise SettingWrong(
                "an address begins with https://, http:// or one /, without spaces",
                "адреса починається з https://, http:// чи одного /, без пробілів",
            )
    elif one_word and text.partition(":")[1] and text.partition(":")[0].isascii():
        raise SettingWrong(
            "only addresses that begin with https://, http:// or / are allowed",
            "дозволено лише адреси, що починаються з https://, http:// чи /",
        )
