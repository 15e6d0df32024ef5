"""The calls for other programs: pictures and kernels of any kind in, and the same kind out."""

from kfsr.api.calls import Result, Results, deblur, estimate_kernel, upscale, upscale_batch, upscale_each
from kfsr.api.forms import Cancelled, Picture

__all__ = [
    "Cancelled",
    "Picture",
    "Result",
    "Results",
    "deblur",
    "estimate_kernel",
    "upscale",
    "upscale_batch",
    "upscale_each",
]
