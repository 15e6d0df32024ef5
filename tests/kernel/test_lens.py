"""Lenses as values and as files."""

import numpy as np
import pytest

from kfsr.errors import InputError, UsageError
from kfsr.kernel import (
    KernelField,
    Lens,
    Provenance,
    gaussian_kernel,
    load_kernel_or_lens,
    load_lens,
    save_kernel,
    save_lens,
)
from kfsr.kernel.plot_field import plot_field
from kfsr.kernel.shot import Shot, shot_of


def lens(rows=2, cols=3):
    array = np.zeros((rows, cols, 3, 9, 9))
    for place in np.ndindex(rows, cols, 3):
        array[place] = gaussian_kernel((0.5 + 0.2 * sum(place)) * np.eye(2), 1, 9).array
    shot = Shot("Maker One", "50mm F1.8", 50.0, 2.8)
    return Lens(KernelField(array, 1), (300, 200), shot, Provenance("estimated", "heaps", 24))


def test_a_lens_survives_its_file(tmp_path):
    save_lens(lens(), tmp_path / "lens.npz")
    again = load_kernel_or_lens(tmp_path / "lens.npz", 1)
    assert isinstance(again, Lens)
    assert np.array_equal(again.field.array, lens().field.array)
    assert (again.size, again.shot, again.provenance) == (lens().size, lens().shot, lens().provenance)


def test_a_kernel_file_is_still_a_kernel(tmp_path):
    kernel = gaussian_kernel(np.eye(2), 1, 9)
    save_kernel(kernel, tmp_path / "k.npz")
    assert np.allclose(load_kernel_or_lens(tmp_path / "k.npz", 1).array, kernel.array)


def test_a_lens_is_for_scale_1(tmp_path):
    save_lens(lens(), tmp_path / "lens.npz")
    with pytest.raises(InputError, match="for scale 1; use `kfsr deblur`"):
        load_kernel_or_lens(tmp_path / "lens.npz", 2)


@pytest.mark.parametrize("damage", ["cut", "text", "shot"])
def test_a_damaged_file_is_one_line_with_its_name(tmp_path, damage):
    path = tmp_path / "lens.npz"
    save_lens(lens(), path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "text":
        path.write_text("a lens")
    else:
        np.savez(path, field=lens().field.array, scale=1, convention="other")
    with pytest.raises(InputError, match=r"lens\.npz: .*measure the lens again"):
        load_lens(path)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UsageError, match="a field of kernels is kept"):
        save_lens(lens(), tmp_path / "lens.npy")


def test_where_a_picture_lies():
    assert lens().frame_of(300, 200) == (0, 0, 200, 300)
    assert lens().placed((20, 30)).frame_of(100, 50) == (20, 30, 200, 300)
    with pytest.raises(InputError, match="it is turned"):
        lens().frame_of(200, 300)
    with pytest.raises(InputError, match="needs its place, --at"):
        lens().frame_of(150, 100)
    with pytest.raises(InputError, match="does not lie in a frame"):
        lens().placed((180, 0)).frame_of(100, 50)


def test_a_field_of_one_cell_is_its_kernel():
    kernel = gaussian_kernel(np.diag([2.0, 1.0]), 1, 9)
    one = Lens(KernelField.of(kernel), (100, 80))
    assert np.allclose(one.typical.array, kernel.array)


def test_settings_that_differ_are_named():
    said = Shot("A", "L", 50, 2.8).differences(Shot("A", "M", 35, 2.8))
    assert said == ["lens M and not L", "35 mm and not 50 mm"]
    assert Shot("A", "", 50, 0).differences(Shot("A", "M", 50.2, 8)) == []


def test_exif_that_cannot_be_read_says_nothing():
    assert shot_of(None) == Shot()
    assert shot_of(b"Exif\0\0nonsense") == Shot()


def test_exif_says_how_it_was_taken():
    import PIL.Image

    exif = PIL.Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Maker One"
    exif.get_ifd(0x8769).update({0xA434: "50mm F1.8", 0x920A: 50.0, 0x829D: 2.8})
    assert shot_of(exif.tobytes()) == Shot("Maker One", "50mm F1.8", 50.0, 2.8)


def test_the_plot_shows_every_kernel():
    picture = plot_field(lens().field)
    assert picture.dtype == np.uint8
    # The middle of each of the 2 x 3 kernels is bright, what lies between them is not.
    step = picture.shape[1] // 3
    for row in range(2):
        for col in range(3):
            assert picture[row * step + step // 2, col * step + step // 2].max() > 200
    assert picture[:step, step - 1].max() < 60
