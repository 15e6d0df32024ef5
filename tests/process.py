"""Runs the program: in this process, with streams of its own, or as its users do, in a process."""

import contextlib
import io
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import kfsr
from kfsr.cli import run
from kfsr.cli.streams import Streams

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


def kfsr_run(folder, *args, stdin=b"", env=None, process=False):
    """`kfsr ARGS` in `folder`; stdout as bytes, stderr as text. In this process, unless a `process` is asked for, the
    environment is another or there are workers, which are to be children of the program alone."""
    args = list(map(str, args))
    if process or env is not None or "--workers" in args:
        done = subprocess.run(
            command(*args), cwd=folder, input=stdin, capture_output=True, env=env or environment(), timeout=300
        )
        return Finished(done.returncode, done.stdout, done.stderr.decode())
    streams = Streams(*(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")))
    with contextlib.chdir(folder), mock.patch.dict(os.environ, KFSR_DEBUG=""):
        status = run(args, streams)
    for stream in (streams.stdout, streams.stderr):
        stream.flush()
    return Finished(status, streams.stdout.buffer.getvalue(), streams.stderr.buffer.getvalue().decode())


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


class Started:
    """A run under way in a session of its own; its workers are known by a mark in their environment."""

    def __init__(self, folder, *args, preexec=None):
        self.mark = secrets.token_hex(8)

        def before():
            # A job in a shell's background ignores SIGINT, and so would its children.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if preexec is not None:
                preexec()

        self.process = subprocess.Popen(
            command(*args),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(KFSR_TEST_MARK=self.mark),
            start_new_session=True,
            preexec_fn=before,
        )

    def lines(self, count):
        """The next `count` lines of its stdout."""
        return [self.process.stdout.readline() for _ in range(count)]

    def others(self):
        """The processes that it has started and that live, but for the standard library's resource tracker."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != self.process.pid:
                with contextlib.suppress(OSError):
                    ours = f"KFSR_TEST_MARK={self.mark}".encode() in (folder / "environ").read_bytes()
                    if ours and b"resource_tracker" not in (folder / "cmdline").read_bytes():
                        found.append(int(folder.name))
        return found

    def all_gone(self, seconds=60):
        """Whether no process of it is left, or soon will be none."""
        deadline = time.monotonic() + seconds
        while self.others() and time.monotonic() < deadline:
            time.sleep(0.1)
        return not self.others()

    def end(self):
        """What it left behind; its later stdout only."""
        stdout, stderr = self.process.communicate(timeout=300)
        return Finished(self.process.returncode, stdout, stderr.decode())
