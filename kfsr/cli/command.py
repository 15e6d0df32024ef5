"""From a function to a command: its streams, its recipe, and its end in one line and a status."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kfsr.cli.fields import recipe_option
from kfsr.cli.status import conclude
from kfsr.errors import UsageError
from kfsr.recipe import Recipe

_RecipeFile = Annotated[
    Path | None,
    typer.Option("--recipe", metavar="FILE", help="Start from the choices in this file; `kfsr recipe` prints one."),
]


def command(
    *fields: str, aliases: Mapping[str, Sequence[str]] | None = None, scale: int | None = None
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a function a command of typer. It is called with the process's `streams`, with what the user gave for its
    own parameters and, where it has a parameter `recipe`, with the Recipe that the options for these `fields` and
    `--recipe` make; their place among the options is that of the parameter. aliases: other names of such options.
    scale: the recipe's, whatever a file says; the options offer what is defined there.

    Every exception becomes one line and a status, before typer has its own ideas.
    """

    def made(function: Callable[..., int]) -> Callable[..., int]:
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        parameters = [context]
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            if name == "recipe":
                parameters += [
                    _optional(one, recipe_option(one, (aliases or {}).get(one, ()), scale)) for one in fields
                ]
                parameters.append(_optional("recipe_file", _RecipeFile))
            elif name != "streams":
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        @functools.wraps(function)
        def call(context: typer.Context, **given: Any) -> int:
            streams = context.obj
            try:
                if "recipe_file" in given:
                    file = given.pop("recipe_file")
                    chosen = {name: given.pop(name) for name in fields} | ({} if scale is None else {"scale": scale})
                    recipe = Recipe.make(Recipe.from_toml(file) if file else None, **chosen)
                    if recipe.size is not None and "size" not in fields:
                        raise UsageError(f"a kernel is for a whole scale, not for {recipe.size}; use 1, 2, 3 or 4")
                    given["recipe"] = recipe
                status = function(streams, **given)
                streams.flush()
                return status
            except BaseException as error:
                return conclude(error, streams)

        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {one.name: one.annotation for one in parameters}
        return call

    return made


def _optional(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
