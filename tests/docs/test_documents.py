"""The documents hold together: links lead somewhere, targets exist, the glossary is in order."""

from __future__ import annotations

import os
import re
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hub.kernel.clock import SystemClock
from hub.loader import load_plugins
from hub.runtime.building import read_accounts
from hub.settings import load
from tests.conftest import CHECKOUT

DOCUMENTS = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
TERM = re.compile(r"^\| \*\*(.+?)\*\* \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST_PATH = re.compile(r"`(tests/[\w/.-]+?)(?:::(\w+))?`")
TEXTS = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


def anchor(heading: str) -> str:
    """The anchor of a heading, as the usual renderers make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def glossary() -> list[tuple[str, str, str]]:
    """Terms with their Ukrainian words and their meanings."""
    return TERM.findall((CHECKOUT / "docs" / "glossary.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(path: Path):
    for _, _, target in LINK.findall(path.read_text(encoding="utf-8")):
        if target.startswith(("https://", "mailto:")):
            continue
        name, _, part = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), target
        assert found.is_relative_to(CHECKOUT), target
        if part:
            headings = HEADING.findall(found.read_text(encoding="utf-8"))
            assert part in {anchor(heading) for heading in headings}, target


def test_every_picture_says_what_it_shows():
    for picture, words, target in LINK.findall(TEXTS):
        assert not picture or len(words) > 20, target


def test_every_make_target_that_is_named_exists():
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", TEXTS, re.MULTILINE))
    assert {"run", "test"} <= named <= targets


def test_every_test_that_is_named_exists():
    named = TEST_PATH.findall(TEXTS)
    assert len(named) > 20
    for path, name in named:
        found = CHECKOUT / path
        assert found.exists(), path
        assert not name or re.search(rf"def {name}\b", found.read_text(encoding="utf-8")), f"{path}::{name}"


def test_the_glossary_is_in_alphabetical_order():
    terms = [term.casefold() for term, _, _ in glossary()]
    assert len(terms) > 60
    assert terms == sorted(terms)


def test_no_term_stands_twice():
    terms = [part.strip().casefold() for term, _, _ in glossary() for part in term.split(",")]
    assert [term for term in set(terms) if terms.count(term) > 1] == []


def test_every_term_has_a_ukrainian_word():
    for term, ukrainian, meaning in glossary():
        assert re.search(r"[а-яіїєґ]", ukrainian, re.IGNORECASE), term
        assert meaning.strip(), term


def test_the_example_settings_are_the_packaged_ones():
    packaged = CHECKOUT / "hub" / "cli" / "hub.example.toml"
    assert (CHECKOUT / "config" / "hub.example.toml").read_bytes() == packaged.read_bytes()


def test_the_example_settings_load_without_a_problem(monkeypatch):
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    loaded = load(CHECKOUT / "config" / "hub.example.toml")
    assert read_accounts(loaded, load_plugins(), SystemClock()).problems == []


def test_the_settings_in_the_readme_are_valid(tmp_path, monkeypatch):
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    config = tmp_path / "config"
    config.mkdir()
    (config / "nova-poshta.key").write_text("a-key\n", encoding="utf-8")
    (config / "hub.toml").write_text(example, encoding="utf-8")
    assert tomllib.loads(example)
    assert read_accounts(load(config / "hub.toml"), load_plugins(), SystemClock()).problems == []


def test_the_picture_of_the_architecture_is_whole_and_brings_its_background():
    root = ET.parse(CHECKOUT / "docs" / "images" / "architecture.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    first = next(child for child in root if child.tag == f"{space}rect")
    assert (first.get("width"), first.get("height")) == tuple(root.get("viewBox", "").split()[2:])
    assert root.find(f"{space}title") is not None
