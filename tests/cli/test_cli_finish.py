"""`--strength` and `--denoise` on the command line."""

import json

import numpy as np
import PIL.Image
import pytest
from process import QUICK, kfsr_run

from kfsr.kernel import gaussian_kernel, save_kernel


@pytest.fixture
def folder(photos):
    save_kernel(gaussian_kernel(np.eye(2) * 0.7**2, 2), photos / "k.npz")
    return photos


def upscaled(folder, *args):
    done = kfsr_run(folder, "upscale", "face.png", "-o", "out.png", "--json", "--preset", "fast", *args).ok()
    return json.loads(done.stdout), np.asarray(PIL.Image.open(folder / "out.png")).astype(int)


def test_from_bicubic_to_the_solver(folder):
    bicubic = upscaled(folder, *QUICK)[1]
    record, none = upscaled(folder, "--strength", "0")
    assert np.array_equal(none, bicubic)
    assert (record["strength"], record["solver"]) == (0, "bicubic")
    record, automatic = upscaled(folder, "--kernel", "k.npz")
    assert (record["strength"], record["denoise"]) == (1, 1)
    assert np.array_equal(upscaled(folder, "--kernel", "k.npz", "--strength", "1", "--denoise", "1")[1], automatic)
    record, half = upscaled(folder, "--kernel", "k.npz", "--strength", "0.5")
    assert record["strength"] == 0.5
    # Half of what was clipped is not the clipped half.
    inside = (automatic > 0) & (automatic < 255) & (bicubic > 0) & (bicubic < 255)
    assert np.abs(2 * half - automatic - bicubic)[inside].max() <= 2
    assert np.abs(automatic - bicubic).max() > 10
    record, grainy = upscaled(folder, "--kernel", "k.npz", "--denoise", "0")
    assert record["denoise"] == 0
    assert not np.array_equal(grainy, automatic)


def test_a_recipe_holds_them(folder):
    args = ("--strength", "0.5", "--denoise", "1")
    text = kfsr_run(folder, "recipe", *args).ok().stdout.decode()
    assert "strength = 0.5" in text
    assert "denoise = 1.0" in text
    assert "strength" not in kfsr_run(folder, "recipe").ok().stdout.decode()
    (folder / "r.toml").write_text("strength = 1\ndenoise = 0.25\n")
    record, picture = upscaled(folder, "--recipe", "r.toml", "--kernel", "k.npz", "--strength", "0.5")
    assert (record["strength"], record["denoise"]) == (0.5, 0.25)
    other, again = upscaled(folder, "--strength", "0.5", "--denoise", "0.25", "--kernel", "k.npz")
    assert record["settings"] == other["settings"]  # the digest
    assert np.array_equal(picture, again)
    assert upscaled(folder, "--strength", "0.5", "--kernel", "k.npz")[0]["settings"] != other["settings"]
    (folder / "r.toml").write_text("strength = 1.5\n")
    assert "r.toml: strength 1.5" in kfsr_run(folder, "recipe", "--recipe", "r.toml").error_line(4)


def test_strength_0_is_quick_also_in_the_dry_run(folder):
    def seconds(*args):
        done = kfsr_run(folder, "upscale", "face.png", "--dry-run", "--json", "--preset", "best", *args).ok()
        return json.loads(done.stdout.splitlines()[0])["estimate"]["seconds"]

    assert seconds("--strength", "0") < 0.1 < 1 < seconds("--strength", "0.1")


def test_strength_0_finds_no_shared_kernel(folder):
    record, _ = upscaled(folder, "--strength", "0", "--kernel-from", "gray.png")
    assert record["kernel"]["method"] == "bicubic"
    assert not set(record["timings"]) & {"spectral", "refine", "gate"}


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("--strength", "1.5"), "--strength"),
        (("--denoise", "-1"), "--denoise"),
        (("--denoise", "1", "--solver", "bicubic"), "takes no denoise"),
        (("--strength", "0", "--save-kernel", "k2.npz"), "leave --save-kernel out"),
    ],
)
def test_what_cannot_be_meant(folder, args, word):
    assert word in kfsr_run(folder, "upscale", "face.png", *args).error_line(2)
    assert not (folder / "face_x2.png").exists()
