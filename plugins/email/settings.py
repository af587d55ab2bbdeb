"""The keys of `[channels.<account>]` with `plugin = "email"`. Each says what it does in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from hub.sdk import SettingWrong, labels, parse_email

Security = Literal["tls", "starttls", "none"]
Provider = Literal["own", "gmail", "outlook", "ukrnet"]
MAX_FOLDERS = 10


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect to, and how."""

    host: str
    port: int
    security: Security


# Read on 2026-11-25 from the providers' help pages as they are commonly cited; not tried live.
_SERVERS: dict[str, tuple[Server, Server]] = {
    "gmail": (Server("imap.gmail.com", 993, "tls"), Server("smtp.gmail.com", 465, "tls")),
    "outlook": (Server("outlook.office365.com", 993, "tls"), Server("smtp.office365.com", 587, "starttls")),
    "ukrnet": (Server("imap.ukr.net", 993, "tls"), Server("smtp.ukr.net", 465, "tls")),
}
_IMAP_PORTS = {"tls": 993, "starttls": 143, "none": 143}
_SMTP_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_TOKEN_URLS = {
    "gmail": "https://oauth2.googleapis.com/token",
    "outlook": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
}


class EmailSettings(BaseModel):
    """One mailbox."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(
        max_length=254,
        description="The mailbox's own address; answers are sent from it.",
        json_schema_extra=labels(
            en="Address", uk="Адреса", help_uk="Адреса самої скриньки; з неї надсилаються відповіді."
        ),
    )
    from_name: str = Field(
        default="",
        max_length=100,
        description="Name beside the address in answers.",
        json_schema_extra=labels(
            en="Name of the sender",
            uk="Ім'я відправника",
            help_uk="Ім'я біля адреси у відповідях.",
            first=True,
        ),
    )
    provider: Provider = Field(
        default="own",
        description="Whose servers: own, gmail, outlook or ukrnet; the last three need no hosts.",
        json_schema_extra=labels(
            en="Provider",
            uk="Постачальник",
            help_uk="Чиї сервери: own, gmail, outlook або ukrnet; для трьох останніх хости не потрібні.",
            choices={
                "own": {"en": "own server", "uk": "власний сервер"},
                "gmail": {"en": "Gmail", "uk": "Gmail"},
                "outlook": {"en": "Outlook", "uk": "Outlook"},
                "ukrnet": {"en": "ukr.net", "uk": "ukr.net"},
            },
            first=True,
        ),
    )
    username: str = Field(
        default="",
        max_length=254,
        description="Login; empty: the address.",
        json_schema_extra=labels(en="Login", uk="Логін", help_uk="Логін; порожньо: сама адреса."),
    )
    password: SecretStr = Field(
        default=SecretStr(""),
        description="Password, or app password; empty where OAuth is used.",
        json_schema_extra=labels(
            en="Password", uk="Пароль", help_uk="Пароль або пароль застосунку; порожньо, якщо працює OAuth."
        ),
    )
    client_id: str = Field(
        default="",
        max_length=300,
        description="OAuth: id of the application you registered.",
        json_schema_extra=labels(
            en="OAuth: client id",
            uk="OAuth: client id",
            help_uk="OAuth: ідентифікатор зареєстрованого застосунку.",
        ),
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""),
        description="OAuth: its secret; empty for public applications.",
        json_schema_extra=labels(
            en="OAuth: client secret",
            uk="OAuth: client secret",
            help_uk="OAuth: секрет застосунку; порожньо для публічних.",
        ),
    )
    refresh_token: SecretStr = Field(
        default=SecretStr(""),
        description="OAuth: refresh token of the mailbox; empty: the application's own right (outlook).",
        json_schema_extra=labels(
            en="OAuth: refresh token",
            uk="OAuth: refresh token",
            help_uk="OAuth: refresh token скриньки; порожньо: право самого застосунку (outlook).",
        ),
    )
    tenant: str = Field(
        default="common",
        pattern=r"^[A-Za-z0-9.\-]{1,100}$",
        description="OAuth of outlook: id or domain of your organisation.",
        json_schema_extra=labels(
            en="OAuth: tenant",
            uk="OAuth: tenant",
            help_uk="OAuth для outlook: ідентифікатор або домен вашої організації.",
        ),
    )
    base_url: str = Field(
        default="",
        pattern=r"^(https?://.*)?$",
        max_length=300,
        description="OAuth: address that gives tokens; empty: the provider's.",
        json_schema_extra=labels(
            en="OAuth: address of tokens",
            uk="OAuth: адреса токенів",
            help_uk="OAuth: адреса, що видає токени; порожньо: адреса постачальника.",
        ),
    )
    imap_host: str = Field(
        default="",
        max_length=253,
        description="IMAP server; needed where provider is own.",
        json_schema_extra=labels(
            en="IMAP server",
            uk="Сервер IMAP",
            help_uk="Сервер IMAP; потрібен, якщо provider = own.",
            first=True,
        ),
    )
    imap_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="IMAP port; 0: the usual one.",
        json_schema_extra=labels(en="IMAP port", uk="Порт IMAP", help_uk="Порт IMAP; 0: звичайний."),
    )
    imap_security: Security = Field(
        default="tls",
        description="tls, starttls or none; none only on your own machine.",
        json_schema_extra=labels(
            en="IMAP encryption",
            uk="Шифрування IMAP",
            help_uk="tls, starttls або none; none лише на власній машині.",
            choices={
                "tls": {"en": "TLS", "uk": "TLS"},
                "starttls": {"en": "STARTTLS", "uk": "STARTTLS"},
                "none": {"en": "none", "uk": "без шифрування"},
            },
        ),
    )
    smtp_host: str = Field(
        default="",
        max_length=253,
        description="SMTP server; empty where provider is own: the account only receives.",
        json_schema_extra=labels(
            en="SMTP server",
            uk="Сервер SMTP",
            help_uk="Сервер SMTP; порожньо, якщо provider = own: скринька лише приймає.",
            first=True,
        ),
    )
    smtp_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="SMTP port; 0: the usual one.",
        json_schema_extra=labels(en="SMTP port", uk="Порт SMTP", help_uk="Порт SMTP; 0: звичайний."),
    )
    smtp_security: Security = Field(
        default="tls",
        description="tls, starttls or none, as for IMAP.",
        json_schema_extra=labels(
            en="SMTP encryption",
            uk="Шифрування SMTP",
            help_uk="tls, starttls або none, як для IMAP.",
            choices={
                "tls": {"en": "TLS", "uk": "TLS"},
                "starttls": {"en": "STARTTLS", "uk": "STARTTLS"},
                "none": {"en": "none", "uk": "без шифрування"},
            },
        ),
    )
    ca_file: str = Field(
        default="",
        max_length=500,
        description="File with your own certificate authority; empty: those of the system.",
        json_schema_extra=labels(
            en="Certificate authority",
            uk="Центр сертифікації",
            help_uk="Файл власного центру сертифікації; порожньо: системні.",
        ),
    )
    folders: tuple[str, ...] = Field(
        default=("INBOX",),
        min_length=1,
        max_length=MAX_FOLDERS,
        description="Folders that are read, as the server names them.",
        json_schema_extra=labels(
            en="Folders", uk="Папки", help_uk="Папки, які читаються, так як їх називає сервер."
        ),
    )
    move_to: str = Field(
        default="",
        max_length=100,
        description="Folder to which taken mail is moved; empty: it stays.",
        json_schema_extra=labels(
            en="Move taken mail to",
            uk="Переносити прийняте до",
            help_uk="Папка, куди переноситься прийнята пошта; порожньо: лишається на місці.",
        ),
    )
    history_days: int = Field(
        default=3,
        ge=0,
        le=365,
        description="How many days back the first start reads; 0: only what comes from now on.",
        json_schema_extra=labels(
            en="Days back at the first start",
            uk="Днів назад при першому запуску",
            help_uk="За скільки днів назад читає перший запуск; 0: лише нове.",
        ),
    )
    resync_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="How far back to look after the server numbered its mail anew (UIDVALIDITY).",
        json_schema_extra=labels(
            en="Days back after renumbering",
            uk="Днів назад після перенумерації",
            help_uk="Наскільки назад переглядати, коли сервер перенумерував пошту (UIDVALIDITY).",
        ),
    )
    poll_s: int = Field(
        default=60,
        ge=5,
        le=600,
        description="Seconds between looks where the server announces nothing.",
        json_schema_extra=labels(
            en="Seconds between looks",
            uk="Секунд між перевірками",
            help_uk="Секунди між перевірками, коли сервер нічого не сповіщає.",
        ),
    )
    aliases: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description="Other addresses of yours: mail from them is your own, not a customer's.",
        json_schema_extra=labels(
            en="Other addresses of yours",
            uk="Інші ваші адреси",
            help_uk="Інші ваші адреси: пошта з них ваша, а не клієнта.",
        ),
    )
    form_senders: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description="Addresses (or @domains) from which your site sends its forms.",
        json_schema_extra=labels(
            en="Senders of your site's forms",
            uk="Відправники форм сайту",
            help_uk="Адреси (або @домени), з яких сайт надсилає форми.",
        ),
    )
    take_lists: bool = Field(
        default=False,
        description="Mail of mailing lists opens tasks, too.",
        json_schema_extra=labels(
            en="Mailing lists open tasks",
            uk="Розсилки створюють завдання",
            help_uk="Листи розсилок теж створюють завдання.",
        ),
    )
    trim_quotes: bool = Field(
        default=True,
        description="Show what a person wrote without the quoted rest; the full text is always kept.",
        json_schema_extra=labels(
            en="Hide quoted text",
            uk="Ховати цитати",
            help_uk="Показувати написане без цитати; повний текст зберігається завжди.",
        ),
    )
    authserv_id: str = Field(
        default="",
        max_length=253,
        description="Your mail server's name in Authentication-Results; empty: the topmost one counts.",
        json_schema_extra=labels(
            en="Name in Authentication-Results",
            uk="Назва в Authentication-Results",
            help_uk="Назва вашого сервера в Authentication-Results; порожньо: перший згори.",
        ),
    )
    thread_token_in: Literal["message_id", "plus_address", "subject"] = Field(
        default="message_id",
        description="Where answers carry their token: message_id, plus_address (shop+token@) or subject ([#token]).",
        json_schema_extra=labels(
            en="Token of the thread",
            uk="Позначка ланцюжка",
            help_uk="Де відповіді несуть позначку: message_id, plus_address (shop+token@) чи subject ([#token]).",
            choices={
                "message_id": {"en": "Message-ID", "uk": "Message-ID"},
                "plus_address": {"en": "address with +", "uk": "адреса з +"},
                "subject": {"en": "subject", "uk": "тема листа"},
            },
        ),
    )
    max_message_bytes: int = Field(
        default=30 * 1024 * 1024,
        ge=1024 * 1024,
        le=50 * 1024 * 1024,
        description="Of a larger mail only so many bytes are fetched, and it says so.",
        json_schema_extra=labels(
            en="Largest mail, bytes",
            uk="Найбільший лист, байтів",
            help_uk="Від більшого листа береться лише стільки байтів, і про це зазначено.",
        ),
    )

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        return _checked(value)

    @field_validator("aliases")
    @classmethod
    def _aliases(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked(one) for one in value)

    @field_validator("form_senders")
    @classmethod
    def _senders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("@" + _checked("x" + one)[2:] if one.startswith("@") else _checked(one) for one in value)

    @field_validator("folders")
    @classmethod
    def _folders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not one or len(one) > 100 for one in value) or len(set(value)) != len(value):
            raise SettingWrong(
                "each folder once, by a name of 1 to 100 characters",
                "кожна папка один раз, назва від 1 до 100 символів",
            )
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "own" and not self.imap_host:
            raise SettingWrong(
                'imap_host is needed where provider is "own"', "потрібен imap_host, якщо provider = own"
            )
        if self.move_to in self.folders:
            raise SettingWrong(
                "move_to names a folder that is read: mail would come back; choose another one",
                "move_to називає папку, яка читається: листи поверталися б; виберіть іншу",
            )
        if not self.password.get_secret_value() and not self.uses_oauth:
            raise SettingWrong(
                "password is needed, or client_id with refresh_token (or client_secret) for OAuth",
                "потрібен password або client_id із refresh_token (чи client_secret) для OAuth",
            )
        if self.uses_oauth and not self.token_url:
            raise SettingWrong(
                "OAuth works with provider gmail or outlook, or with base_url",
                "OAuth працює з provider gmail чи outlook або з base_url",
            )
        return self

    @property
    def uses_oauth(self) -> bool:
        """By token instead of by password."""
        tokens = self.refresh_token.get_secret_value() or self.client_secret.get_secret_value()
        return bool(self.client_id and tokens and not self.password.get_secret_value())

    @property
    def token_url(self) -> str:
        """Where tokens are refreshed; "" where nobody is known to."""
        return self.base_url or _TOKEN_URLS.get(self.provider, "").replace("{tenant}", self.tenant)

    @property
    def login(self) -> str:
        """The name to log in with."""
        return self.username or self.address

    @property
    def imap(self) -> Server:
        """The server that is read."""
        given = _SERVERS.get(self.provider)
        if given is not None and not self.imap_host:
            return given[0]
        return Server(self.imap_host, self.imap_port or _IMAP_PORTS[self.imap_security], self.imap_security)

    @property
    def smtp(self) -> Server | None:
        """The server that sends; None: the account only receives."""
        given = _SERVERS.get(self.provider)
        if given is not None and not self.smtp_host:
            return given[1]
        if not self.smtp_host:
            return None
        return Server(self.smtp_host, self.smtp_port or _SMTP_PORTS[self.smtp_security], self.smtp_security)

    @property
    def own(self) -> frozenset[str]:
        """Every address that is ours."""
        return frozenset({self.address, *self.aliases})


def _checked(value: str) -> str:
    address = parse_email(value)
    if address is None:
        raise SettingWrong(
            "expected an address such as shop@example.com", "очікується адреса на зразок shop@example.com"
        )
    return address
