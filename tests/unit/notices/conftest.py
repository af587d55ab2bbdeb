"""A staffroom for each test."""

import pytest

from tests.unit.notices.staffroom import Staffroom
from tests.unit.world import World


@pytest.fixture
def room(world: World) -> Staffroom:
    return Staffroom(world)
