"""The optimiser of the solver's training: Muon for convolutions, Adam for all else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class MuonAndAdam:
    """Muon (Jordan et al. 2024) makes a matrix's step orthogonal, so that all of its directions learn equally fast;
    here a convolution is the matrix (outputs, the rest). With the same rate its steps are as long as Adam's."""

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float) -> None:
        parameters = list(parameters)
        self.convolutions = [p for p in parameters if p.ndim == 4]
        # In the memory of the parameters themselves.
        self.matrices = [nn.Parameter(_as_matrix(p.detach(), p)) for p in self.convolutions]
        self.muon = torch.optim.Muon(
            self.matrices, rate, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        )
        self.adam = torch.optim.Adam([p for p in parameters if p.ndim != 4], rate, betas=(0.9, 0.99))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.adam.zero_grad(set_to_none=True)
        for p in self.convolutions:
            p.grad = None

    def step(self, rate: float) -> None:
        """One step against the gradients."""
        for group in (*self.muon.param_groups, *self.adam.param_groups):
            group["lr"] = rate
        for matrix, p in zip(self.matrices, self.convolutions, strict=True):
            matrix.grad = None if p.grad is None else _as_matrix(p.grad, p)
        self.muon.step()
        self.adam.step()

    def state_dict(self) -> dict[str, Any]:
        """What both have learned of the way so far."""
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


def _as_matrix(x: Tensor, like: Tensor) -> Tensor:
    """(a, b, c, d) as (a, the rest), in the order in which `like` lies in memory."""
    return x.flatten(1) if like.is_contiguous() else x.permute(0, 2, 3, 1).flatten(1)
