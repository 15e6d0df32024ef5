"""What an installation holds: all modules, the marker for type checkers, the folder of weights."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

FIND_MODELS = """
import importlib.resources, pathlib, site, sys
site.addsitedir(sys.argv[1])
import kfsr
print(kfsr.__file__)
models = importlib.resources.files("kfsr") / "models"
if not models.is_dir():
    models = pathlib.Path(kfsr.__file__).parents[1] / "models"
print((models / "README.md").read_text(encoding="utf-8"))
try:
    import models
except ImportError:
    print("no top-level models")
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what the build needs, so that nothing is left behind in the checkout."""
    folder = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("kfsr", "models"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, folder / name)
    return folder


def pip(*args):
    quiet = ("-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    done = subprocess.run([sys.executable, "-m", "pip", *args, *quiet], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def found_by(place, folder):
    """What an interpreter that knows no other installation finds in the one at `place`."""
    done = subprocess.run(
        [sys.executable, "-IS", "-c", FIND_MODELS, place],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    first, *text, last = done.stdout.splitlines()
    assert last == "no top-level models"
    assert "\n".join(text).strip() == (CHECKOUT / "models" / "README.md").read_text(encoding="utf-8").strip()
    return Path(first)


def test_the_wheel_is_complete(source, tmp_path):
    pip("wheel", str(source), "-w", str(tmp_path))
    (wheel,) = tmp_path.glob("kfsr-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        assert "License-Expression: Apache-2.0" in archive.read(metadata).decode()
    modules = {str(path.relative_to(source)) for path in (source / "kfsr").rglob("*.py")}
    assert len(modules) > 40
    assert modules <= names
    assert {"kfsr/py.typed", "kfsr/models/README.md", "kfsr/models/unrolled/unrolled.safetensors"} <= names
    assert {f"kfsr/report/{name}" for name in ("page.html", "page.css", "page.js", "demo.png")} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"kfsr"}
    assert not any("tests" in name for name in names)
    assert found_by(tmp_path / "site", tmp_path) == tmp_path / "site" / "kfsr" / "__init__.py"


def test_an_editable_installation_finds_the_same(source, tmp_path):
    pip("install", "-e", str(source), "--prefix", str(tmp_path / "prefix"), "--ignore-installed")
    (place,) = {path.parent for path in (tmp_path / "prefix").rglob("kfsr-*.dist-info")}
    assert found_by(place, tmp_path) == source / "kfsr" / "__init__.py"
