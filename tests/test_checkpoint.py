"""Algorithms and the driver around them: stopped anywhere and begun again, they end where they would have ended."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from process import environment, kfsr_run
from skimage import data
from torch import nn

import kfsr
from kfsr import checkpoint, settings
from kfsr.checkpoint import Checkpoint, Driver, State
from kfsr.errors import NumericalError
from kfsr.estimators import ikl, kernelfusion
from kfsr.kernel import gaussian_kernel
from kfsr.numerics import working_dtype
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.settings import IklSettings, KernelFusionSettings, PatchSettings, Settings, ZssrSettings
from kfsr.solvers import zssr

CPU = torch.device("cpu")
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


def random(seed=0):
    return torch.Generator().manual_seed(seed)


# The driver, with an algorithm that is nothing but a state.


@dataclass
class Part:
    net: nn.Linear
    optimiser: torch.optim.Adam


@dataclass(kw_only=True)
class Walk(State):
    part: Part
    place: torch.Tensor
    length: float = 0.0

    def results(self):
        return [self.place]


def begin(generator):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Linear(3, 3)
    part = Part(net, torch.optim.Adam(net.parameters(), 0.1))
    return Walk(generator=generator, part=part, place=torch.zeros(3))


def walk(total, state, dtype, precisions=None):
    for _ in range(state.step, total):
        if precisions is not None:
            precisions.append((dtype, torch.rand(1, generator=state.generator).item()))
        move = state.part.net(torch.randn(3, generator=state.generator))
        state.part.optimiser.zero_grad()
        move.square().sum().backward()
        state.part.optimiser.step()
        state.place = state.place + move.detach()
        state.length += float(move.detach().norm())
        yield


def walked(driver, total=5, **more):
    generator = random(3)
    steps = partial(walk, total, **more)
    return driver.run("walk", total, partial(begin, generator), steps, CPU, generator)


def same(a, b):
    return torch.equal(a.place, b.place) and a.length == b.length and torch.equal(a.part.net.weight, b.part.net.weight)


def test_the_driver_is_the_loop_and_nothing_else(tmp_path, at_once):
    plain = begin(random(3))
    for _ in walk(5, plain, torch.float32):
        pass
    seen = []
    driven = walked(Driver(partial(stop_at, None, 0, seen), Checkpoint(tmp_path / "state")))
    assert seen == [("walk", n) for n in range(1, 6)]
    assert same(plain, driven)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_everything_in_a_state_is_put_back(tmp_path, at_once, step):
    path = tmp_path / "state"
    with pytest.raises(Stopped):
        walked(Driver(partial(stop_at, "walk", step, []), Checkpoint(path)))
    seen = []
    resumed = walked(Driver(partial(stop_at, None, 0, seen), Checkpoint(path)))
    assert seen == [("walk", n) for n in range(step + 1, 6)]
    assert same(resumed, walked(Driver()))


def test_two_stages_of_one_name_are_two(tmp_path, at_once):
    """As when the gate fits a network for one kernel and then for another."""
    path = tmp_path / "state"

    def both(progress):
        driver = Driver(progress, Checkpoint(path))
        return walked(driver, 4), walked(driver, 5)

    calls = []

    def stop(*call):
        calls.append(call)
        if len(calls) == 6:
            raise Stopped

    with pytest.raises(Stopped):
        both(stop)
    rest = []
    four, five = both(lambda *call: rest.append(call))
    assert rest == [("walk", n, 5) for n in (3, 4, 5)]
    assert same(four, walked(Driver(), 4))
    assert same(five, walked(Driver(), 5))


def test_what_is_not_finite_is_computed_again_in_float32_from_the_same_numbers(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert working_dtype(CPU) is torch.bfloat16

    def spoiled(state, dtype):
        for _ in walk(3, state, dtype, tried):
            if dtype is torch.bfloat16 or spoil:
                state.place = state.place * float("nan")
            yield

    for spoil in (False, True):
        tried, generator = [], random(3)
        call = partial(Driver().run, "walk", 3, partial(begin, generator), spoiled, CPU, generator)
        if spoil:
            with pytest.raises(NumericalError, match="the walk stage gave values that are not finite"):
                call()
        else:
            assert call().place.isfinite().all()
        assert [dtype for dtype, _ in tried] == 3 * [torch.bfloat16] + 3 * [torch.float32]
        assert [number for _, number in tried[:3]] == [number for _, number in tried[3:]]


# Every algorithm there is.


def picture():
    return torch.from_numpy(PHOTO.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def untrained(sigma_max=0.6):
    return train_patch_model(CropSampler([picture()]), replace(QUICK, steps=1, sigma_max=sigma_max), random(1))


def learn_patches(driver):
    model = train_patch_model(CropSampler([picture()]), QUICK, random(1), driver)
    return torch.cat([p.detach().flatten() for p in model.network.parameters()])


def learn_kernel(driver):
    crops, start = CropSampler([picture()], focus=True), gaussian_kernel(np.eye(2), 2)
    return torch.from_numpy(ikl.match(crops, crops, start, untrained(), PRESET.ikl, random(2), driver).array.copy())


def fuse(driver):
    cfg = PRESET.kernelfusion
    found = kernelfusion.estimate(picture()[..., :32, :32], 2, untrained(4.0), cfg, random(3), driver)
    return torch.cat([found.high_res.flatten(), torch.from_numpy(found.kernel.array.copy()).flatten()])


def fit(driver, scale=2, variance=1.0):
    kernel = torch.from_numpy(gaussian_kernel(np.eye(2) * variance, scale).array.copy()).float()
    cfg, crops = ZssrSettings(steps=4, batch=1, crop=20), CropSampler([picture()], turn=True)
    y = picture()[..., :24, :20]
    return zssr.fit(y, kernel, scale, untrained(), crops, cfg, 0.01, random(4), driver).solve(y)


# name: what runs, its stage, its steps in all
ALGORITHMS = {
    "patch model": (learn_patches, "patch model", 6),
    "ikl": (learn_kernel, "ikl", 8),
    "kernelfusion": (fuse, "kernelfusion", 5),
    "zssr": (fit, "zssr", 4),
    "zssr in two": (partial(fit, scale=4, variance=6.0), "zssr", 8),
}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0], ids=["first step", "on the way", "last step"])
def test_what_was_stopped_ends_as_if_it_had_not_been(tmp_path, at_once, name, share):
    run, stage, total = ALGORITHMS[name]
    stop = max(1, round(share * total))
    seen = []

    def watch(name, step, of):
        seen.append(name)
        if len(seen) == stop:
            raise Stopped

    with pytest.raises(Stopped):
        run(Driver(watch, Checkpoint(tmp_path / "state")))
    rest = []
    resumed = run(Driver(partial(stop_at, None, 0, rest), Checkpoint(tmp_path / "state")))
    assert torch.equal(resumed, run(Driver()))
    assert [name for name, _ in rest] == [stage] * (total - stop)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_global_random_state_is_seeded_or_used(monkeypatch, name):
    """Not that of a GPU either, which torch.manual_seed seeds as well, and a fork of the CPU's does not put back."""
    seeded = []
    for device in (torch.cuda, torch.mps, torch.xpu):
        for function in ("manual_seed", "manual_seed_all"):
            monkeypatch.setattr(device, function, lambda *_: seeded.append(1), raising=False)
    before = torch.random.get_rng_state()
    results = []
    for seed in (1, 2):
        torch.default_generator.manual_seed(seed)
        state = torch.random.get_rng_state()
        results.append(ALGORITHMS[name][0](Driver()))
        assert torch.equal(torch.random.get_rng_state(), state)
    torch.random.set_rng_state(before)
    assert torch.equal(*results)
    assert not seeded


