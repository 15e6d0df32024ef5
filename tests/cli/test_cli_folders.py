"""`kfsr upscale` over folders and lists, stopped and started again."""

import json
import os
import random
import shutil
import signal
import subprocess

import pytest
from process import QUICK, command, environment, kfsr_run

from kfsr.kernel import load_kernel


@pytest.fixture
def scans(photos):
    """photos/scans with face.png and sub/cat.jpg, sub/gray.png."""
    (photos / "scans" / "sub").mkdir(parents=True)
    shutil.copy(photos / "face.png", photos / "scans")
    for name in ("cat.jpg", "gray.png"):
        shutil.copy(photos / name, photos / "scans" / "sub")
    return photos


def results(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}


def statuses(done):
    return [one.get("status") for one in map(json.loads, done.stdout.splitlines()) if "status" in one]


def test_a_tree_is_mirrored(scans):
    kfsr_run(scans, "upscale", "scans", "--recursive", "-o", "out", "--name", "{stem}-{scale}{ext}", *QUICK).ok()
    assert results(scans / "out") == {"face-2.png", "sub/cat-2.jpg", "sub/gray-2.png"}


def test_kernels_mirror_the_tree_too(scans):
    kfsr_run(scans, "upscale", "scans", "-r", "-o", "out", "--save-kernel", "k", *QUICK).ok()
    assert results(scans / "k") == {"face.npz", "sub/cat.npz", "sub/gray.npz"}


def test_kernels_of_a_tree(scans):
    (scans / "scans" / "broken.png").write_bytes(b"no picture")
    done = kfsr_run(scans, "kernel", "scans", "-r", "-o", "k", "--method", "bicubic", "--json")
    assert done.status == 3
    assert sorted(statuses(done)) == ["done", "done", "done", "failed"]
    assert json.loads(done.stdout.splitlines()[-1])["summary"] == {"done": 3, "failed": 1}
    assert results(scans / "k") == {"face.npz", "sub/cat.npz", "sub/gray.npz"}


def test_one_kernel_of_several_pictures(scans):
    args = ("kernel", "--method", "spectral", "--no-refine")
    done = kfsr_run(scans, *args, "scans", "-r", "--shared", "-o", "k.npz", "--json").ok()
    assert json.loads(done.stdout)["pictures"] == 3
    shared = load_kernel(scans / "k.npz", 2)
    kfsr_run(scans, *args, "scans", "-r", "-o", "k/").ok()
    sizes = [load_kernel(path, 2).trace for path in (scans / "k").rglob("*.npz")]
    assert min(sizes) < shared.trace < max(sizes)
    assert "-o" in kfsr_run(scans, *args, "scans", "-r", "--shared").error_line(2)
    (scans / "scans" / "broken.png").write_bytes(b"no picture")
    assert "broken.png" in kfsr_run(scans, *args, "scans", "-r", "--shared", "-o", "k2.npz").error_line(4)


def test_one_plot_for_one_kernel(scans):
    args = ("kernel", "face.png", "cat.jpg", "-o", "k/", "--method", "bicubic", "--plot", "p.png")
    assert "--plot" in kfsr_run(scans, *args).error_line(2)


def test_a_list_from_find(scans):
    listed = subprocess.run(["find", "scans", "-name", "*.png", "-print0"], cwd=scans, capture_output=True).stdout
    kfsr_run(scans, "upscale", "--files-from", "-", "-o", "out", *QUICK, stdin=listed).ok()
    assert results(scans / "out") == {"face_x2.png", "gray_x2.png"}


def test_a_missing_list_is_named(scans):
    assert "no.txt" in kfsr_run(scans, "upscale", "--files-from", "no.txt", *QUICK).error_line(4)


def test_finished_pictures_are_skipped_until_something_changes(scans):
    args = ("upscale", "scans", "-r", "-o", "out", "--skip-existing", "--json", *QUICK)
    assert statuses(kfsr_run(scans, *args).ok()) == ["done"] * 3
    again = kfsr_run(scans, *args).ok()
    assert statuses(again) == ["skipped"] * 3
    assert json.loads(again.stdout.splitlines()[-1])["summary"] == {"done": 0, "skipped": 3, "failed": 0}
    assert statuses(kfsr_run(scans, *args, "--seed", "1").ok()) == ["done"] * 3
    assert statuses(kfsr_run(scans, *args).ok()) == ["done"] * 3
    (scans / "out" / "face_x2.png").write_bytes(b"cut short")
    shutil.copy(scans / "face.png", scans / "scans" / "sub" / "gray.png")
    assert statuses(kfsr_run(scans, *args).ok()) == ["done", "skipped", "done"]


def test_a_run_without_the_option_can_be_resumed_too(scans):
    args = ("upscale", "scans", "-r", "-o", "out", *QUICK)
    kfsr_run(scans, *args).ok()
    assert "0 done, 3 skipped, 0 failed" in kfsr_run(scans, *args, "--skip-existing").ok().stderr


@pytest.mark.slow
def test_killed_at_any_moment_a_run_finishes_later(scans):
    """Every picture comes out as in a run that was left alone, and none is made twice."""
    for n in range(40):
        shutil.copy(scans / ("face.png", "cat.jpg")[n % 2], scans / "scans" / f"{n:02d}.{('png', 'jpg')[n % 2]}")
    args = ("upscale", "scans", "-r", "--skip-existing", "--json", *QUICK)
    kfsr_run(scans, *args, "-o", "whole").ok()
    rng = random.Random(0)
    done: list[str] = []
    for _ in range(60):
        process = subprocess.Popen(
            command(*args, "-o", "out"), cwd=scans, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        # Killed some pictures after it got under way, which is when the first record comes.
        wanted = rng.randrange(1, 12)
        records = []
        for line in process.stdout:
            records.append(json.loads(line))
            if sum(one.get("status") == "done" for one in records) == wanted:
                os.kill(process.pid, signal.SIGKILL)
                break
        records += map(json.loads, [line for line in process.stdout if line.endswith(b"\n")])
        process.wait()
        done += [one["output"] for one in records if one.get("status") == "done"]
        if any("summary" in one for one in records):
            break
    assert len(done) == len(set(done)), "made twice"
    assert results(scans / "out") == results(scans / "whole")
    for name in results(scans / "whole"):
        assert (scans / "out" / name).read_bytes() == (scans / "whole" / name).read_bytes()
