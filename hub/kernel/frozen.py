"""Frozen values that are made quickly.

A frozen dataclass fills each field through `object.__setattr__`, which costs several times what an assignment
does: of a parcel's 22 facts that alone was a seventh of reading an answer. `quick` gives such a class another
`__init__`: while it runs the value is of a twin class with the same slots, which is not frozen; at its end it is
what it was declared as. Nobody but that function ever sees the twin. Signature, equality, repr, pickling and
`dataclasses.replace` are those of the dataclass.

    @quick
    @dataclass(frozen=True, slots=True)
    class Value: ...
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)


def quick(cls: Class) -> Class:
    """Give a frozen dataclass with slots, without bases of its own, a quick `__init__`. Raises TypeError else."""
    frozen = getattr(cls, "__dataclass_params__", None)
    if frozen is None or not frozen.frozen or cls.__bases__ != (object,) or "__slots__" not in cls.__dict__:
        raise TypeError(f"{cls.__name__} is no frozen dataclass with slots of its own")
    if hasattr(cls, "__post_init__") or not all(field.init for field in fields(cls)):
        raise TypeError(f"{cls.__name__} does more in its __init__ than taking its fields")
    twin = type(cls.__name__, (), {"__slots__": cls.__slots__, "__module__": cls.__module__})  # type: ignore[attr-defined]
    usual = cls.__init__  # type: ignore[misc]
    init = _init(cls, twin)
    init.__wrapped__ = usual  # its signature is what `inspect` and the documents tell
    init.__qualname__ = usual.__qualname__
    cls.__init__ = init  # type: ignore[misc]
    return cls


def _init(cls: type, twin: type) -> Any:
    """The function, written out as `dataclasses` itself does it."""
    known: dict[str, Any] = {"_thaw": object.__setattr__, "_twin": twin, "_cls": cls, "_unset": MISSING}
    places = [_parameter(field, known) for field in fields(cls) if not field.kw_only]
    names = [_parameter(field, known) for field in fields(cls) if field.kw_only]
    lines = ["_thaw(self, '__class__', _twin)", *map(_assigned, fields(cls)), "self.__class__ = _cls"]
    head = ", ".join(["self", *places, *(["*", *names] if names else [])])
    made: dict[str, Any] = {}
    exec(f"def __init__({head}):\n " + "\n ".join(lines), known, made)  # noqa: S102 - names of our own fields
    return made["__init__"]


def _parameter(field: Field[Any], known: dict[str, Any]) -> str:
    if field.default_factory is not MISSING:
        known[f"_make_{field.name}"] = field.default_factory
        return f"{field.name}=_unset"
    if field.default is MISSING:
        return field.name
    known[f"_default_{field.name}"] = field.default
    return f"{field.name}=_default_{field.name}"


def _assigned(field: Field[Any]) -> str:
    if field.default_factory is MISSING:
        return f"self.{field.name} = {field.name}"
    return f"self.{field.name} = _make_{field.name}() if {field.name} is _unset else {field.name}"
