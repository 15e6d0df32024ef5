"""Whether `--max-memory` is kept: random pictures, options and limits, each in a process of its own.

    python tests/memory_random.py PHOTO --runs 30 --seed 0

PHOTO is extended by reflection as in `tests/memory.py`. The limit of a run lies between what `kfsr.cost.memory` says is
needed at least and twice that. A line tells each run: its options, limit and peak. The exit status is 1 when a peak was
above its limit or a run failed, else 0.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from memory import enlarged

from kfsr.cost.memory import peak
from kfsr.recipe import Recipe
from kfsr.solvers.tiles import SMALLEST

METHODS = {1: ("soft",), 2: ("spectral", "bicubic", "auto"), 3: ("spectral", "bicubic", "auto")}
METHODS[4] = METHODS[3]


def drawn(rng: random.Random, photo: Path, folder: Path, most: float) -> tuple[list[str], int]:
    """The options of a run on `in.png`, which is made, and its limit in MiB."""
    scale = rng.choice((1, 2, 2, 3, 4))
    picture = enlarged(photo, rng.uniform(0.03, most) / scale)
    if rng.random() < 0.3:
        picture = picture.convert(rng.choice(("L", "RGBA")))
    picture.save(folder / "in.png", compress_level=1)
    options = {"scale": scale, "kernel_method": rng.choice(METHODS[scale]), "preset": rng.choice(("fast", "balanced"))}
    if scale > 1:
        options["solver"] = rng.choice(("unrolled", "unrolled", "bicubic"))
    needed = peak(picture.width * picture.height, Recipe.make(**options).work(), tile=SMALLEST)
    limit = int(needed * rng.uniform(1, 2) / 2**20) + 1
    args = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    result = "out." + rng.choice(("png", "png", "jpg", "tif", "webp"))
    return ["in.png", "-o", result, *args, f"--max-memory={limit}M"], limit


def main() -> int:
    parser = argparse.ArgumentParser(description="Peaks against --max-memory; see the head of this file.")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--megapixels", type=float, default=1.5, help="The largest picture at scale 1; less at others.")
    options = parser.parse_args()
    above = failed = 0
    for seed in range(options.seed, options.seed + options.runs):
        with tempfile.TemporaryDirectory() as folder:
            args, limit = drawn(random.Random(seed), options.photo, Path(folder), options.megapixels)
            command = [sys.executable, "-m", "kfsr", "upscale", *args, "--json", "--quiet"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            failed += 1
            print(f"seed {seed}: {' '.join(args)}: {done.stderr.strip()}", flush=True)
            continue
        found = json.loads(done.stdout)["peak_memory_mib"]
        above += found > limit
        print(
            f"seed {seed}: {found:.0f} of {limit} MiB{' ABOVE' if found > limit else ''}: {' '.join(args)}", flush=True
        )
    print(f"{options.runs} runs from seed {options.seed}: {above} above their limit, {failed} failed")
    return 1 if above or failed else 0


if __name__ == "__main__":
    sys.exit(main())
