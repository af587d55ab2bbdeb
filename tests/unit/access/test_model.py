"""What roles allow."""

import pytest

from hub.access.model import PERMISSIONS, Actor, May, Role, system
from hub.kernel.errors import AccessDenied


def test_each_role_may_all_that_the_smaller_one_may():
    assert PERMISSIONS[Role.SELLER] < PERMISSIONS[Role.HEAD] < PERMISSIONS[Role.ADMIN] == frozenset(May)


def test_roles_add_up_and_none_is_nothing():
    both = Actor("x", frozenset({Role.SELLER, Role.HEAD}))
    assert both.may(May.LEAD)
    assert not Actor("x", frozenset()).may(May.SEE)


def test_a_refusal_names_the_missing_right():
    with pytest.raises(AccessDenied, match="lead"):
        Actor("x", frozenset({Role.SELLER})).require(May.LEAD)


def test_the_hub_itself_may_everything():
    assert all(system("cli").may(one) for one in May)
