"""The table of formats in docs/formats.md says what the code does, and names tests that exist."""

import re
from pathlib import Path

import pytest

from kfsr.image.formats import _FORMATS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells
    for line in PAGE.split("## TIFF")[0].splitlines()
    if line.startswith("| ") and (cells := [cell.strip() for cell in line.strip("|").split("|")])[0] != "format"
}


def test_every_format_has_its_row():
    assert set(ROWS) == {one.name for one in _FORMATS}


@pytest.mark.parametrize("one", _FORMATS, ids=lambda one: one.name)
def test_the_row_is_right(one):
    _, read, written, bits, _, _ = ROWS[one.name]
    assert read.startswith("yes") or one.name == "HEIC"
    assert written.startswith("yes") == one.writable
    assert (("16" in bits) or one.name == "HEIC") == one.deep


def test_the_tests_are_there():
    names = set(re.findall(r"`(?:tests/)?(\w+\.py)`", PAGE))
    there = {path.name for path in (ROOT / "tests").rglob("*.py")}
    assert len(names) > 10
    assert names <= there
