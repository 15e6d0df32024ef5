"""A TIFF of several pages: a stack in is a stack out, page by page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kfsr.recipe import Recipe
from kfsr.runs.engine import checkpoint_for
from kfsr.runs.names import result_format

if TYPE_CHECKING:
    from kfsr.image import Image, Pages
    from kfsr.pipeline import Result

Solve = Callable[["Image", Path | None, str], "Result"]
"""From a picture, the file for the state of its long stages, and what to call it in progress, to its result."""


def is_stack(pages: Pages, target: Path | None, recipe: Recipe) -> bool:
    """Whether all pages go into the result: there are several, and its format holds them."""
    return pages.count > 1 and result_format(target, recipe).name == "TIFF"


def upscale_stack(pages: Pages, target: Path | None, name: str, solve: Solve) -> tuple[list[Result], bytes]:
    """The results of all pages, without their pictures but for the first, and the bytes of the file that holds them.
    target: None for standard output.

    A page that cannot be read or solved fails the whole: half a stack is none.
    """
    from kfsr.image import StackWriter

    results: list[Result] = []
    writer = StackWriter(target, pages.count)
    for number, picture in enumerate(pages, 1):
        with checkpoint_for(target and target.with_name(f"{target.name}.{number}")) as state:
            result = solve(picture, state, f"{name}, page {number} of {pages.count}")
        writer.add(result.image)
        results.append(result if not results else replace(result, image=results[0].image))
    return results, writer.finish()
