"""What the program settles for its process before anything else is loaded."""

import subprocess
import sys

import pytest
from process import environment

# The way of `kfsr.__main__.main` up to the command, which here says what torch's OpenMP was given when it was loaded.
SHOW = """
import os, sys
import kfsr.__main__ as program
import kfsr.cli
def show(arguments):
    loaded = "torch" in sys.modules
    import torch
    print(loaded, os.environ.get("OMP_WAIT_POLICY"))
    return 0
kfsr.cli.run = show
program.main()
"""


def shown(**given):
    env = {name: value for name, value in environment().items() if not name.startswith(("OMP_WAIT", "GOMP_", "KMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=env | given, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.split()


def test_threads_sleep_while_they_wait_and_that_is_settled_before_torch():
    assert shown() == ["False", "PASSIVE"]


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE"), ("GOMP_SPINCOUNT", "5", "None"), ("KMP_BLOCKTIME", "1", "None")],
)
def test_what_the_user_says_of_waiting_stands(name, value, left):
    assert shown(**{name: value}) == ["False", left]


def test_openmp_itself_says_that_it_waits_asleep(tmp_path):
    """GNU's runtime prints its settings when it is loaded."""
    env = {name: value for name, value in environment().items() if not name.startswith(("OMP_WAIT", "GOMP_", "KMP_"))}
    command = [sys.executable, "-m", "kfsr", "upscale", "missing.png"]
    done = subprocess.run(
        command, env=env | {"OMP_DISPLAY_ENV": "TRUE"}, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    lines = [line for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    if not lines:
        pytest.skip("torch has another OpenMP here")
    assert "PASSIVE" in lines[0]
