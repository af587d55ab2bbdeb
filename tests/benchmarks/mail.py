"""Parsing a mail, whole: from its bytes to the event that the hub stores, against the standard library's parser alone.

Whole is the plugin's `parse`: tree of parts, headers, letters, text of HTML, own words apart from quotes, attachments
decoded. The parser alone is `BytesParser(policy=compat32).parsebytes`: it finds the parts and stops there, no header is
read, nothing is decoded. That is the harder of two baselines: with `policy.default` (beside it) it takes longer, and
raises on hostile headers besides. The key of a mail (`verify`, a digest) is no parsing; it stands beside, too. All in
turn on the same bytes, so that the machine's mood hits each; figures are medians and quartiles of the ratio in a round.
"""

from __future__ import annotations

import base64
import quopri
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from typing import Any

from hub.sdk import RawDelivery
from hub.testing.host import LoopbackHost
from plugins.email import quotes
from plugins.email.plugin import Email
from plugins.email.settings import EmailSettings

MUST, MUST_HOSTILE, MUST_SCANNER_MS = 1.5, 3.0, 100.0
SIZE, HOSTILE_SIZE = 80_000, 1_000_000

_SETTINGS = EmailSettings.model_validate(
    {"address": "sales@example.org", "password": "-", "imap_host": "127.0.0.1"}
)
_ENGLISH = (
    "Please tell me whether the oak table in your shop is in stock, what the delivery to Lviv costs and "
    "how long it takes."
)
_UKRAINIAN = (
    "Підкажіть, будь ласка, чи є в наявності дубовий стіл із вашої крамниці, скільки коштує доставка до Львова та "
    "чи їхатиме він довго; ґрунтовно загорніть."
)


def _head(more: str) -> bytes:
    """The headers that a mail carries after two servers and a filter have had it."""
    hops = "".join(
        f"Received: from mx{n}.example.net (mx{n}.example.net [192.0.2.{n}])\r\n\tby mail{n}.example.org with ESMTPS id"
        f" 4f{n}c0ffee{n}\r\n\tfor <sales@example.org>; Thu, 05 Mar 2026 10:00:0{n} +0200\r\n"
        for n in range(1, 5)
    )
    signature = "".join(f"\r\n\t{'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ' * 2}{n}" for n in range(4))
    return (
        f"{hops}DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=m1;{signature}\r\n"
        "Authentication-Results: mail1.example.org; dkim=pass header.d=example.com; spf=pass; dmarc=pass\r\n"
        "From: =?utf-8?b?0J7Qu9C10L3QsCDQotC10YHRgg==?= <olena@example.com>\r\nTo: Shop <sales@example.org>\r\n"
        "Subject: =?utf-8?q?Re=3A_=D0=B7=D0=B0=D0=BC=D0=BE=D0=B2=D0=BB=D0=B5=D0=BD=D0=BD=D1=8F?= 15\r\n"
        "Date: Thu, 05 Mar 2026 10:00:00 +0200\r\nMessage-ID: <CAF0123456789abc@mail.example.com>\r\n"
        "In-Reply-To: <CAF000000000@mail.example.com>\r\nReferences: <CAF000000000@mail.example.com>\r\n"
        f"MIME-Version: 1.0\r\nUser-Agent: Mozilla Thunderbird\r\n{more}\r\n"
    ).encode()


