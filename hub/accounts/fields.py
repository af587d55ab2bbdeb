"""A plugin's settings model as a form: fields with labels, help and choices; typed values as keys. Pure.

What kind of field it is says the model's own JSON schema, so a plugin's author writes nothing twice. Whatever a
form cannot show otherwise is typed as JSON. A field that holds a secret anywhere is secret as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import PydanticUndefined, to_jsonable_python

from hub.kernel.errors import InputRejected
from hub.settings import problems_of

LANGUAGES = ("uk", "en")
NOT_VALID = "these settings are not valid"
MAX_TYPED = 20_000


class FieldKind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - a kind of field
    NUMBER = "number"
    CHOICE = "choice"
    SWITCH = "switch"
    DAY = "day"
    LIST = "list"  # one a line
    TABLE = "table"  # "key = value", one a line
    TEXTS = "texts"  # one a language
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """One key of an account's settings, as people see it. `label`, `help` and `choices` by language.

    `first`: it stands in sight; the others are opened by who looks for them.
    """

    name: str
    kind: FieldKind
    required: bool
    first: bool
    default: Any
    label: Mapping[str, str]
    help: Mapping[str, str]
    choices: Mapping[str, Mapping[str, str]]

    def shown(self, value: Any) -> str:
        """A value of JSON as a form shows it."""
        match self.kind:
            case FieldKind.SECRET:
                return ""
            case FieldKind.SWITCH:
                return "1" if value else ""
            case FieldKind.LIST:
                return "\n".join(str(one) for one in value or ())
            case FieldKind.TABLE:
                return "\n".join(f"{key} = {one}" for key, one in (value or {}).items())
            case FieldKind.JSON:
                return "" if value is None else json.dumps(value, ensure_ascii=False)
        return "" if value is None else str(value)

    def in_language(self, value: Any, language: str) -> str:
        """A text that may be one for all or one a language, as a form shows it."""
        if isinstance(value, Mapping):
            return str(value.get(language, ""))
        return str(value or "")


def fields_of(model: type[BaseModel]) -> tuple[SettingField, ...]:
    """The form of a settings model, in its own order: what must be filled in first."""
    schema = model.model_json_schema()
    required = set(schema.get("required", ()))
    found = [_field(model, name, schema, name in required) for name in schema.get("properties", {})]
    return tuple(sorted(found, key=lambda one: (not one.required, not one.first)))


def _field(model: type[BaseModel], name: str, schema: Mapping[str, Any], required: bool) -> SettingField:
    described: Mapping[str, Any] = schema["properties"][name]
    shape = _resolved(described, schema)
    kind = _kind(shape, schema)
    preset = model.model_fields[name].get_default(call_default_factory=True, validated_data={})
    label = described.get("label") or {}
    values = shape.get("enum", [])
    texts = described.get("choices") or {}
    return SettingField(
        name=name,
        kind=kind,
        required=required,
        first=required or kind is FieldKind.SECRET or bool(described.get("first")),
        default=None
        if preset is PydanticUndefined or kind is FieldKind.SECRET
        else to_jsonable_python(preset),
        label={language: label.get(language, name) for language in LANGUAGES},
        help={"en": described.get("description", ""), "uk": described.get("description_uk", "")},
        choices={
            str(value): {language: texts.get(value, {}).get(language, str(value)) for language in LANGUAGES}
            for value in values
        },
    )


def _resolved(shape: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without references, and without "or nothing"."""
    if "$ref" in shape:
        target = schema.get("$defs", {}).get(str(shape["$ref"]).rpartition("/")[2], {})
        return _resolved(target, schema)
    options = [one for one in shape.get("anyOf", ()) if one.get("type") != "null"]
    return _resolved(options[0], schema) if len(options) == 1 else shape


