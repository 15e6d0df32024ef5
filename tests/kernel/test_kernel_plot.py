"""The picture of a kernel: what is in it, and where."""

import numpy as np
import pytest

from kfsr.kernel import Kernel, Provenance, gaussian_kernel, plot_kernel

COVARIANCE = np.array([[3.0, 1.1], [1.1, 1.6]])
LEFT, TOP = 56, 40


def field(kernel: Kernel) -> np.ndarray:
    """The kernel's own part of the picture, a colour for every kernel pixel (its upper left corner's)."""
    cell = round(400 / kernel.size)
    part = plot_kernel(kernel)[TOP : TOP + cell * kernel.size, LEFT : LEFT + cell * kernel.size]
    return part[cell // 4 :: cell, cell // 4 :: cell].astype(int)


@pytest.mark.parametrize(("scale", "size"), [(1, 1), (2, 2), (2, 16), (3, 25), (4, 32), (3, 129)])
def test_size_of_the_picture(scale: int, size: int) -> None:
    k = np.random.default_rng(0).random((size, size))
    picture = plot_kernel(Kernel(k / k.sum(), scale))
    assert picture.dtype == np.uint8
    assert picture.ndim == 3 and picture.shape[2] == 3
    assert 500 < picture.shape[0] < 640 and 500 < picture.shape[1] < 620
    assert (picture[0] == 255).all() and (picture[:, -1] == 255).all()


def test_colours_follow_the_values() -> None:
    k = np.zeros((16, 16))
    k[2, 3], k[12, 5], k[5, 13] = 1.0, 0.3, -0.3
    colours = field(Kernel(k, 2))
    assert (colours[0, 0] == 0).all()
    assert colours[2, 3].min() > 200
    assert colours[12, 5][0] > colours[12, 5][2] + 50
    assert colours[5, 13][2] > colours[5, 13][0] + 50


def test_rows_run_down_and_columns_right() -> None:
    k = np.zeros((16, 16))
    k[1, 12] = 1.0
    assert field(Kernel(k, 2)).sum(2)[1, 12] == field(Kernel(k, 2)).sum(2).max()


def test_marks_are_at_the_middle_and_at_the_centre_of_mass() -> None:
    k = np.zeros((15, 15))
    k[11, 4] = 1.0
    picture = plot_kernel(Kernel(k, 3)).astype(int)
    cell = round(400 / 15)
    green = (picture == (70, 230, 90)).all(2)
    cyan = (picture == (60, 200, 255)).all(2)
    for mark, row, col in ((green, 7, 7), (cyan, 11, 4)):
        ys, xs = np.nonzero(mark)
        assert ys.mean() == pytest.approx(TOP + (row + 0.5) * cell, abs=1.5)
        assert xs.mean() == pytest.approx(LEFT + (col + 0.5) * cell, abs=1.5)


def test_numbers_are_written() -> None:
    """Different numbers give different words; the same kernel gives the same picture."""
    a = plot_kernel(gaussian_kernel(COVARIANCE, 2))
    np.testing.assert_array_equal(a, plot_kernel(gaussian_kernel(COVARIANCE, 2)))
    b = plot_kernel(gaussian_kernel(COVARIANCE * 1.1, 2))
    words = slice(TOP + 400 + 30, None)
    assert (a[words] < 128).sum() > 1000
    for row in range(2):  # the trace, the axes
        line = slice(TOP + 400 + 36 + 22 * row, TOP + 400 + 36 + 22 * row + 18)
        assert (a[line] != b[line]).any()
    retitled = plot_kernel(gaussian_kernel(COVARIANCE, 2).stamped(Provenance("estimated", "spectral")))
    assert (retitled[:TOP] != a[:TOP]).any()
    np.testing.assert_array_equal(retitled[TOP:], a[TOP:])


def test_a_centre_of_mass_outside_the_canvas_is_still_drawn() -> None:
    k = np.zeros((4, 4))
    k[0, 0], k[3, 3] = -20.0, 21.0
    picture = plot_kernel(Kernel(k, 2))
    cyan = (picture == (60, 200, 255)).all(2)
    ys, xs = np.nonzero(cyan)
    assert ys.mean() == pytest.approx(TOP + 400, abs=2)
    assert xs.mean() == pytest.approx(LEFT + 400, abs=2)