def _lines(sentence: str, size: int) -> str:
    """A reply of so many characters: own words in paragraphs, then what is answered, marked by ">"."""
    own = [f"{sentence} ({n})" + ("\r\n" if n % 4 == 0 else "") for n in range(size // len(sentence) // 2)]
    quoted = [f"> {sentence} [{n}]" for n in range(size // len(sentence) // 2)]
    said = "чт, 5 бер. 2026 р. о 09:00 Магазин <sales@example.org> пише:"
    if sentence.isascii():
        said = "On Thu, 5 Mar 2026 at 09:00 Shop <sales@example.org> wrote:"
    return "\r\n".join([*own, "", said, "", *quoted, ""])


def _text(sentence: str, charset: str, encoding: str, size: int = SIZE) -> bytes:
    """A mail of plain text, about `size` bytes as it is sent."""
    body = _body(sentence, charset, encoding, size)
    if len(body) > size:  # letters of two bytes, and what the transfer encoding adds
        body = _body(sentence, charset, encoding, size * size // len(body))
    return (
        _head(f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n")
        + body
    )


def _body(sentence: str, charset: str, encoding: str, size: int) -> bytes:
    words = _lines(sentence, size).encode(charset)
    if encoding == "base64":
        return base64.encodebytes(words).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return quopri.encodestring(words.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return words


def _newsletter(size: int) -> str:
    """HTML as programs write it: tables, styles, links."""
    cell = (
        '<tr><td align="left" style="padding:10px 20px;font-family:Arial,sans-serif;font-size:14px;color:#333333">'
        '<p style="margin:0;line-height:1.5">{words} <b>{n}</b></p>\r\n<a href="https://shop.example/p/{n}?utm_source=m"'
        ' target="_blank" style="color:#0b5cad">Дивитися</a>&nbsp;<img src="https://shop.example/i/{n}.png" width="120"'
        ' height="90" alt="" style="display:block;border:0"></td></tr>\r\n'
    )
    rows: list[str] = []
    while sum(map(len, rows)) < size * 0.78:
        rows.append(cell.format(words=_UKRAINIAN, n=len(rows)))
    return (
        "<!DOCTYPE html><html><head><meta charset=utf-8><style>td{color:#333}</style></head>\r\n"
        f'<body><table width="600">{"".join(rows)}</table></body></html>\r\n'
    )


def _part(headers: str, body: bytes) -> bytes:
    return b"--B0und\r\n" + headers.encode() + b"\r\n\r\n" + body + b"\r\n"


def _multipart(kind: str, *parts: bytes) -> bytes:
    return _head(f'Content-Type: multipart/{kind}; boundary="B0und"\r\n') + b"".join(parts) + b"--B0und--\r\n"


def _html() -> bytes:
    return _multipart(
        "alternative",
        _part(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", _UKRAINIAN.encode()
        ),
        _part(
            "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit",
            _newsletter(SIZE).encode(),
        ),
    )


def _html_alone() -> bytes:
    """HTML without a plain text beside it: the text is made of it."""
    return _multipart(
        "related",
        _part(
            "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
            quopri.encodestring(_newsletter(SIZE // 2).encode().replace(b"\r\n", b"\n")).replace(
                b"\n", b"\r\n"
            ),
        ),
    )


def _files(size: int = SIZE, count: int = 3) -> bytes:
    noise = random.Random(1)
    words = _part(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", _UKRAINIAN.encode()
    )
    files = [
        _part(
            f'Content-Type: image/jpeg; name="photo{n}.jpg"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment; filename="photo{n}.jpg"',
            base64.encodebytes(noise.randbytes(size * 74 // 100 // count)).replace(b"\n", b"\r\n"),
        )
        for n in range(count)
    ]
    return _multipart("mixed", words, *files)


def _nested(levels: int = 18, size: int = SIZE) -> bytes:
    """Parts within parts, a text at each level."""
    inner = (
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + _lines(_UKRAINIAN, size // levels // 2).encode()
    )
    for n in range(levels):
        more = f"--b{n}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n".encode()
        more += _lines(_UKRAINIAN, size // levels // 2).encode()
        begin = f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n'.encode()
        inner = begin + inner + b"\r\n" + more + f"\r\n--b{n}--\r\n".encode()
    return _head("").removesuffix(b"\r\n") + inner


USUAL: Mapping[str, Callable[[], bytes]] = {
    "ascii": lambda: _text(_ENGLISH, "us-ascii", "7bit"),
    "utf-8, 8bit": lambda: _text(_UKRAINIAN, "utf-8", "8bit"),
    "utf-8, base64": lambda: _text(_UKRAINIAN, "utf-8", "base64"),
    "utf-8, quoted-printable": lambda: _text(_UKRAINIAN, "utf-8", "quoted-printable"),
    "koi8-u, 8bit": lambda: _text(_UKRAINIAN, "koi8-u", "8bit"),
    "windows-1251, 8bit": lambda: _text(_UKRAINIAN, "windows-1251", "8bit"),
    "windows-1251, base64": lambda: _text(_UKRAINIAN, "windows-1251", "base64"),
    "HTML beside text": _html,
    "HTML alone": _html_alone,
    "three files": _files,
    "18 levels": _nested,
}
"""Mails of 80 kB."""


def _plain(text: str) -> bytes:
    return _head("Content-Type: text/plain; charset=utf-8\r\n") + text[:HOSTILE_SIZE].encode()


SCANNED: Mapping[str, str] = {
    "attributions": "a@b:\n" * 200_000,
    "marks": ">" * HOSTILE_SIZE,
    "dates": "1 Jan 2026 <" * 80_000 + ":",
    "wrote": "On 2026 x wrote :\n" * 55_000,
    "empty lines": "\n" * HOSTILE_SIZE,
    "headers": "From: x\n" * 120_000,
    "rules": "-" * 500_000 + "\n" + "_" * 500_000,
    "devices": "Sent from my iPhone\n" * 50_000,
}
"""What is meant to make the scanner of quotes slow: a million characters each."""


def _tags(tag: str) -> bytes:
    return _head("Content-Type: text/html; charset=utf-8\r\n") + (tag * (HOSTILE_SIZE // len(tag))).encode()


HOSTILE: Mapping[str, Callable[[], bytes]] = {
    **{f"text of {name}": (lambda text=text: _plain(text)) for name, text in SCANNED.items()},  # type: ignore[misc]
    "open tags": lambda: _tags("<div><"),
    "hidden tags": lambda: _tags("<b style='display:"),
    "links": lambda: _tags("<a href=http://x.example>"),
    "comments": lambda: _tags("<!-- <!"),
    "entities": lambda: _tags("&amp;&#x41;&"),
    "a boundary on each line": lambda: _head('Content-Type: multipart/mixed; boundary="b"\r\n')
    + b"--b\r\n\r\nx\r\n" * (HOSTILE_SIZE // 10),
    "nearly boundaries": lambda: _head('Content-Type: multipart/mixed; boundary="b"\r\n')
    + b"--b--b" * (HOSTILE_SIZE // 6),
    "headers without end": lambda: b"From: a@example.com\r\n" + b"X: y\r\n" * (HOSTILE_SIZE // 6),
    "words without end": lambda: b"From: a@example.com\r\nSubject: " + b"=?utf-8?q?" * (HOSTILE_SIZE // 10),
    "addresses": lambda: b"From: a@example.com\r\nTo: " + b'"<a@b.example>,' * (HOSTILE_SIZE // 15) + b"\r\n\r\nx",
    "broken base64": lambda: _head("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n")
    + b"QUJD=*\r\n" * (HOSTILE_SIZE // 8),
    "wrong letters": lambda: _head("Content-Type: text/plain; charset=utf-8\r\n")
    + random.Random(2).randbytes(HOSTILE_SIZE),
}  # fmt: skip
"""Mails of 1 MB that are made to be slow."""


def measure(rounds: int = 15) -> dict[str, Any]:
    """Ratios of each mail, and what the scanner of quotes takes."""
    usual = {name: compare(make(), rounds) for name, make in USUAL.items()}
    hostile = {name: compare(make(), max(3, rounds // 3)) for name, make in HOSTILE.items()}
    scanner = {name: scanned_ms(text) for name, text in SCANNED.items()}
    return {
        "usual": usual,
        "worst": max(one["ratio"] for one in usual.values()),
        "hostile": hostile,
        "worst_hostile": max(one["ratio"] for one in hostile.values()),
        "scanner_ms": scanner,
        "worst_scanner_ms": max(scanner.values()),
        "must": {"usual": MUST, "hostile": MUST_HOSTILE, "scanner_ms": MUST_SCANNER_MS},
    }


def missed(found: Mapping[str, Any]) -> bool:
    """Is one of them slower than it may be?"""
    slow = found["worst"] > MUST or found["worst_hostile"] > MUST_HOSTILE
    return slow or found["worst_scanner_ms"] > MUST_SCANNER_MS


def compare(body: bytes, rounds: int) -> dict[str, Any]:
    """The whole of a mail against the parser alone."""
    account = Email("mail", _SETTINGS, LoopbackHost())
    raw = RawDelivery(
        account="mail",
        method="PULL",
        path="",
        headers={},
        query={},
        body=body,
        address="",
        received_at=datetime(2026, 3, 5, 8, 40, tzinfo=UTC),
    )
    works: tuple[Callable[[], Any], ...] = (
        lambda: account.parse(raw),
        lambda: account.verify(raw),
        lambda: BytesParser(policy=policy.compat32).parsebytes(body),
    )
    whole, key, alone = _in_turn(works, rounds)
    rich = (
        _spent(lambda: BytesParser(policy=policy.default).parsebytes(body))
        if len(body) < HOSTILE_SIZE // 2
        else 0
    )
    ratios = sorted(a / b for a, b in zip(whole, alone, strict=True))
    return {
        "bytes": len(body),
        "us_whole": round(statistics.median(whole) * 1e6),
        "us_key": round(statistics.median(key) * 1e6),
        "us_parser": round(statistics.median(alone) * 1e6),
        "us_parser_default_policy": round(rich * 1e6),  # 0: not asked; with a hostile one it takes up to 13 s
        "ratio": round(statistics.median(ratios), 2),
        "quartiles": [round(ratios[len(ratios) // 4], 2), round(ratios[3 * len(ratios) // 4], 2)],
    }


def scanned_ms(text: str) -> float:
    """What it takes to find a person's own words in a text; the best of three."""
    return round(min(_spent(lambda: quotes.visible(text)) for _ in range(3)) * 1000, 1)


def _in_turn(works: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Processor seconds of each, one after the other in each round."""
    # Several in a row, about 4 ms of work: a step of the clock is then little against it.
    times = [max(1, round(0.004 / max(_spent(work), 1e-5))) for work in works]
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, count, seconds in zip(works, times, spent, strict=True):
            begun = time.process_time()
            for _ in range(count):
                work()
            seconds.append((time.process_time() - begun) / count)
    return spent


def _spent(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
