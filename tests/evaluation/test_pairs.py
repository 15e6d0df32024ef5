"""Which result is scored against which truth."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kfsr.errors import InputError
from kfsr.evaluation.pairs import pair, score


@pytest.fixture
def folders(tmp_path):
    """A function that fills result/ and truth/ with pictures of these names and gives both folders."""

    def fill(results, truths):
        for folder, names in (("result", results), ("truth", truths)):
            (tmp_path / folder).mkdir()
            for name in names:
                PIL.Image.new("RGB", (4, 4)).save(tmp_path / folder / name)
        return tmp_path / "result", tmp_path / "truth"

    return fill


@pytest.mark.parametrize(
    ("result", "truth"),
    [
        ("0801_x2.png", "0801.png"),
        ("im_6_x2.png", "im_6.png"),
        ("im_6_x4.jpg", "im_6.png"),
        ("im_6.png", "im_6.png"),
        ("my_xmas_x2.png", "my_xmas.png"),
        ("0801_x2.png", "0801_x2.tif"),
        ("0801_sharp.png", "0801.png"),
        ("0801_sharp.png", "0801_sharp.png"),
    ],
)
def test_a_result_belongs_to_the_truth_of_its_name_without_the_scale(folders, result, truth):
    results, truths = folders([result], [truth, "other.png"])
    assert pair(results, truths) == ([(results / result, truths / truth)], [])


def test_other_names_with_an_x_are_other_pictures(folders):
    results, truths = folders(["my_xmas.png", "my_xylophone_x2.png"], ["my_xylophone.png"])
    assert pair(results, truths) == (
        [(results / "my_xylophone_x2.png", truths / "my_xylophone.png")],
        [results / "my_xmas.png"],
    )


def test_the_whole_name_comes_first(folders):
    results, truths = folders(["a_x2.png", "a_x3.png"], ["a.png", "a_x2.png"])
    found, alone = pair(results, truths)
    assert [(one.name, other.name) for one, other in found] == [("a_x2.png", "a_x2.png"), ("a_x3.png", "a.png")]
    assert alone == []


def test_two_truths_of_one_name_and_no_pair_at_all(folders):
    results, truths = folders(["a.png"], ["a.png", "a.tif"])
    with pytest.raises(InputError, match="both a truth for a"):
        pair(results, truths)
    (truths / "a.png").unlink()
    (truths / "a.tif").rename(truths / "b.tif")
    with pytest.raises(InputError, match="no two pictures"):
        pair(results, truths)


def test_the_files_are_named_when_they_cannot_be_compared(tmp_path):
    for name, size in (("a.png", (20, 20)), ("b.png", (30, 20))):
        PIL.Image.fromarray(np.zeros((*size, 3), np.uint8)).save(tmp_path / name)
    with pytest.raises(InputError, match=r"a\.png and .*b\.png: pictures of 20 x 20"):
        score(Path(tmp_path / "a.png"), Path(tmp_path / "b.png"))
