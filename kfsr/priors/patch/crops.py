"""Random crops of pictures, the training data of everything that learns from one photo."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_CANDIDATES = 16


class CropSampler:
    """Draws square crops of (1, C, H, W) pictures, each picture as often as its area.

    turn: also turn and mirror each crop at random, one of the eight symmetries of the square. Never for a model that
    a kernel is estimated with: it would learn the mixture of k and its mirror images.
    focus: draw in proportion to the crop's gradient energy (as a power spectrum weighs patches), so that smooth and
    out-of-focus background does not outvote what is sharp.
    """

    def __init__(self, pictures: list[Tensor], *, turn: bool = False, focus: bool = False) -> None:
        self.pictures = pictures
        self.turn = turn
        self.areas = torch.tensor([float(p.shape[-2] * p.shape[-1]) for p in pictures])
        self.energy = [_integral_energy(p) for p in pictures] if focus else None

    @property
    def channels(self) -> int:
        """Channels of every crop."""
        return int(self.pictures[0].shape[1])

    @property
    def device(self) -> torch.device:
        """Where the crops lie."""
        return self.pictures[0].device

    @property
    def largest(self) -> int:
        """Side of the largest crop that fits every picture."""
        return min(min(p.shape[-2:]) for p in self.pictures)

    def draw(self, count: int, crop: int, generator: torch.Generator) -> Tensor:
        """(count, C, crop, crop), crop <= `largest`; `generator` is a CPU one."""
        candidates = 1 if self.energy is None else _CANDIDATES
        which = torch.multinomial(self.areas, count, replacement=True, generator=generator).tolist()
        places = torch.rand(count, candidates, 2, generator=generator)
        votes = torch.rand(count, generator=generator).tolist()
        symmetries = torch.randint(8 if self.turn else 1, (count,), generator=generator).tolist()
        crops = []
        for n, place, vote, r in zip(which, places, votes, symmetries, strict=True):
            picture = self.pictures[n]
            room = torch.tensor([picture.shape[-2] - crop + 1, picture.shape[-1] - crop + 1])
            corners = (place * room).long()
            pick = 0
            if self.energy is not None:
                share = _crop_energy(self.energy[n], corners, crop).cumsum(0)
                pick = min(int((share < vote * share[-1]).sum()), candidates - 1)
            i, j = corners[pick].tolist()
            c = torch.rot90(picture[0, :, i : i + crop, j : j + crop], r % 4, (1, 2))
            crops.append(c.flip(2) if r > 3 else c)
        return torch.stack(crops)


def _integral_energy(picture: Tensor) -> Tensor:
    """Integral image (H + 1, W + 1), float64 on the CPU, of the squared gradient of (1, C, H, W)."""
    plane = picture[0].mean(0).double().cpu()
    energy = torch.zeros_like(plane)
    energy[1:] += (plane[1:] - plane[:-1]) ** 2
    energy[:, 1:] += (plane[:, 1:] - plane[:, :-1]) ** 2
    return F.pad(energy.cumsum(0).cumsum(1), (1, 0, 1, 0))


def _crop_energy(integral: Tensor, corners: Tensor, crop: int) -> Tensor:
    i, j = corners.unbind(1)
    inner = integral[i + crop, j + crop] - integral[i, j + crop] - integral[i + crop, j] + integral[i, j]
    return inner.clamp_min(0) + 1e-12
