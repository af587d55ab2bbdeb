"""Is a plugin's value what the contract says, down to its last field?

Types are read off the SDK's own dataclasses, once, and made into small functions. What passes here is frozen
and picklable too: dataclasses of the SDK, texts, bytes, numbers, moments, enums, and tuples and mappings of them.
A wrong value found here costs one call; found later it would be an error of the database or of a page.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Check = Callable[[Any, str], None]
Kinds = frozenset[type]
_PLAIN = (str, bytes, int, float, bool, date)


class Nonsense(Exception):
    """The value at this place is of another kind than the contract says."""


def check_sound(value: object) -> None:
    """Raise Nonsense with the place and the kind that stands there; never the value itself."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        check_of(type(value))(value, type(value).__name__)


@cache
def check_of(kind: type) -> Check:
    """The check of one dataclass. Raises TypeError where a field's annotation is no value of the contract.

    Most fields are settled by their type alone. Rows of types that were found good are remembered, so that the
    thousandth observation costs a look into a set.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    kinds = [_kinds(hints[name]) for name in names]
    inner = [(name, look) for name in names if (look := _inner(hints[name])) is not None]
    read = attrgetter(*names) if len(names) > 1 else lambda value, name=names[0]: (getattr(value, name),)
    good: set[tuple[type, ...]] = set()

    def check(value: Any, place: str) -> None:
        if type(value) is not kind:
            raise _nonsense(value, place)
        values = read(value)
        row = tuple(map(type, values))
        if row not in good:
            for name, one, allowed in zip(names, values, kinds, strict=True):
                if type(one) not in allowed and not (Mapping in allowed and isinstance(one, Mapping)):
                    raise _nonsense(one, f"{kind.__name__}.{name}")
            good.add(row)
        for name, look_into in inner:
            one = getattr(value, name)
            if one is not None:
                look_into(one, f"{kind.__name__}.{name}")

    return check


def _kinds(hint: Any) -> Kinds:
    """The types that a value of this annotation may have, exactly."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is float:
        return frozenset({int, float})
    if isinstance(hint, type) and (
        hint in {*_PLAIN, datetime, type(None)} or issubclass(hint, Enum) or dataclasses.is_dataclass(hint)
    ):
        return frozenset({hint})
    if origin in {Union, types.UnionType}:
        return frozenset().union(*(_kinds(one) for one in arguments))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return frozenset({tuple})
    if origin in {Mapping, dict}:
        return frozenset({dict, Mapping})
    if origin is Literal:
        return frozenset(type(one) for one in arguments)
    raise TypeError(f"a value of the contract has no place for {hint}")


def _inner(hint: Any) -> Check | None:
    """What is to be looked at inside a value of this annotation; None where its type says all."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is datetime:
        return _moment
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return check_of(hint)
    if origin in {Union, types.UnionType}:
        found = [check for one in arguments if (check := _inner(one)) is not None]
        if len(found) > 1:
            raise TypeError(f"a value of the contract has no place for {hint}")
        return found[0] if found else None
    if origin is tuple:
        return _each(arguments[0])
    if origin in {Mapping, dict}:
        return _pairs(_kinds(arguments[0]), _kinds(arguments[1]))
    return None


def _nonsense(value: object, place: str) -> Nonsense:
    return Nonsense(f"{type(value).__name__} in {place}")


def _moment(value: Any, place: str) -> None:
    if value.tzinfo is None:
        raise Nonsense(f"a time without a zone in {place}")


def _each(hint: Any) -> Check:
    kinds, look = _kinds(hint), _inner(hint)

    def check(value: Any, place: str) -> None:
        for one in value:
            if type(one) not in kinds:
                raise _nonsense(one, place)
            if look is not None:
                look(one, place)

    return check


def _pairs(keys: Kinds, values: Kinds) -> Check:
    def check(value: Any, place: str) -> None:
        for name, one in value.items():
            if type(name) not in keys:
                raise _nonsense(name, place)
            if type(one) not in values:
                raise _nonsense(one, place)

    return check
