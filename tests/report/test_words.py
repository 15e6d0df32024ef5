"""What was found and done, in words."""

import pytest

from kfsr.report.words import done_in_words, found_in_words, kernel_in_words


def kernel(method, long=1.0, short=1.0, source="estimated"):
    return {"method": method, "source": source, "covariance": [[short**2, 0], [0, long**2]]}


@pytest.mark.parametrize(
    ("given", "scale", "words"),
    [
        (kernel("spectral", 2.1, 1.4), 4, "blur of 2.1 x 1.4 px"),
        (kernel("spectral", 2.1, 2.05), 4, "blur of 2.1 px"),
        (kernel("shake", 2.6, 0.5), 1, "shake of 9 px"),
        (kernel("edges", 3.0, 1.0), 2, "blur of any form, 3.0 x 1.0 px"),
        (kernel("soft", 0.0, 0.0), 1, "no blur"),
        (kernel("bicubic", 1.0), 2, "shrunk with bicubic"),
        (kernel("bicubic", 1.0, source="given"), 2, "bicubic's kernel"),
        (kernel("spectral", 1.0, source="given"), 2, "your kernel"),
        (kernel("file", 1.0, source="unknown"), 2, "your kernel"),
    ],
)
def test_kernels(given, scale, words):
    assert kernel_in_words(given, scale) == words


def test_what_was_found():
    report = {"scale": 1, "kernel": kernel("shake", 2.6, 0.5), "found": {"words": "noise of 6 levels"}}
    assert found_in_words(report) == "shake of 9 px, noise of 6 levels"
    assert found_in_words(report | {"found": None}) == "shake of 9 px"
    assert found_in_words({}) == ""
    nothing = {"scale": 2, "kernel": kernel("bicubic", source="given"), "strength": 0.0, "found": None}
    assert found_in_words(nothing) == ""


def report(verdict, reason="", strength=1.0, scale=2, solver="unrolled"):
    return {"gate": {"verdict": verdict, "reason": reason}, "strength": strength, "scale": scale, "solver": solver}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (report("trusted"), "sharpened fully"),
        (report("trusted", "took 70 % of what the solver changed", 0.7), "sharpened to 70 %"),
        (report("cautious", "took 40 % of what the solver changed", 0.4), "sharpened to 40 %"),
        (report("cautious", "it may ring"), "sharpened fully, with caution: it may ring"),
        (report("bicubic", "it is too small; interpolated instead", 0.0), "interpolated: it is too small"),
        (report("unchanged", "it is too small; left as it is", 0.0, 1), "left as it is: it is too small"),
        (report("unchanged", "the picture is sharp already; left as it is", 0.0, 1), "sharp already, left as it is"),
        (report("trusted", strength=0.0), "interpolated"),
        (report("trusted", solver="bicubic"), "interpolated, as asked"),
        (report("trusted", solver="joint"), "the picture that was found with its kernel"),
    ],
)
def test_what_was_done(given, words):
    assert done_in_words(given) == words
