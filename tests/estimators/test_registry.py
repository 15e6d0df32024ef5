"""The registries: what there is, and that a new method is one file and one line."""

import subprocess
import sys

import pytest

import kfsr
from kfsr.cost import model as cost
from kfsr.errors import UsageError
from kfsr.estimators import registry as estimators
from kfsr.estimators.method import Estimator
from kfsr.recipe import Recipe
from kfsr.solvers import registry as solvers
from kfsr.solvers.method import Solver

NEW_METHOD = """
from kfsr.estimators.method import Estimator
from kfsr.kernel import box_kernel

METHOD = Estimator(
    estimate=lambda problem: box_kernel(problem.scale),
    seconds=lambda pixels, recipe: 1000.0,
    memory=lambda pixels, recipe: 2**30,
    uncertainty=lambda problem, kernel: 0.7,
)
"""

LINE = ("boxes", ("boxes", "every kernel is a box"))


@pytest.fixture
def boxes(tmp_path, monkeypatch):
    """A method that nothing but its file and its line in the registry knows of."""
    (tmp_path / "boxes.py").write_text(NEW_METHOD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(estimators.METHODS, *LINE)
    return tmp_path


def photo():
    from skimage import data

    return data.chelsea()[60:127, 170:253]


def test_a_new_method_is_a_file_and_a_line(boxes):
    result = kfsr.upscale(photo(), kernel_method="boxes", preset="fast")
    assert result.kernel.provenance.as_dict() == {
        "source": "estimated",
        "method": "boxes",
        "pictures": 1,
        "uncertainty": 0.7,
    }
    assert result.report.kernel_method == "boxes"
    recipe = Recipe.make(kernel_method="boxes", preset="fast", solver="bicubic")
    assert cost.of_picture(100, recipe).seconds > 1000
    assert cost.of_picture(100, recipe).memory_mib > 1024
    with pytest.raises(UsageError, match="with boxes and bicubic"):
        kfsr.upscale(photo(), recipe, max_memory=2**29)


def test_the_command_line_knows_it_too(boxes):
    """In a process of its own: the options are made when the command line is loaded."""

    def called(*arguments):
        code = (
            "import sys; from kfsr.estimators.registry import METHODS; "
            f"METHODS[{LINE[0]!r}] = {LINE[1]!r}; from kfsr.cli import run; sys.exit(run({list(arguments)!r}))"
        )
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=boxes, capture_output=True, text=True, timeout=120, check=False)

    from kfsr.image import Image, write_image

    write_image(Image.from_array(photo()), boxes / "photo.png")
    assert "boxes (every kernel is a box)" in " ".join(called("upscale", "--help").stdout.split())
    planned = called("upscale", "photo.png", "--kernel-method", "boxes", "--dry-run", "--json")
    assert '"seconds": 100' in planned.stdout
    done = called("upscale", "photo.png", "--kernel-method", "boxes", "--solver", "bicubic", "--json")
    assert '"kernel_method": "boxes"' in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("name", estimators.names())
def test_every_estimator_says_what_it_is(name):
    method = estimators.estimator(name)
    assert isinstance(method, Estimator)
    assert estimators.summaries()[name]
    assert set(method.scales) <= {1, 2, 3, 4}


@pytest.mark.parametrize("name", solvers.names())
def test_every_solver_says_what_it_is(name):
    method = solvers.solver(name)
    assert isinstance(method, Solver)
    assert solvers.summaries()[name]


def test_what_is_not_there():
    with pytest.raises(UsageError, match="auto, spectral"):
        estimators.estimator("magic")
    with pytest.raises(UsageError, match="unrolled, unfolding"):
        solvers.solver("magic")


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_what_the_help_offers_at_a_scale_is_what_the_methods_say(scale):
    """ACROSS_SCALES and ENLARGING repeat it, for those who have no time to load the methods."""
    assert estimators.names(scale) == tuple(
        name for name in estimators.METHODS if scale in estimators.estimator(name).scales
    )
    assert solvers.names(scale) == tuple(name for name in solvers.METHODS if scale in solvers.solver(name).scales)
    assert estimators.names() == tuple(estimators.METHODS)
    assert solvers.names() == tuple(solvers.METHODS)
