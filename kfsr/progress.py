"""The one way in which progress leaves the core."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, step, total)`` with ``step`` counting from 1 to ``total`` within a stage."""


def silent(stage: str, step: int, total: int) -> None:
    """A `Progress` that drops everything."""
