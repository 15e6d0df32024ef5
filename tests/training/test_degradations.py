"""Drawn degradations: on the truth's grid, the same under a seed, every component within reach."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage as ndi
from skimage import data

from kfsr.training.degradations import CANVAS, KINDS, draw

PICTURE = data.astronaut()[:192, 100:292].astype(np.float32) / 255


def made(kind, scale, seed, wrap=True, picture=PICTURE):
    rng = np.random.default_rng([seed, scale])
    degradation = draw(kind, scale, rng)
    return degradation, degradation.apply(picture, rng, wrap)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_picture_in_eight_bits(kind, scale):
    for wrap in (True, False):
        (one, low_res), (_, again) = made(kind, scale, 3, wrap), made(kind, scale, 3, wrap)
        assert low_res.shape == (192 // scale, 192 // scale, 3)
        assert np.array_equal(low_res, again)
        np.testing.assert_allclose(low_res * 255, np.round(low_res * 255), atol=1e-4)
        assert one.kernel.size == CANVAS[scale]
    assert not np.array_equal(low_res, made(kind, scale, 4, wrap=False)[1])


def moved(low_res, truth, scale):
    """(rows, columns) in high-resolution pixels by which low_res lies off the truth's grid, least squares."""
    plain = ndi.gaussian_filter(truth.mean(-1), 1.2 * scale)
    small = plain.reshape(192 // scale, scale, 192 // scale, scale).mean((1, 3))
    apart = ndi.gaussian_filter(low_res.mean(-1), 1.2) - small
    inner = (slice(8, -8), slice(8, -8))
    slopes = np.stack([g[inner].ravel() for g in np.gradient(small)], -1)
    return -scale * np.linalg.lstsq(slopes, apart[inner].ravel(), rcond=None)[0]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_low_resolution_pixels_lie_where_the_convention_has_them(kind, scale):
    off = []
    for seed in range(12):
        # What is bright grows in linear light: of a picture turned by half that moves the other way, a shift does not.
        for picture in (PICTURE, PICTURE[::-1, ::-1]):
            degradation, low_res = made(kind, scale, seed, picture=picture)
            off.append(moved(low_res, degradation.truth_of(picture), scale))
    assert np.abs(np.mean(off, axis=0)).max() < 0.06


def test_without_dirt_the_kernel_explains_the_picture():
    found = 0
    for seed in range(20):
        degradation, low_res = made("clean", 2, seed)
        noise, _ = degradation.unexplained(PICTURE, low_res)
        if degradation.grain is None:
            found += 1
            assert noise < 0.003
        else:
            assert noise == pytest.approx(2 * degradation.grain.level, rel=0.2, abs=0.003)
    assert 0 < found < 20


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sharpening_is_part_of_the_kernel(scale):
    """Of a picture that was not clipped it explains all but the rounding."""
    flat = 0.35 + 0.3 * PICTURE
    for seed in range(40):
        degradation, _ = made("web", scale, seed)
        if degradation.sharpening and degradation.enlarged == 1:
            degradation = replace(degradation, files=(), grain=None)
            whole = degradation.whole_kernel()
            assert whole.array.min() < 0
            assert (whole.size - scale) % 2 == 0
            noise, _ = degradation.unexplained(flat, degradation.apply(flat, np.random.default_rng(0), wrap=True))
            assert noise < 0.003
            return
    pytest.fail("no sharpened picture was drawn")


def test_every_component_is_drawn_at_some_time():
    rng = np.random.default_rng(0)
    seen = set()
    for n in range(600):
        one = draw(KINDS[n % 4], 1 + n % 3, rng)
        seen |= {name for name in ("camera", "grain", "halftone", "sharpening") if getattr(one, name)}
        seen |= {one.resized, one.camera and one.camera.demosaicking, "grey" if one.grey else ""}
        seen |= {file.format for file in one.files} | {f"subsampling {file.subsampling}" for file in one.files}
        seen |= {"twice"} if len(one.files) == 2 and one.files[1].shift != (0, 0) else set()
        seen |= {"enlarged"} if one.enlarged > 1 else set()
    wanted = "camera grain halftone sharpening bicubic area bilinear lanczos malvar grey JPEG WEBP twice enlarged"
    assert {*wanted.split(), "subsampling 0", "subsampling 1", "subsampling 2"} <= seen


def test_kernels_reach_far_at_scale_one():
    rng = np.random.default_rng(1)
    wide = max(draw("clean", 1, rng).kernel.trace for _ in range(100))
    assert wide > 150


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_is_told_the_more_wrongly_the_less_it_is_known(kind):
    apart = {0.0: [], 0.3: [], 2.0: []}
    for seed in range(15):
        degradation, _ = made(kind, 2, seed)
        whole = degradation.whole_kernel().resized(128).array
        for uncertainty, some in apart.items():
            told = degradation.told_kernel(uncertainty, np.random.default_rng(seed)).resized(128).array
            some.append(np.abs(told - whole).sum())
    exact, little, much = (np.mean(some) for some in apart.values())
    assert exact == 0
    assert 0 < little < much


def test_a_grey_scan_stays_grey():
    for seed in range(40):
        degradation, low_res = made("scan", 2, seed)
        if degradation.grey:
            assert np.ptp(degradation.truth_of(PICTURE), axis=-1).max() == 0
            if not degradation.files:
                assert np.ptp(low_res, axis=-1).max() == 0
                return
    pytest.fail("no grey scan was drawn")
