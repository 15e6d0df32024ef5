"""Turns among processes: never two at once, and a process that dies gives its turn back."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kfsr.cli import spread
from kfsr.runs import turns

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks of this kind")

HOLD = """
import sys, time
from kfsr.runs.turns import Turns
with Turns(sys.argv[1]).wait():
    print("mine", flush=True)
    time.sleep(float(sys.argv[2]))
    print(time.monotonic(), flush=True)
"""


def holder(path, seconds):
    run = subprocess.Popen([sys.executable, "-c", HOLD, path, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "mine\n"
    return run


def test_one_after_the_other():
    with turns.shared(True) as ours:
        other = holder(ours.path, 1.0)
        with ours.wait():
            begun = time.monotonic()
        assert begun > float(other.communicate()[0])


def test_a_killed_process_gives_its_turn_back():
    with turns.shared(True) as ours:
        other = holder(ours.path, 100)
        other.kill()
        with ours.wait():
            assert other.wait() != 0
    assert not Path(ours.path).exists()


@pytest.mark.parametrize(("device", "workers", "wait"), [("cpu", 4, False), ("mps", 1, False), ("mps", 2, True)])
def test_processes_wait_for_a_shared_gpu_only(device, workers, wait):
    with spread.shared_turns(device, workers) as ours:
        assert (ours.path is not None) is wait
        with spread.on_device(ours, device), spread.on_device(turns.Turns(), device):
            pass
