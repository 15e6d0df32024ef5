"""The scene that the solvers' tests share, learned once."""

import pytest
from scenes import Scene


@pytest.fixture(scope="session")
def scene():
    return Scene()
