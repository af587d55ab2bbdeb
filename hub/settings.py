"""The settings: one TOML file, every key also from the environment, secrets also from files.

    HUB_WEB__PORT=8080                     [web] port
    HUB_CHANNELS__shop-form__TEAM=sales    [channels.shop-form] team (names are lower case)
    api_key_file = "/run/secrets/np"       any key ending in _file gives the key without it

Unknown keys are errors; all errors are found at once, each with its path; secrets are never printed.
Accounts stay plain tables here: their plugins' own models read them (`hub.app.read_accounts`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from hub.kernel.errors import FieldProblem, SettingsRejected

DEFAULT_FILE = Path("config/hub.toml")
DEFAULT_TEAM = "sales"
_BUCKET = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/[A-Za-z0-9._/-]{0,200})?")
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSection(Section):
    """[hub]"""

    base_url: str = Field("", description="address under which people reach the hub; empty: as they call it")
    language: Literal["uk", "en"] = Field("uk", description="language of pages for who has chosen none")
    timezone: str = Field("Europe/Kyiv", description="zone in which times are shown and shifts are meant")
    region: str = Field("UA", pattern="^[A-Z]{2}$", description="country of telephone numbers without a code")
    currency: str = Field("UAH", pattern="^[A-Z]{3}$", description="currency of orders")
    shop_name: str = Field(
        "",
        max_length=100,
        description="name of the shop on the tracking pages and in the notices of customers",
    )
    data_dir: str = Field("var", description="folder of blobs and locks")
    plugins_dir: str = Field("", description="folder of plugins of your own; empty: none")
    secret_key_file: str = Field("config/secret.key", description="key file that `hub init` makes")

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - only where settings are read

        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("is no time zone, such as Europe/Kyiv") from error
        return value


class DatabaseSection(Section):
    """[database]"""

    url: str = Field("sqlite:///var/hub.db", description="sqlite:///file or postgresql+psycopg://...")


class WebSection(Section):
    """[web]"""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0: any free one")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="addresses or networks of proxies whose X-Forwarded-For is believed"
    )

    webhooks_private: bool = Field(
        False, description="may web hooks out call addresses of private networks and of this machine"
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        import ipaddress  # noqa: PLC0415 - only where settings are read

        for part in value:
            try:
                ipaddress.ip_network(part, strict=False)
            except ValueError as error:
                raise ValueError(f"{part} is no address or network, such as 10.0.0.0/8") from error
        return value


class BlobsSection(Section):
    """[blobs]: where bodies over 64 KiB and files lie. Without `url`: in the folder `data_dir`, for one machine."""

    url: str = Field(
        "", description="s3://bucket/prefix for several machines; empty: the folder blobs in data_dir"
    )
    endpoint: str = Field(
        "", pattern=r"^(https?://.+)?$", description="address of S3-compatible storage; empty: Amazon's"
    )
    region: str = Field("us-east-1", min_length=1, description="region of the bucket")
    access_key_id: str = Field("", description="access key; empty: what AWS_... or the machine's role gives")
    secret_access_key: SecretStr = Field(SecretStr(""), description="its secret")
    timeout_s: float = Field(10.0, ge=0.5, le=12, description="seconds that one request may last")

    @field_validator("url")
    @classmethod
    def _is_a_bucket(cls, value: str) -> str:
        if value and not _BUCKET.fullmatch(value):
            raise ValueError("is an address such as s3://bucket/prefix")
        return value

    @model_validator(mode="after")
    def _whole(self) -> BlobsSection:
        if bool(self.access_key_id) != bool(self.secret_access_key.get_secret_value()):
            raise ValueError("access_key_id and secret_access_key stand together")
        if self.access_key_id and not self.url:
            raise ValueError("keys stand here without url, such as s3://bucket/prefix")
        return self


class RetentionSection(Section):
    """[retention]: after how many days what goes by itself; 0 keeps it for ever. Keys stay in any case."""

    bodies: int = Field(90, ge=0, le=36_500, description="deliveries as they came, once they were understood")
    documents: int = Field(180, ge=0, le=36_500, description="carriers' raw answers about parcels that ended")
    conversations: int = Field(0, ge=0, le=36_500, description="texts and files of requests that were closed")
    effects: int = Field(30, ge=0, le=36_500, description="what was sent, work that was done")
    access: int = Field(30, ge=0, le=36_500, description="ended sessions, used links, failed sign-ins")
    audit: int = Field(730, ge=0, le=36_500, description="who did what to settings and people")


class TeamSection(Section):
    """[teams.<name>]: seeds a team where it is missing; afterwards the database rules."""

    title: str = Field("", description="name of the team for people")
    language: Literal["uk", "en"] | None = Field(None, description="language of its customers")
    reaction_minutes: int = Field(30, ge=1, le=10_080, description="how soon somebody has to react")
    intercept: bool = Field(True, description="may sellers take over tasks of others")
    pass_on: bool = Field(True, description="give a task to somebody else when nobody reacts in time")
    gather_minutes: int = Field(15, ge=0, le=240, description="who starts so soon shares the night's tasks")
    returning: bool = Field(True, description="a customer who comes again goes to the same person")


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="HUB_", env_nested_delimiter="__"
    )

    hub: HubSection = HubSection()
    database: DatabaseSection = DatabaseSection()
    web: WebSection = WebSection()
    blobs: BlobsSection = BlobsSection()
    retention: RetentionSection = RetentionSection()
    teams: dict[str, TeamSection] = Field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    carriers: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`build` lays the environment over the file, before names and secret files are looked at."""
        return (init_settings,)


