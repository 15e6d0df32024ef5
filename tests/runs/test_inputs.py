"""Folders, patterns and lists as inputs; no picture is opened."""

import os
from pathlib import Path

import pytest

from kfsr.errors import InputError, UsageError
from kfsr.runs.inputs import Source, find
from kfsr.runs.lists import read_list
from kfsr.runs.plan import plan

ENDINGS = (".png", ".jpg")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "sub/c.png", "sub/deep/d.jpg", ".cache/e.png"):
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scans" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(sources):
    return [str(one.path) for one in sources]


def rename(source):
    return f"{source.stem}_x2{source.suffix}"


def test_a_folder_is_its_pictures(tree):
    assert names(find(["scans"], ENDINGS)) == ["scans/a.JPG", "scans/b.png"]


def test_recursive_goes_into_sub_folders_and_remembers_them(tree):
    found = find(["scans"], ENDINGS, recursive=True)
    assert names(found) == ["scans/a.JPG", "scans/b.png", "scans/sub/c.png", "scans/sub/deep/d.jpg"]
    assert [str(one.under) for one in found] == [".", ".", "sub", "sub/deep"]


def test_an_empty_name_is_not_the_current_folder(tree):
    with pytest.raises(InputError, match="empty name"):
        find([""], ENDINGS)
    assert [one.problem is None for one in find(["", "scans/b.png"], ENDINGS)] == [False, True]


def test_a_link_to_a_parent_is_no_trap(tree):
    (tree / "scans" / "again").symlink_to(tree / "scans")
    assert len(find(["scans"], ENDINGS, recursive=True)) == 4


def test_a_folder_without_pictures_is_refused(tree):
    with pytest.raises(InputError, match="--recursive"):
        find([str(tree)], ENDINGS)


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="may read everything")
def test_a_folder_that_cannot_be_read_is_named(tree):
    (tree / "scans" / "sub").chmod(0)
    with pytest.raises(InputError, match="sub"):
        find(["scans"], ENDINGS, recursive=True)


def test_what_is_named_already_is_not_found_again(tree):
    assert names(find(["scans/b.png", "scans"], ENDINGS)) == ["scans/b.png", "scans/a.JPG"]


def test_patterns_are_expanded_unless_a_file_has_that_name(tree):
    assert names(find(["scans/*.png"], ENDINGS)) == ["scans/b.png"]
    (tree / "[b].png").touch()
    assert names(find(["[b].png", "no*.png"], ENDINGS)) == ["[b].png", "no*.png"]


def test_brackets_in_a_pattern_are_a_part_of_the_name_if_there_is_one(tree):
    for name in ("scans [2020]/IMG[1]a.png", "scans [2020]/IMG[1]b.png", "IMG1c.png"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    found = ["scans [2020]/IMG[1]a.png", "scans [2020]/IMG[1]b.png"]
    assert names(find(["scans [2020]/*.png"], ENDINGS)) == found
    assert names(find(["*[2020]/IMG[1]*"], ENDINGS)) == found
    assert names(find(["IMG[1]*.png"], ENDINGS)) == ["IMG1c.png"]


@pytest.mark.parametrize("data", [b"a b.png\nc.png\n", b"a b.png\r\nc.png", b"a b.png\0c.png\0"], ids=repr)
def test_lists(data):
    assert read_list(data, "list") == ["a b.png", "c.png"]


def test_a_list_keeps_odd_names():
    assert read_list(b"two\nlines.png\0\xff.png\0", "list") == ["two\nlines.png", os.fsdecode(b"\xff.png")]


def test_lists_that_cannot_be_meant():
    with pytest.raises(InputError, match="names no files"):
        read_list(b"\n\n", "list")
    with pytest.raises(UsageError, match="write"):
        read_list(b"a.png\n-\n", "list")


def test_an_output_folder_mirrors_the_input(tree):
    jobs = plan(find(["scans"], ENDINGS, recursive=True), "out", rename)
    assert [str(job.target) for job in jobs] == [
        "out/a_x2.JPG",
        "out/b_x2.png",
        "out/sub/c_x2.png",
        "out/sub/deep/d_x2.jpg",
    ]
    assert (tree / "out/sub/deep").is_dir()


def test_earlier_results_are_no_inputs(tree):
    first = plan(find(["scans"], ENDINGS, recursive=True), None, rename)
    for job in first:
        job.target.touch()
    assert plan(find(["scans"], ENDINGS, recursive=True), None, rename) == first


def test_a_folder_of_results_inside_the_input_is_left_out(tree):
    first = plan(find(["scans"], ENDINGS, recursive=True), "scans/results", rename)
    for job in first:
        job.target.touch()
    assert plan(find(["scans"], ENDINGS, recursive=True), "scans/results", rename) == first
    # Results beside the originals, and into a folder that holds the input, leave nothing out.
    for place in ("scans/", "."):
        assert len(plan(find(["scans"], ENDINGS), place, rename)) == 2


def test_only_results_is_an_error(tree):
    with pytest.raises(InputError, match="results"):
        plan([Source(Path("scans/sub/c.png"), Path("sub"))], "scans/sub", rename)
