"""Compares what the outside was told with what is stored, dealt, sent and counted. No code of the hub."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.faults.senders import Told, rejected_lately
from tests.integration import ledger_audit

FORGOTTEN_S = 3.0
"""Rejections are written each second; a machine that is busy takes a little longer."""


@dataclass
class Verdict:
    """What the run came to. `lost` and `doubled` must be empty, and `wrong`."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    uncertain: int = 0
    uncertain_by_kill: int = 0
    blobs: int = 0
    repeated_events: int = 0

    @property
    def clean(self) -> bool:
        """Is all well?"""
        return not (self.lost or self.doubled or self.wrong)


def judge(url: str, acknowledged: dict[str, str], heard: Counter[str], answers: Counter[str]) -> Verdict:
    """Look at the database through its plain driver, after everything has come to rest."""
    verdict = Verdict()
    for problem in ledger_audit.delivery_problems(url, acknowledged):
        lost = "stored 0 times" in problem or "missing" in problem
        (verdict.lost if lost else verdict.doubled).append(problem)
    verdict.wrong += ledger_audit.problems(url)
    odd = [what for what in answers if what.startswith(("status", "told"))]
    verdict.wrong += [f"{answers[what]} answers: {what}" for what in odd]
    [(stored,)] = ledger_audit.query(url, "SELECT stored FROM account WHERE name = 'form'")
    if stored != len(acknowledged):
        verdict.wrong.append(f"counted {stored}, acknowledged {len(acknowledged)}")
    _effects(url, heard, verdict)
    _evenness(url, verdict)
    return verdict


def _effects(url: str, heard: Counter[str], verdict: Verdict) -> None:
    """Every event reached its receiver at least once, with one id however often; none was made up."""
    rows = dict(ledger_audit.query(url, "SELECT id, state FROM outbox WHERE lane = 'webhook'"))
    ids = {str(identifier) for identifier in rows}
    for identifier, state in rows.items():
        if state == "done" and str(identifier) not in heard:
            verdict.lost.append(f"event {identifier} counts as sent and was not heard")
        elif state != "done":
            verdict.wrong.append(f"event {identifier} is {state}")
    verdict.wrong += [f"event {one} was heard and is not stored" for one in heard.keys() - ids]
    verdict.repeated_events = sum(count - 1 for count in heard.values())
    [(verdict.uncertain,)] = ledger_audit.query(
        url, "SELECT count(*) FROM outbox WHERE lane = 'reply' AND state = 'uncertain'"
    )


WORD = re.compile(r"K[FMTV]\d{6}|R\d{6}")


Fetch = Callable[[str], bytes | None]


def judge_channels(
    url: str, told: Told, sent: Counter[str], kills: Sequence[float], broken: int, fetch: Fetch
) -> Verdict:
    """The same for four channels.

    sent     words of our replies as they reached the emulators, with how often
    kills    when hubs were killed; what they had counted of rejections in the second before is gone with them
    broken   how many lines to providers were cut: a reply on its way there may have arrived
    fetch    a blob by its name, past the hub
    """
    verdict = Verdict()
    verdict.wrong += ledger_audit.problems(url) + told.odd
    _messages(url, told, verdict)
    _counters(url, told, kills, verdict)
    _replies(url, sent, len(kills), broken, verdict)
    _blobs(url, fetch, verdict)
    return verdict


def _messages(url: str, told: Told, verdict: Verdict) -> None:
    """What was handed over is one message of its account, with one task; there is nothing else."""
    stored: Counter[tuple[str, str]] = Counter()
    requests: dict[str, set[int]] = {}
    for account, body, request_id in ledger_audit.query(
        url, "SELECT account, body, request_id FROM message WHERE direction = 'in'"
    ):
        words = WORD.findall(body)
        if len(words) != 1:
            verdict.wrong.append(f"a message of {account} holds {len(words)} words")
            continue
        stored[account, words[0]] += 1
        requests.setdefault(words[0], set()).add(request_id)
    for account, wanted in told.handed.items():
        missing = sorted(word for word in wanted if not stored[account, word])
        verdict.lost += [f"{account}: {word} is not there" for word in missing]
    handed = {(account, word) for account, words in told.handed.items() for word in words}
    verdict.doubled += [f"{account}: {word}, {n} times" for (account, word), n in stored.items() if n > 1]
    verdict.wrong += [f"{account}: {word} was never acknowledged" for account, word in stored.keys() - handed]
    verdict.wrong += [
        f"{word}: told {request_id}, stored under {requests.get(word)}"
        for word, request_id in told.requests.items()
        if requests.get(word) != {int(request_id)}
    ]
    for what, sql in _MUST_BE_EMPTY.items():
        verdict.wrong += [f"{what}: {row}" for row in ledger_audit.query(url, sql)[:5]]