class Loaded(BaseModel):
    """Settings with the folder that relative paths start at: the one above `config/`."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    base: Path
    file: Path | None

    def path(self, relative: str) -> Path:
        """A path of the settings, made absolute."""
        return (self.base / relative).resolve()

    def plugins_folder(self) -> Path | None:
        """Where plugins of one's own lie; None where the settings name no folder."""
        return self.path(self.settings.hub.plugins_dir) if self.settings.hub.plugins_dir else None


def settings_file(given: str | None) -> Path:
    """Which file: the option, else HUB_CONFIG, else config/hub.toml."""
    return Path(given or os.environ.get("HUB_CONFIG") or DEFAULT_FILE)


def base_of(file: Path) -> Path:
    """The folder that relative paths start at."""
    folder = file.resolve().parent
    return folder.parent if folder.name == "config" else folder


def load(file: Path) -> Loaded:
    """Read and check the file. Raises SettingsRejected with every problem."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsRejected(
            [FieldProblem(str(file), "no such file: run `hub init` to make one")]
        ) from None
    except OSError as error:
        raise SettingsRejected([FieldProblem(str(file), f"cannot be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRejected([FieldProblem(str(file), f"is no TOML: {error}")]) from error
    return build(table, base_of(file), file)


def build(table: dict[str, Any], base: Path, file: Path | None = None) -> Loaded:
    """Settings out of a parsed table and the environment."""
    table = _with_environment(table)
    problems: list[FieldProblem] = list(_odd_names(table))
    table = _read_secret_files(table, base, problems)
    try:
        settings = Settings(**table)
    except ValidationError as error:
        raise SettingsRejected(problems + problems_of(error)) from None
    if problems:
        raise SettingsRejected(problems)
    return Loaded(settings=settings, base=base, file=file)


def _with_environment(table: Mapping[str, Any]) -> dict[str, Any]:
    """The environment stands above the file."""
    try:
        return _over(table, EnvSettingsSource(Settings)())
    except SettingsError as error:
        section = str(error).partition('field "')[2].partition('"')[0]
        where = f"HUB_{section.upper()}"
        raise SettingsRejected(
            [FieldProblem(where, f"is no JSON: name a key, such as {where}__KEY=value")]
        ) from None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        present = merged.get(key)
        both = isinstance(present, Mapping) and isinstance(value, Mapping)
        merged[key] = _over(present, value) if both else value  # type: ignore[arg-type]
    return merged


def problems_of(error: ValidationError, prefix: str = "") -> list[FieldProblem]:
    """Pydantic's findings with their paths, in our words; never the value, it may be a secret."""
    found: dict[str, FieldProblem] = {}
    for detail in error.errors(include_url=False, include_input=False):
        loc = [str(part) for part in detail["loc"] if part not in _BRANCHES]
        path = f"{prefix}{'.'.join(loc)}".rstrip(".")
        message, uk = _in_our_words(detail)
        if path not in found:  # one text or one a language: the first branch says enough
            found[path] = FieldProblem(path, message, uk)
    return list(found.values())


