"""The trainer of the calibration, for a few steps."""

import pickle

import numpy as np
from safetensors.torch import load_file

from kfsr.estimators.calibration import from_state
from kfsr.training.calibration import main, turned


def test_a_few_steps_give_weights_that_load(photographs, tmp_path, capfd):
    samples = tmp_path / "samples.pkl"
    small = ["--count", "12", "--epochs", "1", "--batch", "4", "--workers", "1", "--dirty", "0.5"]
    main([str(photographs), "-o", str(tmp_path), "--samples", str(samples), *small])
    assert "epoch 1" in capfd.readouterr().err
    from_state(load_file(tmp_path / "calibration.safetensors"))
    with samples.open("rb") as kept:
        chunk = pickle.load(kept)
    assert len(chunk) == 12
    assert 0 < sum(one.kind in ("phone", "web", "scan") for one in chunk) < 12


def test_picture_and_kernel_are_turned_alike():
    x, shape = np.arange(6).reshape(2, 3), np.array([1.0, 0.5, 0.2])
    for symmetry in range(8):
        y, turned_shape = turned(x, shape, symmetry)
        assert sorted(y.ravel()) == list(range(6))
        assert turned_shape[0] == 1
        assert np.abs(turned_shape[1:]).tolist() == [0.5, 0.2]
