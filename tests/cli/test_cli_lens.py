"""`kfsr kernel --clean`, `kfsr kernel --grid` and `kfsr deblur --kernel` with a lens's file."""

import json

import numpy as np
import PIL.Image
import pytest
from process import kfsr_run

from kfsr.kernel import KernelField, Lens, gaussian_kernel, load_lens, save_lens
from kfsr.kernel.shot import Shot


def scene(seed, shape=(128, 160)):
    """A random texture of power 1/f^2, gray, 8 bits."""
    random = np.random.default_rng(seed)
    f, g = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    x = np.fft.irfft2(np.fft.rfft2(random.normal(size=shape)) / np.maximum(np.hypot(f, g), 1 / 128), shape)
    return np.repeat(np.round(127 + 40 * x / x.std()).clip(0, 255).astype(np.uint8)[..., None], 3, 2)


@pytest.fixture
def heaps(tmp_path):
    """A folder with soft/ and sharp/, four pictures each."""
    import scipy.ndimage as ndi

    for name in ("soft", "sharp"):
        (tmp_path / name).mkdir()
    for n in range(4):
        soft = ndi.gaussian_filter(scene(n).astype(float), (1.2, 1.2, 0))
        PIL.Image.fromarray(soft.round().astype(np.uint8)).save(tmp_path / "soft" / f"{n}.png")
        PIL.Image.fromarray(scene(10 + n)).save(tmp_path / "sharp" / f"{n}.png")
    return tmp_path


def a_lens(path, shot=Shot()):  # noqa: B008 - frozen
    save_lens(Lens(KernelField.of(gaussian_kernel(np.eye(2), 1, 9)), (160, 128), shot), path)


def test_a_lens_is_measured_drawn_and_used(heaps):
    done = kfsr_run(
        heaps,
        *("kernel", "soft", "--clean", "sharp", "--scale", "1", "--grid", "1x2", "--channels", "rgb"),
        *("-o", "lens.npz", "--plot", "lens.png", "--json"),
    ).ok()
    said = json.loads(done.stdout)
    assert (said["status"], said["pictures"], said["clean"], said["grid"]) == ("done", 4, 4, [1, 2])
    lens = load_lens(heaps / "lens.npz")
    assert lens.field.array.shape[:3] == (1, 2, 3)
    assert lens.size == (160, 128)
    assert lens.provenance.method == "heaps"
    PIL.Image.open(heaps / "lens.png").verify()
    used = kfsr_run(heaps, "deblur", "soft/0.png", "--kernel", "lens.npz", "-o", "out.png").ok()
    assert "blur of" in used.stderr
    assert PIL.Image.open(heaps / "out.png").size == (160, 128)