_BRANCHES = ("str", "dict[literal['uk','en'],str]")  # of a union: no key that a person has written
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a key here",
    "string_type": "is a text",
    "string_too_long": "has at most {max_length} characters",
    "string_too_short": "has at least {min_length} characters",
    "too_long": "has at most {max_length} entries",
    "too_short": "has at least {min_length} entries",
    "literal_error": "is one of {expected}",
    "enum": "is one of {expected}",
    "greater_than_equal": "is at least {ge}",
    "less_than_equal": "is at most {le}",
    "int_parsing": "is a whole number",
    "int_type": "is a whole number",
    "int_from_float": "is a whole number",
    "float_parsing": "is a number",
    "float_type": "is a number",
    "bool_parsing": "is true or false",
    "bool_type": "is true or false",
    "date_from_datetime_parsing": "is a date such as 2026-12-31",
    "date_parsing": "is a date such as 2026-12-31",
    "date_type": "is a date such as 2026-12-31",
    "date_from_datetime_inexact": "is a date such as 2026-12-31",
    "tuple_type": "is a list",
    "list_type": "is a list",
    "dict_type": "is a table of names and values",
    "model_type": "is a table of names and values",
    "mapping_type": "is a table of names and values",
}
_ADDRESS = "is an address that begins with https:// or http://"
_FORMS = {r"^https?://": _ADDRESS, r"^(https?://.+)?$": _ADDRESS}


def _in_our_words(detail: Any) -> tuple[str, str]:
    """(English, Ukrainian): the second only where a plugin says it itself."""
    context = detail.get("ctx") or {}
    uk = str(getattr(context.get("error"), "uk", ""))  # hub.sdk.SettingWrong
    if detail["type"] == "string_pattern_mismatch":
        return _FORMS.get(context.get("pattern", ""), "does not have the expected form"), ""
    if detail["type"] in _WORDS:
        facts = {name: str(value).replace("'", "").replace(" or ", ", ") for name, value in context.items()}
        return _WORDS[detail["type"]].format(**facts), ""
    message = detail["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:], uk


def _odd_names(table: Mapping[str, Any]) -> list[FieldProblem]:
    found = []
    for section in ("channels", "carriers", "teams"):
        names = table.get(section)
        if not isinstance(names, Mapping):
            continue
        found += [
            FieldProblem(f"{section}.{name}", "a name has lower-case letters, digits, - and _ only")
            for name in names
            if not ACCOUNT_NAME.fullmatch(name)
        ]
    return found


def _read_secret_files(table: dict[str, Any], base: Path, problems: list[FieldProblem]) -> dict[str, Any]:
    """`key_file = "..."` in an account or in [blobs] becomes `key = <content>`."""
    read = dict(table)
    if isinstance(table.get("blobs"), dict):
        read["blobs"] = _with_secrets(table["blobs"], base, "blobs", problems)
    for section in ("channels", "carriers"):
        accounts = table.get(section)
        if not isinstance(accounts, dict):
            continue
        read[section] = {
            name: _with_secrets(keys, base, f"{section}.{name}", problems) if isinstance(keys, dict) else keys
            for name, keys in accounts.items()
        }
    return read


def _with_secrets(
    keys: dict[str, Any], base: Path, where: str, problems: list[FieldProblem]
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in keys.items():
        if not (key.endswith("_file") and isinstance(value, str)):
            out[key] = value
            continue
        name = key.removesuffix("_file")
        if name in keys:
            problems.append(FieldProblem(f"{where}.{key}", f"{name} stands there too: keep one of them"))
        try:
            out[name] = (base / value).read_text(encoding="utf-8").strip()
        except OSError as error:
            problems.append(FieldProblem(f"{where}.{key}", f"cannot be read: {error.strerror}"))
        except UnicodeDecodeError:
            problems.append(FieldProblem(f"{where}.{key}", "is no text file"))
    return out
