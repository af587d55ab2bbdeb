"""Every test that the security document leans on is there."""

import re

from tests.conftest import CHECKOUT

NAMED = re.compile(r"`(test_[a-z0-9_]+)`")
DEFINED = re.compile(r"^(?:    )?(?:async )?def (test_[a-z0-9_]+)", re.MULTILINE)


def defined() -> set[str]:
    """Names of all tests of this repository, those of the kits too."""
    found: set[str] = set()
    for folder in ("tests", "hub/testing"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            found |= set(DEFINED.findall(path.read_text(encoding="utf-8")))
    return found


def test_the_document_names_tests_that_are_there():
    named = set(NAMED.findall((CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")))
    assert len(named) > 40
    assert named - defined() == set()


def test_every_door_has_a_test():
    document = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
    for heading in ("Doors", "Calls that leave", "What lies at rest"):
        section = document.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
        rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
        assert rows
        assert [row for row in rows if not NAMED.search(row)] == []
