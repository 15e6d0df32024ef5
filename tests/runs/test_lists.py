"""Lists of names as other systems and programs write them."""

import os
import unicodedata

import pytest

from kfsr.errors import InputError
from kfsr.runs.inputs import find
from kfsr.runs.lists import read_list

NAMES = ["a b.png", "größe.png", "sub/c.png"]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=repr)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_of_windows(encoding, end):
    if encoding in ("utf-16-le", "utf-16-be") and end == "\n":
        pytest.skip("without a mark only Windows' line ends tell it from names separated by NUL")
    text = "".join(name + end for name in NAMES)
    assert read_list(text.encode(encoding), "list") == NAMES


def test_utf_16_that_begins_with_its_mark_in_the_other_order():
    assert read_list(b"\xfe\xff" + "a.png\r\n".encode("utf-16-be"), "list") == ["a.png"]


def test_utf_16_that_is_cut_is_said():
    with pytest.raises(InputError, match="list: the list is no sound UTF-16 text; save it as UTF-8"):
        read_list("a.png\r\n".encode("utf-16")[:-1], "list")


def test_one_letter_names_separated_by_nul_are_no_utf_16():
    assert read_list(b"a\0b\0c\0", "list") == ["a", "b", "c"]


def test_names_that_are_there_in_another_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    composed, apart = (unicodedata.normalize(form, "größe.png") for form in ("NFC", "NFD"))
    for name in ("plain.png", "sub/c.png", composed, 'odd"name.png'):
        (tmp_path / name).touch()
    lines = ['"plain.png"', "sub\\c.png", apart, 'odd"name.png', '"missing.png"']
    assert read_list("\n".join(lines).encode(), "list") == [
        *("plain.png", "sub/c.png", composed, 'odd"name.png', '"missing.png"')
    ]


def test_a_list_holds_names_and_no_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("IMG1.png", "what1.png"):
        (tmp_path / name).touch()
    found = find([], [".png"], listed=["IMG[1].png", "what?.png", "*.png"])
    assert [str(one.path) for one in found] == ["IMG[1].png", "what?.png", "*.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_in_a_list_is_no_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")
    (tmp_path / "a.png").touch()
    pipe, picture = find([], [".png"], listed=["pipe.png", "a.png"])
    assert "is a named pipe" in str(pipe.problem)
    assert picture.problem is None
