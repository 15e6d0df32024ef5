"""The options for the fields of a recipe, each declared once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import kfsr.estimators.registry as estimators
import kfsr.solvers.registry as solvers
from kfsr.cli.parsers import check_seed, listed_names, one_of, parse_box, parse_format, parse_scale
from kfsr.recipe import MOST_UNCERTAIN, Recipe
from kfsr.settings import PRESETS

_Field = tuple[Any, tuple[str, ...], dict[str, Any]]


def _field(kind: Any, *names: str, **rest: Any) -> _Field:
    return kind, names, rest


_FIELDS: dict[str, _Field] = {
    "scale": _field(
        float,
        "--scale",
        "-s",
        metavar="N",
        parser=parse_scale,
        help="Scale factor, 1 to 4; 1 deblurs.",
    ),
    "size": _field(
        str,
        "--size",
        metavar="WxH",
        parser=parse_box,
        help="Size of the result in place of a scale: 1920x, x1080, or 1920x1080, which it fits into. As with a scale "
        "like 1.5, the picture is enlarged by the next whole scale and shrunk.",
    ),
    "kernel_method": _field(str, "--kernel-method"),
    "kernel_init": _field(str, "--kernel-init", help="What ikl starts from.", **one_of(("spectral", "gaussian"))),
    "kernel": _field(
        Path,
        "--kernel",
        "-k",
        metavar="FILE",
        help="Use this kernel: .npz, which says its scale, or .npy or .mat, for which a wrong scale may go unnoticed.",
    ),
    "trust_kernel": _field(
        bool,
        "--trust-kernel/--no-trust-kernel",
        help="Take a kernel file that does not say where it comes from as exact.",
    ),
    "refine": _field(
        bool,
        "--refine/--no-refine",
        show_default="where it helps the method",
        help="Refine the kernel with the solver, for detail that no Gaussian has.",
    ),
    "uncertainty": _field(
        float,
        "--uncertainty",
        metavar="U",
        min=0,
        max=MOST_UNCERTAIN,
        show_default="little for a given kernel, more for an estimate",
        help="How wrong the kernel may be, 0 to 2; the unrolled solver then trusts it less.",
    ),
    "joint": _field(
        bool,
        "--joint/--no-joint",
        help="With kernelfusion: return the picture it finds with the kernel; for small pictures.",
    ),
    "solver": _field(str, "--solver"),
    "weights": _field(
        Path,
        "--weights",
        metavar="FILE",
        show_default="the bundled ones",
        help="Other weights for the unrolled solver, kfsr's or USRNet's.",
    ),
    "strength": _field(
        float,
        "--strength",
        metavar="S",
        min=0,
        max=1,
        show_default="automatic",
        help="How far to go from bicubic (at scale 1 from the picture itself), 0, to all that the solver finds, 1.",
    ),
    "denoise": _field(
        float,
        "--denoise",
        metavar="D",
        min=0,
        max=1,
        show_default="automatic",
        help="How much of the grain to take away: 0 keeps all of it, 1 takes all that the solver takes for noise.",
    ),
    "preset": _field(str, "--preset", "-p", help="How much work to do.", **one_of(PRESETS)),
    "seed": _field(
        int,
        "--seed",
        metavar="N",
        callback=check_seed,
        help="Seed of all random numbers; on one machine (CPU) it repeats the result.",
    ),
    "format": _field(
        str,
        "--format",
        metavar="NAME",
        parser=parse_format,
        show_default="the picture's own, or what the name of -o says",
        help="Format of the results: png, jpg, webp, tif, bmp or avif.",
    ),
    "quality": _field(
        int,
        "--quality",
        metavar="N",
        min=1,
        max=100,
        show_default="95; WebP without loss",
        help="For JPEG, AVIF and WebP; other formats are lossless.",
    ),
    "strip": _field(
        bool, "--strip/--no-strip", help="Leave EXIF and XMP out of the results; colour profile and DPI stay."
    ),
    "page": _field(
        int,
        "--page",
        metavar="N",
        min=1,
        show_default="all pages of a TIFF, where the result is one; else the first",
        help="Take this page of a TIFF, or frame of a GIF or WebP.",
    ),
    "strict": _field(
        bool,
        "--strict/--no-strict",
        help="Refuse files with slight damage, such as a JPEG without its end, which are else read with a warning.",
    ),
}
"""For each field of the recipe its type, names and the rest of its option."""

_METHODS = {
    "kernel_method": ("How the kernel is found", estimators),
    "solver": ("How the picture is made once the kernel is known", solvers),
}
"""The fields that name something in a registry, and what the help says of them."""


def recipe_option(field: str, aliases: Sequence[str] = (), scale: int | None = None) -> Any:
    """The option for a field of the recipe. Its default is None, so that `--recipe` can say otherwise; what the help
    says is the recipe's own. scale: offer the methods that are defined there alone."""
    kind, names, rest = _FIELDS[field]
    if field in _METHODS:
        what, registry = _METHODS[field]
        rest = {"help": f"{what}: {listed_names(registry.summaries(scale))}.", **one_of(registry.names(scale))}
    default = getattr(Recipe(), field)
    shown: dict[str, Any] = {"show_default": False if default is None or default is False else str(default)}
    return Annotated[kind | None, typer.Option(*names, *aliases, **shown | rest)]
