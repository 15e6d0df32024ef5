"""Peak memory of `kfsr upscale` for pictures of several sizes; the numbers in `kfsr.cost.memory` come from here.

    python tests/memory.py PHOTO --megapixels 1 6 24 --scale 2 -- --kernel-method spectral --preset fast

PHOTO is any real photograph; it is extended by reflection until it has that many pixels. What follows `--` goes to
`kfsr upscale`. The peak is that of the whole process, as the system reports it.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image


def enlarged(photo: Path, megapixels: float) -> PIL.Image.Image:
    """A 3:2 picture of that many megapixels."""
    pixels = np.asarray(PIL.Image.open(photo).convert("RGB"))
    height = math.isqrt(round(megapixels * 1e6 * 2 / 3))
    width = round(megapixels * 1e6 / height)
    extra = [(0, max(0, wanted - have)) for wanted, have in zip((height, width), pixels.shape, strict=False)]
    return PIL.Image.fromarray(np.pad(pixels, [*extra, (0, 0)], mode="symmetric")[:height, :width])


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of kfsr upscale; see the head of this file.")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 6, 24])
    parser.add_argument("--scale", type=int, default=2)
    given = [*sys.argv[1:], "--"]
    cut = given.index("--")  # argparse does not give back what follows it once an option has come before
    options, rest = parser.parse_args(given[:cut]), given[cut + 1 : -1]
    for megapixels in options.megapixels:
        with tempfile.TemporaryDirectory() as folder:
            enlarged(options.photo, megapixels).save(Path(folder) / "in.png", compress_level=1)
            args = ["upscale", "in.png", "-s", str(options.scale), "-o", "out.png", "--json", "--quiet", *rest]
            started = time.perf_counter()
            command = [sys.executable, "-m", "kfsr", *args]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            peak = json.loads(done.stdout)["peak_memory_mib"] / 1024
            print(f"{megapixels:g} Mpx x{options.scale}: {peak:.2f} GiB, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
