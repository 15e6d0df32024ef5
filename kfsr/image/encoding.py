"""What all encoders share: values as whole numbers, warnings, and errors in words."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from kfsr.errors import OutputError

_BAND = 256  # rows rounded at once

# What the encoders are known to raise.
ENCODE_ERRORS = (OSError, SyntaxError, ValueError, RuntimeError, TypeError, KeyError, OverflowError, struct.error)


def warn(message: str) -> None:
    """A UserWarning."""
    warnings.warn(message, UserWarning, stacklevel=4)


@contextmanager
def explained(name: str, prefix: str) -> Iterator[None]:
    """OutputError, which begins with `prefix`, in place of what an encoder of the format `name` raises."""
    try:
        yield
    except ENCODE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OutputError(f"{prefix}cannot be stored as {name} ({reason}); write .png instead") from error


def to_8_bits(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Values in [0, 1] rounded, outside it clipped."""
    rounded = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _BAND):
        band = slice(start, start + _BAND)
        rounded[band] = np.rint(np.clip(values[band], 0, 1) * 255)
    return rounded


def to_16_bits(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Values in [0, 1] rounded, contiguous."""
    rounded: npt.NDArray[np.uint16] = np.ascontiguousarray(np.rint(values * 65535), np.uint16)
    return rounded
