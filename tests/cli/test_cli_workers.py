"""`--workers`: the same results from several processes, whatever happens to them."""

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import PIL.Image
import pytest
from process import QUICK, Started, kfsr_run
from skimage import data

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes through /proc")


@pytest.fixture
def album(tmp_path):
    """tmp_path/in with 00.png .. 15.png, all different, half of them in a sub-folder."""
    for n in range(16):
        folder = tmp_path / "in" / ("sub" if n % 2 else "")
        folder.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(data.astronaut()[7 * n : 7 * n + 60, 11 * n : 11 * n + 70]).save(folder / f"{n:02d}.png")
    return tmp_path


def contents(folder):
    """Path and bytes of every file, but for the list, which is in the order of finishing."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".kfsr.ndjson"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def listed(folder):
    """The list's lines of digests as records; each line must be whole."""
    lines = [line for path in folder.rglob(".kfsr.ndjson") for line in path.read_text().splitlines() if line]
    return [one for one in map(json.loads, lines) if "sha256" in one]


def upscale(*more, before=(), after=()):
    return ("upscale", *before, "in", *after, "-r", "--json", *QUICK, *more)


@pytest.fixture
def pipe(album):
    """Makes a picture in `album` that is read for ever: a pipe that somebody has open, and never writes to. It has to
    be named, since pipes in folders are left out."""
    held = []

    def make(name):
        os.mkfifo(album / name)
        held.append(os.open(album / name, os.O_RDWR | os.O_NONBLOCK))
        return name

    yield make
    for descriptor in held:
        os.close(descriptor)


def test_results_and_lists_are_those_of_one_process(album):
    (album / "in" / "bad.png").write_bytes(b"no picture")
    one = kfsr_run(album, *upscale("-o", "one"))
    two = kfsr_run(album, *upscale("-o", "two", "--workers", "2"))
    assert one.status == two.status == 3
    assert contents(album / "one") == contents(album / "two")
    assert len(contents(album / "two")) == 16
    assert sorted(map(str, listed(album / "one"))) == sorted(map(str, listed(album / "two")))
    *records, last = map(json.loads, two.stdout.splitlines())
    assert last["summary"] == {"done": 16, "skipped": 0, "failed": 1}
    by_status = {status: [one for one in records if one["status"] == status] for status in ("done", "failed")}
    assert len(by_status["done"]) == 16
    assert by_status["failed"][0]["input"] == "in/bad.png"
    assert "not an image" in by_status["failed"][0]["error"]
    assert {one["settings"] for one in records} == {one["settings"] for one in listed(album / "two")}
    assert all(50 < one["peak_memory_mib"] < 4000 for one in by_status["done"])
    errors = [line for line in two.stderr.splitlines() if line.startswith("kfsr: error: ")]
    assert len(errors) == 1
    again = kfsr_run(album, *upscale("-o", "two", "--workers", "2", "--skip-existing"))
    assert json.loads(again.stdout.splitlines()[-1])["summary"] == {"done": 0, "skipped": 16, "failed": 1}


def test_warnings_come_from_the_processes_too(album):
    pages = [PIL.Image.open(path).copy() for path in sorted((album / "in").glob("*.png"))[:2]]
    pages[0].save(album / "clip.gif", save_all=True, append_images=pages[1:])
    args = ("upscale", "clip.gif", "in/00.png", "-o", "out", "--workers", "2", *QUICK)
    warned = [line for line in kfsr_run(album, *args).ok().stderr.splitlines() if "warning" in line]
    assert len(warned) == 1
    assert warned[0].startswith("kfsr: warning: clip.gif: has 2 frames")
    assert kfsr_run(album, *args, "--quiet").ok().stderr == ""


def test_kernels_of_several_pictures(album):
    args = ("kernel", "in", "-r", "--method", "spectral", "--no-refine", "-o")
    kfsr_run(album, *args, "one").ok()
    kfsr_run(album, *args, "two", "--workers", "2").ok()
    assert contents(album / "one") == contents(album / "two")
    assert len(contents(album / "two")) == 16


def test_a_process_that_is_killed_costs_one_picture(album, pipe):
    run = Started(album, *upscale("-o", "out", "--workers", "2", before=[pipe("in/never.png")]))
    records = [json.loads(line) for line in run.lines(16)]
    assert {one["status"] for one in records} == {"done"}
    # The other process has nothing left to do and ends; the one that waits is left.
    while len(stuck := run.others()) > 1:
        time.sleep(0.05)
    os.kill(stuck[0], signal.SIGKILL)
    done = run.end()
    assert done.status == 3
    failed, last = map(json.loads, done.stdout.splitlines())
    assert (failed["input"], failed["status"]) == ("in/never.png", "failed")
    assert "killed" in failed["error"]
    assert last["summary"] == {"done": 16, "skipped": 0, "failed": 1}
    assert [line for line in done.stderr.splitlines() if "error" in line] == [
        f"kfsr: error: in/never.png: {failed['error']}"
    ]
    assert len(contents(album / "out")) == 16


def test_other_processes_take_the_place_of_dead_ones(album, pipe):
    """Both are killed at their first pictures, and the rest is done all the same."""
    shutil.rmtree(album / "in" / "sub")
    waits = [pipe("in/a.png"), pipe("in/b.png")]
    run = Started(album, *upscale("-o", "out", "--workers", "2", before=waits))
    while not all(opened_by(run, album / name) for name in waits):
        time.sleep(0.05)
    for number in run.others():
        os.kill(number, signal.SIGKILL)
    done = run.end()
    assert done.status == 3
    assert json.loads(done.stdout.splitlines()[-1])["summary"] == {"done": 8, "skipped": 0, "failed": 2}


def opened_by(run, path):
    """Whether one of the run's processes has the file open."""
    found = []
    for number in run.others():
        with contextlib.suppress(OSError):
            found += [os.path.realpath(one) for one in Path(f"/proc/{number}/fd").iterdir()]
    return str(path.resolve()) in found


@pytest.fixture(scope="module")
def seeded():
    return random.Random(0)


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["one", "all"])
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_at_any_moment_stops_all(album, pipe, seeded, workers, number, status, word, send):
    """To the first process, or to all, as a terminal's Ctrl-C: nothing goes on, nothing is half written."""
    held = pipe("in/zz.png")  # so that the run cannot end before the signal
    run = Started(album, *upscale("-o", "out", "--workers", workers, after=[held]))
    run.lines(seeded.randrange(1, 12))
    send(run.process.pid, number)
    done = run.end()
    assert done.status == status, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"kfsr: {word}; ")
    assert "kept; the same command with --skip-existing goes on" in last
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr
    assert run.all_gone()
    made = contents(album / "out")
    whole = {one["file"]: one["sha256"] for one in listed(album / "out")}
    assert made
    for name, result in made.items():
        assert whole[name.split("/")[-1]] == hashlib.sha256(result).hexdigest(), "half written, or a temporary file"


def test_when_the_first_process_is_killed_the_others_end(album, pipe):
    held = pipe("in/0.png")  # one of them waits there when it happens
    run = Started(album, *upscale("-o", "out", "--workers", "2", before=[held]))
    run.lines(1)
    assert run.others()
    os.kill(run.process.pid, signal.SIGKILL)
    assert run.all_gone()
    assert run.end().status == -signal.SIGKILL


def test_standard_input_is_for_one_process(album):
    args = ("upscale", "-", "in/00.png", "-o", "out/", "--workers", "2", *QUICK)
    assert "--workers" in kfsr_run(album, *args).error_line(2)
