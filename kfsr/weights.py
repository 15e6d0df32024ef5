"""Trained weights: those installed with kfsr, and files that users bring. A new kind of network is a line here."""

from __future__ import annotations

import importlib
import io
import pickle
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from kfsr.errors import InputError


@dataclass(frozen=True)
class Kind:
    """A kind of network. module: its `from_state` builds the network from a state dict, sizes included. key: a
    parameter that no other kind has, by which a state dict is recognised. bundled: the file in `models`, if any."""

    module: str
    key: str
    bundled: str = ""


KINDS = {
    "unrolled": Kind("kfsr.solvers.unrolled", "prior.head.weight", "unrolled/unrolled.safetensors"),
    "deblur": Kind("kfsr.solvers.unrolled", "prior.head.weight", "deblur/deblur.safetensors"),
    "usrnet": Kind("kfsr.solvers.usrnet", "p.m_head.weight"),
    "gate": Kind("kfsr.pipeline.gate", "share.5.bias", "gate/gate.safetensors"),
    "calibration": Kind("kfsr.estimators.calibration", "attention.weight", "calibration/calibration.safetensors"),
    "softness": Kind("kfsr.estimators.softness", "places.weight", "softness/softness.safetensors"),
    "kernel diffusion": Kind(
        "kfsr.priors.kernel_diffusion", "kernel_in.weight", "kernel_diffusion/kernel_diffusion.safetensors"
    ),
}


def network(path: Path | None, kinds: tuple[str, ...], device: str = "cpu") -> nn.Module:
    """The network of a file, which must be of one of the `kinds`, or the bundled one of the first (None).

    A file is a state dict as safetensors or as torch saves it, which is read without running what a pickle may hold;
    which network it belongs to is told by its parameters, never by its name. Raises InputError, naming the file, for
    all that is wrong with it.
    """
    name = path or Path(KINDS[kinds[0]].bundled)
    try:
        stamp = 0 if path is None else path.stat().st_mtime_ns
        return _network(path, kinds, device, stamp)
    except (OSError, InputError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        advice = "use a state dict of kfsr's solver or of USRNet" if path else "install kfsr again"
        raise InputError(f"{name}: {reason}; {advice}") from error


@lru_cache(maxsize=4)
def _network(path: Path | None, kinds: tuple[str, ...], device: str, stamp: int) -> nn.Module:
    state = _state_dict(_bundled(KINDS[kinds[0]].bundled) if path is None else path.read_bytes())
    found = next((kind for kind in kinds if KINDS[kind].key in state), None)
    if found is None:
        raise InputError(f"these are not weights of {' or '.join(kinds)}")
    net: nn.Module = importlib.import_module(KINDS[found].module).from_state(state)
    if not all(bool(values.isfinite().all()) for values in net.state_dict().values()):
        raise InputError("the weights hold NaN or infinite values; get a fresh copy of the file")
    return net.to(device).eval()


def _bundled(name: str) -> bytes:
    """A file of `models`, which an installed wheel holds inside the package and a checkout beside it."""
    inside = resources.files("kfsr") / "models" / name
    return inside.read_bytes() if inside.is_file() else (Path(__file__).parents[1] / "models" / name).read_bytes()


def _state_dict(data: bytes) -> dict[str, Tensor]:
    try:
        if data[8:9] == b"{":  # safetensors: the length of its header, then the header
            return load(data)
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise InputError(f"damaged safetensors file ({error})") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError("this is not a state dict that can be read safely") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError("this is not a state dict")
    return state
