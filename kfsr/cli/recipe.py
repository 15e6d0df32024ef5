"""`kfsr recipe`."""

from __future__ import annotations

from kfsr.cli.command import command
from kfsr.cli.streams import Streams
from kfsr.cli.upscale import FIELDS
from kfsr.recipe import Recipe


@command(*FIELDS)
def recipe(streams: Streams, recipe: Recipe) -> int:
    """Print the choices made by these options as a file for --recipe, with every number of the preset in it.

    Any of them can be changed or deleted there; what is missing keeps its default. Options given together with
    --recipe override the file.
    """
    streams.write_text(recipe.to_toml().rstrip("\n"))
    return 0
