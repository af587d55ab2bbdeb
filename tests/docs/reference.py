"""The parts of the documents that are made of the code: settings, commands, operations.

    python -m tests.docs.reference      writes them anew between `<!-- generated: NAME -->` and `<!-- end -->`

`test_reference.py` compares them, so a changed key, option or route cannot stay undocumented.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from hub.cli import main as hub
from hub.loader import load_plugins
from hub.settings import BlobsSection, DatabaseSection, HubSection, RetentionSection, TeamSection, WebSection
from hub.web.api.routes import OPERATIONS, PREFIX
from tests.conftest import CHECKOUT
from tests.docs.sdk_reference import blocks as sdk_blocks

BLOCK = re.compile(r"(<!-- generated: ([a-z_.-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


# --- settings ------------------------------------------------------------------------------------------

SECTIONS: Mapping[str, type[BaseModel]] = {
    "hub": HubSection,
    "database": DatabaseSection,
    "web": WebSection,
    "blobs": BlobsSection,
    "retention": RetentionSection,
    "teams": TeamSection,
}


def settings_of_plugins() -> dict[str, type[BaseModel]]:
    """The model of each plugin that is part of this distribution."""
    found = load_plugins()
    models = {kind.name: kind.settings for kind in found.channels.values()}
    models |= {kind.name: kind.settings for kind in found.carriers.values()}
    return dict(sorted(models.items()))


def settings_table(model: type[BaseModel]) -> str:
    """One row a key: its default as TOML writes it, and its meaning."""
    rows = [(f"`{key}`", default_of(field), meaning_of(field)) for key, field in model.model_fields.items()]
    return table(("key", "default", "meaning"), rows)


def default_of(field: FieldInfo) -> str:
    """A default for readers: TOML, or a word where TOML has none."""
    if field.is_required():
        return "(required)"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None:
        return "none"
    return f"`{toml(value)}`" if value != "" else "empty"


def toml(value: Any) -> str:
    """A value of the settings in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(toml(one) for one in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def meaning_of(field: FieldInfo) -> str:
    """The description, with the choices where there are few."""
    words = field.description or ""
    words = words if words.endswith("...") else words.removesuffix(".")
    choices = [c for c in get_args(field.annotation) if isinstance(c, str)]
    if choices and not all(choice in words for choice in choices):
        words += f" ({', '.join(f'`{choice}`' for choice in choices)})"
    return words


# --- commands ------------------------------------------------------------------------------------------


def commands(
    group: click.Group = hub, words: tuple[str, ...] = ("hub",)
) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with the words that call it."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


def command_reference() -> str:
    """All commands with all their options."""
    return "\n\n".join(_command(words, command) for words, command in commands())


def _command(words: str, command: click.Command) -> str:
    context = click.Context(command, info_name=words)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    records = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        and "--help" not in parameter.opts
        and (record := parameter.get_help_record(context)) is not None
    ]
    rows = [(f"`{option}`", meaning or "-") for option, meaning in records]
    parts = [f"### {words}", f"    {usage}", " ".join((command.help or "").split())]
    return "\n\n".join([*parts, table(("option", "meaning"), rows)] if rows else parts)


# --- operations ----------------------------------------------------------------------------------------


def operation_table() -> str:
    """All operations of the API."""
    rows = [(o.method, f"`{PREFIX}{o.path}`", o.summary, str(o.may)) for o in OPERATIONS]
    return table(("method", "path", "what it does", "right"), rows)


# --- the documents -------------------------------------------------------------------------------------


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def generated() -> dict[str, Callable[[], str]]:
    """What each block's name stands for."""
    found: dict[str, Callable[[], str]] = {
        "commands": command_reference,
        "operations": operation_table,
        **sdk_blocks(),
    }
    for name, model in {**SECTIONS, **settings_of_plugins()}.items():
        found[f"settings-{name}"] = lambda model=model: settings_table(model)  # type: ignore[misc]
    return found


def renewed(text: str) -> str:
    """A document with its blocks made anew."""
    makers = generated()
    return BLOCK.sub(lambda found: f"{found[1]}{makers[found[2]]()}\n{found[3]}", text)


def main() -> None:
    """Write every document anew."""
    for path in sorted((CHECKOUT / "docs").glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"wrote {path.name}\n")


if __name__ == "__main__":
    main()
