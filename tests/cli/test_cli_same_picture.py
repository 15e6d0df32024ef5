"""The same seed gives the same bytes; another number of threads the same picture; a memory limit too."""

import json

import numpy as np
import PIL.Image
import pytest
from process import kfsr_run
from skimage import data


@pytest.fixture
def face(tmp_path):
    PIL.Image.fromarray(data.astronaut()[60:156, 170:282]).save(tmp_path / "face.png")
    return tmp_path


def upscaled(folder, name, *options, process=False):
    preset = () if "--recipe" in options else ("--preset", "fast")
    kfsr_run(folder, "upscale", "face.png", "-o", name, *preset, *options, process=process).ok()
    return (folder / name).read_bytes()


def levels(folder, name):
    return np.asarray(PIL.Image.open(folder / name)).astype(int)


def test_the_same_seed_gives_the_same_bytes(face):
    """With what draws at random: the patch model's training and the gate's rehearsal."""
    (face / "brief.toml").write_text("[settings.unfolding]\niterations = 2\n[settings.unfolding.prior]\nsteps = 12\n")
    options = ("--kernel-method", "bicubic", "--solver", "unfolding", "--threads", "1", "--recipe", "brief.toml")
    first = upscaled(face, "a.png", "--seed", "7", *options)
    assert upscaled(face, "b.png", "--seed", "7", *options, process=True) == first
    assert upscaled(face, "c.png", "--seed", "8", *options) != first


def test_another_number_of_threads_gives_the_same_picture(face):
    options = ("--kernel-method", "spectral", "--refine")
    for threads in (1, 2):
        upscaled(face, f"{threads}.png", "--threads", threads, *options)
    assert np.abs(levels(face, "1.png") - levels(face, "2.png")).max() <= 1


@pytest.mark.parametrize("size", ["lots", "-1G", "0", "", "4X"])
def test_a_limit_that_is_no_amount(face, size):
    line = kfsr_run(face, "upscale", "face.png", "--max-memory", size).error_line(2)
    assert "write it like 4G or 800M" in line or "--max-memory" in line


def test_a_limit_that_is_too_low_says_what_is_needed(face):
    line = kfsr_run(face, "upscale", "face.png", "--max-memory", "300M").error_line(2)
    assert (
        "face.png: 300M of memory is too little for this picture at scale 2 with auto and unrolled, which takes "
        in line
    )
    needed = line.split("which takes ")[1].split(";")[0]
    kfsr_run(face, "upscale", "face.png", "--max-memory", needed, "--kernel-method", "bicubic", "--no-refine").ok()


def test_a_limit_is_kept_and_changes_the_picture_by_a_grey_level_at_most(tmp_path):
    """0.4 megapixels by 2: with tiles of the usual size it takes more."""
    sharp = np.tile(data.astronaut(), (2, 3, 1))
    PIL.Image.fromarray(sharp).reduce(2).save(tmp_path / "wide.png")
    np.save(tmp_path / "k.npy", np.full((2, 2), 1 / 4))
    limits = {"free.png": (), "less.png": ("--max-memory", "540M")}
    peaks = []
    for name, limit in limits.items():
        args = ("upscale", "wide.png", "-o", name, "--preset", "fast", "--kernel", "k.npy", "--json", *limit)
        done = kfsr_run(tmp_path, *args, process=True).ok()
        peaks.append(json.loads(done.stdout)["peak_memory_mib"])
    assert peaks[1] < 540 < peaks[0]
    difference = np.abs(levels(tmp_path, "free.png") - levels(tmp_path, "less.png"))
    assert (difference > 1).mean() < 1e-3
    assert difference[16:-16, 16:-16].max() <= 2
