"""docs/sdk.md out of the live SDK: hooks, classes, methods with their signatures, values, errors, limits."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from hub import sdk
from hub.accounts.guard import LIMIT_S
from hub.sdk import hookspecs, reading

TABLE_LINE = re.compile(r"(\S(?:.*?\S)?) {2,}(\S.*)")
HIDDEN = {"FINAL", "RANK", "hookimpl", "SDK_VERSION"}

Members = dict[str, Any]


def sections() -> dict[str, Members]:
    """Every public name of the SDK, by what it is."""
    names = {name: getattr(sdk, name) for name in sdk.__all__ if name not in HIDDEN}
    errors = {name: one for name, one in names.items() if _is(one, Exception)}
    enums = {name: one for name, one in names.items() if _is(one, Enum)}
    doors = {n: o for n, o in names.items() if n in {"Channel", "Carrier", "ChannelPlugin", "CarrierPlugin"}}
    lent = {
        n: o for n, o in names.items() if n in {"Host", "HttpClient", "HttpReply", "AccountStore", "Register"}
    }
    functions = {name: one for name, one in names.items() if inspect.isfunction(one)}
    functions |= {f"reading.{name}": one for name, one in public_functions(reading).items()}
    taken = {**errors, **enums, **doors, **lent, **functions}
    values = {name: one for name, one in names.items() if name not in taken}
    return {
        "hooks": hooks(),
        "doors": doors,
        "lent": lent,
        "values": values,
        "enums": enums,
        "errors": errors,
        "functions": functions,
    }


def hooks() -> Members:
    """The hooks that pluggy knows."""
    return {
        name: one
        for name, one in vars(hookspecs).items()
        if inspect.isfunction(one) and hasattr(one, f"{hookspecs.PROJECT}_spec")
    }


def public_functions(module: Any) -> Members:
    """Functions that a module defines for others."""
    return {
        name: one
        for name, one in vars(module).items()
        if name[0] != "_" and getattr(one, "__module__", "") == module.__name__ and callable(one)
    }


def methods(kind: type) -> Members:
    """Public methods and properties that a class defines itself."""
    return {
        name: one
        for name, one in vars(kind).items()
        if name[0] != "_" and (inspect.isfunction(one) or isinstance(one, property))
    }


def signature(name: str, one: Any) -> str:
    """As its source writes it, without `self`."""
    if isinstance(one, property):
        return f"{name} -> {inspect.signature(one.fget).return_annotation}"  # type: ignore[arg-type]
    found = inspect.signature(inspect.unwrap(one))
    parameters = [each for each in found.parameters.values() if each.name != "self"]
    word = "async " if inspect.iscoroutinefunction(one) else ""
    return f"{word}{name}{found.replace(parameters=parameters)}".replace("'", "")


def blocks() -> dict[str, Callable[[], str]]:
    """What each generated block's name stands for."""
    makers: dict[str, Callable[[], str]] = {"limits": limits}
    for name, members in sections().items():
        makers[f"sdk-{name}"] = lambda members=members: "\n\n".join(_members(members))  # type: ignore[misc]
    return makers


def limits() -> str:
    """The table of the guard."""
    rows = [f"| `{method}` | {limit:g} s |" for method, limit in LIMIT_S.items()]
    return "\n".join(["| method | limit |", "| --- | --- |", "| `verify` with `parse` | 0.2 s |", *rows])


def _members(members: Members) -> Iterator[str]:
    for name, one in members.items():
        if isinstance(one, types.UnionType):
            yield f"### {name}"
            yield f"One of {', '.join(f'`{each.__name__}`' for each in one.__args__)}."
            continue
        if not inspect.isclass(one):
            yield f"### `{signature(name, one)}`"
            yield prose(one)
            continue
        bases = [base.__name__ for base in one.__bases__ if base.__module__.startswith("hub.sdk")]
        yield f"### {name}" + (f" ({', '.join(bases)})" if bases else "")
        yield prose(one)
        yield from _inside(one)


def _inside(kind: type) -> Iterator[str]:
    if issubclass(kind, Enum):
        yield ", ".join(f"`{member.name}`" for member in kind)
    elif dataclasses.is_dataclass(kind):
        yield "\n".join(f"* `{_field(field)}`" for field in dataclasses.fields(kind))
    elif issubclass(kind, Exception):
        yield f"`{signature(kind.__name__, kind.__init__)}`".replace(" -> None", "")
    for name, method in methods(kind).items():
        yield f"**`{signature(name, method)}`**"
        if method.__doc__:
            yield prose(method)


def _field(field: dataclasses.Field[Any]) -> str:
    kind = str(field.type)
    if field.default is not dataclasses.MISSING:
        default = field.default
        shown = f"{type(default).__name__}.{default.name}" if isinstance(default, Enum) else repr(default)
        return f"{field.name}: {kind} = {shown}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}: {kind} = {getattr(field.default_factory, '__name__', 'made')}()"
    return f"{field.name}: {kind}"


def prose(one: Any) -> str:
    """A docstring as Markdown: its tables of names become lists."""
    parts = []
    for paragraph in inspect.cleandoc(one.__doc__ or "").split("\n\n"):
        lines = paragraph.splitlines()
        if TABLE_LINE.fullmatch(lines[0].strip()) and not lines[0].startswith(" "):
            parts.append(_list(lines))
        elif lines[0].startswith("    "):
            parts.append(paragraph)
        else:
            parts.append(" ".join(line.strip() for line in lines))
    return "\n\n".join(parts)


def _list(lines: list[str]) -> str:
    entries: list[str] = []
    for line in lines:
        found = TABLE_LINE.fullmatch(line)
        if found is not None and not line.startswith(" "):
            entries.append(f"* `{found[1]}` {found[2]}")
        else:
            entries[-1] += f" {line.strip()}"
    return "\n".join(entries)


def _is(one: object, kind: type) -> bool:
    return isinstance(one, type) and issubclass(one, kind)
