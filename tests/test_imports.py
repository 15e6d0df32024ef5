"""Who may import whom, read from the source, and what `import kfsr` must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

import kfsr

PACKAGE = Path(kfsr.__file__).parent

# From the bottom up: a part imports only from lower layers, or from itself. Parts of one layer do not know
# each other. A new module of kfsr needs a line here.
LAYERS = (
    {"errors", "progress"},
    {"files", "numerics", "settings", "size", "weights"},
    {"recipe"},
    {"checkpoint", "image"},
    {"kernel"},
    {"operator"},
    {"analysis"},
    {"priors"},
    {"estimators", "solvers"},
    {"cost"},
    {"pipeline"},
    {"api"},
    {"runs", "training"},
    {"evaluation"},
    {"report"},
    {"cli"},
    {"__main__", "__init__"},
)
LAYER = {part: depth for depth, parts in enumerate(LAYERS) for part in parts}

# Packages that only one part knows, and those who train.
OWNERS = {
    "safetensors": ("weights", "training"),
    "typer": ("cli",),
    "click": ("cli",),
    "tqdm": ("cli",),
    "PIL": ("image", "training"),
    "imagecodecs": ("image",),
    "tifffile": ("image",),
    "pillow_heif": ("image",),
}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def part_of(module):
    """The part of kfsr that a dotted name belongs to: kfsr.files -> image."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def imports(path):
    """Every module imported anywhere in a file, also inside functions; `from kfsr import x` is kfsr.x."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            if node.module == "kfsr":
                yield from (f"kfsr.{alias.name}" if alias.name in LAYER else "kfsr" for alias in node.names)
            else:
                yield node.module or ""


def home(path):
    return path.parts[0] if len(path.parts) > 1 else path.stem


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_dependencies_point_one_way(path):
    here = home(path)
    assert here in LAYER, f"kfsr/{path} has no layer yet; give {here!r} one in LAYERS"
    for module in imports(path):
        if module.split(".")[0] != "kfsr":
            continue
        there = part_of(module)
        if there in (here, "__init__"):
            continue  # the package itself is only the version and the lazy names
        assert LAYER[there] < LAYER[here], f"kfsr/{path} must not import {module}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_outside_packages_have_one_owner(path):
    for module in imports(path):
        owners = OWNERS.get(module.split(".")[0], (home(path),))
        assert home(path) in owners, f"kfsr/{path} imports {module}, which belongs to kfsr.{owners[0]}"


@pytest.mark.parametrize("folder", ["estimators", "solvers"])
def test_methods_do_not_know_each_other(folder):
    """An estimator takes a start kernel as a value, not another estimator; likewise the solvers."""
    methods = {"spectral", "ikl", "kernelfusion", "unfolding", "zssr"}
    for path in (path for path in MODULES if path.parts[0] == folder and path.stem in methods):
        known = {module.split(".")[2] for module in imports(path) if module.startswith(f"kfsr.{folder}.")}
        assert not known & (methods - {path.stem}), f"kfsr/{path} imports another method"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_global_random_state(path):
    """Nothing seeds torch's, NumPy's or Python's own generator (see `numerics.weights_from`)."""
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & {"torch.manual_seed", "torch.random.manual_seed", "np.random.seed", "random.seed"}


def loaded_by(code):
    """Names of the top-level modules in a fresh interpreter that has run `code`."""
    report = "import sys; sys.stderr.write('\\n' + ' '.join({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
        timeout=60,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import kfsr",
        "import kfsr; dir(kfsr), kfsr.__version__, kfsr.KfsrError",
        "from kfsr.cli import run; run([])",
        "from kfsr.cli import run; run(['--help'])",
        "from kfsr.cli import run; run(['--version'])",
        "from kfsr.cli import run; run(['upscale', '--help'])",
        "from kfsr.cli import run; run(['no-such-command'])",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code):
    loaded = loaded_by(code)
    assert "kfsr" in loaded
    assert not loaded & {"torch", "numpy", "scipy", "PIL", "tqdm"}


@pytest.mark.parametrize(
    ("options", "unneeded"),
    [
        (["--kernel-method", "bicubic", "--solver", "bicubic"], {"scipy", "skimage", "tifffile", "imagecodecs"}),
        (["--kernel-method", "spectral", "--solver", "bicubic"], {"scipy.signal", "scipy.stats", "skimage"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_run_loads_only_what_it_uses(options, unneeded, tmp_path):
    """Half a second of every start was scipy for methods that were not asked for."""
    photo, result = tmp_path / "photo.png", tmp_path / "result.png"
    PIL.Image.new("RGB", (20, 16), "gray").save(photo)
    args = ["upscale", str(photo), "-o", str(result), *options]
    report = f"import sys; from kfsr.cli import run; status = run({args!r}); print(status, *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    status, *loaded = done.stdout.split()
    assert status == "0"
    assert "torch" in loaded
    assert not unneeded & set(loaded)


def test_the_public_names_load_when_asked_for():
    assert set(kfsr.__all__) == set(dir(kfsr))
    for name in kfsr.__all__:
        assert getattr(kfsr, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = kfsr.no_such_name


def test_one_version():
    import tomllib

    checkout = Path(__file__).resolve().parent.parent
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == kfsr.__version__
