"""What a person's login looks like."""

from __future__ import annotations

import re
import unicodedata

_LATIN = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "h", "ґ": "g", "д": "d", "е": "e", "є": "ie", "ж": "zh", "з": "z",
        "и": "y", "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p",
        "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh",
        "щ": "shch", "ь": "", "ю": "iu", "я": "ia", "ъ": "", "ы": "y", "э": "e", "ё": "io",
        "'": "", "’": "", "ʼ": "", "`": "",
    }
)  # fmt: skip
LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def login_from(name: str) -> str:
    """A login out of a name: "Олена Коваль" gives olena.koval (national romanisation of 2010, simplified)."""
    composed = unicodedata.normalize("NFC", name.casefold())
    latin = unicodedata.normalize("NFKD", composed.translate(_LATIN))
    words = re.findall(r"[a-z0-9]+", "".join(c for c in latin if not unicodedata.combining(c)))
    return ".".join(words)[:40] or "user"
