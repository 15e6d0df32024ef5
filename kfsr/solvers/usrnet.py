"""USRNet (Zhang et al. 2020) as published, so that its users keep their weights: tiny, full, or any width.

The parameters keep the names of the published state dicts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kfsr.errors import InputError
from kfsr.operator.fourier import DataStep


class USRNet(nn.Module):
    """Data steps alternating with a residual U-Net, in the canonical convention; see `UnrolledNet` for the arguments.

    widths: channels of the four levels; blocks: residual blocks on each; hidden: of the hyper-parameter network.
    """

    def __init__(self, widths: tuple[int, int, int, int], blocks: int, hidden: int, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self.p = _ResUNet(widths, blocks)
        self.h = nn.ModuleDict({"mlp": _perceptron(hidden, 2 * iterations)})

    def forward(
        self,
        low_res: Tensor,
        kernel: Tensor,
        scale: int,
        sigma: Tensor,
        uncertainty: Tensor,
        correlation: Tensor | None = None,
    ) -> Tensor:
        """(B, 3, s*h, s*w) of `low_res` (B, 3, h, w) in [-1, 1]; it knows nothing of the last two."""
        sigma = sigma / 2  # the network lives in [0, 1]
        known = torch.stack([sigma, torch.full_like(sigma, float(scale))], 1)[:, :, None, None]
        with torch.autocast(known.device.type, enabled=False):
            parameters = F.softplus(self.h["mlp"](known)) + 1e-6
        step = DataStep((low_res + 1) / 2, kernel, scale)
        x = F.interpolate((low_res + 1) / 2, scale_factor=float(scale), mode="nearest")
        for i in range(self.iterations):
            x = step(x, parameters[:, i : i + 1])
            level = parameters[:, self.iterations + i, None].expand(-1, -1, *x.shape[-2:])
            x = self.p(torch.cat([x, level], 1))
        return 2 * x - 1


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.res = nn.Sequential(_conv(width, width), nn.ReLU(), _conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.res(x)


class _ResUNet(nn.Module):
    def __init__(self, widths: tuple[int, int, int, int], blocks: int) -> None:
        super().__init__()
        a, b, c, d = widths

        def residuals(width: int) -> list[nn.Module]:
            return [_Residual(width) for _ in range(blocks)]

        self.m_head = _conv(4, a)
        self.m_down1 = nn.Sequential(*residuals(a), nn.Conv2d(a, b, 2, 2, bias=False))
        self.m_down2 = nn.Sequential(*residuals(b), nn.Conv2d(b, c, 2, 2, bias=False))
        self.m_down3 = nn.Sequential(*residuals(c), nn.Conv2d(c, d, 2, 2, bias=False))
        self.m_body = nn.Sequential(*residuals(d))
        self.m_up3 = nn.Sequential(nn.ConvTranspose2d(d, c, 2, 2, bias=False), *residuals(c))
        self.m_up2 = nn.Sequential(nn.ConvTranspose2d(c, b, 2, 2, bias=False), *residuals(b))
        self.m_up1 = nn.Sequential(nn.ConvTranspose2d(b, a, 2, 2, bias=False), *residuals(a))
        self.m_tail = _conv(a, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        x1 = self.m_head(F.pad(x, (0, -w % 8, 0, -h % 8), mode="replicate").to(memory_format=torch.channels_last))
        x2 = self.m_down1(x1)
        x3 = self.m_down2(x2)
        x4 = self.m_down3(x3)
        y = self.m_up3(self.m_body(x4) + x4)
        y = self.m_up1(self.m_up2(y + x3) + x2)
        return self.m_tail(y + x1)[..., :h, :w].float()


def from_state(state: dict[str, Tensor]) -> USRNet:
    """The network of a published state dict, its sizes read from the weights; InputError when it is none."""
    try:
        down = [state[f"p.m_down{n}.0.res.0.weight"].shape[0] for n in (1, 2, 3)]
        widths = (down[0], down[1], down[2], state["p.m_body.0.res.0.weight"].shape[0])
        blocks = len({name.split(".")[2] for name in state if name.startswith("p.m_body.")})
        hidden, iterations = state["h.mlp.0.weight"].shape[0], state["h.mlp.4.weight"].shape[0] // 2
        net = USRNet(widths, blocks, hidden, iterations)
        net.load_state_dict(state)
    except (KeyError, RuntimeError, AttributeError, IndexError) as error:
        raise InputError("the file does not hold the weights of a USRNet") from error
    return net


def _perceptron(hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, outputs, 1)
    )


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
