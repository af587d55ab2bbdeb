"""A new plugin from the template: `plugins/_template`, which is itself a working plugin with tests.

The template is copied file by file; only its names change. What its author has to decide is marked with
FILL IN, in one fixed form, so that a program can count what is left.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hub
from hub.kernel.errors import InputRejected

MARK = "FILL IN"
KINDS = ("channel", "carrier")
TEMPLATE = Path(hub.__file__).parent.parent / "plugins" / "_template"
"""Beside the package, in a checkout and in an installed hub alike."""

MAX_NAME = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_TEXTS = frozenset({".py", ".toml", ".md", ".json"})


@dataclass(frozen=True, slots=True)
class Left:
    """A place that is still marked."""

    file: Path
    line: int
    words: str


def check_name(name: str, taken: frozenset[str]) -> None:
    """Raises InputRejected with what to do, where a plugin cannot be called so."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        better = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:MAX_NAME].strip("_")
        hint = f", such as {better}" if _NAME.fullmatch(better) else ", such as my_shop"
        raise InputRejected(
            f"{name!r} is no name for a plugin: small letters, digits and single underscores{hint}"
        )
    if name in taken:
        raise InputRejected(f"another plugin is called {name} already: see `hub plugins`")
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or importlib.util.find_spec(name):
        raise InputRejected(f"Python has a module {name} already: choose another name")


def new_plugin(kind: str, name: str, folder: Path) -> list[Path]:
    """Write the template under its new name. Raises InputRejected where the folder is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputRejected(f"{folder} is there already: name another folder")
    written = []
    for path, text in files(kind, name):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        written.append(file)
    return written


def files(kind: str, name: str) -> Iterator[tuple[Path, str]]:
    """(path, text) of a new plugin."""
    source = TEMPLATE / kind
    for file in sorted(source.rglob("*")):
        if file.suffix in _TEXTS and file.is_file():
            path = str(file.relative_to(source)).replace(f"example_{kind}", name)
            yield Path(path), renamed(file.read_text(encoding="utf-8"), kind, name)


def renamed(text: str, kind: str, name: str) -> str:
    """The template's names changed, in each of their spellings."""
    words = name.split("_")
    for old, new in (
        (f"plugins._template.{kind}.example_{kind}", name),
        (f"example_{kind}", name),
        (f"example-{kind}", "-".join(words)),
        (f"Example{kind.capitalize()}", "".join(word.capitalize() for word in words)),
        (f"Example {kind}", " ".join(words).capitalize()),
    ):
        text = text.replace(old, new)
    return text


def places_left(folder: Path) -> list[Left]:
    """The places below a folder that are still marked."""
    found = []
    for file in sorted(folder.rglob("*")):
        if file.suffix not in _TEXTS or not file.is_file() or _hidden(file.relative_to(folder)):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if f"{MARK}:" in line:
                found.append(Left(file, number, line.partition(f"{MARK}:")[2].strip()))
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) and not part.startswith("__init__") for part in path.parts)
