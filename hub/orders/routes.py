"""The routes that a new hub begins with, and what a route must be to be kept. Pure.

A route is refused, every fault named with its path, unless people can walk it: one start (its first stage),
every stage reachable from it, every open stage with a way to an end, no move to a stage that is not there. Its
rules (`hub.orders.rules`) lead to stages that are there, never to a cancelled one, and each of them can decide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from hub.kernel.errors import FieldProblem, InputRejected
from hub.orders import rules
from hub.orders.actions import of_body
from hub.orders.rules import MAX_RULES, Rule
from hub.orders.stages import PARCEL, Check, Route, parse

CONTRACT_SALE, SERVICE = "contract_sale", "service"
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
KINDS = ("open", "done", "lost", "back")
LANGUAGES = ("en", "uk")
MAX_STAGES = 40

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
    "draft": ("Draft", "Чернетка"),
    "approval": ("Approval", "Погодження"),
    "execution": ("Execution", "Виконання"),
    "made": ("Made", "Виготовлено"),
    "accepted": ("Accepted", "Прийнято"),
    "in_work": ("In work", "У роботі"),
    "done": ("Done", "Виконано"),
}
_KINDS = {"closed": "done", "cancelled": "lost", "returned": "back"}


def _stage(key: str, **more: Any) -> dict[str, Any]:
    english, ukrainian = _TITLES[key]
    title = {"en": english, "uk": ukrainian}
    return {"key": key, "title": title, "kind": _KINDS.get(key, "open"), **more}


def _titled(english: str, ukrainian: str) -> dict[str, str]:
    return {"en": english, "uk": ukrainian}


def _parcel() -> dict[str, Any]:
    """Forward to any later stage, one step back; cancelled before shipping, returned after it."""
    main = ("new", "agreed", "confirmed", "packed", "shipped", "arrived", "delivered", "paid", "closed")
    moves: dict[str, list[str]] = {}
    for at, stage in enumerate(main):
        moves[stage] = list(main[at + 1 :])
        if 0 < at < len(main) - 1:
            moves[stage].append(main[at - 1])
        moves[stage].append("cancelled" if at < main.index("shipped") else "returned")
    moves |= {"closed": ["returned"], "cancelled": ["new"], "returned": ["closed"]}
    stages = [_stage(key) for key in (*main, "cancelled", "returned")]
    return {
        "title": _titled("Parcel", "Посилка"),
        "stages": stages,
        "moves": moves,
        "rules": _bodies(rules.PARCEL_RULES),
    }


def _bodies(some: Iterable[Rule]) -> list[dict[str, Any]]:
    return [rule.body() for rule in some]


def _contract_sale() -> dict[str, Any]:
    """Step by step; nothing is made before the head agreed and the contract's terms are written down."""
    main = (
        "draft", "approval", "execution", "made", "packed", "shipped", "delivered", "accepted", "closed",
    )  # fmt: skip
    moves: dict[str, list[str]] = {}
    for at, stage in enumerate(main):
        moves[stage] = [*main[at + 1 : at + 2], *(main[at - 1 : at] if 0 < at < len(main) - 1 else ())]
        moves[stage].append("cancelled" if at < main.index("shipped") else "returned")
    moves |= {"closed": ["returned"], "cancelled": ["draft"], "returned": ["closed"]}
    more: dict[str, dict[str, Any]] = {
        "approval": {"asks_for": "execution"},
        "execution": {"requires": ["contract_number", "payment_terms"], "approvals": ["head"]},
    }
    return {
        "title": _titled("Contract sale", "Продаж за договором"),
        "fields": [
            {"key": "contract_number", "title": _titled("Contract number", "Номер договору")},
            {"key": "payment_terms", "title": _titled("Payment terms", "Умови оплати")},
        ],
        "stages": [_stage(key, **more.get(key, {})) for key in (*main, "cancelled", "returned")],
        "moves": moves,
        "rules": _bodies(rules.CONTRACT_RULES),
    }


def _service() -> dict[str, Any]:
    """No parcel: work that is done and paid for. Papers may be sent, and the money come with them."""
    main = ("new", "agreed", "in_work", "done", "paid", "closed")
    moves: dict[str, list[str]] = {}
    for at, stage in enumerate(main):
        moves[stage] = list(main[at + 1 :])
        if 0 < at < len(main) - 1:
            moves[stage] += [main[at - 1], "cancelled"]
    moves["new"].append("cancelled")
    moves["cancelled"] = ["new"]
    stages = [_stage(key) for key in (*main, "cancelled")]
    return {
        "title": _titled("Service", "Послуга"),
        "stages": stages,
        "moves": moves,
        "rules": _bodies(rules.SERVICE_RULES),
    }


