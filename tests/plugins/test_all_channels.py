"""The traps that users of other programs ran into with the four channels, and where each is answered.

E e-mail, T Telegram, V Viber, W web hooks and forms. A number is answered by a test whose name begins with it
(`test_e3_...`, `test_w5_w7_...`), or stands in NOT_YET with the reason.
"""

import re

from tests.conftest import CHECKOUT

NUMBERS = frozenset(
    f"{letter}{number}"
    for letter, last in {"E": 14, "T": 6, "V": 7, "W": 10}.items()
    for number in range(1, last + 1)
)
NOT_YET = {"W10": "missed calls come from telephony services, and none is connected"}


def named_by_tests():
    """In capitals."""
    texts = (file.read_text(encoding="utf-8") for file in (CHECKOUT / "tests").rglob("test_*.py"))
    found = (re.findall(r"^(?:async )?def test_((?:[etvw]\d{1,2}_)+)", text, re.MULTILINE) for text in texts)
    return {one.upper() for names in found for name in names for one in name.split("_") if one}


def test_every_trap_of_the_channels_is_named_by_a_test_or_cannot_be_met_yet():
    named = named_by_tests()
    assert NUMBERS - named == NOT_YET.keys()
    assert named <= NUMBERS, "a test names a trap that no list has"


def test_the_list_of_traps_is_the_references(samples):
    text = (samples / "channels" / "PITFALLS.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| ([A-Z]\d+) \|", text, re.MULTILINE)) == NUMBERS
