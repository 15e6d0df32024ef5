"""What two heaps tell, measured against known kernels: `python tests/lenses.py BENCH WHAT [SEED]`.

WHAT: kernel, noise, lens, scale2, or own (a lens from one photograph).
BENCH holds `train/cid22`, `train/clic`, `photos/kodak`, `photos/clic`, `levin`, `lens` and `div2krk`. No photograph is
in both heaps. SEED draws the photographs. docs/lenses.md has the results.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from scipy.signal import fftconvolve

import kfsr
from kfsr.analysis.problem import Told
from kfsr.estimators.own_lens import Aberrations
from kfsr.kernel import KernelField, Lens, compare_kernels, load_kernel
from kfsr.kernel.facts import lens_in_words
from kfsr.operator import varying
from kfsr.operator.spatial import degrade
from kfsr.pipeline.heaps import kernel_of_heaps
from kfsr.pipeline.lenses import lens_of_heaps, lens_of_photograph
from kfsr.settings import OwnLensSettings, Settings
from kfsr.solvers import unrolled
from kfsr.solvers.frame import over_frame

FRAME = (640, 1024)
"""Rows and columns of what is taken for whole frames of the lens."""

LUMINANCE = (65.481, 128.553, 24.966)
"""Weights of the colours in 219ths."""


def files(bench, *folders):
    found = [
        one
        for name in folders
        for one in sorted((bench / name).iterdir())
        if one.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
    ]
    if not found:
        raise SystemExit(f"{bench}: no photographs in {', '.join(folders)}")
    return found


def load(path):
    return np.asarray(PIL.Image.open(path).convert("RGB"), np.float32) / 255


def drawn(bench, seed, blurred, clean):
    every = files(bench, "train/cid22", "train/clic", "photos/kodak")
    order = np.random.default_rng(seed).permutation(len(every))
    chosen = [every[n] for n in order]
    return chosen[:blurred], chosen[blurred : blurred + clean]


def planes(pixels):
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]


def pixels_of(tensor):
    return tensor[0].numpy().transpose(1, 2, 0)


def seen(x, kernel, noise, random):
    """A photograph through a kernel, with noise, in 8 bits."""
    k = np.pad(kernel, ((0, 1 - kernel.shape[0] % 2), (0, 1 - kernel.shape[1] % 2)))
    y = pixels_of(degrade(planes(x), torch.from_numpy(k).float(), 1, "valid"))
    y = y + noise * random.standard_normal(y.shape)
    return (np.round(y.clip(0, 1) * 255) / 255).astype(np.float32)


def correlation(a, b):
    """The largest over all shifts."""
    return float(fftconvolve(a, b[::-1, ::-1]).max() / np.sqrt((a**2).sum() * (b**2).sum()))


def levin(bench, n):
    k = np.load(bench / f"levin/levin_{n}.npy").astype(float)
    return k / k.sum()


def decibels(a, b, rim):
    return float(-10 * np.log10(np.square((a - b)[rim:-rim, rim:-rim]).mean()))


def kernel(bench, seed):
    blurred, clean = drawn(bench, seed, 20, 20)
    network, rows = unrolled.bundled(1), []
    for n in (1, 3, 4, 6, 7):
        truth, random = levin(bench, n), np.random.default_rng(seed * 10 + n)
        heap = [seen(load(one), truth, 0.02, random) for one in blurred]
        wall, own = time.monotonic(), time.process_time()
        found = kernel_of_heaps(heap, (load(one) for one in clean))
        wall, own = time.monotonic() - wall, time.process_time() - own
        right, mine = _laid_over(truth, found.kernel.array)
        each = []
        for place in (0, 3, 7):
            x = load(blurred[place])[:300, :300]
            y = seen(x, right, 0.02, np.random.default_rng(place))
            rim = right.shape[0] // 2
            answers = [y]
            for k in (right, mine):
                with torch.no_grad():
                    z = unrolled.forward(planes(y) * 2 - 1, torch.from_numpy(k).float(), 1, network, Told(0.04, 0.2))
                answers.append((pixels_of(z) / 2 + 0.5).clip(0, 1))
            each.append([decibels(one, x[rim:-rim, rim:-rim], 15) for one in answers])
        score = correlation(found.kernel.array, truth)
        rows.append([score, *np.mean(each, 0)])
        print(
            f"levin {n}: ncc {score:.3f}; blurred, true kernel, found {np.round(rows[-1][1:], 2)} dB; noise "
            f"{found.noise:.4f} ({0.02 * np.hypot(*LUMINANCE[:2]) / 219:.4f}); {wall:.0f} s, processor {own:.0f} s",
            flush=True,
        )
    print("mean", np.mean(rows, 0).round(3), "least ncc", min(one[0] for one in rows).__round__(3))


def _laid_over(truth, found, side=65):
    """Both on one canvas, the found one moved by whole pixels to where it agrees best."""

    def wide(k):
        room = [(side - n) // 2 for n in k.shape]
        return np.pad(k, [(r, side - n - r) for r, n in zip(room, k.shape, strict=True)])

    right, mine = wide(truth), wide(found)
    agreed = fftconvolve(right, mine[::-1, ::-1], mode="same")
    at = np.unravel_index(agreed.argmax(), agreed.shape)
    mine = np.roll(mine, (at[0] - side // 2, at[1] - side // 2), (0, 1))
    part = slice(12, -12)
    right, mine = right[part, part], mine[part, part]
    return right / right.sum(), mine / mine.sum()


def noise(bench, seed):
    blurred, clean = drawn(bench, seed, 20, 20)
    truth = levin(bench, 1)
    for sigma in (0.005, 0.01, 0.02, 0.04):
        random = np.random.default_rng(5)
        found = kernel_of_heaps([seen(load(one), truth, sigma, random) for one in blurred], map(load, clean))
        of_luminance = sigma * float(np.sqrt(np.square(LUMINANCE).sum())) / 219
        print(f"noise {sigma}: learned {found.noise:.5f} of {of_luminance:.5f}", flush=True)


def edmund(bench):
    """The lens's kernels (9, 12, K, K, 3), between its places, at 8 x 8."""
    k = np.load(bench / "lens/psf_edmund_63762.npy").astype(float).transpose(0, 1, 4, 2, 3)
    for axis in (0, 1):
        at = (np.arange(8) + 0.5) / 8 * k.shape[axis] - 0.5
        low = np.floor(at).astype(int).clip(0, k.shape[axis] - 2)
        share = (at - low).reshape([-1 if n == axis else 1 for n in range(k.ndim)])
        k = np.take(k, low, axis) * (1 - share) + np.take(k, low + 1, axis) * share
    return k / k.sum((3, 4), keepdims=True)


