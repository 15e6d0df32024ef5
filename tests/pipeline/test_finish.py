"""How far the result goes: strength and denoise, by hand and through the whole path."""

import numpy as np
import pytest
import torch
from pictures import photo, up
from skimage import data

from kfsr.errors import UsageError
from kfsr.kernel import bicubic_kernel, box_kernel, gaussian_kernel
from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.pipeline import finish as module
from kfsr.pipeline import solving
from kfsr.pipeline.finish import finish
from kfsr.pipeline.gate import BICUBIC, CAUTIOUS, Decision, Verdict

NARROW = gaussian_kernel(np.eye(2) * 0.7**2, 2)


def tensors(scale, size=(75, 61)):
    """A low-resolution picture, some high-resolution one, and a kernel that is neither round nor symmetric."""
    y = torch.from_numpy(data.astronaut()[: size[0], 170 : 170 + size[1]] / 127.5 - 1).permute(2, 0, 1)[None].float()
    noise = torch.randn(1, 3, *(scale * n for n in size), generator=torch.Generator().manual_seed(0))
    kernel = torch.rand(8 + scale % 2, 8 + scale % 2, generator=torch.Generator().manual_seed(1))
    return y, bicubic_upscale(y, scale) + 0.1 * noise, kernel / kernel.sum()


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(("strength", "denoise"), [(1, 0), (0.3, 1), (0.6, 0.25), (0.6, 0)])
def test_it_is_the_equation_whatever_the_bands(scale, strength, denoise, monkeypatch):
    y, x, kernel = tensors(scale)
    plain = bicubic_upscale(y, scale)
    r = y - degrade(x, kernel, scale)
    q = 2 * r - degrade(bicubic_upscale(r, scale), kernel, scale)
    wanted = plain + strength * (x + (1 - denoise) * bicubic_upscale(q, scale) - plain)
    for rows in (1, 16, 1000):
        monkeypatch.setattr(module, "BAND", rows)
        given = x.clone()
        result = finish(given, y, kernel, scale, strength, denoise)
        assert result is given  # in its memory
        assert (result - wanted).abs().max() < 1e-3  # but for the means that are kept


@pytest.mark.parametrize("denoise", [0.0, 0.5, 1.0])
def test_strength_0_is_bicubic_and_1_is_the_solvers(denoise):
    y, x, kernel = tensors(2)
    assert torch.equal(finish(x.clone(), y, kernel, 2, 0, denoise), bicubic_upscale(y, 2))
    assert torch.equal(finish(x.clone(), y, kernel, 2, 1, 1), x)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_strength_0_neither_finds_a_kernel_nor_solves(scale, monkeypatch):
    bicubic = up(photo(), scale, kernel_method="bicubic", solver="bicubic")

    def fail(*args, **rest):
        raise AssertionError("paid for")

    monkeypatch.setattr(solving, "decide", fail)
    monkeypatch.setattr("kfsr.solvers.unrolled.solve", fail)
    for choices in ({}, {"kernel_method": "auto"}, {"kernel_method": "kernelfusion", "joint": True}, {"denoise": 0.0}):
        result = up(photo(), scale, strength=0.0, **choices)
        assert np.array_equal(result.image.pixels, bicubic.image.pixels)
        assert (result.report.strength, result.report.solver, result.report.sigma) == (0, "bicubic", 0)
        assert set(result.report.timings) <= {"solver", "finish", "bicubic", "means"}
    result = up(photo(), 2, strength=0.0, kernel=NARROW, refine=True)
    assert np.array_equal(result.kernel.array, NARROW.array)


def test_strength_1_is_all_and_a_half_is_between():
    automatic, all_, half, none = (up(photo(), kernel=NARROW, strength=s) for s in (None, 1.0, 0.5, 0.0))
    assert automatic.report.denoise == 1
    assert automatic.report.strength == pytest.approx(automatic.report.gate.trial.share)
    assert (all_.report.strength, all_.report.denoise) == (1, 1)
    assert half.report.strength == 0.5
    a, b, c = (one.image.pixels for one in (all_, half, none))
    assert np.abs(a - c).max() > 0.1
    inside = (a > 0) & (a < 1) & (c > 0) & (c < 1)
    assert np.abs(b - (a + c) / 2)[inside].max() < 1e-3  # but for the means that are kept


