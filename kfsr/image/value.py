"""The Image value: one upright picture with what travels beside its pixels."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kfsr.errors import UsageError
from kfsr.image.extras import NO_EXTRAS, Extras
from kfsr.image.microscopy import enlarged_description
from kfsr.image.places import enlarged_place
from kfsr.image.sample import Sample
from kfsr.image.xmp import enlarged_xmp

FloatArray = npt.NDArray[np.float32]

# Below half a step of 8-bit alpha a pixel is stored as fully transparent, and its colour cannot be seen.
_INVISIBLE = 0.5 / 255


@dataclass(frozen=True, eq=False)
class Image:
    """A picture in memory. Do not write into its arrays: they may be shared.

    pixels       float32 (H, W, C), C = 1 gray or 3 RGB, in [0, 1], as stored (gamma), upright
    alpha        float32 (H, W) in [0, 1], or None where the picture has none; colours are not premultiplied
    quantisation of a picture from a JPEG: mean of the 20 smallest steps of its luminance table, else 0
    depth        8 or 16: bits per value in the file it came from, and in those it is written to where they can
    format       Pillow's name of the format it was read from; "PNG" when it was made from an array
    exif         EXIF as it stands in a JPEG ("Exif\\0\\0" and a TIFF block), without orientation and sizes
    xmp          the XMP packet, UTF-8, without orientation and sizes
    icc_profile  the colour profile of `pixels`, gray or RGB like them; None means sRGB
    dpi          pixels per inch (across, down), or None where the file does not say; it stays when the picture grows
    sample       what 0 and 1 stand for where the values are floats, signed or of 32 bits; None for all others
    extras       what else travels beside the pixels
    planes       further channels that are neither colour nor alpha, a gray picture of the same size each

    Raises ValueError when shapes, types or values break these rules.
    """

    pixels: FloatArray
    alpha: FloatArray | None = None
    format: str = "PNG"
    exif: bytes | None = None
    icc_profile: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    depth: int = 8
    quantisation: float = 0.0
    sample: Sample | None = None
    extras: Extras = NO_EXTRAS
    planes: tuple["Image", ...] = ()

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
            raise ValueError(f"pixels must be (H, W, 1) or (H, W, 3) and not empty, not {shape}")
        _check_values(self.pixels, "pixels")
        if self.alpha is not None:
            if self.alpha.shape != shape[:2]:
                raise ValueError(f"alpha is {self.alpha.shape}, the pixels are {shape}")
            _check_values(self.alpha, "alpha")
        if self.depth not in (8, 16):
            raise ValueError(f"depth must be 8 or 16, not {self.depth}")
        if any(one.pixels.shape[:2] != shape[:2] or one.channels != 1 for one in self.planes):
            raise ValueError(f"further planes must be gray and of {shape[0]} x {shape[1]}, as the pixels are")

    @classmethod
    def from_array(cls, array: npt.NDArray[Any]) -> Self:
        """A picture from uint8 (0..255), uint16 (0..65535) or float ([0, 1]) values of shape (H, W), (H, W, 1),
        (H, W, 3), or (H, W, 4) whose last channel is alpha. The values are copied. uint16 gives depth 16, all else 8.

        Raises UsageError for other types and shapes, and for values outside the range.
        """
        values = np.asarray(array)
        if values.ndim == 2:
            values = values[..., None]
        if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
            raise UsageError(f"an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {np.shape(array)}")
        depth = 16 if np.issubdtype(values.dtype, np.uint16) else 8
        if depth == 16 or values.dtype == np.uint8:
            values = unit_values(values)
        elif np.issubdtype(values.dtype, np.floating):
            low, high = float(values.min()), float(values.max())  # NaN fails the comparison below
            if not (low >= -1e-6 and high <= 1 + 1e-6):
                raise UsageError(
                    f"a float image array must lie in [0, 1], this one spans {low:.4g} to {high:.4g};"
                    " divide by its maximum or clip it"
                )
            values = np.clip(values, 0, 1).astype(np.float32)
        else:
            raise UsageError(f"an image array must be uint8, uint16 or float, not {values.dtype}")
        if values.shape[2] == 4:
            return cls(np.ascontiguousarray(values[..., :3]), np.ascontiguousarray(values[..., 3]), depth=depth)
        return cls(values, depth=depth)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), the order in which people and Pillow say it."""
        return self.width, self.height

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB; alpha is not counted."""
        return int(self.pixels.shape[2])

    @property
    def white(self) -> int:
        """The largest value that `depth` bits store: 255 or 65535."""
        return int(2**self.depth - 1)

    def with_pixels(self, pixels: npt.NDArray[Any], alpha: npt.NDArray[Any] | None = None) -> Self:
        """The same picture with new pixels (H', W', C) and alpha (H', W'), clipped to [0, 1].

        Alpha is replaced too: None means that the new picture has none. Further planes stay where the size does.
        Raises ValueError as the class does.
        """
        new_alpha = None if alpha is None else _clipped(alpha)
        planes = self.planes if pixels.shape[:2] == self.pixels.shape[:2] else ()
        return replace(self, pixels=_clipped(pixels), alpha=new_alpha, planes=planes)

    def resized(self, pixels: npt.NDArray[Any], alpha: npt.NDArray[Any] | None, scale: float) -> Self:
        """As `with_pixels`, of a picture that is `scale` times as large: what its metadata say of the size of a pixel
        follows."""
        tags = enlarged_description(enlarged_place(self.extras.tags, scale), scale, (self.height, self.width))
        calibration = self.extras.calibration
        if calibration is not None:
            calibration = (calibration[0] * scale, calibration[1] * scale, calibration[2])
        xmp = None if self.xmp is None else enlarged_xmp(self.xmp, scale)
        made = self.with_pixels(pixels, alpha)
        return replace(made, xmp=xmp, extras=replace(self.extras, tags=tags, calibration=calibration))

    def stripped(self) -> Self:
        """The same picture without what tells about its making: no EXIF, XMP, IPTC, comments and texts. The profile
        stays, without it the colours would change, and so does the resolution."""
        return replace(self, exif=None, xmp=None, extras=self.extras.stripped())

    def premultiplied(self) -> FloatArray:
        """Pixels times alpha, (H, W, C) float32: what may be filtered without colours of invisible pixels
        leaking into visible ones. Without alpha these are the pixels themselves."""
        if self.alpha is None:
            return self.pixels
        product: FloatArray = self.pixels * self.alpha[..., None]
        return product


def unit_values(stored: npt.NDArray[Any]) -> FloatArray:
    """uint8 or uint16 values as float32 in [0, 1], contiguous; rounding back gives exactly the same integers."""
    values: FloatArray = np.ascontiguousarray(stored, dtype=np.float32)
    return values / np.float32(np.iinfo(stored.dtype).max)


def unpremultiply(premultiplied: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> FloatArray:
    """Colours (H, W, C) from colours times alpha and alpha (H, W): the way back from `premultiplied`.

    Where alpha rounds to zero in 8 bits the colour cannot be seen and is black: no division by zero.
    Returns float32 clipped to [0, 1]. Raises ValueError when the shapes do not fit.
    """
    if premultiplied.ndim != 3 or premultiplied.shape[:2] != alpha.shape:
        raise ValueError(f"alpha is {alpha.shape}, the pixels are {premultiplied.shape}")
    colours: FloatArray = np.zeros(premultiplied.shape, np.float32)
    # In place: the picture may be large.
    np.divide(premultiplied, alpha[..., None], out=colours, where=(alpha >= _INVISIBLE)[..., None], casting="same_kind")
    return np.clip(colours, 0, 1, out=colours)


def _clipped(values: npt.NDArray[Any]) -> FloatArray:
    clipped: FloatArray = np.clip(values, 0, 1).astype(np.float32, copy=False)
    return clipped


def _check_values(values: FloatArray, what: str) -> None:
    if values.dtype != np.float32:
        raise ValueError(f"{what} must be float32, not {values.dtype}")
    low, high = float(values.min()), float(values.max())  # NaN fails the comparison below
    if not (low >= 0 and high <= 1):
        raise ValueError(f"{what} must be finite and lie in [0, 1], they span {low:.4g} to {high:.4g}")
