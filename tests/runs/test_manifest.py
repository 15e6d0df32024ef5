"""The list of finished results: what it trusts, and what it does not."""

import pytest

from kfsr.errors import OutputError
from kfsr.runs import manifest
from kfsr.runs.manifest import Manifest


@pytest.fixture
def finished(tmp_path):
    """A result that was written after its line, beside its input, `a.png`."""
    target = tmp_path / "a_x2.png"
    manifest.record(target, b"result", manifest.digest(b"input"), "settings")
    (tmp_path / "a.png").write_bytes(b"input")
    target.write_bytes(b"result")
    return target


def test_a_finished_result_is_known(finished):
    assert Manifest().is_finished(finished, finished.with_name("a.png"), "settings")


@pytest.mark.parametrize(("source", "settings"), [(b"other", "settings"), (b"input", "other"), (None, "settings")])
def test_another_input_or_other_settings_or_none_are_not(finished, source, settings):
    path = finished.with_name("other.png")
    if source is not None:
        path.write_bytes(source)
    assert not Manifest().is_finished(finished, path, settings)


def test_a_result_that_is_not_whole_is_not(finished):
    finished.write_bytes(b"resul")
    assert not Manifest().is_finished(finished, finished.with_name("a.png"), "settings")
    finished.unlink()
    assert not Manifest().is_finished(finished, finished.with_name("a.png"), "settings")


def test_the_last_line_counts_and_half_a_line_does_not(finished):
    source = finished.with_name("a.png")
    manifest.record(finished, b"newer", manifest.digest(b"input"), "settings")
    finished.write_bytes(b"newer")
    path = finished.parent / manifest.NAME
    whole = path.read_bytes()
    path.write_bytes(whole + b'\n{"file": "a_x2.p')
    manifest.record(finished.with_name("b.png"), b"b", manifest.digest(b"input"), "settings")
    finished.with_name("b.png").write_bytes(b"b")
    for name in ("a_x2.png", "b.png"):
        assert Manifest().is_finished(finished.with_name(name), source, "settings")


def test_lines_that_are_none_are_passed_over(finished):
    path = finished.parent / manifest.NAME
    one = '{"file": %s, "sha256": "0", "input_sha256": "0", "settings": "s", "input": %s}\n'
    odd = one % ('"b.png"', "5") + one % ('["c"]', '"c"') + one % ('"d.png"', '"\\u0000"') + "[1]\n7\nnull\n"
    path.write_text(path.read_text() + odd + "[" * 100_000 + "\n")
    assert Manifest().is_finished(finished, finished.with_name("a.png"), "settings")
    assert [Manifest().entry(finished.with_name(name)) for name in ("b.png", "d.png")] == [None, None]


def test_nowhere_to_write(tmp_path):
    with pytest.raises(OutputError, match="list of finished"):
        manifest.record(tmp_path / "missing" / "a.png", b"", "", "")


def test_what_is_finished_meanwhile_is_known_to_the_next_run_of_this_process(tmp_path):
    """The list was kept from the first look on."""
    source, target = tmp_path / "a.png", tmp_path / "a_x2.png"
    source.write_bytes(b"input")
    assert not Manifest().is_finished(target, source, "settings")
    manifest.record(target, b"result", manifest.digest(b"input"), "settings")
    target.write_bytes(b"result")
    assert Manifest().is_finished(target, source, "settings")
