"""A world a test."""

from collections.abc import Iterator

import pytest

from tests.functions.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    made, close = make_world()
    yield made
    close()
