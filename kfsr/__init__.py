"""kfsr: learn one photo's downscaling kernel from the photo itself, and invert exactly that.

    import kfsr
    result = kfsr.upscale(image, scale=4)       # an array, a tensor, a picture of Pillow, a kfsr.Image, or a path
    result.output                               # in the same form
    result = kfsr.deblur(image)                 # the same at scale 1
    kernel = kfsr.estimate_kernel(image, scale=4)
    outcomes = kfsr.run(["scans/"], scale=4, output="out/", recursive=True)     # many pictures, one by one

The names below load on first use, so that ``import kfsr`` alone stays fast and needs neither torch nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kfsr.errors import KfsrError

if TYPE_CHECKING:
    from kfsr.api import Cancelled, Result, deblur, estimate_kernel, upscale, upscale_batch, upscale_each
    from kfsr.image import Image
    from kfsr.kernel import Kernel
    from kfsr.recipe import Recipe
    from kfsr.runs import run

__version__ = "0.2.0"

__all__ = [
    "Cancelled",
    "Image",
    "Kernel",
    "KfsrError",
    "Recipe",
    "Result",
    "__version__",
    "deblur",
    "estimate_kernel",
    "run",
    "upscale",
    "upscale_batch",
    "upscale_each",
]

_HOME = {
    "Cancelled": "kfsr.api",
    "Image": "kfsr.image",
    "Kernel": "kfsr.kernel",
    "Recipe": "kfsr.recipe",
    "Result": "kfsr.api",
    "deblur": "kfsr.api",
    "estimate_kernel": "kfsr.api",
    "run": "kfsr.runs",
    "upscale": "kfsr.api",
    "upscale_batch": "kfsr.api",
    "upscale_each": "kfsr.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kfsr' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