def test_one_photograph_tells_its_own_lens(tmp_path):
    from skimage import data

    x = data.astronaut()[:480].copy()
    x[:, :-1, 2] = x[:, 1:, 2]
    PIL.Image.fromarray(x).save(tmp_path / "photo.png")
    done = kfsr_run(tmp_path, "kernel", "photo.png", "--scale", "1", "--grid", "2x3", "--json", "-o", "own.npz").ok()
    said = json.loads(done.stdout)
    assert (said["status"], said["grid"], said["kernel"]["method"]) == ("done", [2, 3], "lens")
    lens = load_lens(tmp_path / "own.npz")
    assert lens.field.array.shape[:3] == (2, 3, 3)
    assert lens.provenance.pictures == ("photo.png",)
    at = np.arange(lens.field.array.shape[-1]) - lens.field.array.shape[-1] // 2
    assert (lens.field.array[:, :, 2].sum(-2) @ at).mean() == pytest.approx(1, abs=0.15)
    assert "colours up to 1." in done.stderr
    kfsr_run(tmp_path, "deblur", "photo.png", "--kernel", "own.npz", "-o", "out.png").ok()
    kfsr_run(tmp_path, "kernel", "photo.png", "--scale", "1", "--grid", "2x3", "--channels", "one").ok()
    assert load_lens(tmp_path / "photo_kernel.npz").field.array.shape[:3] == (2, 3, 1)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("soft", "--clean", "soft", "-o", "k.npz"), 2, "is among the blurred pictures and in --clean"),
        (("soft/0.png", "--clean", "sharp", "-o", "k.npz"), 4, "1 of blurred pictures are too few"),
        (("soft", "gone.png", "--clean", "sharp", "-o", "k.npz"), 4, "kfsr: error: gone.png: no such file"),
        (("soft", "--clean", "sharp"), 2, "name its file with -o"),
        (("soft", "--clean", "sharp", "-o", "k.png", "--grid", "2x2"), 2, "kept in a .npz file"),
        (("soft", "--clean", "sharp", "-o", "k.npz", "--grid", "two"), 2, "takes two whole numbers"),
        (("soft", "--clean", "sharp", "-o", "k.npz", "--grid", "0x2"), 2, "takes 1 to 32"),
        (("soft", "--clean", "sharp", "-o", "k.npz", "--grid", "20x20"), 4, "take a coarser grid"),
        (("soft/0.png", "--grid", "2x2", "-o", "k.npy"), 2, "kept in a .npz file"),
        (("soft/0.png", "--grid", "2x2", "-o", "-"), 2, "kept in a .npz file"),
        (("soft/0.png", "--grid", "0x2", "-o", "k.npz"), 2, "takes 1 to 32"),
        (("soft", "--grid", "2x2", "--shared", "-o", "k.npz"), 2, "leave --shared out"),
        (("soft/0.png", "--grid", "2x2", "--method", "soft", "-o", "k.npz"), 2, "leave --method and --init out"),
        (("soft/0.png", "--grid", "2x2", "--refine", "-o", "k.npz"), 2, "leave --refine out"),
        (("soft/0.png", "--channels", "rgb", "-o", "k.npz"), 2, "add --grid"),
        (("soft/0.png", "--grid", "2x2", "-o", "k.npz"), 4, "take a larger or a busier one"),
        (("soft", "--clean", "sharp", "-o", "k.png", "--plot", "k.png"), 2, "k.png is already used for something else"),
        (("soft", "--clean", "sharp", "-o", "k.npz", "--method", "shake"), 2, "leave --method and --init out"),
    ],
)
def test_what_cannot_be_meant_is_one_line(heaps, arguments, status, words):
    done = kfsr_run(heaps, "kernel", *arguments, "--scale", "1")
    assert done.status == status
    assert words in done.stderr
    assert done.stderr.count("\n") <= 2
    assert not (heaps / "k.npz").exists()


def test_a_pattern_after_clean_is_all_clean(heaps):
    sharp = [f"sharp/{n}.png" for n in range(4)]
    for arguments in (("soft", "--clean", *sharp), ("soft", "--scale", "1", "--clean", *sharp, "--json")):
        done = kfsr_run(heaps, "kernel", *arguments, "-o", "k.npz", *(() if "--scale" in arguments else ("-s", "1")))
        assert "4 pictures -> k.npz" in done.ok().stderr
    mixed = ("kernel", "--clean", "sharp", "soft", "-o", "k.npz", "--scale", "1")
    assert "4 pictures -> k.npz" in kfsr_run(heaps, *mixed).ok().stderr


def test_pictures_of_another_size_are_named(heaps):
    PIL.Image.fromarray(scene(5, (160, 128))).save(heaps / "soft" / "turned.png")
    done = kfsr_run(heaps, "kernel", "soft", "--clean", "sharp", "--scale", "1", "--grid", "1x1", "-o", "k.npz")
    assert done.status == 4
    assert "turned.png: 128x160 px, but the first picture has 160x128" in done.stderr


def test_a_part_needs_its_place(heaps):
    a_lens(heaps / "lens.npz")
    PIL.Image.fromarray(scene(5)[20:100, 30:110]).save(heaps / "part.png")
    refused = kfsr_run(heaps, "deblur", "part.png", "--kernel", "lens.npz", "-o", "out.png")
    assert refused.status == 4
    assert "needs its place, --at ROW,COLUMN" in refused.stderr
    kfsr_run(heaps, "deblur", "part.png", "--kernel", "lens.npz", "--at", "20,30", "-o", "out.png").ok()
    assert PIL.Image.open(heaps / "out.png").size == (80, 80)
    wrong = kfsr_run(heaps, "deblur", "part.png", "--at", "20,30", "-o", "out.png")
    assert wrong.status == 2
    assert "needs a lens's file" in wrong.stderr


def test_a_picture_taken_otherwise_warns(heaps):
    a_lens(heaps / "lens.npz", Shot("One", "50mm", 50.0, 2.8))
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0x829D] = 8.0
    PIL.Image.fromarray(scene(5)).save(heaps / "f8.jpg", exif=exif.tobytes())
    done = kfsr_run(heaps, "deblur", "f8.jpg", "--kernel", "lens.npz", "-o", "out.jpg").ok()
    assert "this picture has f/8 and not f/2.8" in done.stderr
