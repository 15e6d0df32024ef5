"""The list of finished results: what it trusts, and what it does not."""

import pytest

from kfsr import manifest
from kfsr.errors import OutputError


@pytest.fixture
def finished(tmp_path):
    """A result that was written after its line."""
    target = tmp_path / "a_x2.png"
    manifest.record(target, b"result", b"input", "settings")
    target.write_bytes(b"result")
    return target


def test_a_finished_result_is_known(finished):
    assert manifest.is_finished(finished, b"input", "settings")


@pytest.mark.parametrize(("source", "settings"), [(b"other", "settings"), (b"input", "other")])
def test_another_input_or_other_settings_are_not(finished, source, settings):
    assert not manifest.is_finished(finished, source, settings)


def test_a_result_that_is_not_whole_is_not(finished):
    finished.write_bytes(b"resul")
    assert not manifest.is_finished(finished, b"input", "settings")
    finished.unlink()
    assert not manifest.is_finished(finished, b"input", "settings")


def test_the_last_line_counts_and_half_a_line_does_not(finished):
    manifest.record(finished, b"newer", b"input", "settings")
    finished.write_bytes(b"newer")
    path = finished.parent / manifest.NAME
    whole = path.read_bytes()
    path.write_bytes(whole + b'\n{"file": "a_x2.p')
    manifest.record(finished.with_name("b.png"), b"b", b"input", "settings")
    finished.with_name("b.png").write_bytes(b"b")
    manifest._entries.cache_clear()
    for name in ("a_x2.png", "b.png"):
        assert manifest.is_finished(finished.with_name(name), b"input", "settings")


def test_nowhere_to_write(tmp_path):
    with pytest.raises(OutputError, match="list of finished"):
        manifest.record(tmp_path / "missing" / "a.png", b"", b"", "")