def seeds() -> dict[str, str]:
    """The routes of a new hub, as they are stored."""
    bodies = {PARCEL: _parcel(), CONTRACT_SALE: _contract_sale(), SERVICE: _service()}
    return {name: as_text(body) for name, body in bodies.items()}


def default_body() -> str:
    """The parcel route as it is stored."""
    return seeds()[PARCEL]


def as_text(body: Mapping[str, Any]) -> str:
    """The stored form."""
    return json.dumps(body, ensure_ascii=False)


def body_of(route: Route) -> dict[str, Any]:
    """A route as data: what `check_body` takes; what is empty is left out, and rules that lead nowhere are."""
    stages = []
    for stage in route.stages.values():
        told: dict[str, Any] = {"key": stage.key, "title": dict(stage.title), "kind": stage.kind}
        for name in ("requires", "checks", "approvals", "asks_for"):
            if value := getattr(stage, name):
                told[name] = value if isinstance(value, str) else [str(one) for one in value]
        if stage.actions:
            told["actions"] = [action.body() for action in stage.actions]
        stages.append(told)
    fields = [{"key": key, "title": dict(title)} for key, title in route.fields.items()]
    moves = {key: list(targets) for key, targets in route.moves.items()}
    return {
        "title": dict(route.title),
        "fields": fields,
        "stages": stages,
        "moves": moves,
        "rules": rules_that_lead(route.rules, route.stages),
    }


def rules_that_lead(some: Iterable[Rule], stages: Container[str]) -> list[dict[str, Any]]:
    """Rules as data, those whose stage is there."""
    return _bodies(rule for rule in some if rule.stage in stages)


# --- what a route must be ----------------------------------------------------------------------------------


def check_body(name: str, body: Mapping[str, Any]) -> Route:
    """A route out of what a person wrote. Raises InputRejected naming every fault with its path."""
    problems = [] if KEY.fullmatch(name) else [FieldProblem("name", _WRONG_KEY)]
    problems += [*_shape(body)]
    if not problems:
        route = parse(name, 0, as_text(body))
        problems += [*_names(route, body["stages"]), *_walk(route), *_followed(route)]
    if problems:
        raise InputRejected("this route cannot be kept", problems)
    return route


_WRONG_KEY = "a key has lower-case Latin letters, digits and _, and begins with a letter"


def _shape(body: Mapping[str, Any]) -> Iterable[FieldProblem]:
    """Keys, kinds, titles, checks, actions: what can be seen in each place alone."""
    stages: Sequence[Mapping[str, Any]] = body.get("stages", ())
    if not 2 <= len(stages) <= MAX_STAGES:
        yield FieldProblem("stages", f"a route has 2 to {MAX_STAGES} stages")
    for at, stage in enumerate(stages):
        yield from _stage_shape(f"stages.{at}", stage)
    for at, one in enumerate(body.get("fields", ())):
        if not KEY.fullmatch(one.get("key", "")):
            yield FieldProblem(f"fields.{at}.key", _WRONG_KEY)
    told: Sequence[Mapping[str, Any]] = body.get("rules") or ()
    if len(told) > MAX_RULES:
        yield FieldProblem("rules", f"a route has at most {MAX_RULES} rules")
    for at, rule in enumerate(told):
        try:
            rules.of_body(rule)
        except ValueError as error:
            yield FieldProblem(f"rules.{at}", str(error))


def _stage_shape(where: str, stage: Mapping[str, Any]) -> Iterable[FieldProblem]:
    if not KEY.fullmatch(stage.get("key", "")):
        yield FieldProblem(f"{where}.key", _WRONG_KEY)
    if not any(stage.get("title", {}).get(language) for language in LANGUAGES):
        yield FieldProblem(f"{where}.title", "a stage needs a title")
    if stage.get("kind") not in KINDS:
        yield FieldProblem(f"{where}.kind", f"one of {', '.join(KINDS)}")
    for check in stage.get("checks", ()):
        if check not in set(Check):
            yield FieldProblem(f"{where}.checks", f"there is no check {check}: {', '.join(Check)}")
    for role in stage.get("approvals", ()):
        if not KEY.fullmatch(role):
            yield FieldProblem(f"{where}.approvals", _WRONG_KEY)
    for action in stage.get("actions", ()):
        try:
            of_body(action)
        except ValueError as error:
            yield FieldProblem(f"{where}.actions", str(error))


