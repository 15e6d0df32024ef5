"""The lock on a device: never two processes at once, and one that dies gives it back."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kfsr.runs import device_lock

HOLD = """
import sys, time
from kfsr.runs import device_lock
with device_lock.held(sys.argv[1], "cuda"):
    print("mine", flush=True)
    time.sleep(float(sys.argv[2]))
    print(time.monotonic(), flush=True)
"""


def holder(path, seconds):
    run = subprocess.Popen([sys.executable, "-c", HOLD, path, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "mine\n"
    return run


def test_one_after_the_other():
    with device_lock.shared("cuda", 2) as lock:
        other = holder(lock, 1.0)
        with device_lock.held(lock, "cuda"):
            begun = time.monotonic()
        assert begun > float(other.communicate()[0])


def test_a_killed_process_gives_it_back():
    with device_lock.shared("cuda", 2) as lock:
        other = holder(lock, 100)
        other.kill()
        with device_lock.held(lock, "cuda"):
            assert other.wait() != 0
    assert not Path(lock).exists()


@pytest.mark.parametrize(("device", "processes", "needed"), [("cpu", 4, False), ("cuda", 1, False), ("cuda", 2, True)])
def test_only_processes_that_share_a_gpu_wait(device, processes, needed):
    with device_lock.shared(device, processes) as lock:
        assert (lock is not None) is needed
        with device_lock.held(lock, device), device_lock.held(None, device):
            pass
