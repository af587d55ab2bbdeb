"""What a person wrote himself, apart from what he answers to and from his signature: Ukrainian, Russian, English.

One pass over the lines; every pattern looks at one bounded line and cannot back-track far, because mail comes from
strangers. Anchored on a date together with an address or a verb, never on a verb alone ("Petro wrote: ..." in
somebody's own text stays). Lines marked with ">" are left out wherever they stand; an unmarked quote (Outlook, mail.ru)
takes all that follows. The result is a view: the full text is kept beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_LINES = 5_000
MAX_CHARACTERS = 200_000
MAX_LINE = 1_000

_DATE = re.compile(r"\d{1,2}[:.]\d{2}\b|\b(?:19|20)\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b")
_WROTE = re.compile(
    r"(?:пише|писав|писала|написав|написала|написав\(ла\)|пишет|писал|писала|написал|написала|написал\(а\)"
    r"|wrote|writes|schrieb|a écrit|napisał\(a\)|napisał|napisała)\s?:$"
)
_ADDRESS = re.compile(r"<[^<>\s]{1,254}@[^<>\s]{1,254}>\s?:$")
_FROM = "Від|Від кого|От|От кого|From|Von|De"
_OTHERS = "Кому|Копія|Копия|Тема|Дата|Надіслано|Відправлено|Отправлено|Sent|To|Cc|Subject|Date"
_LABELS = frozenset(f"{_FROM}|{_OTHERS}".split("|"))
_HEADER = re.compile(rf"[>*\s]{{0,8}}(?:({_FROM})|{_OTHERS})\*?:\*?\s")
_SEPARATOR = re.compile(
    r"\s{0,8}-{2,40}\s?(?:Original Message|Forwarded message|Переслане повідомлення|Перенаправлене повідомлення"
    r"|Початкове повідомлення|Оригінальне повідомлення|Вихідне повідомлення|Пересланное сообщение"
    r"|Пересылаемое сообщение|Исходное сообщение|Оригинальное сообщение)\s?-{2,40}\s{0,8}",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s{0,8}[_\-]{10,}\s{0,8}")
_DASHES = re.compile(r"\s{0,8}[—–―]{3,60}\s{0,8}")
_DEVICE = re.compile(
    r"(?:Надіслано|Відправлено|Отправлено|Sent)\s(?:з|із|зі|с|со|из|from)\s(?:мого\s|моєї\s|моего\s|my\s|мобільного\s)?"
    r"(?:iPhone|iPad|Android|Samsung|Galaxy|Huawei|Xiaomi|Redmi|Outlook|Gmail|Mail|Windows|BlackBerry|Nokia"
    r"|телефону?|телефона|пошти|почты|ukr\.net|i\.ua|meta\.ua|Яндекс|Yandex|Proton)[^\n]{0,60}"
    r"|Get Outlook for [^\n]{1,60}|Завантажити Outlook для [^\n]{1,60}",
    re.IGNORECASE,
)


_DEVICE_LETTERS = frozenset("НнВвОоSsGgЗз")


def visible(text: str) -> str:
    """The person's own words of a reply; the whole text where nothing else would be left."""
    own = "\n".join(_own_lines(_lines(text))).strip()
    return own or text.strip()


def _lines(text: str) -> list[str]:
    lines = text[:MAX_CHARACTERS].split("\n", MAX_LINES)[:MAX_LINES]
    return lines if max(map(len, lines)) <= MAX_LINE else [line[:MAX_LINE] for line in lines]


def _own_lines(lines: list[str]) -> list[str]:
    kept: list[str] = []
    for i, line in enumerate(lines):
        first = line[:1]
        if first == ">":
            continue
        if first.isalpha() and ":" not in line and (first not in _DEVICE_LETTERS or len(line) >= 120):
            kept.append(line)  # no rule can be about it, as about most lines of a mail
            continue
        stripped = line.strip()
        if not stripped:
            kept.append("")
        elif stripped[0] == ">":
            continue
        elif _begins_unmarked(lines, i, stripped):
            break
        elif stripped[-1] == ":" and (start := _attribution(lines, i)) is not None:
            marked = _next(lines, i + 1).startswith(">")
            if (
                marked
                or start == 0
                or not lines[start - 1].strip()
                or lines[start - 1].lstrip().startswith(">")
            ):
                del kept[len(kept) - (i - start) :]
                if not marked:
                    break
            else:
                kept.append(line)
        elif len(line) < 120 and _DEVICE.fullmatch(stripped) and _is_tail(lines, i + 1):
            continue
        else:
            kept.append(line)
    return kept


def _begins_unmarked(lines: Sequence[str], i: int, stripped: str) -> bool:
    """Does everything from here on belong to a signature or to an unmarked quote?"""
    first = stripped[0]
    if first == "-":
        if stripped in {"--", "---"} or _SEPARATOR.fullmatch(stripped):
            return True
    elif first in "—–―":
        return _DASHES.fullmatch(stripped) is not None and _is_card(lines, i + 1)
    if first in "_-" and _RULE.fullmatch(stripped):
        following = _next(lines, i + 1)
        return _HEADER.match(following) is not None or "mailing list" in following
    label, colon, _ = stripped[:20].partition(":")
    return bool(colon) and label.strip("> *\t") in _LABELS and _is_header_block(lines, i)


def _is_header_block(lines: Sequence[str], i: int) -> bool:
    """Three lines such as Від/Надіслано/Кому in a row, or two of which one names the sender."""
    found, sender = 0, False
    for line in lines[i : i + 3]:
        match = _HEADER.match(line + " ")
        if match is None:
            break
        found += 1
        sender = sender or match[1] is not None
    return found >= 3 or (found == 2 and sender)


def _attribution(lines: Sequence[str], i: int) -> int | None:
    """Where "on such a day such a person wrote:" begins that ends in line i; it may be wrapped over three lines."""
    joined = ""
    for start in range(i, max(-1, i - 3), -1):
        line = lines[start].strip()
        if not line or line[0] == ">":
            return None
        joined = f"{line} {joined}".strip()[-600:]
        if _DATE.search(joined) and (_WROTE.search(joined) or _ADDRESS.search(joined)):
            return start
    return None


def _next(lines: Sequence[str], i: int) -> str:
    """The next line that is not empty, among the next four."""
    return next((line.strip() for line in lines[i : i + 4] if line.strip()), "")


def _is_tail(lines: Sequence[str], i: int) -> bool:
    """Nothing of one's own comes after: the end, a quote, or what introduces it."""
    following = next((n for n in range(i, min(i + 6, len(lines))) if lines[n].strip()), None)
    if following is None:
        return True
    line = lines[following].strip()
    return line[0] in ">_-" or _HEADER.match(line) is not None or _DATE.search(line) is not None


def _is_card(lines: Sequence[str], i: int) -> bool:
    """A few short lines and then nothing: name, post, telephone."""
    rest = [line.strip() for line in lines[i : i + 60] if line.strip()]
    return 0 < len(rest) <= 7 and all(len(line) <= 70 for line in rest)
