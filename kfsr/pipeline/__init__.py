"""The one composition: picture in; kernel, patch model, solver and gate; picture, kernel and report out."""

from kfsr.pipeline.kernels import KERNEL_INITS, KERNEL_METHODS, check_kernel_method
from kfsr.pipeline.run import Report, Result, Window, check_joint, estimate_kernel, upscale
from kfsr.pipeline.solving import SOLVERS, check_solver

__all__ = [
    "KERNEL_INITS",
    "KERNEL_METHODS",
    "SOLVERS",
    "Report",
    "Result",
    "Window",
    "check_joint",
    "check_kernel_method",
    "check_solver",
    "estimate_kernel",
    "upscale",
]
