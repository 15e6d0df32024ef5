"""`--kernel-method kernelfusion` through the command line, on small pictures."""

import json

import pytest
from process import kfsr_run
from test_cli_upscale import opened

from kfsr.kernel import load_kernel

FUSION = ("--kernel-method", "kernelfusion", "--preset", "fast", "--threads", "1")


@pytest.mark.slow
def test_the_kernel_goes_to_the_solver_or_the_joint_picture_comes_out(photos):
    done = kfsr_run(photos, "upscale", "gray.png", *FUSION, "--save-kernel", "k.npz", "-o", "a.png", "--json").ok()
    record = json.loads(done.stdout)
    assert (record["kernel"]["method"], record["solver"]) == ("kernelfusion", "unrolled")
    kernel = load_kernel(photos / "k.npz", 2)
    assert (kernel.method, kernel.size) == ("kernelfusion", 12)

    done = kfsr_run(photos, "upscale", "gray.png", *FUSION, "--joint", "-o", "b.png", "--json").ok()
    record = json.loads(done.stdout)
    assert (record["solver"], record["gate"]["verdict"]) == ("joint", "trusted")
    assert record["residual"] < 12
    width, height = opened(photos / "gray.png").size
    for name in ("a.png", "b.png"):
        assert opened(photos / name).size == (2 * width, 2 * height)
    assert opened(photos / "a.png").tobytes() != opened(photos / "b.png").tobytes()


def test_joint_belongs_to_kernelfusion(photos):
    done = kfsr_run(photos, "upscale", "gray.png", "--joint", "--kernel-method", "ikl")
    assert done.status == 2
    assert "only kernelfusion finds the picture with the kernel, not ikl" in done.stderr
    assert not (photos / "gray_x2.png").exists()
