"""A staffroom for each test."""

from pathlib import Path

import pytest

from hub.intake.blobs import Folder
from tests.unit.notices.staffroom import Staffroom
from tests.unit.world import World


@pytest.fixture
def room(world: World, tmp_path: Path) -> Staffroom:
    return Staffroom(world, Folder(tmp_path / "blobs"))