def _names(route: Route, stages: Sequence[Mapping[str, Any]]) -> Iterable[FieldProblem]:
    """Nothing stands twice, nothing names what is not there."""
    keys = [stage["key"] for stage in stages]
    place = {key: at for at, key in enumerate(keys)}
    for at, key in enumerate(keys):
        if place[key] != at:
            yield FieldProblem(f"stages.{at}.key", f"the stage {key} stands twice")
    for source, targets in route.moves.items():
        if source not in place:
            yield FieldProblem(f"moves.{source}", f"there is no stage {source}")
            continue
        for target in targets:
            if target not in place or target == source:
                yield FieldProblem(f"moves.{source}", f"a move leads to {target}, which is no other stage")
    for at, stage in enumerate(route.stages.values()):
        for field in stage.requires:
            if field not in route.fields:
                yield FieldProblem(f"stages.{at}.requires", f"there is no field {field}")
        if stage.asks_for and stage.asks_for not in route.moves.get(stage.key, ()):
            yield FieldProblem(f"stages.{at}.asks_for", f"no move leads from here to {stage.asks_for}")
        elif stage.asks_for and not route.stages[stage.asks_for].approvals:
            yield FieldProblem(f"stages.{at}.asks_for", f"{stage.asks_for} needs no approval")


def _walk(route: Route) -> Iterable[FieldProblem]:
    """One start, every stage reachable, an end in sight from every open stage."""
    start = route.stages[route.first]
    if start.kind != "open" or start.requires or start.checks or start.approvals:
        yield FieldProblem("stages.0", "an order begins at the first stage: it is open and asks for nothing")
    ends = {key for key, stage in route.stages.items() if stage.kind == "done"}
    if not ends:
        yield FieldProblem("stages", "a route needs a stage of the kind done")
    back: dict[str, list[str]] = {}
    for source, targets in route.moves.items():
        for target in targets:
            back.setdefault(target, []).append(source)
    reached = _reach({route.first}, route.moves)
    ending = _reach(ends, back)
    for at, (key, stage) in enumerate(route.stages.items()):
        if key not in reached:
            yield FieldProblem(f"stages.{at}", f"no move leads to {key}")
        elif stage.kind == "open" and key not in ending:
            yield FieldProblem(f"stages.{at}", f"no way leads from {key} to an end")


def _followed(route: Route) -> Iterable[FieldProblem]:
    """Every rule leads somewhere, and has a chance to decide."""
    for at, rule in enumerate(route.rules):
        stage = route.stages.get(rule.stage)
        if stage is None:
            yield FieldProblem(f"rules.{at}", f"there is no stage {rule.stage}")
        elif stage.kind == "lost":
            yield FieldProblem(f"rules.{at}", f"a rule cancels no order: {rule.stage} is for people")
        elif stage.place == 0:
            yield FieldProblem(f"rules.{at}", f"an order begins at {rule.stage}: a rule moves forward")
        before = next((n for n, other in enumerate(route.rules[:at], 1) if other.covers(rule)), None)
        if before is not None:
            yield FieldProblem(
                f"rules.{at}", f"this rule never decides: rule {before} holds whenever it does"
            )


def _reach(start: Iterable[str], moves: Mapping[str, Sequence[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(start)
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += moves.get(here, ())
    return seen


def differences(seed: Route, present: Route) -> list[str]:
    """Where the database differs from a seed, in words."""
    ours, theirs = set(seed.stages), set(present.stages)
    found = [f"stage {key} was added" for key in sorted(theirs - ours)]
    found += [f"stage {key} was taken away" for key in sorted(ours - theirs)]
    for key in (key for key in seed.stages if key in theirs):
        one, other = seed.stages[key], present.stages[key]
        changed = [
            name
            for name in ("title", "kind", "requires", "checks", "approvals", "asks_for", "actions")
            if getattr(one, name) != getattr(other, name)
        ]
        if set(seed.moves.get(key, ())) != set(present.moves.get(key, ())):
            changed.append("moves")
        if changed:
            found.append(f"stage {key} differs in {', '.join(changed)}")
    if seed.fields != present.fields:
        found.append("fields differ")
    if present.rules is not rules.BEFORE and tuple(seed.rules) != tuple(present.rules):
        found.append("rules differ")
    return found
