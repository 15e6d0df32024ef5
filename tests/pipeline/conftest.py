"""The preset of the pipeline's tests, under its name."""

import pytest
from pictures import TINY

from kfsr import settings


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(settings.PRESETS, "tiny", TINY)
