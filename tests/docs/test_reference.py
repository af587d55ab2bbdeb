"""docs/settings.md, docs/cli.md and docs/api.md name every key, option and operation, and none too many."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import click
import pytest
from pydantic import BaseModel

from hub.db.tables import metadata
from hub.outbox import webhooks
from hub.settings import Settings
from hub.shipments import questions, telling
from hub.shipments.store import ShipmentRow
from hub.web.api.routes import OPERATIONS, PREFIX
from tests.conftest import CHECKOUT
from tests.docs.reference import BLOCK, SECTIONS, commands, generated, renewed, settings_of_plugins

AGAIN = "write it anew: python -m tests.docs.reference"
COMMAND = re.compile(r"^### (hub [a-z -]+)\n(.*?)(?=^### |<!-- end)", re.MULTILINE | re.DOTALL)
FIRST_CELL = re.compile(r"^\| `(.*?)` \|", re.MULTILINE)
GENERATED = ("settings.md", "cli.md", "api.md", "sdk.md", "plugins.md")


def document(name: str) -> str:
    return (CHECKOUT / "docs" / name).read_text(encoding="utf-8")


def keys_of(name: str) -> set[str]:
    """The keys of the table below a section's or a plugin's heading."""
    [block] = [found[0] for found in BLOCK.finditer(document("settings.md")) if found[2] == name]
    return set(re.findall(r"^\| `([a-z_]+)` \|", block, re.MULTILINE))


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_made_of_the_code_is_up_to_date(name):
    assert document(name) == renewed(document(name)), AGAIN


def test_every_block_stands_in_a_document_once():
    found = [match[2] for name in GENERATED for match in BLOCK.finditer(document(name))]
    assert sorted(found) == sorted(generated())


@pytest.mark.parametrize(("name", "model"), {**SECTIONS, **settings_of_plugins()}.items())
def test_every_key_is_in_the_table_and_no_key_too_many(name: str, model: type[BaseModel]):
    assert keys_of(f"settings-{name}") == set(model.model_fields)


def test_every_section_of_the_file_has_a_heading():
    headings = re.findall(r"^## `\[(\w+)[.\]]", document("settings.md"), re.MULTILINE)
    assert headings == list(Settings.model_fields)


def test_every_key_says_what_it_means():
    for model in (*SECTIONS.values(), *settings_of_plugins().values()):
        for key, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{key}"


def test_every_command_has_its_options_and_no_command_too_many():
    parts = dict(COMMAND.findall(document("cli.md")))
    live = dict(commands())
    assert set(parts) == set(live)
    for words, command in live.items():
        told = set(re.findall(r"--[a-z-]+", " ".join(FIRST_CELL.findall(parts[words]))))
        shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        options = {o for p in shown for o in p.opts if o[:2] == "--"}
        assert told == options, words


def test_every_operation_is_listed_and_no_operation_too_many():
    told = re.findall(r"^\| ([A-Z]+) \| `(/api/[^`]+)`", document("api.md"), re.MULTILINE)
    assert sorted(told) == sorted((o.method, PREFIX + o.path) for o in OPERATIONS)


def test_every_table_of_the_database_is_told_and_no_table_too_many():
    _, _, data = document("architecture.md").partition("\n## Data\n")
    told = [name for names in re.findall(r"^\| (`.*?`) \|", data, re.MULTILINE) for name in names.split(", ")]
    assert sorted(name.strip("`") for name in told) == sorted(metadata.tables)


def test_the_layers_stand_in_the_order_that_is_checked():
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]
    [layers] = [one["layers"] for one in contracts["contracts"] if one["id"] == "layers"]
    _, _, text = document("architecture.md").partition("\n## Layers\n")
    [block] = re.findall(r"\n\n((?:    .+\n)+)", text)
    told = [re.match(r" {4}(\w+(?: \| \w+)*)", line) for line in block.splitlines()]
    assert [found and found[1] for found in told] == [row.replace("hub.", "") for row in layers]


def test_every_web_hook_event_is_told_with_every_key_of_a_parcel():
    told = re.findall(
        r"^\| `((?:order|shipment|request|contact)\.[a-z]+)` \|", document("webhooks.md"), re.MULTILINE
    )
    assert sorted(told) == sorted(webhooks.EVENTS)
    _, _, parcels = document("webhooks.md").partition("\n### Parcels\n")
    cells = re.findall(r"^\| (`.*?`) \|", parcels.partition("\n## ")[0], re.MULTILINE)
    keys = {key.strip("`") for cell in cells for key in cell.split(", ")}
    values: dict[str, Any] = dict.fromkeys(ShipmentRow._fields)
    empty = ShipmentRow(**{**values, "id": 1, "facts": "{}"})
    assert keys == set(telling.document(empty, []))
    questions_told = set(
        re.findall(r"`([a-z_]+)`", parcels.partition("| `question` |")[2].partition("\n")[0])
    )
    assert questions_told == set(questions.NAMES.values())
