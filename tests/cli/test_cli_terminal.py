"""On a terminal: progress bars, no binary data, and Ctrl-C."""

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest
from process import QUICK, command, environment, kfsr_run

from kfsr.cli.console import Console
from kfsr.cli.streams import Streams

SLOW = ("--kernel-method", "ikl", "--solver", "bicubic", "--preset", "best", "--threads", "1")


@pytest.fixture
def brief(photos):
    """Options of a kernel that is found in a few steps, each of which is told."""
    (photos / "brief.toml").write_text(
        'kernel_method = "ikl"\n[settings.ikl]\niterations = 4\nwarm_up = 2\n[settings.ikl.patch]\nsteps = 6\n'
    )
    return ("--recipe", "brief.toml", "--threads", "1")


def start_on_terminal(folder, *args, stdout=subprocess.PIPE):
    """The process and the reading end of the terminal that is its stderr, 100 columns wide."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        command(*args),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=writer if stdout == "terminal" else stdout,
        stderr=writer,
        env=environment(),
        # A job in a shell's background ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(writer)
    return process, reader


def read_until(reader, text=None, seconds=120):
    """What the terminal shows until `text` appears (None: until the end)."""
    seen, deadline = "", time.monotonic() + seconds
    while text is None or text not in seen:
        assert time.monotonic() < deadline, seen
        try:
            data = os.read(reader, 4096)
        except OSError:  # the other end is closed
            data = b""
        if not data:
            assert text is None, seen
            break
        seen += data.decode()
    return seen


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_in_the_middle_leaves_nothing(photos, number, status, word):
    before = {path: path.read_bytes() for path in photos.iterdir()}
    process, reader = start_on_terminal(photos, "upscale", "face.png", "-o", "big.png", *SLOW)
    shown = read_until(reader, "left]")
    assert "face.png: " in shown  # the bar names the picture, its stage and the time left
    process.send_signal(number)
    rest = read_until(reader)
    assert process.wait(timeout=60) == status
    assert rest.splitlines()[-1] == f"kfsr: {word}"
    assert "Traceback" not in rest
    assert {path: path.read_bytes() for path in photos.iterdir()} == before


def test_a_bar_for_all_pictures(photos):
    args = ("upscale", "face.png", "cat.jpg", "gray.png", "-o", "out/", *QUICK)
    process, reader = start_on_terminal(photos, *args)
    shown = read_until(reader)
    assert process.wait(timeout=60) == 0
    for done in range(3):
        assert re.search(rf"all pictures +{done * 100 / 3:.0f}% \|.*\| {done}/3 \[.* left\]", shown)
    # Lines stand clear of the bar.
    said = [line.split("\r")[-1] for line in shown.split("\r\n")]
    assert [line.split(":")[0] for line in said if " -> " in line] == [
        "face.png -> out/face_x2.png",
        "cat.jpg -> out/cat_x2.jpg",
        "gray.png -> out/gray_x2.png",
    ]
    assert said[-2] == "3 done, 0 skipped, 0 failed"
    process, reader = start_on_terminal(photos, *args, "--quiet")
    assert read_until(reader) == ""
    assert process.wait(timeout=60) == 0


def test_no_bars_when_quiet(photos, brief):
    process, reader = start_on_terminal(photos, "kernel", "face.png", *brief)
    assert "left]" in read_until(reader)
    assert process.wait(timeout=60) == 0
    args = ("kernel", "face.png", *brief, "--quiet")
    process, reader = start_on_terminal(photos, *args)
    assert read_until(reader) == ""
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    "args",
    [
        ("upscale", "face.png", "-o", "-"),
        ("kernel", "face.png", "-o", "-"),
        ("degrade", "face.png", "-k", "box", "-o", "-"),
    ],
)
def test_binary_data_does_not_go_to_a_terminal(photos, args):
    process, reader = start_on_terminal(photos, *args, stdout="terminal")
    shown = read_until(reader)
    assert process.wait(timeout=60) == 2
    assert len(shown.splitlines()) == 1
    assert "terminal" in shown


def test_progress_is_not_written_to_a_file(photos, brief):
    done = kfsr_run(photos, "kernel", "face.png", *brief).ok()
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("face.png -> face_kernel.npz: ikl, ")


@pytest.mark.parametrize(("quiet", "lines"), [(False, ["cat.png: solver, 3 of 9"]), (True, [])])
def test_without_a_terminal_a_line_now_and_then(quiet, lines):
    err = io.StringIO()
    console = Console(Streams(None, None, err), quiet, every=0.2)
    with console.session():
        console.note("begun")
        for step in (1, 2):
            console.progress("pictures/cat.png", "solver", step, 9)
        time.sleep(0.25)
        for step in (3, 4):
            console.progress("pictures/cat.png", "solver", step, 9)
    assert err.getvalue().splitlines() == ([] if quiet else ["begun"]) + lines
