"""The command line. Each command is a thin file: read options, call the library, say what happened.

Only this package knows typer and tqdm. Nothing here may import torch, numpy or scipy before a command runs:
`kfsr --help` has to answer at once.
"""

from kfsr.cli.app import run

__all__ = ["run"]
