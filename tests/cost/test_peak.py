"""Peak memory: what was held since the count began."""

import sys

import numpy as np
import pytest

from kfsr.cost import peak


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux starts the count anew")
def test_what_was_given_back_before_the_start_does_not_count():
    peak.restart()  # other tests of this process have held more
    first = peak.mebibytes()
    block = np.ones(25_000_000)  # 191 MiB
    del block
    before = peak.mebibytes()
    assert before > first + 150
    peak.restart()
    assert peak.mebibytes() < before - 150
    block = np.ones(25_000_000)
    del block
    assert peak.mebibytes() > before - 50
