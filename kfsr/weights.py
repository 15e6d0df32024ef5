"""Trained weights: those installed with kfsr, and files that users bring."""

from __future__ import annotations

import pickle
from functools import lru_cache
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from kfsr.errors import InputError
from kfsr.estimators import calibration as size
from kfsr.solvers import unrolled, usrnet

BUNDLED = "unrolled/unrolled.safetensors"
SIZE_JUDGE = "size/size.safetensors"


@lru_cache(maxsize=2)
def solver_network(path: Path | None, device: str) -> nn.Module:
    """The network of `--solver unrolled` on a device: the bundled one, or that of a file.

    A file is either one of our own (.safetensors) or a published USRNet state dict (.pth), which is read without
    running what a pickle may hold. Raises InputError, naming the file, when it is neither.
    """
    name = path or Path(BUNDLED)
    try:
        data = _bundled(BUNDLED) if path is None else path.read_bytes()
        if name.suffix == ".safetensors":
            net: nn.Module = unrolled.from_state(load(data))
        else:
            net = usrnet.from_state(_state_dict(name))
    except (OSError, SafetensorError, InputError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise InputError(f"{name}: {reason}; weights are a kfsr .safetensors or a USRNet .pth") from error
    if not all(bool(values.isfinite().all()) for values in net.state_dict().values()):
        raise InputError(f"{name}: the weights hold NaN or infinite values; get a fresh copy of the file")
    return net.to(device).eval()


@lru_cache(maxsize=1)
def size_judge() -> size.SizeNet:
    """The bundled net that judges the size of spectral kernels, on the CPU."""
    return size.from_state(load(_bundled(SIZE_JUDGE)))


def _bundled(name: str) -> bytes:
    """A file of `models`, which an installed wheel holds inside the package and a checkout beside it."""
    inside = resources.files("kfsr") / "models" / name
    return inside.read_bytes() if inside.is_file() else (Path(__file__).parents[1] / "models" / name).read_bytes()


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError("this is no state dict that can be read safely") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError("this is no state dict")
    return state
