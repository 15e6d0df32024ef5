"""`kfsr recipe`."""

from __future__ import annotations

from kfsr.cli.command import command
from kfsr.cli.streams import Streams
from kfsr.cli.upscale import FIELDS
from kfsr.recipe import Recipe


@command(*FIELDS)
def recipe(streams: Streams, recipe: Recipe) -> int:
    """Print the choices that these options make as a file for --recipe, with every number of the preset in it.

    In that file any of them can be changed, and any left out, which then keeps its default. Options given beside
    --recipe go before the file.
    """
    streams.write_text(recipe.to_toml().rstrip("\n"))
    return 0
