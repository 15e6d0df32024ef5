"""Whether an installation works, part by part: each check returns what is wrong in one line, or nothing.

What they need is imported inside them: where it does not load, the other checks go on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial


def _check_operator() -> str:
    """<A x, y> = <x, A^T y> at every scale, with a kernel that is neither round nor symmetric."""
    import torch

    from kfsr.operator.spatial import adjoint, degrade

    random = torch.Generator().manual_seed(0)
    for scale in (2, 3, 4):
        size = 8 + scale % 2
        kernel = torch.rand(size, size, dtype=torch.float64, generator=random)
        x = torch.rand(1, 3, 25, 22, dtype=torch.float64, generator=random)
        low = degrade(x, kernel, scale)
        y = torch.rand(low.shape, dtype=torch.float64, generator=random)
        left, right = (low * y).sum().item(), (x * adjoint(y, kernel, scale, (25, 22))).sum().item()
        if abs(left - right) > 1e-10 * abs(left):
            return f"the adjoint at scale {scale} is wrong: {left!r} and {right!r}"
    return ""


def _check_files(depth: int, formats: tuple[str, ...]) -> str:
    """Every bit of a picture survives being written and read."""
    import numpy as np

    from kfsr.image import Image, encode_image, read_image

    white = 2**depth - 1
    values = np.random.default_rng(0).integers(0, white + 1, (9, 7, 4)).astype(np.uint8 if depth == 8 else np.uint16)
    for name in formats:
        again = read_image(encode_image(Image.from_array(values), name))
        if again.alpha is None or not np.array_equal(np.rint(np.dstack([again.pixels, again.alpha]) * white), values):
            return f"a {name} came back changed"
    return ""


def _check_weights() -> str:
    """The bundled solver is installed, and turns a flat picture into a flat one of twice the size."""
    import torch

    from kfsr.analysis.problem import Told
    from kfsr.kernel import box_kernel
    from kfsr.solvers import unrolled
    from kfsr.weights import network

    flat, kernel = torch.full((1, 3, 8, 8), 0.25), torch.from_numpy(box_kernel(2).array.copy()).float()
    high_res = unrolled.solve(flat, kernel, 2, network(None, ("unrolled", "usrnet")), Told(0.0))
    right = high_res.shape == (1, 3, 16, 16) and bool((high_res - 0.25).abs().max() < 0.05)
    return "" if right else "the unrolled solver changes a flat picture"


def check_upscaling(score: dict[str, float]) -> str:
    """The whole chain, from one picture to a larger one; `score` gets what it reached."""
    from kfsr.evaluation import selftest

    reached = selftest.run()
    score |= {"gain_db": reached.gain, "kernel_ncc": reached.ncc}
    if reached.good:
        return ""
    return f"{reached.gain:+.2f} dB over bicubic and a kernel NCC of {reached.ncc:.3f} are too little"


CHECKS: dict[str, Callable[[], str]] = {
    "forward operator and adjoint": _check_operator,
    "write and read": partial(_check_files, 8, ("PNG",)),
    "16 bits a channel": partial(_check_files, 16, ("PNG", "TIFF")),
    "bundled weights": _check_weights,
}
