"""Routes of orders are data: stages, and which moves between them people may make.

The default route below seeds the database; afterwards the database rules, and a running order keeps the
version it began with. `kind` of a stage: open, done (ended well), lost (cancelled), back (returned).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hub.kernel.errors import TransitionRefused

PARCEL = "parcel"
PARCEL_VERSION = 1

_TITLES = {
    "new": ("New", "Нове"),
    "agreed": ("Agreed", "Погоджено"),
    "confirmed": ("Confirmed", "Підтверджено"),
    "packed": ("Packed", "Зібрано"),
    "shipped": ("Shipped", "Відправлено"),
    "arrived": ("Arrived", "Прибуло"),
    "delivered": ("Delivered", "Отримано"),
    "paid": ("Paid", "Оплачено"),
    "closed": ("Closed", "Завершено"),
    "cancelled": ("Cancelled", "Скасовано"),
    "returned": ("Returned", "Повернено"),
}
_MAIN = ("new", "agreed", "confirmed", "packed", "shipped", "arrived", "delivered", "paid", "closed")
_KINDS = {"closed": "done", "cancelled": "lost", "returned": "back"}


def _default_moves() -> dict[str, list[str]]:
    """Forward to any later stage, one step back; cancelled before shipping, returned after it."""
    moves: dict[str, list[str]] = {}
    for at, stage in enumerate(_MAIN):
        moves[stage] = list(_MAIN[at + 1 :])
        if 0 < at < len(_MAIN) - 1:
            moves[stage].append(_MAIN[at - 1])
        moves[stage].append("cancelled" if at < _MAIN.index("shipped") else "returned")
    moves["closed"] = ["returned"]
    moves["cancelled"] = ["new"]
    moves["returned"] = ["closed"]
    return moves


def default_body() -> str:
    """The parcel route as it is stored."""
    stages = [
        {"key": key, "title": {"en": en, "uk": uk}, "kind": _KINDS.get(key, "open")}
        for key, (en, uk) in _TITLES.items()
    ]
    return json.dumps({"stages": stages, "moves": _default_moves()}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `place` counts from 0 in the order of the route."""

    key: str
    title: Mapping[str, str]
    kind: str
    place: int


@dataclass(frozen=True, slots=True)
class Route:
    """One version of a route."""

    name: str
    version: int
    stages: Mapping[str, Stage]
    moves: Mapping[str, tuple[str, ...]]

    @property
    def first(self) -> str:
        """Where an order begins."""
        return next(iter(self.stages))

    def check_move(self, source: str, target: str) -> None:
        """Raise TransitionRefused unless people may make this move; it names what they may do."""
        allowed = self.moves.get(source, ())
        if target not in allowed:
            raise TransitionRefused(
                f"an order that is {source} cannot become {target}; possible: {', '.join(allowed) or 'nothing'}",
                stage=source,
                wanted=target,
            )

    def is_ahead(self, target: str, source: str) -> bool:
        """Does target come after source on the way of a parcel?"""
        return self.stages[target].place > self.stages[source].place


def parse(name: str, version: int, body: str) -> Route:
    """A route out of its stored form."""
    found = json.loads(body)
    stages = {
        s["key"]: Stage(s["key"], s["title"], s["kind"], place) for place, s in enumerate(found["stages"])
    }
    return Route(name, version, stages, {k: tuple(v) for k, v in found["moves"].items()})
