"""`kfsr deblur`: upscaling by 1."""

from __future__ import annotations

from typing import Any

from kfsr.cli.command import command
from kfsr.cli.streams import Streams
from kfsr.cli.upscale import FIELDS, enlarge, same_options

NOT_HERE = ("scale", "size", "kernel_init", "joint")
"""What only methods that compare scales ask for, and the scale."""


@command(*(name for name in FIELDS if name not in NOT_HERE), scale=1)
@same_options(enlarge)
def deblur(streams: Streams, **given: Any) -> int:
    """Sharpen shaken, defocused or soft pictures at their own size.

    The result is PHOTO_sharp.png beside PHOTO.png, in the same format, or what -o says. A picture that is sharp already
    is left as it is, and so is its file where it is only copied: a JPEG is not compressed again. All else is as in
    `upscale`, of which this is --scale 1.
    """
    return enlarge(streams, **given)
