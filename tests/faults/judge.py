"""Compares what the outside was told with what is stored, dealt, sent and counted. No code of the hub."""

from collections import Counter
from dataclasses import dataclass, field

from tests.integration import ledger_audit


@dataclass
class Verdict:
    """What the run came to. `lost` and `doubled` must be empty, and `wrong`."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    uncertain: int = 0
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


def _evenness(url: str, verdict: Verdict) -> None:
    shares = [n for (n,) in ledger_audit.query(url, "SELECT count(*) FROM task GROUP BY assignee_id")]
    if shares and max(shares) - min(shares) > 1:
        verdict.wrong.append(f"dealt unevenly: {sorted(shares)}")
