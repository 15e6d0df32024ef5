"""Results of earlier runs among the inputs, and what is none."""

from pathlib import Path

import numpy as np
import pytest

from kfsr.errors import UsageError
from kfsr.image import Image, write_image
from kfsr.runs import manifest
from kfsr.runs.inputs import find
from kfsr.runs.plan import plan


def picture(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Image.from_array(np.full((height, width, 3), 90, np.uint8)), path)
    return path


def result_of(original, target, width, height):
    """A result that is in the list of finished pictures."""
    picture(target, width, height)
    digests = [manifest.digest(path.read_bytes()) for path in (target, original)]
    manifest.record(target, target.read_bytes(), digests[1], "settings", original)
    return target


def rename(source):
    return f"{source.stem}_x2{source.suffix}"


def inputs_of(names, output=None, recursive=False):
    jobs = plan(find(map(str, names), [".png"], recursive), None if output is None else str(output), rename)
    return [job.source.name for job in jobs]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(Path("in/a.png"), 20, 10)
    return tmp_path


def test_a_recorded_result_is_left_out_wherever_it_lies(folder):
    result_of(Path("in/a.png"), Path("in/big/of_any_name.png"), 33, 44)
    with pytest.warns(UserWarning, match="left out: in/big/of_any_name.png: a result of an earlier run"):
        assert inputs_of(["in"], "elsewhere/", recursive=True) == ["a.png"]
    with pytest.warns(UserWarning, match="left out"):
        assert inputs_of(["in/a.png", "in/big/of_any_name.png"], "elsewhere/") == ["a.png"]


def test_it_is_an_input_where_its_original_is_none(folder):
    """So results can be enlarged once more, or deblurred first."""
    result_of(Path("in/a.png"), Path("out/a_x2.png"), 40, 20)
    assert inputs_of(["out"], "more/") == ["a_x2.png"]
    assert inputs_of(["out/a_x2.png"]) == ["a_x2.png"]


def test_an_original_that_was_moved_is_known_by_its_content(folder):
    result_of(Path("in/a.png"), Path("out/a_x2.png"), 40, 20)
    picture(Path("in/b.png"), 8, 9)
    Path("in/a.png").rename("out/moved.png")
    with pytest.warns(UserWarning, match="left out"):
        assert inputs_of(["out"], "more/") == ["moved.png"]


def test_it_is_none_where_its_original_was_beside_it_and_is_gone(folder):
    result_of(Path("in/a.png"), Path("in/a_x2.png"), 40, 20)
    picture(Path("in/b.png"), 8, 9)
    Path("in/a.png").unlink()
    with pytest.warns(UserWarning, match="left out"):
        assert inputs_of(["in"]) == ["b.png"]
    assert inputs_of(["in/a_x2.png", "in/b.png"]) == ["a_x2.png", "b.png"]
    Path("in/b.png").unlink()
    assert inputs_of(["in"]) == ["a_x2.png"]


def test_a_result_that_was_edited_is_no_input_either(folder):
    result_of(Path("in/a.png"), Path("in/a_x3.png"), 60, 30)
    picture(Path("in/a_x3.png"), 7, 7)
    with pytest.warns(UserWarning, match="left out"):
        assert inputs_of(["in"]) == ["a.png"]


def test_without_a_list_name_and_size_tell(folder):
    picture(Path("in/a_x3.png"), 60, 30)
    picture(Path("in/a_x4.png"), 60, 30)  # that is three times, so it is somebody's own
    picture(Path("in/b_x2.png"), 40, 20)  # there is no b.png
    with pytest.warns(UserWarning, match="left out: in/a_x3.png"):
        assert inputs_of(["in"], "out/") == ["a.png", "a_x4.png", "b_x2.png"]


def test_a_picture_of_another_size_where_a_result_goes_is_not_overwritten(folder):
    before = picture(Path("in/a_x2.png"), 31, 17).read_bytes()
    jobs = plan(find(["in"], [".png"]), None, rename)
    assert [(job.source.name, job.problem is None) for job in jobs] == [("a.png", False), ("a_x2.png", True)]
    assert "in/a_x2.png is an input and would be overwritten" in str(jobs[0].problem)
    with pytest.raises(UsageError, match="overwritten"):
        plan(find(["in/a.png", "in/a_x2.png"], [".png"]), None, rename)
    assert Path("in/a_x2.png").read_bytes() == before


def test_a_second_run_over_the_same_names(folder):
    """`kfsr upscale *.png`, twice."""
    picture(Path("in/a_x2.png"), 40, 20)
    with pytest.warns(UserWarning, match="left out: in/a_x2.png"):
        assert inputs_of(["in/a.png", "in/a_x2.png"]) == ["a.png"]
