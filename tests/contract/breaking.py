"""What both tests of the kits share: one broken plugin for one check, and the check run against it."""

import inspect
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

FAILED: tuple[type[BaseException], ...] = (AssertionError, pytest.fail.Exception)


@dataclass(frozen=True)
class Broken:
    """`methods`: what the plugin's object does wrong; `kit`: what its registration or its kit class says wrong.

    `error`: what escapes from the check. Mostly it is an assertion; where a check lets a plugin's own exception
    through, it is that. `example`: one that a search for examples finds, so that the search need not be made here.
    """

    methods: dict[str, Any] = field(default_factory=dict)
    kit: dict[str, Any] = field(default_factory=dict)
    error: tuple[type[BaseException], ...] = FAILED
    example: dict[str, Any] | None = None


def does(*error: type[BaseException], **methods: Any) -> Broken:
    """A plugin whose methods are these."""
    return Broken(methods=methods, error=error or FAILED)


def says(**kit: Any) -> Broken:
    """A plugin whose registration or kit class says this."""
    return Broken(kit=kit)


def gives(value: Any) -> Callable[..., Any]:
    """A method that always returns this."""

    def method(*_: Any) -> Any:
        return value

    return method


def gives_later(value: Any) -> Callable[..., Any]:
    """An asynchronous one."""

    async def method(*_: Any) -> Any:
        return value

    return method


def fails(error: BaseException) -> Callable[..., Any]:
    """An asynchronous method that always raises this."""

    async def method(*_: Any) -> Any:
        raise error

    return method


class Clock:
    """Stands in for the clocks of the time limits: a plugin that "takes" a second costs the tests none."""

    def __init__(self) -> None:
        self._taken = 0.0

    def take(self, seconds: float) -> None:
        """So much time passes."""
        self._taken += seconds

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Instead of both clocks that the kits measure with."""
        for name in ("thread_time", "perf_counter"):
            real = getattr(time, name)
            monkeypatch.setattr(time, name, lambda real=real: real() + self._taken)


CLOCK = Clock()


def kit_of(contract: Any, broken: Broken) -> Any:
    """The kit of the broken plugin."""
    kind = type("BrokenPlugin", (contract.kind,), dict(broken.methods))
    return type("BrokenKit", (contract,), {"kind": kind, **broken.kit})()


def checks_of(contract: type) -> list[str]:
    """All checks of a kit that apply to this plugin."""
    made = contract()
    return [
        name
        for name in dir(contract)
        if name.startswith("test_")
        and callable(check := getattr(contract, name))
        and (not hasattr(check, "kit_need") or made.applies(check.kit_need))
    ]


def run(kit: Any, check: str, fixtures: dict[str, Any], example: dict[str, Any] | None = None) -> None:
    """Run a check, in all its cases, or for one example."""
    method = getattr(kit, check)
    if example is not None:
        method.hypothesis.inner_test(kit, **example)
    for case in cases(method):
        wanted = inspect.signature(method).parameters
        method(**{name: one for name, one in fixtures.items() if name in wanted}, **case)


def cases(method: Any) -> Iterator[dict[str, Any]]:
    """The cases of `parametrize`."""
    marks = [mark for mark in getattr(method, "pytestmark", ()) if mark.name == "parametrize"]
    rows = [[{mark.args[0]: value} for value in mark.args[1]] for mark in marks]
    for combined in itertools.product(*rows):
        yield {name: value for one in combined for name, value in one.items()}