def frames(bench):
    rows, cols = FRAME
    for path in files(bench, "train/clic", "photos/clic"):
        x = load(path)
        x = np.rot90(x) if x.shape[0] > x.shape[1] else x
        if path.parent.parent.name == "train":
            top = (x.shape[0] - rows) // 2
            if top >= 0 and x.shape[1] >= cols:
                yield np.ascontiguousarray(x[top : top + rows, :cols])
            continue
        for across in range(x.shape[1] // cols):
            for down in range(x.shape[0] // rows):
                yield np.ascontiguousarray(x[down * rows : (down + 1) * rows, across * cols : (across + 1) * cols])


def centres(field):
    at = np.arange(field.shape[-1]) - (field.shape[-1] - 1) / 2
    return np.stack([field.sum(-1) @ at, field.sum(-2) @ at], -1)


def lens(bench, seed):
    every, random = list(frames(bench)), np.random.default_rng(seed)
    sharp = [every[n] for n in random.permutation(len(every))[:24]]
    truth = edmund(bench)
    heap = []
    for x in sharp:
        y = pixels_of(varying.degrade(planes(x), torch.from_numpy(truth).float(), 1))
        y = y + 0.01 * random.standard_normal(y.shape)
        heap.append((np.round(y.clip(0, 1) * 255) / 255).astype(np.float32))
    other = files(bench, "train/cid22")
    clean = [other[n] for n in random.permutation(len(other))[:24]]
    wall, own = time.monotonic(), time.process_time()
    found = lens_of_heaps(heap, map(load, clean))
    wall, own = time.monotonic() - wall, time.process_time() - own
    field = found.lens.field.array
    scores = [correlation(field[place], truth[place]) for place in np.ndindex(truth.shape[:3])]
    apart = centres(field) - centres(truth)
    apart = np.hypot(*np.moveaxis(apart - apart.mean(2, keepdims=True), -1, 0))
    sizes = [_trace(field), _trace(truth)]
    print(
        f"lens: ncc {np.mean(scores):.3f}/{min(scores):.3f}; centres off by {apart.mean():.3f}, most {apart.max():.3f} "
        f"px; second moment {np.exp(np.log(sizes[0] / sizes[1]).mean()):.2f} of the true; noise {found.noise:.4f}; "
        f"{wall:.0f} s, processor {own:.0f} s",
        flush=True,
    )
    network, rows = unrolled.bundled(1), []
    for n, (top, left) in ((0, (0, 0)), (5, (200, 300)), (11, (0, 0)), (17, (320, 512)), (20, (320, 0))):
        part = slice(top, top + 240), slice(left, left + 360)
        y, x = heap[n][part], sharp[n][part]
        answers = [y]
        for k in (truth, field):
            z = over_frame(
                planes(y) * 2 - 1,
                KernelField(k, 1),
                (top, left, *FRAME),
                lambda one, k: unrolled.forward(one, k, 1, network, Told(0.02, 0.2)),
                640,
            )
            answers.append((pixels_of(z) / 2 + 0.5).clip(0, 1))
        rows.append([decibels(one, x, 24) for one in answers])
        print("  blurred, true field, found", np.round(rows[-1], 2), "dB", flush=True)
    print("mean", np.mean(rows, 0).round(2))


def _trace(field):
    at = np.arange(field.shape[-1]) - (field.shape[-1] - 1) / 2
    return field.sum(-1) @ at**2 + field.sum(-2) @ at**2 - np.square(centres(field)).sum(-1)


def scale2(bench, seed):
    blurred, clean = drawn(bench, seed, 12, 24)
    for n in (1, 16, 19):
        truth = load_kernel(bench / f"div2krk/gt_k_x2/kernel_{n}.mat", 2, trusted=True)
        heap = []
        for one in blurred:
            x = load(one)
            x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
            y = pixels_of(degrade(planes(x), torch.from_numpy(truth.array.copy()).float(), 2))
            heap.append((np.floor(y.clip(0, 1) * 255) / 255).astype(np.float32))
        own = time.process_time()
        found = kernel_of_heaps(heap, map(load, clean), 2)
        score = compare_kernels(found.kernel, truth)
        print(
            f"x2 kernel {n}: {score}; noise {found.noise:.4f}, processor {time.process_time() - own:.0f} s", flush=True
        )


def own(bench, seed):
    """A lens from one photograph: 8 photographs through random lenses of its own model, then as they are."""
    random = np.random.default_rng(seed)
    every = files(bench, "photos/kodak", "train/clic")
    settings = OwnLensSettings()
    rows = []
    for path in (every[n] for n in random.permutation(len(every))[:8]):
        x = load(path)
        size = x.shape[1], x.shape[0]
        lateral = np.concatenate([random.normal(0, 1, (2, 2)), random.normal(0, 0.2, (2, 2))], 1)
        middle, rise = random.uniform(0.1, 0.7), random.uniform(0, 1)
        widths = np.log(middle * random.uniform(0.9, 1.2, 3))
        truth = Aberrations(lateral, np.stack([widths, np.full(3, rise)], 1), 0.0)
        right = truth.field((12, 16), size, replace(settings, sharp=0.0))
        y = pixels_of(varying.degrade(planes(x), torch.from_numpy(right.array.copy()).float(), 1))
        y = y + 0.004 * random.standard_normal(y.shape)
        y = np.round(y.clip(0, 1) * 255).astype(np.uint8)
        found = lens_of_photograph(y, (12, 16), settings=Settings(own_lens=settings))
        again = lens_of_photograph(np.round(x * 255).astype(np.uint8), (12, 16))
        answers = [
            y / 255,
            kfsr.upscale(y, scale=1, kernel=found).image.pixels,
            kfsr.upscale(y, scale=1, kernel=Lens(right, size, provenance=found.provenance)).image.pixels,
        ]
        kept = decibels(kfsr.upscale(x, scale=1, kernel=again).image.pixels, x, 24)
        apart = centres(found.field.array) - centres(right.array)
        rows.append([*(decibels(one, x, 24) for one in answers), np.hypot(*np.moveaxis(apart, -1, 0))[..., ::2].max()])
        print(f"{path.name}: blurred, found, true {np.round(rows[-1][:3], 2)} dB, colours off by", end=" ")
        print(f"{rows[-1][3]:.2f} px at most; as it is: changed to {kept:.1f} dB, {lens_in_words(again)}", flush=True)
    print("mean", np.mean(rows, 0).round(2), "least gain", min(one[1] - one[0] for one in rows).__round__(2))


WHAT = {"kernel": kernel, "noise": noise, "lens": lens, "scale2": scale2, "own": own}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in WHAT:
        raise SystemExit(__doc__)
    torch.set_num_threads(1)
    WHAT[sys.argv[2]](Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
