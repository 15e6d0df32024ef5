"""The short form of `tests/fuzz_folders.py`."""

import sys

import pytest
from fuzz_folders import judged, search

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pipes, permissions and processes")


def test_folders_with_planted_faults():
    assert search(1000, 1012) == []


def test_a_wrong_status_is_found():
    assert judged(0, "", good=2, bad=0, either=0) == []
    assert judged(3, "", good=2, bad=0, either=0)
    assert judged(3, "", good=2, bad=1, either=0) == []
    assert judged(0, "", good=2, bad=1, either=1)
    assert judged(4, "", good=0, bad=1, either=1) == []
    assert judged(3, "kfsr: error: internal error (KeyError)", good=2, bad=1, either=0)
