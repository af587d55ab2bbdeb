"""`python -m hub.web.locale.update`: collect texts, keep translations, compile. For developers.

What is new in the code appears in `hub.po` untranslated; a test fails until it is translated, and when
`hub.mo` does not hold what `hub.po` says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).resolve().parent
WEB = HERE.parent
PO = HERE / "uk" / "LC_MESSAGES" / "hub.po"
MO = PO.with_suffix(".mo")
SPEAKING = ("notices", "runtime")
"""Folders beside the web whose texts people read."""
# t(N_("...")) marks its argument itself; count("one", "many", n) is Words.count
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "N_": None,
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "count": (1, 2),
}
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}}


def collect() -> Catalog:
    """Every text of the workspace and of notices as it stands in code and templates."""
    found = Catalog(charset="utf-8")
    methods = [
        ("workspace/**.py", "python"),
        ("calendar.py", "python"),
        ("i18n.py", "python"),
        ("templates/**.html", "jinja2"),
    ]
    elsewhere = [(f"{name}/**.py", "python") for name in SPEAKING]
    for folder, chosen in ((WEB, methods), (WEB.parent, elsewhere)):
        for name, line, message, comments, context in extract_from_dir(
            folder, chosen, options_map=OPTIONS, keywords=KEYWORDS
        ):
            del line  # line numbers would change the file at every edit
            found.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    return found


def read_translations() -> Catalog:
    """hub.po"""
    with PO.open("rb") as file:
        return read_po(file, locale="uk", domain="hub")


def missing(catalogue: Catalog) -> Iterable[str]:
    """Texts without a complete translation."""
    for message in catalogue:
        if message.id and (
            message.fuzzy or not message.string or (message.pluralizable and not all(message.string))
        ):
            yield str(message.id)


def main() -> None:
    """Collect, merge, compile; say what is left to translate."""
    catalogue = read_translations() if PO.exists() else Catalog("uk", domain="hub", charset="utf-8")
    created = catalogue.creation_date  # a new date at each run would be a change without one
    catalogue.update(collect(), no_fuzzy_matching=True)
    catalogue.creation_date = created
    catalogue.obsolete.clear()
    with PO.open("wb") as file:
        write_po(file, catalogue, width=110, omit_header=False, no_location=True, sort_output=True)
    with MO.open("wb") as file:
        write_mo(file, catalogue)
    left = list(missing(catalogue))
    sys.stdout.write(f"{len(catalogue)} texts, {len(left)} to translate\n")
    sys.stdout.writelines(f"  {text}\n" for text in left)


if __name__ == "__main__":
    main()
