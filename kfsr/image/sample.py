"""How the values of scientific pictures are stored: floats, signed and 32-bit numbers, by their own range."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_KINDS = ("int8", "int16", "int32", "uint32", "float16", "float32", "float64")


@dataclass(frozen=True)
class Sample:
    """What the values 0 and 1 of a picture stand for in its file. kind: NumPy's name of the stored type, one of float,
    signed or 32-bit ones. low < high: the stored values, the least and the greatest of the picture; of floats between
    0 and 1 those, of unsigned values that use their last bit the least and the greatest that there are."""

    kind: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.kind not in _KINDS or not self.low < self.high:
            raise ValueError(f"no sample kind: {self}")

    @classmethod
    def of(cls, stored: npt.NDArray[Any]) -> "Sample":
        """For an array of one of the kinds, by its own range. Raises ValueError for NaN and infinity, for other types,
        and for floats whose range overflows."""
        low, high = float(stored.min()), float(stored.max())
        if not (np.isfinite(low) and np.isfinite(high) and np.isfinite(high - low)):
            bad = int(np.count_nonzero(~np.isfinite(stored)))
            raise ValueError(f"{bad or 'some'} values that are not finite numbers")
        if stored.dtype.kind == "f" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        elif stored.dtype.kind == "u" and high > np.iinfo(stored.dtype).max // 2:  # a picture of so many bits
            low, high = 0.0, float(np.iinfo(stored.dtype).max)
        elif low == high:
            high = low + max(1.0, abs(low) * 1e-3)
        return cls(stored.dtype.newbyteorder("=").name, low, high)

    def to_unit(self, stored: npt.NDArray[Any]) -> FloatArray:
        """Stored values as float32 in [0, 1]."""
        values = (stored.astype(np.float64) - self.low) / (self.high - self.low)
        return np.clip(values, 0, 1).astype(np.float32)

    def from_unit(self, pixels: FloatArray) -> npt.NDArray[Any]:
        """The way back, in the stored type."""
        values = self.low + pixels.astype(np.float64) * (self.high - self.low)
        if np.dtype(self.kind).kind == "f":
            return values.astype(self.kind)
        about = np.iinfo(self.kind)
        return np.clip(np.rint(values), about.min, about.max).astype(self.kind)
