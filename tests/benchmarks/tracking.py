"""Merging tracking events: generated histories, shuffled and repeated, must give one and the same state."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.kernel.clock import Instant
from hub.sdk.tracking import RANK, Facts, MoneyStatus, Observation, RelatedNumber, RelationKind, Status
from hub.shipments.events import is_step
from hub.shipments.model import Seen, State, merge, seen_of, unite
from plugins.delivery.statuses import STATUSES as DELIVERY
from plugins.meest.statuses import STATUSES as MEEST
from plugins.nova_poshta.statuses import STATUSES as NOVA_POSHTA
from plugins.rozetka_delivery.statuses import STATUSES as ROZETKA_DELIVERY
from plugins.ukrposhta.statuses import CONTAINERS, EVENTS

BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
CODES = {
    Status.CREATED: "1",
    Status.IN_TRANSIT: "5",
    Status.ARRIVED: "7",
    Status.OUT_FOR_DELIVERY: "101",
    Status.DELIVERED: "9",
    Status.REFUSED: "103",
    Status.RETURNING: "102",
    Status.UNKNOWN: "115",
}

UNLISTED = ("99991", Status.UNKNOWN)
TABLES: dict[str, tuple[tuple[str, Status], ...]] = {
    "nova_poshta": (*NOVA_POSHTA.items(), UNLISTED),
    "ukrposhta": (*EVENTS.items(), *((code, Status.UNKNOWN) for code in sorted(CONTAINERS)[:5]), UNLISTED),
    "meest": (*MEEST.items(), UNLISTED),
    "delivery": (*DELIVERY.items(), UNLISTED),
    "rozetka_delivery": (*ROZETKA_DELIVERY.items(), UNLISTED),
}
"""Every code of every carrier's table, and one that no table lists."""

CLOCKLESS = frozenset({"delivery"})


def history(random_: random.Random) -> list[tuple[Observation, Instant]]:
    """What a carrier says over time, and when it was asked: clocks equal, missing, going back; sums filled late."""
    clock, polled = BEGIN, BEGIN
    steps: list[tuple[Observation, Instant]] = []
    for _ in range(random_.randint(1, 14)):
        status = random_.choice(list(CODES))
        clock += timedelta(minutes=random_.choice((0, 0, 7, 90, 600, -30)))
        polled += timedelta(minutes=random_.randint(1, 300))
        facts = Facts(
            money=random_.choice((None, MoneyStatus.EXPECTED, MoneyStatus.COLLECTED, MoneyStatus.PAID_OUT)),
            cod_expected=random_.choice((None, 0, 125_000)),
            cod_paid_out=random_.choice((None, None, 124_000)),
            city_to=random_.choice((None, "Львів")),
            hidden=random_.choice((None, True, False)),
            related=(RelatedNumber(number="59000000000001", kind=RelationKind.RETURN),)
            * random_.randint(0, 1),
        )
        observation = Observation(
            status=status,
            raw_code=CODES[status],
            raw_text=random_.choice(("", "Відправлення у місті", "Прибув")),
            clock=None if random_.random() < 0.1 else clock,
            place=random_.choice(("", "Київ", "Львів")),
            facts=facts,
        )
        steps.append((observation, Instant(int(polled.timestamp() * 1000))))
    return steps


def told_in(parts: Sequence[Sequence[Seen]], *, cod: bool) -> State:
    """The state after the parts have been taken in one after another."""
    known: dict[str, Seen] = {}
    for part in parts:
        known = unite(known.values(), part)
    return merge(known.values(), cod=cod)


def carriers_history(random_: random.Random, carrier: str) -> list[tuple[Observation, Instant]]:
    """The same with one carrier's own codes, and its clock where it has one."""
    table = TABLES[carrier]
    steps: list[tuple[Observation, Instant]] = []
    for observation, polled in history(random_):
        code, status = random_.choice(table)
        steps.append(
            (
                Observation(
                    status=status,
                    raw_code=code,
                    raw_text=observation.raw_text,
                    clock=None if carrier in CLOCKLESS else observation.clock,
                    place=observation.place,
                    facts=observation.facts,
                ),
                polled,
            )
        )
    return steps


def differing_histories(
    histories: int = 5_000, seed: int = 20261125, state_of: Callable[..., Any] | None = None
) -> dict[str, Any]:
    """Histories of all carriers in turn, shuffled, cut and repeated.

    differing  those whose final state depends on the order of telling
    backward   repetitions, told after everything is known, that moved the state: what would be announced twice
    announced_back  histories whose announcements, told one by one in any order, repeat or go back
    flaps      a state that was left and came back while only known things were told again
    """
    final = state_of or (lambda parts, cod: told_in(parts, cod=cod))
    random_ = random.Random(seed)
    counted = {"differing": 0, "backward": 0, "flaps": 0, "announced_back": 0}
    for n in range(histories):
        carrier = tuple(TABLES)[n % len(TABLES)]
        seen = [seen_of(observation, polled) for observation, polled in carriers_history(random_, carrier)]
        cod = random_.random() < 0.5
        states = [final([seen], cod)]
        for _ in range(3):
            told = seen + random_.choices(seen, k=random_.randint(0, 2 * len(seen)))
            random_.shuffle(told)
            cut = random_.randint(0, len(told))
            states.append(final([told[:cut], told[cut:]], cod))
        counted["differing"] += any(state != states[0] for state in states)
        again = [final([seen, random_.choices(seen, k=k)], cod) for k in (1, len(seen))]
        counted["backward"] += any(state != states[0] for state in again)
        counted["flaps"] += again[0] != again[1]
        told = seen + random_.choices(seen, k=len(seen))
        random_.shuffle(told)
        counted["announced_back"] += not goes_forward(announcements(told, cod=cod))
    return {"histories": histories, "carriers": len(TABLES), **counted}


def announcements(told: Sequence[Seen], *, cod: bool) -> list[Status]:
    """What customers would be told while one observation after the other is taken in."""
    known: dict[str, Seen] = {}
    announced: list[Status] = []
    for one in told:
        known = unite(known.values(), [one])
        status = merge(known.values(), cod=cod).status
        if is_step(status, announced[-1] if announced else ""):
            announced.append(status)
    return announced


def goes_forward(announced: Sequence[Status]) -> bool:
    """Nothing is told twice, and nothing that is behind what was told."""
    ranks = [RANK[status] for status in announced]
    return ranks == sorted(set(ranks))


def measure(histories: int = 5_000, seed: int = 20261122) -> dict[str, Any]:
    """How many histories gave more than one state (must be 0), and what a merge costs."""
    random_ = random.Random(seed)
    differing, merged, spent = 0, 0, 0.0
    for _ in range(histories):
        seen = [seen_of(observation, polled) for observation, polled in history(random_)]
        cod = random_.random() < 0.5
        states = []
        for _ in range(4):
            told = seen + random_.choices(seen, k=random_.randint(0, 2 * len(seen)))
            random_.shuffle(told)
            cuts = sorted(random_.choices(range(len(told) + 1), k=random_.randint(0, 4)))
            parts = [told[a:b] for a, b in zip([0, *cuts], [*cuts, len(told)], strict=True)]
            begun = time.perf_counter()
            states.append(told_in(parts, cod=cod))
            spent += time.perf_counter() - begun
            merged += 1
        states.append(told_in([seen], cod=cod))
        differing += any(state != states[0] for state in states)
    return {
        "histories": histories,
        "orders_and_repetitions_each": 4,
        "differing": differing,
        "us_a_merge": round(spent / merged * 1e6, 1),
        "all_carriers": differing_histories(histories),
        "goal": "0 differing",
        "must": "0 differing",
    }
