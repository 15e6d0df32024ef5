"""What goes wrong around the program: disks, vanishing files, closed pipes, other runs, remains of killed ones."""

import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image
import pytest
from process import QUICK, Started, command, environment, kfsr_run
from skimage import data

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="POSIX signals, pipes and limits")


def only_error(done, status):
    """The one error line of a run over several pictures."""
    assert done.status == status, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("kfsr: error: ")]
    return line


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def saved(path, array):
    PIL.Image.fromarray(array).save(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(photos):
    (photos / "out").mkdir(mode=0o555)
    assert "no permission" in kfsr_run(photos, "upscale", "face.png", "-o", "out", *QUICK).error_line(4)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_result_that_there_is_no_room_for(photos, workers):
    """RLIMIT_FSIZE is a disk with room for small files only."""
    saved(photos / "large.png", data.astronaut())
    run = Started(
        photos,
        *("upscale", "face.png", "large.png", "gray.png", "-o", "out", "--workers", workers, *QUICK),
        preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    line = only_error(run.end(), 3)
    assert line.startswith("kfsr: error: out/large_x2.png: cannot be written (File too large)")
    assert names(photos / "out") == [".kfsr.ndjson", "face_x2.png", "gray_x2.png"]
    done = kfsr_run(photos, "upscale", "face.png", "large.png", "gray.png", "-o", "out", "--skip-existing", *QUICK)
    assert "1 done, 2 skipped, 0 failed" in done.ok().stderr


def test_a_disk_that_is_full(photos):
    disk = photos / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        saved(photos / "large.png", data.astronaut())
        done = kfsr_run(photos, "upscale", "face.png", "large.png", "gray.png", "-o", "disk", *QUICK)
        assert only_error(done, 3).startswith("kfsr: error: disk/large_x2.png: no space left on the disk")
        assert names(disk) == [".kfsr.ndjson", "face_x2.png", "gray_x2.png"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_standard_output_that_is_full(photos):
    for args in (("-o", "-"), ("--json", "-o", "a.png")):
        with Path("/dev/full").open("wb") as full:
            run = command("upscale", "face.png", *args, *QUICK)
            done = subprocess.run(run, cwd=photos, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 4
        last = done.stderr.splitlines()[-1]
        assert last == "kfsr: error: standard output cannot be written (no space left on the disk)"


def test_an_input_that_vanishes_meanwhile(photos):
    os.mkfifo(photos / "first.png")
    run = Started(photos, "upscale", "first.png", "face.png", "gray.png", "-o", "out", *QUICK)
    while True:
        try:
            pipe = os.open(photos / "first.png", os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # the run has not come to it yet
            time.sleep(0.05)
    (photos / "face.png").unlink()
    os.write(pipe, b"no picture")
    os.close(pipe)
    done = run.end()
    errors = [line for line in done.stderr.splitlines() if line.startswith("kfsr: error: ")]
    assert len(errors) == 2
    assert errors[1] == "kfsr: error: face.png: no such file; check the name"
    assert done.status == 3
    assert names(photos / "out") == [".kfsr.ndjson", "gray_x2.png"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reader_of_records_who_leaves(photos, workers):
    """As with `| head -1`."""
    for n in range(20):
        shutil.copy(photos / "face.png", photos / f"{n}.png")
    pictures = [f"{n}.png" for n in range(20)]
    run = Started(photos, "upscale", *pictures, "-o", "out", "--json", "--workers", workers, *QUICK)
    (line,) = run.lines(1)
    assert json.loads(line)["status"] == "done"
    run.process.stdout.close()
    messages = run.process.stderr.read().decode()
    assert run.process.wait(timeout=60) == 141
    assert "error" not in messages
    assert "Traceback" not in messages
    assert run.all_gone()
    for name in set(names(photos / "out")) - {".kfsr.ndjson"}:
        PIL.Image.open(photos / "out" / name).load()


def test_a_reader_of_the_picture_who_leaves(photos):
    saved(photos / "large.png", data.astronaut())  # more than a pipe holds
    run = Started(photos, "upscale", "large.png", "-o", "-", *QUICK)
    assert run.process.stdout.read(1) == b"\x89"
    run.process.stdout.close()
    assert run.process.stderr.read() == b""
    assert run.process.wait(timeout=60) == 141


def test_two_runs_into_one_folder(photos):
    for n in range(12):
        saved(photos / f"{n}.png", data.astronaut()[8 * n : 8 * n + 60, :70])
    pictures = [f"{n}.png" for n in range(12)]
    kfsr_run(photos, "upscale", *pictures, "-o", "whole", *QUICK).ok()
    runs = [Started(photos, "upscale", *pictures, "-o", "out", *QUICK, *more) for more in ((), ("--workers", "2"))]
    for run in runs:
        assert run.end().ok().stderr.splitlines()[-1] == "12 done, 0 skipped, 0 failed"
    assert names(photos / "out") == names(photos / "whole")
    for name in set(names(photos / "whole")) - {".kfsr.ndjson"}:
        assert (photos / "out" / name).read_bytes() == (photos / "whole" / name).read_bytes()
    lines = [json.loads(line) for line in (photos / "out" / ".kfsr.ndjson").read_text().splitlines() if line]
    assert sum("sha256" in line for line in lines) == 24
    done = kfsr_run(photos, "upscale", *pictures, "-o", "out", "--skip-existing", *QUICK).ok()
    assert "0 done, 12 skipped" in done.stderr


def test_what_a_killed_run_left_is_removed_and_what_lives_is_not(photos):
    gone = subprocess.Popen(["true"])
    gone.wait()
    out = photos / "out"
    out.mkdir()
    left = out / f".kfsr-{gone.pid}-{'0' * 16}.tmp"
    locked = out / f".kfsr-{gone.pid}-{'1' * 16}.tmp"  # of a process that has its number elsewhere
    alive = out / f".kfsr-{os.getpid()}-{'2' * 16}.tmp"
    for path in (left, locked, alive):
        path.write_bytes(b"half a pict")
    with locked.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kfsr_run(photos, "upscale", "face.png", "-o", "out", *QUICK).ok()
    assert set(names(out)) == {locked.name, alive.name, "face_x2.png", ".kfsr.ndjson"}


def test_output_is_closed_from_the_start(photos):
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command("upscale", "face.png", "gray.png", "--json", "-o", "out", *QUICK)],
        cwd=photos,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1] == "kfsr: error: standard output is closed"
    assert "Traceback" not in done.stderr