def noisy(kernel, sigma=8, scale=2):
    """(picture of 8 bits with a flat square in it, where that is, the noise)."""
    sharp = np.array(data.chelsea()[:256, 100:356]) / 1.0
    sharp[64:192, 64:192] = (110, 120, 100)
    x = torch.from_numpy(sharp).permute(2, 0, 1)[None]
    low = degrade(x, torch.from_numpy(kernel.array.copy()), scale)[0].permute(1, 2, 0).numpy()
    noise = np.random.default_rng(0).normal(0, sigma, low.shape)
    edge = 8
    flat = slice(64 // scale + edge, 192 // scale - edge)
    return np.rint(low + noise).clip(0, 255).astype(np.uint8), (flat, flat), noise


@pytest.mark.parametrize("kernel", [NARROW, bicubic_kernel(2), box_kernel(2)], ids=["gaussian", "bicubic", "box"])
def test_denoise_0_keeps_the_grain(kernel):
    """Its standard deviation in a flat part of the result degraded again is the noise's; that of 1 is not."""
    low, flat, noise = noisy(kernel)

    def grain(denoise):
        result = up(low, kernel=kernel, denoise=denoise, strength=1.0)
        assert result.report.denoise == (1 if denoise is None else denoise)
        assert result.report.gate.verdict != BICUBIC
        x = torch.from_numpy(result.image.pixels * 255.0).permute(2, 0, 1)[None]
        again = degrade(x, torch.from_numpy(kernel.array.copy()), 2)[0].permute(1, 2, 0).numpy()
        return again[flat].std(axis=(0, 1)).mean()

    there = noise[flat].std(axis=(0, 1)).mean()
    none, half, all_ = (grain(d) for d in (0.0, 0.5, None))
    assert none == pytest.approx(there, rel=0.15)
    assert all_ < 0.5 * there
    assert all_ < half < none


def test_a_window_gets_what_the_whole_gets():
    low, _, _ = noisy(NARROW)
    choices = {"kernel": NARROW, "strength": 0.7, "denoise": 0.2}
    whole = up(low, **choices).image.pixels
    part = up(low, window=(30, 20, 60, 70), **choices).image.pixels
    assert np.abs(part - whole[60:180, 40:180])[24:-24, 24:-24].max() < 4 / 255


def test_gray_and_transparent_pictures():
    low, _, _ = noisy(NARROW)
    gray = up(low[..., 1], kernel=NARROW, strength=0.7, denoise=0.2)
    assert gray.image.pixels.shape == (256, 256, 1)
    alpha = np.zeros(low.shape[:2], np.uint8)
    alpha[:, :64] = 255
    result = up(np.dstack([low, alpha]), kernel=NARROW, strength=0.7, denoise=0.2).image
    assert result.alpha[:, 140:].max() == 0
    assert result.alpha[:, :116].min() == 1


@pytest.mark.parametrize("strength", [None, 0.0, 0.6])
def test_the_user_goes_before_the_gate(strength, monkeypatch):
    """Where it refuses, and where it says how much."""
    refusal = Verdict(BICUBIC, "it rings; interpolated instead")
    for verdict, own in ((refusal, 0.0), (Verdict(CAUTIOUS, "a part"), 0.3)):

        def decide(low_res, candidate, *args, verdict=verdict, own=own, **rest):
            return Decision(candidate.kernel, candidate.told, verdict, strength=own, denoise=0.4)

        monkeypatch.setattr(solving, "decide", decide)
        report = up(photo(), kernel=NARROW, strength=strength).report
        assert report.strength == (own if strength is None else strength)
        if strength:
            assert report.denoise == 0.4
            assert report.gate.verdict == CAUTIOUS
            assert report.sigma > 0
            assert ("it rings; taken all the same" in report.gate.reason) == (own == 0)
            pixels = up(photo(), kernel=NARROW, strength=0.0).image.pixels
            assert not np.array_equal(up(photo(), kernel=NARROW, strength=strength).image.pixels, pixels)


def test_what_cannot_be_meant():
    for name in ("strength", "denoise"):
        for value in (-0.1, 1.5, float("nan")):
            with pytest.raises(UsageError, match=f"{name} {value} is not between 0 and 1"):
                up(photo(), **{name: value})
    with pytest.raises(UsageError, match="the solver bicubic takes no denoise; leave --denoise out"):
        up(photo(), solver="bicubic", denoise=0.5)


def test_what_is_too_small_is_interpolated_all_the_same():
    result = up(photo(12, 60), strength=0.7, denoise=0.2)
    assert (result.report.gate.verdict, result.report.strength) == (BICUBIC, 0)
