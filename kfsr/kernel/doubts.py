"""What makes doubtful that a bare array is a kernel for the scale that it is used at."""

import math

from kfsr.kernel.value import SCALES, Kernel, default_size

_WIDEST = 1.75
"""Standard deviation in low-resolution pixels. DIV2KRK's widest kernels have 1.2, the widest of 6000 that the training
draws 1.74; a kernel for scale 4 has twice as many at scale 2. There is no least one: bicubic's is 0."""


def doubts(shape: tuple[int, ...], kernel: Kernel) -> list[str]:
    """What to tell of an array (rows, columns) from a file that does not say its scale, and of the kernel that it made;
    each one a line for the user."""
    scale = kernel.scale
    rows, cols = shape
    size, found = max(shape), f"{rows}x{cols}"
    told = []
    if rows != cols:
        told.append(f"{found} is not square; filled up with zeros to {size}x{size}")
    if (size - scale) % 2:
        parity = "an even" if scale % 2 == 0 else "an odd"
        told.append(f"{found} is no kernel for scale {scale}, which has {parity} side; it was moved by half a pixel")
    others = [one for one in SCALES if one != scale and default_size(one) == size]
    if others:
        told.append(f"{found} is what kernels for scale {others[0]} have, and this is scale {scale}; is it one for it?")
    spread = math.sqrt(max(0.0, kernel.trace / 2)) / scale
    if scale > 1 and size != default_size(scale) and not told and spread > _WIDEST:
        told.append(f"it spreads over more than kernels for scale {scale} usually do; is it one for it?")
    if told:
        told[-1] += " (.npz files say their scale; `kfsr kernel` writes them)"
    return told
