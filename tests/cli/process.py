"""Runs the program as its users do: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import kfsr

# The cheapest way from a picture to a larger one.
QUICK = ("--kernel-method", "bicubic", "--solver", "bicubic")


def environment(**extra):
    """This process's environment, with the kfsr under test in front and one thread."""
    here = str(Path(kfsr.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    own = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "KFSR_DEBUG": "", "PYTHONUNBUFFERED": ""}
    return {**os.environ, **own, **extra}


def command(*args):
    return [sys.executable, "-m", "kfsr", *map(str, args)]


def kfsr_run(folder, *args, stdin=b"", env=None):
    """`kfsr ARGS` in `folder`; stdout as bytes, stderr as text."""
    done = subprocess.run(
        command(*args), cwd=folder, input=stdin, capture_output=True, env=env or environment(), timeout=300
    )
    return Finished(done.returncode, done.stdout, done.stderr.decode())


class Finished:
    """What a process left behind."""

    def __init__(self, status, stdout, stderr):
        self.status, self.stdout, self.stderr = status, stdout, stderr

    def ok(self):
        """Itself, when the status is 0; the messages otherwise."""
        assert self.status == 0, self.stderr
        return self

    def error_line(self, status):
        """The only line of stderr of a run that failed with `status` and gave no data."""
        assert self.status == status, f"status {self.status}: {self.stderr}"
        assert self.stdout == b""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith("kfsr: error: ")
        return lines[0]
