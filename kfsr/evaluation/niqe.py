"""NIQE, a score of a picture that has no truth, as basicsr computes it (the extra `basicsr`)."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from kfsr.errors import InputError, UsageError
from kfsr.image.colour import luma

_BLOCK = 96
"""Side of the blocks whose statistics NIQE compares; one block alone has no covariance."""

HOW_TO_INSTALL = (
    "pip install cython opencv-python-headless setuptools wheel && "
    "pip install --no-build-isolation --no-deps basicsr==1.4.2"
)


def niqe(pixels: npt.NDArray[np.floating], border: int = 0) -> float:
    """Distance of the picture's patch statistics from those of sharp photographs (Mittal et al. 2013, eq. 10).

    Lower is better; about 3 to 4 for a good photograph. pixels: (H, W), (H, W, 1) or (H, W, 3) in [0, 1]; `border`
    pixels on every side are left out. Raises UsageError when basicsr is not installed, InputError when fewer than
    two blocks of 96 x 96 pixels are left.
    """
    score = _basicsr_score()
    y = luma(pixels)
    y = y[border : y.shape[0] - border, border : y.shape[1] - border]
    if (y.shape[0] // _BLOCK) * (y.shape[1] // _BLOCK) < 2:
        raise InputError(f"a picture of {y.shape[1]} x {y.shape[0]} pixels is too small for NIQE; 192 x 96 at least")
    return float(score((y * 255).astype(np.float32), crop_border=0, input_order="HW"))


def need_basicsr() -> None:
    """UsageError, with the way to install it, when basicsr is not there."""
    _basicsr_score()


@cache
def _basicsr_score() -> Callable[..., Any]:
    try:
        spec = find_spec("basicsr")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("No module named 'basicsr'")
        with _bare_packages(Path(spec.origin).parent) as packages, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # scipy.ndimage.filters
            colour = importlib.import_module("basicsr.utils.color_util")
            packages["basicsr.utils"].__dict__["bgr2ycbcr"] = colour.bgr2ycbcr
            found: Callable[..., Any] = importlib.import_module("basicsr.metrics.niqe").calculate_niqe
            return found
    except ImportError as error:
        raise UsageError(f"NIQE needs basicsr ({error}); install it: {HOW_TO_INSTALL}") from error


@contextmanager
def _bare_packages(folder: Path) -> Iterator[dict[str, ModuleType]]:
    """basicsr's packages without what their `__init__` import, while the block runs.

    basicsr 1.4.2 cannot be imported whole: it asks torchvision for a module that is gone, and pulls a CUDA build.
    """
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "basicsr"}
    packages = {name: ModuleType(name) for name in ("basicsr", "basicsr.utils", "basicsr.metrics")}
    for name, package in packages.items():
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
    sys.modules.update(packages)
    try:
        yield packages
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "basicsr"]:
            del sys.modules[name]
        sys.modules.update(before)
