"""What scanners, programs and files add to a picture: grain, halftone dots, compression.

Pictures are (h, w, 3) arrays in [0, 1]; borders wrap around.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from PIL import Image


@dataclass(frozen=True)
class Grain:
    """size: standard deviation of a grain in pixels, 0 is white noise. level: of its deviation, in [0, 1] units of the
    picture. colour: 0 the same for all channels, 1 each its own. tonal: 1 strongest in middle tones, 0 even."""

    size: float
    level: float
    colour: float = 1.0
    tonal: float = 0.0

    def on(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The picture under this grain."""
        noise = rng.standard_normal((*x.shape[:2], 4))
        if self.size:
            noise = ndi.gaussian_filter(noise, (self.size, self.size, 0), mode="wrap", truncate=3)
            noise /= max(float(noise.std()), 1e-6)
        mixed = self.colour * noise[..., :3] + math.sqrt(1 - self.colour**2) * noise[..., 3:]
        tone = np.clip(x.mean(-1, keepdims=True), 0, 1)
        return x + self.level * (1 - self.tonal + self.tonal * 4 * tone * (1 - tone)) * mixed


@dataclass(frozen=True)
class Halftone:
    """Dots of print, as far as the scanner saw them. period: in pixels. angle: radians, and turn from one ink's angle
    to the next one's. level: amplitude in [0, 1]."""

    period: float
    angle: float
    level: float
    turn: float = math.pi / 6

    def on(self, x: np.ndarray) -> np.ndarray:
        """The picture in dots: those of each ink at an angle of their own, strongest in middle tones."""
        i, j = np.meshgrid(*map(np.arange, x.shape[:2]), indexing="ij")
        out = np.array(x)
        for channel in range(3):
            angle = self.angle + channel * self.turn
            u, v = (
                2 * math.pi / self.period * (i * math.cos(a) + j * math.sin(a)) for a in (angle, angle + math.pi / 2)
            )
            tone = np.clip(x[..., channel], 0, 1)
            out[..., channel] += self.level * 4 * tone * (1 - tone) * np.cos(u) * np.cos(v)
        return out


@dataclass(frozen=True)
class Saved:
    """One time in a lossy file. quality: of JPEG or WebP, 1 to 100. subsampling: of JPEG's colours, 0 none, 1 and 2 as
    4:2:2 and 4:2:0. shift: (rows, columns) that the grid of blocks lies off the picture's corner."""

    quality: int
    format: str = "JPEG"
    subsampling: int = 2
    shift: tuple[int, int] = (0, 0)

    def of(self, x: np.ndarray) -> np.ndarray:
        """The picture as the file gives it back."""
        pixels = np.roll(rounded(x), self.shift, (0, 1))
        with Image.open(io.BytesIO(self.file(pixels))) as opened:
            again = np.asarray(opened.convert("RGB"))
        return np.roll(again, (-self.shift[0], -self.shift[1]), (0, 1)).astype(np.float32) / 255

    def file(self, pixels: np.ndarray) -> bytes:
        """The file of (h, w, 3) 8-bit values."""
        buffer = io.BytesIO()
        if self.format == "JPEG":
            Image.fromarray(pixels).save(buffer, "JPEG", quality=self.quality, subsampling=self.subsampling)
        else:
            Image.fromarray(pixels).save(buffer, self.format, quality=self.quality, method=2)
        return buffer.getvalue()


def rounded(x: np.ndarray) -> np.ndarray:
    """`x` as 8-bit values."""
    return np.clip(np.round(x * 255), 0, 255).astype(np.uint8)
