"""The same at the picture's own size."""

from __future__ import annotations

from typing import Any

import numpy as np

from kfsr.errors import UsageError
from kfsr.image import Image
from kfsr.pipeline.run import Result, upscale
from kfsr.recipe import Recipe


def deblur(image: Image | np.ndarray, recipe: Recipe | None = None, **arguments: Any) -> Result:
    """Sharpen one picture: `upscale` by 1, whatever the recipe's scale, with the same arguments and errors.

    A picture that is sharp already is returned as it is; the report's gate then says "unchanged".
    """
    if "scale" in arguments:
        raise UsageError("deblur keeps the size; use upscale for another scale")
    return upscale(image, recipe, scale=1, **arguments)
