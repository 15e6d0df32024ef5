"""Weights that are found, and files that are none."""

import pytest
import torch

from kfsr.errors import InputError
from kfsr.solvers.unrolled import UnrolledNet
from kfsr.weights import network


class Trap:
    """Runs code when a pickle of it is read without care."""

    def __reduce__(self):
        return (print, ("ran",))


def test_the_bundled_weights_are_there():
    net = network(None, ("unrolled", "usrnet"))
    assert isinstance(net, UnrolledNet)
    assert not net.training
    assert sum(p.numel() for p in net.parameters()) < 750_000


def test_they_are_read_once():
    assert network(None, ("unrolled", "usrnet")) is network(None, ("unrolled", "usrnet"))


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
