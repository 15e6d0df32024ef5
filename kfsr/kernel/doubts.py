"""What makes doubtful that a bare array is a kernel for the scale that it is used at."""

from kfsr.kernel.value import SCALES, default_size


def doubts(shape: tuple[int, ...], scale: int) -> list[str]:
    """What to tell of an array (rows, columns) from a file that does not say its scale; each one a line for the
    user."""
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
    if told:
        told[-1] += " (.npz files say their scale; `kfsr kernel` writes them)"
    return told
