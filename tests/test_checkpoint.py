"""The state of long stages: stopped anywhere and begun again, they end where they would have ended."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import PIL.Image
import pytest
from cli.process import environment, kfsr_run
from skimage import data

import kfsr
from kfsr import checkpoint, settings
from kfsr.checkpoint import Checkpoint
from kfsr.settings import IklSettings, KernelFusionSettings, PatchSettings, Settings

QUICK = PatchSettings(width=8, steps=6, batch=2, crop=24)
PRESET = Settings(
    ikl=IklSettings(patch=QUICK, iterations=6, warm_up=2, batch=2, crop=20, width=4),
    kernelfusion=KernelFusionSettings(patch=QUICK, width=4, levels=3, window=32, steps=5, first_rounds=2, rounds=1),
)
PHOTO = data.chelsea()[60:130, 170:250]


class Stopped(Exception):
    pass


def stop_at(stage, step, seen, name, now, _total):
    seen.append((name, now))
    if (name, now) == (stage, step):
        raise Stopped


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    monkeypatch.setitem(settings.PRESETS, "short", PRESET)


def learn(path, method, **arguments):
    return kfsr.estimate_kernel(
        PHOTO, scale=2, preset="short", method=method, refine=False, checkpoint=path, **arguments
    )


STOPS = [
    ("ikl", "patch model", 4, 2),
    ("ikl", "ikl", 2, 7),
    ("ikl", "ikl", 7, 2),
    ("kernelfusion", "patch model", 1, 5),
    ("kernelfusion", "kernelfusion", 3, 2),
]


@pytest.mark.parametrize(("method", "stage", "step", "left"), STOPS)
def test_what_was_stopped_ends_as_if_it_had_not_been(tmp_path, at_once, method, stage, step, left):
    whole = learn(None, method)
    seen = []
    with pytest.raises(Stopped):
        learn(tmp_path / "state", method, progress=partial(stop_at, stage, step, seen))
    assert seen[-1] == (stage, step)
    rest = []
    resumed = learn(tmp_path / "state", method, progress=partial(stop_at, None, 0, rest))
    assert np.array_equal(resumed.array, whole.array)
    assert sum(name == stage for name, _ in rest) == left
    assert not set(rest) & set(seen[:-1])


@pytest.mark.parametrize("change", [{"seed": 1}, {"method": "kernelfusion"}, {"init": "gaussian"}], ids=str)
def test_a_state_is_for_one_call_only(tmp_path, at_once, change):
    with pytest.raises(Stopped):
        learn(tmp_path / "state", "ikl", progress=partial(stop_at, "ikl", 2, []))
    seen = []
    call = {"method": "ikl", **change}
    learn(tmp_path / "state", **call, progress=partial(stop_at, None, 0, seen))
    assert seen[0] == ("patch model", 1)


def test_another_preset_or_picture_begins_anew(tmp_path, at_once, monkeypatch):
    path = tmp_path / "state"
    learn(path, "ikl")
    other = replace(PRESET, ikl=replace(PRESET.ikl, kernel_rate=1e-5))
    for name, preset, picture in (("other", other, PHOTO), ("short", PRESET, PHOTO[:-2])):
        monkeypatch.setitem(settings.PRESETS, name, preset)
        seen = []
        watch = partial(stop_at, None, 0, seen)
        kfsr.estimate_kernel(
            picture, scale=2, preset=name, kernel_method="ikl", refine=False, checkpoint=path, progress=watch
        )
        assert seen[0] == ("patch model", 1)


@pytest.mark.parametrize("damage", [b"", b"no state", None], ids=["empty", "text", "cut off"])
def test_a_damaged_state_is_none(tmp_path, at_once, damage):
    path = tmp_path / "state"
    learn(path, "ikl")
    path.write_bytes(path.read_bytes()[:2000] if damage is None else damage)
    seen = []
    learn(path, "ikl", progress=partial(stop_at, None, 0, seen))
    assert seen[0] == ("patch model", 1)
    assert Checkpoint(path, "another key").found is False


def test_no_room_for_the_state_is_a_warning(tmp_path, at_once):
    with pytest.warns(UserWarning, match="if this run is stopped it cannot go on") as told:
        kernel = learn(tmp_path / "none" / "state", "ikl")
    assert len(told) == 1
    assert np.array_equal(kernel.array, learn(None, "ikl").array)


def test_a_quick_picture_leaves_no_state(tmp_path, monkeypatch):
    monkeypatch.setitem(settings.PRESETS, "short", PRESET)
    learn(tmp_path / "state", "ikl")
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SIGKILL")
def test_a_killed_run_goes_on_where_it_was(tmp_path):
    PIL.Image.fromarray(data.astronaut()[90:154, 190:270]).save(tmp_path / "face.png")
    options = ("upscale", "face.png", "--kernel-method", "ikl", "--preset", "fast", "--json")
    kfsr_run(tmp_path, *options, "-o", "whole.png").ok()
    # The program as it is, but for the two minutes.
    often = "from kfsr import checkpoint, __main__; checkpoint.EVERY = 0.3; __main__.main()"
    run = subprocess.Popen(
        [sys.executable, "-c", often, *options, "-o", "again.png"],
        cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    state = tmp_path / ".again.png.kfsr-state"
    deadline = time.monotonic() + 100
    while not state.exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    run.kill()
    run.wait()
    assert state.exists()
    assert not (tmp_path / "again.png").exists()
    done = kfsr_run(tmp_path, *options, "-o", "again.png").ok()
    assert json.loads(done.stdout)["resumed"] is True
    assert "went on from where it was stopped" in done.stderr
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "whole.png").read_bytes()
    assert not state.exists()
