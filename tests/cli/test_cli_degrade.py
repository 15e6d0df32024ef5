"""`kfsr degrade` against SciPy and Pillow."""

import io
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from process import command, environment, kfsr_run
from scipy.ndimage import correlate

from kfsr.kernel import gaussian_kernel, save_kernel, to_kernelgan


def levels(source):
    return np.asarray(PIL.Image.open(source)).astype(float)


@pytest.mark.parametrize("scale", [2, 3])
def test_agrees_with_scipy(photos, scale):
    kernel = gaussian_kernel(np.array([[2.0, 0.9], [0.9, 1.2]]), scale)
    save_kernel(kernel, photos / "k.npz")
    done = kfsr_run(photos, "degrade", "gray.png", "--kernel", "k.npz", "-s", scale, "-o", "low.png").ok()
    sharp = levels(photos / "gray.png")
    low = correlate(sharp, to_kernelgan(kernel), mode="mirror")[::scale, ::scale][: 66 // scale, : 64 // scale]
    assert np.abs(levels(photos / "low.png") - low).max() <= 0.5 + 1e-6
    assert done.stderr.splitlines()[-1] == f"gray.png -> low.png: {64 // scale}x{66 // scale}"
    # 64 is not a multiple of 3, and that is said.
    assert ("not a multiple" in done.stderr) == (scale == 3)


def test_bicubic_is_what_pillow_does(photos):
    kfsr_run(photos, "degrade", "face.png", "--kernel", "bicubic", "-s", "2", "-o", "low.png").ok()
    pillow = PIL.Image.open(photos / "face.png").resize((40, 32), PIL.Image.Resampling.BICUBIC)
    inside = (slice(3, -3), slice(3, -3))
    assert np.abs(levels(photos / "low.png") - np.asarray(pillow))[inside].max() <= 1


def test_noise_has_its_size_and_its_seed(photos):
    flat = PIL.Image.new("L", (200, 200), 128)
    flat.save(photos / "flat.png")
    args = ("degrade", "flat.png", "--kernel", "box", "--noise", "5", "-o")
    kfsr_run(photos, *args, "a.png", "--seed", "1").ok()
    kfsr_run(photos, *args, "b.png", "--seed", "1").ok()
    kfsr_run(photos, *args, "c.png", "--seed", "2").ok()
    a, b, c = (levels(photos / name) for name in ("a.png", "b.png", "c.png"))
    assert a.std() == pytest.approx(5, rel=0.03)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_stdin_to_stdout_and_transparency(photos):
    image = PIL.Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    image.paste((0, 0, 255, 0), (22, 0, 40, 40))  # invisible blue on the right
    data = io.BytesIO()
    image.save(data, "PNG")
    args = ("degrade", "-", "--kernel", "box", "-s", "4", "-o", "-", "-q")
    done = kfsr_run(photos, *args, stdin=data.getvalue()).ok()
    low = levels(io.BytesIO(done.stdout))
    assert low.shape == (10, 10, 4)
    assert (low[:, :5] == (255, 0, 0, 255)).all()  # no blue leaks in
    assert (low[:, 5] == (255, 0, 0, 128)).all()  # nor where half of the block is invisible
    assert (low[:, 6:, 3] == 0).all()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space through Linux")
def test_too_little_memory_is_a_status_of_its_own(photos):
    import resource

    PIL.Image.new("L", (9000, 9000)).save(photos / "huge.png")
    loaded = "import torch, kfsr.operator.spatial, kfsr.image, kfsr.kernel; print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, env=environment())
    peak = int(status.stdout.split("VmPeak:")[1].split()[0]) * 1024
    limit = peak + 700 * 2**20  # the picture alone takes 650 MB as float64

    def restrict():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    args = ("degrade", "huge.png", "--kernel", "box", "-o", "low.png")
    done = subprocess.run(
        command(*args), cwd=photos, capture_output=True, text=True, env=environment(), preexec_fn=restrict
    )
    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("kfsr: error: huge.png: not enough memory")
    assert len(done.stderr.splitlines()) == 1
    assert not (photos / "low.png").exists()
