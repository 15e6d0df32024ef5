"""Names of results: from the user's template, and told apart where two would be the same."""

from __future__ import annotations

import os
import string
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kfsr.errors import UsageError
from kfsr.recipe import Recipe

if TYPE_CHECKING:
    from kfsr.image.formats import Format

NAME = "{stem}_x{scale}{ext}"
NAME_AT_ITS_SIZE = "{stem}_sharp{ext}"
"""At scale 1, where there is no larger size to tell."""
NAME_OF_SIZE = "{stem}_{size}{ext}"
"""Where the size is given in pixels."""

FIELDS = ("stem", "scale", "size", "ext", "source_ext", "parent")


def default_template(recipe: Recipe) -> str:
    """The template where the user gives none."""
    if recipe.size is not None and "x" in recipe.size.lower():
        return NAME_OF_SIZE
    return NAME_AT_ITS_SIZE if recipe.scale == 1 else NAME


def result_name(source: Path, template: str, recipe: Recipe) -> str:
    """The file name of a picture's result.

    {stem}: the picture's name without its ending. {scale}: the factor, 2 or 1.5. {size}: the size asked for, 1920x,
    else the factor. {ext}: with the dot, the ending of the recipe's format, of the picture, or .png where the picture's
    format is not written. {source_ext}: the picture's own ending, without the dot. {parent}: the name of its folder.
    UsageError for other fields and for what is a path.
    """
    from kfsr.image import format_by_name, supported_formats

    known = {suffix for suffixes in supported_formats().values() for suffix in suffixes}
    ext = source.suffix if source.suffix.lower() in known else ".png"
    if recipe.format is not None:
        chosen = format_by_name(recipe.format)
        ext = source.suffix if source.suffix.lower() in chosen.suffixes else chosen.suffixes[0]
    size = (recipe.size or f"x{recipe.scale}").lower()
    factor = recipe.size if recipe.size is not None and "x" not in size else str(recipe.scale)
    parent = Path(os.path.realpath(source)).parent.name
    values = (source.stem, factor, size, ext, source.suffix.removeprefix("."), parent)
    try:
        asked = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
        if not asked <= set(FIELDS):  # nor parts of them, as {stem.title}
            raise ValueError("other fields")
        name = template.format(**dict(zip(FIELDS, values, strict=True)))
    except (KeyError, IndexError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        fields = ", ".join(f"{{{one}}}" for one in FIELDS)
        raise UsageError(f"--name {template}: only {fields} are filled in") from error
    if Path(name).name != name:
        raise UsageError(f"--name {template}: a name and not a path; the folder is for -o")
    return name


def result_format(target: Path | None, recipe: Recipe) -> Format:
    """What the result is written as: by its name, on standard output (None) by the recipe, and else PNG. UsageError for
    names without a known ending."""
    from kfsr.image import format_by_name, format_by_suffix

    return format_by_name(recipe.format or "png") if target is None else format_by_suffix(target)


Named = tuple[Path, Path]
"""A source, and where its result goes."""


def distinct(pairs: Sequence[Named], retarget: Callable[[Path, str], Path]) -> list[Path]:
    """The targets of the pairs, no two of them the same file as far as names can do that.

    retarget: the target of a source if its stem were another one. Of several sources with one target, the one that
    keeps its ending (a.png -> a_x2.png) keeps the name, and the others get theirs into it (a_gif_x2.png). Those that
    share the ending too get the part of their folders in which they differ (scans_a_x2.png). A UserWarning says so.
    """
    targets = [target for _, target in pairs]
    for stem_of in (_with_ending, _with_folders):
        for group in _groups(targets):
            sources = [pairs[n][0] for n in group]
            for n, stem in zip(group, stem_of(sources, targets[group[0]]), strict=True):
                if stem is not None:
                    targets[n] = retarget(pairs[n][0], stem)
    changed = [(source, now) for (source, before), now in zip(pairs, targets, strict=True) if before != now]
    if changed:
        source, target = changed[0]
        more = f", and {len(changed) - 1} more likewise" if len(changed) > 1 else ""
        warnings.warn(
            f"{source}: its result would have another one's name and is called {target.name}{more}; --name takes"
            " {source_ext} and {parent}",
            UserWarning,
            stacklevel=3,
        )
    return targets


def _groups(targets: Sequence[Path]) -> list[list[int]]:
    """The places of targets that are one file."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for n, target in enumerate(targets):
        places[os.path.realpath(target)].append(n)
    return [group for group in places.values() if len(group) > 1]


def _with_ending(sources: Sequence[Path], target: Path) -> list[str | None]:
    if len({source.suffix.lower() for source in sources}) == 1:
        return [None] * len(sources)
    return [
        None if source.suffix.lower() == target.suffix.lower() else "_".join([source.stem, *source.suffix[1:].split()])
        for source in sources
    ]


def _with_folders(sources: Sequence[Path], target: Path) -> list[str | None]:
    parts = [Path(os.path.realpath(source)).parent.parts for source in sources]
    shared = next((n for n, level in enumerate(zip(*parts, strict=False)) if len(set(level)) > 1), min(map(len, parts)))
    return ["_".join([*part[shared:], source.stem]) for part, source in zip(parts, sources, strict=True)]
