"""Weights that are found, and files that are none."""

import pytest
import torch
from safetensors.torch import save_file

from kfsr.errors import InputError
from kfsr.solvers.unrolled import UnrolledNet
from kfsr.solvers.usrnet import USRNet
from kfsr.weights import network


class Trap:
    """Runs code when a pickle of it is read without care."""

    def __reduce__(self):
        return (print, ("ran",))


def test_the_bundled_weights_are_there():
    net = network(None, ("unrolled", "usrnet"))
    assert isinstance(net, UnrolledNet)
    assert not net.training
    assert sum(p.numel() for p in net.parameters()) < 1_500_000


def test_they_are_read_once():
    assert network(None, ("unrolled", "usrnet")) is network(None, ("unrolled", "usrnet"))


def test_a_network_is_known_by_its_parameters_not_by_its_name(tmp_path):
    """USRNet's as safetensors, which was refused by its ending, and our own under another ending."""
    usrnet = USRNet((4, 6, 6, 8), 1, 8, 2)
    save_file(usrnet.state_dict(), tmp_path / "usrnet.safetensors")
    assert isinstance(network(tmp_path / "usrnet.safetensors", ("unrolled", "usrnet")), USRNet)
    torch.save(UnrolledNet((4, 6), 1, 2).state_dict(), tmp_path / "own.pth")
    assert isinstance(network(tmp_path / "own.pth", ("unrolled", "usrnet")), UnrolledNet)
    with pytest.raises(InputError, match="not weights of calibration"):
        network(tmp_path / "own.pth", ("calibration",))


def write_file(path, kind):
    if kind == "pickle":
        torch.save({"p.m_head.weight": Trap()}, path)
    elif kind == "tensor":
        torch.save(torch.zeros(3), path)
    elif kind == "state dict":
        torch.save({"weight": torch.zeros(3)}, path)
    elif kind == "text":
        path.write_text("weights")
    elif kind == "empty":
        path.touch()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", ["missing", "pickle", "tensor", "state dict", "text", "empty"])
def test_files_that_are_no_weights(kind, suffix, tmp_path, capsys):
    path = tmp_path / f"weights{suffix}"
    write_file(path, kind)
    with pytest.raises(InputError, match=f"weights{suffix}: .*; use a state dict"):
        network(path, ("unrolled", "usrnet"))
    assert "ran" not in capsys.readouterr().out
