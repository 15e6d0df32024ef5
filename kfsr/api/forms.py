"""A picture as other programs hold it, as a value of this one, and the way back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np

from kfsr.errors import KfsrError, UsageError
from kfsr.image import Image, read_image
from kfsr.image.pillow import PillowImage, from_pillow, to_pillow

if TYPE_CHECKING:
    import torch

Picture: TypeAlias = Union[Image, np.ndarray, "torch.Tensor", PillowImage, str, "os.PathLike[str]"]
"""A value, an array, a tensor, a picture of Pillow, or the name of a file."""

Back: TypeAlias = Callable[[Image], Any]
"""From a result to what it is to be given back as."""


class Cancelled(KfsrError):
    """The caller's `cancel` asked for an end."""


def taken(picture: Picture) -> tuple[Image, Back]:
    """The picture, and what gives a result back in the same form. A file's result is a value.

    Raises UsageError for what is no picture, in words for who called; InputError for a file that cannot be used.
    """
    if isinstance(picture, Image):
        return picture, _itself
    if isinstance(picture, str | os.PathLike):
        return read_image(Path(picture)), _itself
    if isinstance(picture, np.ndarray):
        return _of_array(picture)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(picture, torch.Tensor):
        return _of_tensor(picture)
    if isinstance(picture, PillowImage):
        return _of_pillow(picture)
    if isinstance(picture, list | tuple):
        raise UsageError("several pictures: use kfsr.upscale_batch, or kfsr.upscale_each, which does one after another")
    if hasattr(picture, "__array__"):  # xarray, JAX, napari's layers
        return _of_array(np.asarray(picture))
    raise UsageError(
        f"{type(picture).__name__} is no picture; give an array, a tensor, a picture of Pillow, a kfsr.Image or a path"
    )


def _itself(image: Image) -> Image:
    return image


def _of_array(array: np.ndarray) -> tuple[Image, Back]:
    kind, dims = array.dtype, array.ndim
    if dims == 4:
        raise UsageError(f"an array of shape {array.shape} is a batch; use kfsr.upscale_batch, or give one picture")
    if dims == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        raise UsageError(
            f"an array of shape {array.shape} seems to have its channels first; here they come last: "
            "array.transpose(1, 2, 0)"
        )
    if kind == np.bool_:
        raise UsageError("an array of truth values is a mask, not a picture; give uint8, uint16 or float")
    image = Image.from_array(array)

    def back(result: Image) -> np.ndarray:
        values = _stored(result, kind)
        return values[..., 0] if dims == 2 else values

    return image, back


def _of_tensor(tensor: torch.Tensor) -> tuple[Image, Back]:
    import torch

    shape, kind, place = tuple(tensor.shape), tensor.dtype, tensor.device
    if len(shape) == 4 and shape[0] != 1:
        raise UsageError(f"a tensor of shape {shape} is a batch; use kfsr.upscale_batch")
    if len(shape) not in (2, 3, 4):
        raise UsageError(f"a tensor is (H, W), (C, H, W) or (1, C, H, W), not {shape}")
    if len(shape) > 2 and shape[-3] not in (1, 3, 4):
        hint = "; channels come first: tensor.permute(2, 0, 1)" if shape[-1] in (1, 3, 4) else ""
        raise UsageError(f"a tensor of shape {shape} has not 1, 3 or 4 channels{hint}")
    if not (kind == torch.uint8 or kind.is_floating_point):
        raise UsageError(f"a tensor is uint8, or of floats from 0 to 1, not {kind}")
    plain = tensor.detach().to("cpu")
    plain = plain.float() if kind.is_floating_point else plain
    array = plain.numpy()
    image = Image.from_array(array if len(shape) == 2 else np.moveaxis(array.reshape(shape[-3:]), 0, -1))

    def back(result: Image) -> torch.Tensor:
        values = _stored(result, np.dtype(np.uint8 if kind == torch.uint8 else np.float32))
        made = torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 0))).to(device=place, dtype=kind)
        return made[0] if len(shape) == 2 else made.reshape(*shape[:-3], *made.shape)

    return image, back


def _of_pillow(picture: PillowImage) -> tuple[Image, Back]:
    return from_pillow(picture), lambda result: to_pillow(result, picture)


def _stored(image: Image, kind: np.dtype[Any]) -> np.ndarray:
    """(H, W, C) of that type, alpha last."""
    values = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
    if np.issubdtype(kind, np.floating):
        return values.astype(kind)
    return np.rint(values * np.iinfo(kind).max).astype(kind)
