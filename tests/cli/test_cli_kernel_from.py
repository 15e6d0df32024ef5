"""`kfsr upscale --kernel-from`: one kernel of several pictures for a whole run."""

import json
import shutil

import pytest
from process import kfsr_run

from kfsr.kernel import load_kernel

FAST = ("--preset", "fast", "--no-refine")
METHOD = ("--kernel-method", "spectral")


@pytest.fixture
def scans(photos):
    """photos/scans with face.png and cat.jpg."""
    (photos / "scans").mkdir()
    for name in ("face.png", "cat.jpg"):
        shutil.copy(photos / name, photos / "scans")
    return photos


def test_it_is_the_shared_kernel_of_the_pictures(scans):
    """In two steps or in one, with one process or two: the same kernel, the same caution, the same bytes."""
    kfsr_run(scans, "kernel", "scans", "gray.png", "--shared", "-o", "k.npz", *METHOD, *FAST).ok()
    given = ("upscale", "face.png", "cat.jpg", *FAST)
    kfsr_run(scans, *given, "-o", "two/", "--kernel", "k.npz").ok()
    args = (*given, "-o", "one/", "--kernel-from", "scans", "--kernel-from", "gray.png", *METHOD, "--json")
    done = kfsr_run(scans, *args, "--save-kernel", "k/", "--workers", "2").ok()
    for name in ("face_x2.png", "cat_x2.jpg"):
        assert (scans / "one" / name).read_bytes() == (scans / "two" / name).read_bytes()
    assert (load_kernel(scans / "k" / "face.npz", 2).array == load_kernel(scans / "k.npz", 2).array).all()
    records = [json.loads(line) for line in done.stdout.splitlines()][:2]
    assert {one["kernel_method"] for one in records} == {"spectral"}
    assert done.stderr.startswith("kernel of 3 pictures: spectral, ")


def test_its_pictures_are_part_of_the_settings(scans):
    args = ("upscale", "gray.png", "face.png", "-o", "out", "--kernel-from", "scans", "--skip-existing", *METHOD, *FAST)
    args = (*args, "--solver", "bicubic")
    kfsr_run(scans, *args).ok()
    assert "0 done, 2 skipped" in (again := kfsr_run(scans, *args).ok()).stderr
    assert "kernel of" not in again.stderr  # nothing to do, nothing to find
    shutil.copy(scans / "gray.png", scans / "scans" / "face.png")
    assert "2 done, 0 skipped" in kfsr_run(scans, *args).ok().stderr


def test_earlier_results_are_no_pictures_to_learn_from(scans):
    args = ("upscale", "scans", "--kernel-from", "scans", "--skip-existing", *METHOD, *FAST, "--solver", "bicubic")
    assert "kernel of 2 pictures" in kfsr_run(scans, *args).ok().stderr
    assert "0 done, 2 skipped" in kfsr_run(scans, *args).ok().stderr


def test_a_picture_that_is_none_ends_the_run(scans):
    (scans / "scans" / "bad.png").write_bytes(b"no picture")
    args = ("upscale", "gray.png", "--kernel-from", "scans", *METHOD, *FAST)
    assert "scans/bad.png" in kfsr_run(scans, *args).error_line(4)
    assert not (scans / "gray_x2.png").exists()