# Through the whole program.


def learn(path, method, **arguments):
    return kfsr.estimate_kernel(
        PHOTO, scale=2, preset="short", kernel_method=method, refine=False, checkpoint=path, **arguments
    )


def test_a_stopped_stage_goes_on_and_those_before_it_are_not_repeated(tmp_path, at_once):
    with pytest.raises(Stopped):
        learn(tmp_path / "state", "ikl", progress=partial(stop_at, "ikl", 2, []))
    rest = []
    resumed = learn(tmp_path / "state", "ikl", progress=partial(stop_at, None, 0, rest))
    assert rest == [("ikl", n) for n in range(3, 9)]
    assert np.array_equal(resumed.array, learn(None, "ikl").array)


@pytest.mark.parametrize("change", [{"seed": 1}, {"method": "kernelfusion"}, {"kernel_init": "gaussian"}], ids=str)
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


PATIENT = PatchSettings(width=8, steps=100, batch=2, crop=24)
LONG = Settings(ikl=IklSettings(patch=PATIENT, iterations=60, batch=2, crop=20, width=4))
"""Enough steps to be killed among them."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SIGKILL")
def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setitem(settings.PRESETS, "fast", LONG)
    PIL.Image.fromarray(PHOTO).save(tmp_path / "face.png")
    cheap = ("--preset", "fast", "--kernel-method", "ikl", "--no-refine", "--solver", "bicubic")
    options = ("upscale", "face.png", *cheap, "--json")
    kfsr_run(tmp_path, *options, "-o", "whole.png").ok()
    # The program as it is, but for its preset and the two minutes.
    often = """
import test_checkpoint
from kfsr import __main__, checkpoint, settings
settings.PRESETS["fast"] = test_checkpoint.LONG
checkpoint.EVERY = 0.1
__main__.main()
"""
    here = environment()
    here["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    run = subprocess.Popen(
        [sys.executable, "-c", often, *options, "-o", "again.png"],
        cwd=tmp_path, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    state = tmp_path / ".again.png.kfsr-state"
    deadline = time.monotonic() + 100
    while not state.exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    run.kill()
    run.wait()
    assert state.exists()
    assert not (tmp_path / "again.png").exists()
    done = kfsr_run(tmp_path, *options, "-o", "again.png").ok()
    assert json.loads(done.stdout)["resumed"] is True
    assert "went on from where it was stopped" in done.stderr
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "whole.png").read_bytes()
    assert not state.exists()
