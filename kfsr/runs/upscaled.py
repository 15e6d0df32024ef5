"""What is left of a picture that has been written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfsr.kernel import Kernel


@dataclass(frozen=True)
class Upscaled:
    """size: its width and height. report: the pipeline's. data: the picture's file, where it goes to standard output.
    kernel: what it was inverted with, of a stack the first page's."""

    size: tuple[int, int]
    report: dict[str, Any]
    data: bytes | None = None
    kernel: Kernel | None = None
