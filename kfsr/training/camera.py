"""What a camera does with light: grain of photons behind a mosaic of colours, demosaicking, denoising, tone curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

DEMOSAICKING = ("bilinear", "malvar")


@dataclass(frozen=True)
class Camera:
    """shot, read: variance of a sample in linear light of value x is shot * x + read^2. demosaicking: one of the names
    above. denoising: 0 none to 1 all that looks like noise. corner: (row, column) of the first red pixel, 0 or 1."""

    shot: float
    read: float
    demosaicking: str
    denoising: float
    corner: tuple[int, int] = (0, 0)


def to_linear(x: np.ndarray) -> np.ndarray:
    """sRGB values in [0, 1] as light (IEC 61966-2-1)."""
    return np.where(x <= 0.04045, x / 12.92, ((np.maximum(x, 0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(x: np.ndarray) -> np.ndarray:
    """Light as sRGB values, clipped to [0, 1]."""
    x = np.clip(x, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 0.0031308) ** (1 / 2.4) - 0.055)


def photographed(light: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """sRGB picture (h, w, 3) in [0, 1] that the camera makes of linear `light` (h, w, 3); borders wrap around."""
    noise = np.sqrt(camera.shot * np.clip(light, 0, 1) + camera.read**2) * rng.standard_normal(light.shape)
    red, green, blue = _mosaic(light.shape[:2], camera.corner)
    raw = ((light + noise) * np.stack([red, green, blue], -1)).sum(-1)
    x = to_srgb((_bilinear if camera.demosaicking == "bilinear" else _malvar)(raw, red, green, blue))
    return _denoised(x, camera.denoising) if camera.denoising else x


def _mosaic(size: tuple[int, int], corner: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where red, green and blue samples lie."""
    i, j = (np.arange(side) + first for side, first in zip(size, corner, strict=True))
    even, left = (i % 2 == 0)[:, None], (j % 2 == 0)[None]
    return even & left, even ^ left, ~even & ~left


CROSS = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
SQUARE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4


def _bilinear(raw: np.ndarray, red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    planes = ((red, SQUARE), (green, CROSS), (blue, SQUARE))
    return np.stack([ndi.convolve(raw * where, k, mode="wrap") for where, k in planes], -1)


# Malvar, He and Cutler 2004, figure 2, times 8: what is missing is interpolated, and corrected by the colour that is
# there. ALONG: red or blue at green, their neighbours in the same row; its transpose: in the same column.
AT_GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
ALONG = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]) / 8
ACROSS = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]) / 8


def _malvar(raw: np.ndarray, red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    middle, along, below, across = (ndi.convolve(raw, k, mode="wrap") for k in (AT_GREEN, ALONG, ALONG.T, ACROSS))
    red_row = red.any(axis=1, keepdims=True)
    at_green = {"red": np.where(red_row, along, below), "blue": np.where(red_row, below, along)}
    r = np.where(red, raw, np.where(green, at_green["red"], across))
    b = np.where(blue, raw, np.where(green, at_green["blue"], across))
    return np.stack([r, np.where(green, raw, middle), b], -1)


def _denoised(x: np.ndarray, strength: float) -> np.ndarray:
    """Colour smoothed, and of the luminance what varies no more than the noise around it (Wiener's filter, 5 x 5)."""
    y = x.mean(-1, keepdims=True)
    colour = x - y
    smooth = ndi.gaussian_filter(colour, (1.5, 1.5, 0), mode="wrap", truncate=3)
    mean = ndi.uniform_filter(y, (5, 5, 1), mode="wrap")
    variance = np.maximum(ndi.uniform_filter(y * y, (5, 5, 1), mode="wrap") - mean**2, 1e-9)
    noise = np.quantile(variance, 0.2)
    kept = np.maximum(variance - noise, 0) / variance
    y = y + strength * (1 - kept) * (mean - y)
    return y + colour + strength * (smooth - colour)
