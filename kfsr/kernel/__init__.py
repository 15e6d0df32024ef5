"""The kernel: its value and origin, its files, the Gaussian family, other programs' conventions, comparison."""

from kfsr.kernel.compare import KernelScore, compare_kernels
from kfsr.kernel.conventions import (
    from_div2krk,
    from_kernelgan,
    from_true_convolution,
    from_usrnet,
    shift_div2krk,
    to_kernelgan,
    to_true_convolution,
    to_usrnet,
)
from kfsr.kernel.field import KernelField
from kfsr.kernel.files import kernel_bytes, load_kernel, save_kernel
from kfsr.kernel.gaussian import bicubic_kernel, box_kernel, gaussian_kernel, half_kernel, resize_kernel
from kfsr.kernel.lens import Lens, load_kernel_or_lens, load_lens, save_lens
from kfsr.kernel.plot import plot_kernel
from kfsr.kernel.provenance import GIVEN, UNKNOWN, Provenance
from kfsr.kernel.value import MAX_SIZE, SCALES, Kernel, check_scale, default_size

__all__ = [
    "GIVEN",
    "MAX_SIZE",
    "SCALES",
    "UNKNOWN",
    "Kernel",
    "KernelField",
    "KernelScore",
    "Lens",
    "Provenance",
    "bicubic_kernel",
    "box_kernel",
    "check_scale",
    "compare_kernels",
    "default_size",
    "from_div2krk",
    "from_kernelgan",
    "from_true_convolution",
    "from_usrnet",
    "gaussian_kernel",
    "half_kernel",
    "kernel_bytes",
    "load_kernel",
    "load_kernel_or_lens",
    "load_lens",
    "plot_kernel",
    "resize_kernel",
    "save_kernel",
    "save_lens",
    "shift_div2krk",
    "to_kernelgan",
    "to_true_convolution",
    "to_usrnet",
]
