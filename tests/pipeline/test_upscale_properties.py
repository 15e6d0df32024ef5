"""Whatever the size, the channels and the options: exactly scale times the picture, finite, and no other error."""

import numpy as np
import PIL.Image
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from process import kfsr_run

from kfsr.image import Image
from kfsr.kernel import Kernel
from kfsr.pipeline import upscale

# Derandomised: the same examples on every run.
PLAN = settings(derandomize=True, deadline=None, max_examples=60, database=None)

side = st.integers(1, 40)
sizes = st.one_of(
    st.tuples(side, side),
    st.tuples(st.just(1), side),
    st.tuples(side, st.just(1)),
    st.sampled_from([(3, 300), (300, 3)]),
)
channels = st.sampled_from([1, 3, 4])
scales = st.sampled_from([2, 3, 4])
contents = st.sampled_from(["noise", "flat", "black", "white", "slope", "invisible"])


def picture(size, depth, content):
    """float32 (rows, cols, depth) in [0, 1]; the fourth channel is alpha."""
    rows, cols = size
    noise = np.random.default_rng(rows * 1000 + cols).random((rows, cols, depth), dtype=np.float32)
    slope = np.broadcast_to(np.linspace(0, 1, cols, dtype=np.float32)[None, :, None], noise.shape)
    flat = {"flat": 0.3, "black": 0.0, "white": 1.0}
    made = noise if content in ("noise", "invisible") else slope.copy() if content == "slope" else None
    if made is None:
        made = np.full_like(noise, flat[content])
    if content == "invisible" and depth == 4:
        made[..., 3] = 0
    return made


def check(result, size, depth, scale):
    assert isinstance(result.image, Image)
    assert result.image.pixels.shape == (size[0] * scale, size[1] * scale, min(depth, 3))
    assert np.isfinite(result.image.pixels).all()
    assert (result.image.alpha is None) == (depth != 4)
    if result.image.alpha is not None:
        assert result.image.alpha.shape == (size[0] * scale, size[1] * scale)
    assert np.isfinite(result.report.residual)


@PLAN
@given(sizes, channels, scales, contents)
@example((1, 1), 4, 4, "invisible")
@example((3, 300), 3, 3, "noise")
def test_interpolated(size, depth, scale, content):
    result = upscale(
        picture(size, depth, content), scale=scale, kernel_method="bicubic", solver="bicubic", preset="fast"
    )
    check(result, size, depth, scale)


@settings(PLAN, max_examples=25)
@given(sizes, channels, scales, contents, st.sampled_from(["spectral", "edges", "auto"]), st.booleans())
@example((40, 40), 3, 2, "noise", "auto", True)
@example((17, 40), 1, 4, "slope", "edges", True)
def test_with_a_kernel_of_its_own(size, depth, scale, content, method, refine):
    result = upscale(
        picture(size, depth, content), scale=scale, kernel_method=method, refine=refine, solver="bicubic", preset="fast"
    )
    check(result, size, depth, scale)


@settings(PLAN, max_examples=12)
@given(sizes, channels, scales, contents, st.sampled_from([None, 0.0, 2.0]))
@example((1, 1), 3, 4, "noise", None)
@example((1, 40), 4, 2, "noise", 2.0)
def test_solved(size, depth, scale, content, uncertainty):
    kernel = Kernel.from_array(np.ones((scale, scale)), scale)
    result = upscale(picture(size, depth, content), scale=scale, kernel=kernel, uncertainty=uncertainty, preset="fast")
    check(result, size, depth, scale)


@pytest.mark.parametrize(
    ("size", "mode", "scale", "options"),
    [
        ((1, 1), "L", 4, ("--kernel-method", "bicubic")),
        ((1, 40), "RGB", 3, ("--kernel-method", "spectral")),
        ((3, 300), "RGBA", 2, ("--kernel-method", "edges", "--solver", "bicubic")),
    ],
    ids=str,
)
def test_through_the_program(tmp_path, size, mode, scale, options):
    depth = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    values = (picture(size, depth, "noise") * 255).astype(np.uint8)
    PIL.Image.fromarray(values.squeeze(-1) if depth == 1 else values).save(tmp_path / "a.png")
    kfsr_run(tmp_path, "upscale", "a.png", "--scale", scale, "--preset", "fast", *options).ok()
    large = PIL.Image.open(tmp_path / f"a_x{scale}.png")
    assert (large.mode, large.size) == (mode, (size[1] * scale, size[0] * scale))