_MUST_BE_EMPTY = {
    "requests without exactly one task": (
        "SELECT r.id, count(t.id) FROM request r LEFT JOIN task t ON t.request_id = r.id GROUP BY r.id"
        " HAVING count(t.id) <> 1"
    ),
    "deliveries that nobody understood": (
        "SELECT account, state, count(*) FROM delivery WHERE state NOT IN ('stored', 'noted') GROUP BY account, state"
    ),
    "deliveries without their bytes": (
        "SELECT d.id FROM delivery d LEFT JOIN delivery_body b ON b.delivery_id = d.id WHERE b.delivery_id IS NULL"
    ),
    "files that were not stored": "SELECT id, state FROM attachment WHERE state <> 'stored' OR blob IS NULL",
    "doubled delivery keys": (
        "SELECT account, external_id FROM delivery WHERE external_id IS NOT NULL GROUP BY account, external_id"
        " HAVING count(*) > 1"
    ),
}


def _counters(url: str, told: Told, kills: Sequence[float], verdict: Verdict) -> None:
    """offered = stored + repeated + rejected, by account, as far as the outside can know.

    An open call (no answer, 503) may or may not have been stored; a rejection is written each second.
    """
    there = "SELECT account, count(*), coalesce(sum(repeats), 0) FROM delivery GROUP BY account"
    kept = {name: (rows, repeats) for name, rows, repeats in ledger_audit.query(url, there)}
    rejected = dict(ledger_audit.query(url, "SELECT account, sum(count) FROM rejection GROUP BY account"))
    for name, stored, repeated in ledger_audit.query(
        url, "SELECT name, stored, repeated FROM account WHERE kind = 'channel'"
    ):
        if (stored, repeated) != kept.get(name, (0, 0)):
            verdict.wrong.append(f"{name}: counts {(stored, repeated)}, deliveries say {kept.get(name)}")
        heard = told.answers.get(name)
        if heard is None:  # a pulled one: nobody outside counts
            continue
        if not heard["taken"] <= stored + repeated <= heard["taken"] + heard["open"]:
            verdict.wrong.append(f"{name}: counts {stored} + {repeated}, outside {dict(heard)}")
        least = heard["rejected"] - rejected_lately(told, name, kills, FORGOTTEN_S)
        if not least <= rejected.get(name, 0) <= heard["rejected"] + heard["open"]:
            verdict.wrong.append(f"{name}: counts {rejected.get(name, 0)} rejected, outside {dict(heard)}")


def _replies(url: str, sent: Counter[str], kills: int, broken: int, verdict: Verdict) -> None:
    """A reply leaves once; where that stays open it is uncertain, and there are not more of those than breaks."""
    verdict.doubled += [f"reply {word} left {count} times" for word, count in sent.items() if count > 1]
    for body, state in ledger_audit.query(url, "SELECT body, state FROM message WHERE direction = 'out'"):
        [word] = WORD.findall(body)
        if state in ("sent", "delivered", "seen") and not sent[word]:
            verdict.lost.append(f"reply {word} counts as {state} and did not arrive")
        elif state == "uncertain":
            verdict.uncertain += 1
        elif state not in ("sent", "delivered", "seen"):
            verdict.wrong.append(f"reply {word} is {state}")
    killed, cut = (
        len(ledger_audit.query(url, f"SELECT id FROM outbox WHERE {_UNCERTAIN} AND last_error IS {what}"))
        for what in ("NULL", "NOT NULL")  # a process that was killed could say nothing
    )
    verdict.uncertain_by_kill = killed
    if killed > kills or cut > broken or killed + cut != verdict.uncertain:
        verdict.wrong.append(
            f"{verdict.uncertain} replies are uncertain: {killed} after {kills} kills,"
            f" {cut} after {broken} lost answers"
        )


def _blobs(url: str, fetch: Fetch, verdict: Verdict) -> None:
    """Whatever a row names is there, and is what its name says."""
    for table in ("delivery_body", "attachment"):
        for (name,) in ledger_audit.query(url, f"SELECT DISTINCT blob FROM {table} WHERE blob IS NOT NULL"):
            body = fetch(name)
            verdict.blobs += 1
            if body is None or hashlib.sha256(body).hexdigest() != name:
                verdict.lost.append(
                    f"the blob {name[:16]} of {table} is {'gone' if body is None else 'damaged'}"
                )


_UNCERTAIN = "lane = 'reply' AND state = 'uncertain'"


def _evenness(url: str, verdict: Verdict) -> None:
    shares = [n for (n,) in ledger_audit.query(url, "SELECT count(*) FROM task GROUP BY assignee_id")]
    if shares and max(shares) - min(shares) > 1:
        verdict.wrong.append(f"dealt unevenly: {sorted(shares)}")
