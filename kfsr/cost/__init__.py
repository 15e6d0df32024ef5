"""What a run takes: seconds and memory."""

from kfsr.cost.model import Cost, of_kernel, of_picture, of_run

__all__ = ["Cost", "of_kernel", "of_picture", "of_run"]
