"""A lens's kernels over the frame: between a heap of its photographs and a heap of sharp ones of other scenes, or from
one photograph alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kfsr.analysis.heap import gather
from kfsr.analysis.heap_field import gather_field
from kfsr.errors import InputError
from kfsr.estimators import lens, own_lens
from kfsr.estimators.softness import SoftnessNet
from kfsr.image import Image, luma
from kfsr.kernel import Lens, Provenance
from kfsr.kernel.lens import OWN_LENS
from kfsr.kernel.shot import Shot, shot_of
from kfsr.pipeline.heaps import Heaped, luminances, named, warn_of
from kfsr.progress import Progress, silent
from kfsr.recipe import MOST_UNCERTAIN, Recipe
from kfsr.settings import Settings
from kfsr.weights import network


@dataclass(frozen=True)
class FoundLens:
    """noise: standard deviation of the photographs' noise in one colour, [0, 1] units."""

    lens: Lens
    noise: float


def lens_of_heaps(
    blurred: Iterable[Heaped],
    clean: Iterable[Heaped],
    grid: tuple[int, int] = (8, 8),
    colours: bool = True,
    *,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> FoundLens:
    """The kernels, (rows, columns) of them over the frame, that the `blurred` photographs of one lens share: of each
    colour, or of the luminance alone. Arguments as in `kernel_of_heaps`; the blurred ones are whole frames.

    Raises InputError for photographs of several sizes or cameras, NothingToLearn for too fine a grid. Warns
    (UserWarning) where lens, focal length or aperture change from one to another, and as `kernel_of_heaps` does.
    """
    cfg = (settings or Recipe().settings).heaps
    known = gather(luminances(clean), cfg.field_patch, cfg.groups, patches=cfg.patches)
    progress("heaps", 1, 3)
    shots: list[Shot] = []
    pixels = _pixels(blurred, shots, colours)
    observed = gather_field(pixels, grid, cfg.field_patch, cfg.field_groups, cfg.cell_patches)
    warn_of(observed.pictures, known)
    progress("heaps", 2, 3)
    channels = observed.spectra.shape[2]
    field, noise = lens.estimate(observed, np.stack([known.typical] * channels), cfg)
    progress("heaps", 3, 3)
    return FoundLens(Lens(field, observed.size, shots[0], Provenance("estimated", "heaps", observed.pictures)), noise)


def lens_of_photograph(
    image: Image | np.ndarray,
    grid: tuple[int, int] = (6, 8),
    colours: bool = True,
    *,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Lens:
    """The lateral colour and the softness of one photograph's lens, as (rows, columns) of kernels over the frame; the
    softness alone, of the luminance, where the photograph is gray or `colours` is False.

    Far less than two heaps tell: each colour's shift is a polynomial of the place and its blur a round Gaussian
    (`estimators.own_lens`). All kernels are points where nothing was found. Raises NothingToLearn for a photograph that
    is too small or too flat.
    """
    every = settings or Recipe().settings
    cfg = every.own_lens
    photograph = image if isinstance(image, Image) else Image.from_array(np.asarray(image))
    pixels = photograph.pixels if colours else luma(photograph.pixels)[..., None]
    net = network(None, ("softness",))
    assert isinstance(net, SoftnessNet)
    found = own_lens.estimate(pixels, net, cfg, progress)
    doubt = min(MOST_UNCERTAIN, cfg.least_doubt + cfg.doubt * found.spread)
    size = photograph.width, photograph.height
    origin = Provenance("estimated", OWN_LENS, 1, uncertainty=doubt)
    return Lens(found.field(grid, size, cfg), size, shot_of(photograph.exif), origin)


def _pixels(pictures: Iterable[Heaped], shots: list[Shot], colours: bool) -> Iterator[tuple[str, np.ndarray]]:
    """The pixels (H, W, 1 or 3) of each; how it was taken is added to `shots`."""
    told = False
    for name, image in named(pictures):
        shots.append(shot_of(image.exif))
        different = shots[0].differences(shots[-1])
        if any(one.startswith("camera") for one in different):
            raise InputError(f"{name}: {different[0]}; a field is of one camera and lens, so leave one of them out")
        if different and not told:
            warnings.warn(f"{name}: {', '.join(different)}; the field will be between both", UserWarning, stacklevel=2)
            told = True
        yield name, image.pixels if colours else next(iter(luminances([image])))[1][..., None]
