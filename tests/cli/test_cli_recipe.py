"""`kfsr recipe` and `--recipe`: a run's choices as a file; and the other options that stand for a recipe's fields."""

import json
import re
import tomllib

import numpy as np
import PIL.Image
import pytest
import torch
from process import QUICK, kfsr_run

import kfsr
from kfsr import Recipe
from kfsr.cli.upscale import FIELDS
from kfsr.kernel import gaussian_kernel, save_kernel
from kfsr.settings import PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_it_prints_every_number_and_is_read_again(tmp_path, preset):
    printed = kfsr_run(tmp_path, "recipe", "--preset", preset, "--seed", "7", "--no-refine").ok().stdout.decode()
    (tmp_path / "r.toml").write_text(printed)
    assert Recipe.from_toml(tmp_path / "r.toml") == Recipe.make(preset=preset, seed=7, refine=False)
    assert tomllib.loads(printed)["settings"]["unrolled"]["ensemble"] == PRESETS[preset].unrolled.ensemble
    assert kfsr_run(tmp_path, "recipe", "--recipe", "r.toml").ok().stdout.decode() == printed


def test_the_file_is_the_base_and_options_go_before_it(photos):
    (photos / "r.toml").write_text('scale = 3\nkernel_method = "bicubic"\nsolver = "bicubic"\nseed = 5\n')
    args = ("upscale", "face.png", "--recipe", "r.toml", "--json")
    report = json.loads(kfsr_run(photos, *args).ok().stdout)
    assert (report["scale"], report["seed"], report["solver"]) == (3, 5, "bicubic")
    report = json.loads(kfsr_run(photos, *args, "--scale", "2").ok().stdout)
    assert (report["scale"], report["seed"], report["solver"]) == (2, 5, "bicubic")


def test_a_number_of_the_settings_changes_the_run_and_its_digest(photos):
    texts = {"a": "", "b": "[settings.unrolled]\nensemble = 2\n"}
    digests = set()
    for name, text in texts.items():
        (photos / f"{name}.toml").write_text(text)
        args = ("upscale", "face.png", "-o", f"{name}.png", "--recipe", f"{name}.toml", "--json")
        done = kfsr_run(photos, *args, "--kernel-method", "bicubic").ok()
        digests.add(json.loads(done.stdout)["settings"])
    assert len(digests) == 2
    assert (photos / "a.png").read_bytes() != (photos / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("text", "word"),
    [("scal = 2", "did you mean scale"), ("seed = 'x'", "seed"), ("[", "not a recipe"), (None, "read")],
)
def test_a_file_that_is_no_recipe(photos, text, word):
    if text is not None:
        (photos / "r.toml").write_text(text)
    line = kfsr_run(photos, "upscale", "face.png", "--recipe", "r.toml").error_line(4)
    assert "r.toml" in line
    assert word in line


def test_every_field_has_its_option_and_its_default_in_the_help(tmp_path):
    text = kfsr_run(tmp_path, "upscale", "--help").ok().stdout.decode()
    fields = set(Recipe.__dataclass_fields__) - {"settings"}
    assert set(FIELDS) == fields
    for name in fields:
        assert f"--{name.replace('_', '-')}" in text
    assert re.search(r"default:\s+\(balanced\)", text)
    assert re.search(r"default:\s+\(95;\s+WebP\s+without\s+loss\)", text)


def test_a_kernel_file_that_does_not_say_is_an_estimate_unless_it_is_trusted(photos):
    save_kernel(gaussian_kernel(np.diag([1.4, 0.9]), 2), photos / "k.npy")
    sources = []
    for more in ((), ("--trust-kernel",)):
        args = ("upscale", "face.png", "--kernel", "k.npy", "--solver", "bicubic", "--json", *more)
        sources.append(json.loads(kfsr_run(photos, *args).ok().stdout)["kernel"]["provenance"]["source"])
    assert sources == ["unknown", "given"]
    assert "--kernel" in kfsr_run(photos, "upscale", "face.png", "--trust-kernel", *QUICK).error_line(2)


def test_no_float64_no_mps(photos, monkeypatch):
    """auto does not pick it, and asked for it is refused in a line that says why."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    report = json.loads(kfsr_run(photos, "upscale", "face.png", "--json", *QUICK).ok().stdout)
    assert report["device"] == "cpu"
    assert "float64" in kfsr_run(photos, "upscale", "face.png", "--device", "mps").error_line(2)


def test_a_kernel_that_came_from_a_command_is_what_the_library_finds(photos):
    kfsr_run(photos, "kernel", "face.png", "--recipe", "none.toml").error_line(4)
    (photos / "r.toml").write_text('kernel_method = "spectral"\nrefine = false\n')
    kfsr_run(photos, "kernel", "face.png", "-o", "k.npy", "--recipe", "r.toml").ok()
    found = kfsr.estimate_kernel(
        np.asarray(PIL.Image.open(photos / "face.png")), kernel_method="spectral", refine=False
    )
    assert np.array_equal(np.load(photos / "k.npy"), found.array)


@pytest.mark.parametrize("field", ["joint", "strip", "refine"])
def test_what_a_file_switches_on_an_option_switches_off(tmp_path, field):
    (tmp_path / "r.toml").write_text(f"{field} = true\n")
    printed = kfsr_run(tmp_path, "recipe", "--recipe", "r.toml", f"--no-{field}").ok().stdout.decode()
    assert tomllib.loads(printed)[field] is False
