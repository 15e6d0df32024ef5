"""What somebody may have meant by a call that is none: the words of other programs, and this one's."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from kfsr.errors import UsageError

_COMMANDS = {
    "upscale": ("enlarge", "resize", "superres", "super-resolution", "sr", "zoom", "scale", "enhance", "restore"),
    "deblur": ("sharpen", "unblur", "deconvolve", "deconv", "refocus", "deshake"),
    "kernel": ("estimate", "psf", "blur"),
    "degrade": ("downscale", "shrink", "downsample"),
    "evaluate": ("score", "compare", "psnr", "ssim", "niqe", "metrics"),
    "bench": ("benchmark", "test"),
    "report": ("html", "gallery", "view"),
    "doctor": ("check", "info", "selftest"),
}

_OPTIONS = {
    "--scale 4": ("--factor", "--times", "--ratio", "--upscale", "--zoom", "-x", "-f"),
    "--size 1920x": ("--width", "--resize", "-w"),
    "--size x1080": ("--height",),
    "-o PATH": ("--out", "--outdir", "--out-dir", "--output-dir", "--dest"),
    "--workers 4": ("--jobs", "-j", "--processes", "--num-workers", "--parallel"),
    "--device cuda": ("--gpu", "--cuda"),
    "--device cpu": ("--cpu",),
    "--max-memory 4G": ("--memory", "--tile", "--tile-size"),
    "--kernel-method NAME": ("--method", "--estimator"),
    "--solver NAME, or --weights FILE": ("--model", "--network", "--checkpoint"),
    "--preset best": ("--best", "--slow", "--hq"),
    "--preset fast": ("--fast",),
    "--no-overwrite": ("--keep", "--no-clobber", "-n"),
    "--skip-existing": ("--resume", "--continue", "--skip"),
    "--denoise 0.5": ("--noise", "--denoising"),
    "--strength 0.6": ("--sharpness", "--amount", "--blend"),
}

_FACTOR = re.compile(r"[x*]?(?P<factor>\d(\.\d+)?)x?", re.IGNORECASE)


def command_meant(name: str, arguments: Sequence[str], commands: Sequence[str]) -> str:
    """The end of a sentence about a command that there is not."""
    if Path(name).exists() or Path(name).suffix:
        return f"; to upscale pictures, write: kfsr upscale {shlex.join(with_scale(arguments))}"
    known = [one for one, others in _COMMANDS.items() if name.lower() in others]
    close = known or difflib.get_close_matches(name, commands, 1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(commands)}"


def option_meant(name: str, command: str) -> str:
    """What to write in place of an option that there is not; empty where nobody knows."""
    if command.endswith("deblur") and name in ("--scale", "-s", "--size"):
        value = "1920x" if name == "--size" else "2"
        return f"deblur keeps the size; to enlarge, write: kfsr upscale PHOTO {name} {value}"
    known = [one for one, others in _OPTIONS.items() if name.lower() in others]
    return f"there is no option {name}; write {known[0]}" if known else ""


def refuse_factor_among(names: Sequence[str]) -> None:
    """UsageError where an input is a factor, as other programs take it."""
    for name in names:
        found = _FACTOR.fullmatch(name)
        if found and not os.path.lexists(name):
            others = [one for one in names if one != name]
            raise UsageError(
                f"{name}: there is no such input; for a factor, write: {shlex.join(others)} --scale {found['factor']}"
            )


def with_scale(arguments: Sequence[str]) -> list[str]:
    """The same arguments with --scale before what looks like a factor."""
    made: list[str] = []
    for one in arguments:
        found = _FACTOR.fullmatch(one)
        is_factor = found and not os.path.lexists(one) and not (made and made[-1].startswith("-"))
        made += ["--scale", found["factor"]] if found and is_factor else [one]
    return made
