"""`kfsr demo`."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Annotated

import typer

from kfsr.cli import options
from kfsr.cli.command import command
from kfsr.cli.console import Console
from kfsr.cli.streams import Streams
from kfsr.cli.upscale import enlarge
from kfsr.errors import OutputError
from kfsr.recipe import Recipe

PICTURE = "demo.png"
"""NASA's portrait of Eileen Collins (public domain, `skimage.data.astronaut`), shrunk from 512 to 128 px by a Gaussian
with standard deviations of 4.2 and 2.8 px, its long axis 35 degrees off the vertical."""


@command()
def demo(
    streams: Streams,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where everything goes.")] = Path(
        "kfsr-demo"
    ),
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    device: options.DeviceOption = "auto",
    threads: options.ThreadsOption = None,
    quiet: options.QuietOption = False,
) -> int:
    """See what kfsr does, in some ten seconds: a small portrait that comes with it, enlarged by 4.

    Writes the portrait, the result, both side by side, and a page to look at: index.html. The blur of the portrait
    is found from the portrait alone.
    """
    from kfsr.files import write_bytes

    photo, page = output / "portrait.png", output / "index.html"
    data = (importlib.resources.files("kfsr.report") / PICTURE).read_bytes()
    try:
        output.mkdir(parents=True, exist_ok=True)
        foreign = photo.exists() and photo.read_bytes() != data
    except OSError as error:
        raise OutputError(
            f"{output}: no folder can be made there ({error.strerror}); choose another with -o"
        ) from error
    if foreign:
        raise OutputError(f"{photo}: is another picture; choose another folder with -o")
    write_bytes(photo, data)
    status = enlarge(
        streams,
        inputs=[str(photo)],
        output=str(output / "portrait_x4.png"),
        recipe=Recipe.make(scale=4),
        report=page,
        compare=True,
        device=device,
        threads=threads,
        quiet=quiet,
    )
    address = page.resolve().as_uri()
    Console(streams, quiet).note(f"open {address} in a browser; for your own pictures: kfsr upscale PHOTO --scale 4")
    if open_page:
        import webbrowser

        webbrowser.open(address)
    return status
