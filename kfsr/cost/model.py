"""What a run is going to take, roughly: seconds and memory, from the sizes of the pictures and the choices made.

The numbers below were measured with `kfsr.upscale` on squares of `skimage.data.astronaut` of 96 to 768 px at x2 and 96
to 384 px at x4 (`ikl` and `edges` to 384 and 192, `unfolding` and `zssr` to 192 at x2), with the preset `fast` and one
thread (OMP_NUM_THREADS=1), on one of two hyperthreads of an AMD EPYC that others used as well: seconds of processor
time by stage; memory is `kfsr.cost.memory`'s. Other presets are reckoned from their numbers of steps, other machines
are faster or slower by a factor. The same 19 runs took 0.7 to 1.15 times what is estimated here, two of 96 px less.
`edges` looks for missing parts since, and was timed anew on the 12 shaken pictures of the README's table (510 px wide).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kfsr.cost import memory
from kfsr.recipe import preset_named
from kfsr.settings import PatchSettings

START = 4.0
"""Seconds until a process is ready: importing torch, mostly."""
SPECTRAL = 0.4
EDGES = 25.0
POLISH = 5.0
"""Seconds of what the edges add to KernelFusion's kernel, besides a kernel of their own."""
PATCH_STEP = 0.1
"""Seconds of a training step of a patch model of width 64 on 6 crops of 48 x 48."""
IKL_STEP = 0.19
"""Seconds of a step of IKL on 8 crops."""
REFINE_PIXEL = 20e-6
"""Seconds per high-resolution pixel of the refinement's window."""
GATE = 0.09
"""Seconds of the gate's first trial, times scale^2; later ones are not counted."""
SOLVER_PIXEL = {"unrolled": 6e-6, "unfolding": 3e-6, "zssr": 3e-6, "bicubic": 0.2e-6}
"""Seconds per high-resolution pixel, and turn of `unrolled`, or step of `unfolding`."""
ZSSR_STEP = 0.42
"""Seconds of a training step of ZSSR's network on 4 crops of 96 x 96; small pictures, of smaller crops, take less."""
FUSION_PIXEL = 9e-6
"""Seconds per high-resolution pixel of KernelFusion's windows and step, with a U-Net of width 16."""


@dataclass(frozen=True)
class Choice:
    """What is asked for; the names as in `pipeline.upscale`. own_kernel: whether each picture gets a kernel of its own,
    found by `method`. refine: None as there."""

    scale: int
    preset: str
    method: str
    own_kernel: bool
    refine: bool | None
    solver: str
    joint: bool = False


@dataclass(frozen=True)
class Cost:
    """Seconds of one thread, and the most memory at any time, in MiB."""

    seconds: float
    memory_mib: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, ready for JSON."""
        return {name: round(value, 1) for name, value in asdict(self).items()}

    def in_words(self) -> str:
        """As a part of a line."""
        return f"about {_time(self.seconds)} and {self.memory_mib / 1024:.1f} GiB"


def of_picture(pixels: int, choice: Choice) -> Cost:
    """Of upscaling a picture of so many pixels in a process that runs already."""
    preset, high = preset_named(choice.preset), pixels * choice.scale**2
    kernel = of_kernel(pixels, choice) if choice.own_kernel else Cost(0.0, 0.0)
    seconds = kernel.seconds
    if choice.joint or choice.solver == "bicubic":
        seconds += high * SOLVER_PIXEL["bicubic"]
    elif choice.solver == "unrolled":
        seconds += GATE * choice.scale**2 + high * SOLVER_PIXEL["unrolled"] * preset.unrolled.turns
    else:
        seconds += _training(preset.unfolding.prior) + GATE * choice.scale**2
        if choice.solver == "unfolding":
            seconds += high * SOLVER_PIXEL["unfolding"] * preset.unfolding.iterations
        else:
            seconds += high * SOLVER_PIXEL["zssr"]
            seconds += preset.zssr.steps * ZSSR_STEP * preset.zssr.batch * preset.zssr.crop**2 / (4 * 96**2)
    tile = 0 if choice.joint or choice.solver == "bicubic" else preset.tile // choice.scale
    refines = choice.own_kernel and _refines(_method(choice), choice)
    return Cost(seconds, max(kernel.memory_mib, memory.peak(pixels, choice.scale, tile, refines) / 2**20))


def of_kernel(pixels: int, choice: Choice) -> Cost:
    """Of finding a kernel in a picture, or this picture's part in a shared one. `auto` counts as the spectral kernel
    and, with the presets where it takes that, IKL."""
    preset, high = preset_named(choice.preset), pixels * choice.scale**2
    method = _method(choice)
    peak = memory.peak(pixels, choice.scale, 0, _refines(method, choice))
    seconds = {"bicubic": 0.0, "edges": EDGES}.get(method, SPECTRAL)
    if method == "ikl":
        steps = preset.ikl.iterations + preset.ikl.warm_up
        seconds += _training(preset.ikl.patch) + steps * IKL_STEP * preset.ikl.batch / 8
    if method == "kernelfusion":
        fusion = preset.kernelfusion
        steps = fusion.first_rounds + (fusion.steps - 1) * fusion.rounds
        worked_on = fusion.high_pixels(pixels, choice.scale, choice.joint)
        peak = max(peak, memory.fusion_peak(worked_on, fusion))
        seconds += _training(fusion.patch) + steps * worked_on * FUSION_PIXEL * (fusion.width / 16) ** 2
        seconds += 0 if choice.joint else POLISH + EDGES
    if _refines(method, choice):
        seconds += REFINE_PIXEL * min(high, preset.refine.window**2)
    return Cost(seconds, peak / 2**20)


def of_run(pictures: Sequence[Cost], shared_kernel: Sequence[Cost], workers: int) -> Cost:
    """Of a run over the pictures with so many processes of one thread each, after finding a kernel they share."""
    base = memory.FIXED / 2**20
    if not pictures:
        return Cost(START, base)
    workers = min(workers, len(pictures))
    starts = START if workers == 1 else 2 * START
    spread = max(sum(one.seconds for one in pictures) / workers, max(one.seconds for one in pictures))
    seconds = starts + sum(one.seconds for one in shared_kernel) + spread
    together = workers * max(one.memory_mib for one in pictures) + (base if workers > 1 else 0)
    return Cost(seconds, max([together, *(one.memory_mib for one in shared_kernel)]))


def _method(choice: Choice) -> str:
    return preset_named(choice.preset).auto.gaussian_method if choice.method == "auto" else choice.method


def _refines(method: str, choice: Choice) -> bool:
    return choice.refine or (choice.refine is None and method in ("spectral", "ikl"))


def _training(patch: PatchSettings) -> float:
    work = patch.batch * patch.crop**2 / (6 * 48**2)
    return patch.steps * PATCH_STEP * work * (patch.width / 64) ** 2


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
