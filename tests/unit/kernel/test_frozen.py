"""A quick value is in all respects the frozen dataclass that it was declared as."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field

import pytest

from hub.kernel.frozen import quick


@dataclass(frozen=True, slots=True)
class Usual:
    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list)
    d: int = field(default=4, kw_only=True, repr=False)
    e: tuple[int, ...] = field(default_factory=tuple, kw_only=True)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list)
    d: int = field(default=4, kw_only=True, repr=False)
    e: tuple[int, ...] = field(default_factory=tuple, kw_only=True)


@pytest.mark.parametrize(
    ("args", "named"),
    [((1,), {}), ((1, "x", [2]), {"d": 5, "e": (6,)}), ((), {"a": 1, "c": [3]})],
)
def test_it_holds_what_the_dataclass_would_hold(args, named):
    one, other = Quick(*args, **named), Usual(*args, **named)
    assert dataclasses.astuple(one) == dataclasses.astuple(other)
    assert type(one) is Quick
    assert repr(one) == repr(other).replace("Usual", "Quick")
    assert one == Quick(*args, **named)
    assert one != Quick(99)


@pytest.mark.parametrize(
    ("args", "named"), [((), {}), ((1,), {"z": 2}), ((1, 2, 3, 4), {}), ((1,), {"a": 1})]
)
def test_it_refuses_what_the_dataclass_would_refuse(args, named):
    with pytest.raises(TypeError) as usual:
        Usual(*args, **named)
    with pytest.raises(TypeError) as made:
        Quick(*args, **named)
    assert str(made.value).replace("Quick", "Usual") == str(usual.value)


def test_it_is_frozen_and_has_no_room_for_more():
    one = Quick(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.a = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.a
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        one.z = 2  # type: ignore[attr-defined]
    assert not hasattr(one, "__dict__")


def test_each_has_defaults_of_its_own():
    assert Quick(1).c is not Quick(1).c


def test_it_is_copied_pickled_and_replaced_as_usual():
    one = Quick(1, c=[2], e=(3,))
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == copy.copy(one) == one
    assert dataclasses.replace(one, a=9) == Quick(9, c=[2], e=(3,))
    assert type(dataclasses.replace(one, a=9)) is Quick


def test_its_signature_is_the_dataclass_s():
    assert inspect.signature(Quick) == inspect.signature(Usual)


def test_what_it_cannot_make_quick_is_refused():
    class Plain:
        pass

    @dataclass
    class Loose:
        a: int

    @dataclass(frozen=True, slots=True)
    class Further(Usual):
        f: int = 0

    @dataclass(frozen=True, slots=True)
    class Checking:
        a: int

        def __post_init__(self):
            raise AssertionError

    for cls in (Plain, Loose, Further, Checking):
        with pytest.raises(TypeError, match=cls.__name__):
            quick(cls)