def _kind(shape: Mapping[str, Any], schema: Mapping[str, Any]) -> FieldKind:
    if _holds_secret(shape, schema):
        return FieldKind.SECRET
    if "enum" in shape:
        return FieldKind.CHOICE
    options = {one.get("type") for one in shape.get("anyOf", ())}
    if options == {"string", "object"}:
        return FieldKind.TEXTS
    if shape.get("type") == "string":
        return FieldKind.DAY if shape.get("format") == "date" else FieldKind.TEXT
    if shape.get("type") == "array" and shape.get("items", {}).get("type") == "string":
        return FieldKind.LIST
    if shape.get("type") == "object" and isinstance(shape.get("additionalProperties"), Mapping):
        return FieldKind.TABLE
    return _PLAIN.get(str(shape.get("type")), FieldKind.JSON)


_PLAIN = {"boolean": FieldKind.SWITCH, "integer": FieldKind.NUMBER, "number": FieldKind.NUMBER}


def _holds_secret(shape: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(shape, Mapping):
        if shape.get("format") == "password" or shape.get("writeOnly"):
            return True
        if "$ref" in shape:
            return _holds_secret(_resolved(shape, schema), schema)
        return any(
            _holds_secret(one, schema) for key, one in shape.items() if key not in {"default", "label"}
        )
    return isinstance(shape, list) and any(_holds_secret(one, schema) for one in shape)


# --- what was typed ------------------------------------------------------------------------------------------


def typed(fields: tuple[SettingField, ...], values: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Keys out of a posted form, and the secrets to forget.

    A field that was not posted says nothing, and so does an empty secret: the old one stays.
    """
    keys: dict[str, Any] = {}
    forget = []
    for one in fields:
        key = f"set_{one.name}"
        posted = key in values or one.kind is FieldKind.SWITCH  # a browser leaves out a switch that is off
        if not posted and not any(f"{key}_{language}" in values for language in LANGUAGES):
            continue
        text = values.get(key, "").strip()[:MAX_TYPED]
        match one.kind:
            case FieldKind.SWITCH:
                keys[one.name] = bool(text)
            case FieldKind.SECRET:
                if text:
                    keys[one.name] = text
                elif values.get(f"forget_{one.name}"):
                    forget.append(one.name)
            case FieldKind.LIST:
                keys[one.name] = [line.strip() for line in text.splitlines() if line.strip()]
            case FieldKind.TABLE:
                keys[one.name] = _table(text)
            case FieldKind.TEXTS:
                keys[one.name] = _texts(one, values)
            case FieldKind.JSON if text:
                keys[one.name] = _json(text)
            case _ if text or (one.kind is FieldKind.TEXT and one.default):
                keys[one.name] = text
    return keys, forget


def _table(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _texts(one: SettingField, values: Mapping[str, str]) -> Any:
    found = {
        language: text
        for language in LANGUAGES
        if (text := values.get(f"set_{one.name}_{language}", "").strip()[:MAX_TYPED])
    }
    same = set(found.values())
    return (same.pop() if len(same) == 1 and len(found) == len(LANGUAGES) else found) or ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # the model says what it expects


# --- what is kept --------------------------------------------------------------------------------------------


def checked(
    model: type[BaseModel], keys: Mapping[str, Any], prefix: str = "settings."
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keys that the model takes: those to show, and the secret ones. What is as by default is left out.

    Raises InputRejected with every problem and its path.
    """
    try:
        taken = model.model_validate(dict(keys))
    except ValidationError as error:
        raise InputRejected(NOT_VALID, problems_of(error, prefix)) from None
    plain: dict[str, Any] = {}
    secret: dict[str, Any] = {}
    for one in fields_of(model):
        if one.name not in keys:
            continue
        if one.kind is FieldKind.SECRET:
            value = keys[one.name]
            value = value.get_secret_value() if isinstance(value, SecretStr) else value
            if value != "":
                secret[one.name] = value
        elif to_jsonable_python(getattr(taken, one.name)) != one.default:
            plain[one.name] = to_jsonable_python(keys[one.name])
    return plain, secret
