"""The one composition: picture and recipe in; kernel, solver and gate; picture, kernel and report out."""

from kfsr.pipeline.check import check, check_method
from kfsr.pipeline.deblurring import deblur
from kfsr.pipeline.run import Report, Result, Window, estimate_kernel, upscale

__all__ = ["Report", "Result", "Window", "check", "check_method", "deblur", "estimate_kernel", "upscale"]
