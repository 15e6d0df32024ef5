"""`--kernel-method kernelfusion` through the command line, on small pictures."""

import json

import pytest
from process import kfsr_run
from test_cli_upscale import opened

from kfsr.kernel import load_kernel


@pytest.mark.slow
def test_the_joint_picture_comes_out_with_its_kernel(photos):
    (photos / "brief.toml").write_text(
        'preset = "fast"\nkernel_method = "kernelfusion"\n[settings.kernelfusion.patch]\nwidth = 16\nsteps = 60\n'
    )
    options = ("--recipe", "brief.toml", "--joint", "--save-kernel", "k.npz", "--json", "--threads", "1")
    done = kfsr_run(photos, "upscale", "gray.png", *options).ok()
    record = json.loads(done.stdout)
    assert (record["kernel"]["method"], record["solver"]) == ("kernelfusion", "joint")
    assert record["residual"] < 20  # a flat gray one has over 50
    kernel = load_kernel(photos / "k.npz", 2)
    assert (kernel.method, kernel.size) == ("kernelfusion", 12)
    width, height = opened(photos / "gray.png").size
    assert opened(photos / "gray_x2.png").size == (2 * width, 2 * height)


def test_joint_belongs_to_kernelfusion(photos):
    done = kfsr_run(photos, "upscale", "gray.png", "--joint", "--kernel-method", "ikl")
    assert done.status == 2
    assert "only kernelfusion finds the picture with the kernel, not ikl" in done.stderr
    assert not (photos / "gray_x2.png").exists()
