"""Every command in the README and in the guide runs, on small pictures; and no link leads nowhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from process import environment, kfsr_run
from skimage import data

from kfsr.files import write_bytes
from kfsr.image import Image, encode_image
from kfsr.kernel import Kernel, save_kernel

CHECKOUT = Path(__file__).resolve().parent.parent
DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
RUN = {"README.md": "README.md", "guide.md": "docs/guide.md"}
FAST = ["--preset", "fast"]

_FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^\|[^|]*\| `(kfsr [^`]+)` \|$", re.MULTILINE)


def commands(name):
    """Lines of the fences and of tables of a document, in their order, without comments and what installs."""
    text = (CHECKOUT / RUN[name]).read_text(encoding="utf-8")
    found = sorted([*_FENCE.finditer(text), *_TABLE.finditer(text)], key=lambda match: match.start())
    for line in (line for match in found for line in match[1].splitlines()):
        for part in re.sub(r"\s+#.*", "", line.removeprefix("$ ")).split("&&"):
            if part.strip() and not part.strip().startswith(("pip ", "python ")):
                yield part.strip()


CASES = [pytest.param(name, n, id=f"{name}: {line}") for name in RUN for n, line in enumerate(commands(name))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the commands take. One folder for all, since later ones take what earlier ones wrote."""
    here = tmp_path_factory.mktemp("documents")
    face = PIL.Image.fromarray(data.astronaut()[90:154, 190:270])
    for name in ("photo.jpg", "photo.png", "old.jpg", "low.png"):
        face.save(here / name, **({"quality": 90} if name.endswith("jpg") else {}))
    sharp = data.chelsea()[60:188, 100:260].astype(np.float32) / 255
    PIL.Image.fromarray(np.rint(255 * sharp).astype(np.uint8)).save(here / "sharp.png")
    blurred = np.mean([np.roll(sharp, n, 1) for n in range(-4, 5)], 0)
    PIL.Image.fromarray(np.rint(255 * blurred[16:-16, 16:-16]).astype(np.uint8)).save(here / "shaken.jpg", quality=95)
    for n, place in enumerate(("scans/a.png", "scans/deep/b.png")):
        (here / place).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(data.coffee()[100 : 160 + n, 200:264]).save(here / place)
    PIL.Image.fromarray((data.camera()[200:240, 200:240].astype(np.uint16)) * 256).save(here / "deep.png")
    tifffile.imwrite(
        here / "stack.tif", np.stack([data.camera()[i : i + 40, 200:240] for i in (150, 200)]) * np.uint16(256)
    )
    for place, picture in {
        "set/gt/a.png": sharp,
        "set/lr_x2/a.png": sharp.reshape(64, 2, 80, 2, 3).mean((1, 3)),
    }.items():
        (here / place).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(here / place, encode_image(Image.from_array(picture), "PNG"))
    fringes = data.astronaut()[:480].copy()
    fringes[:, 2:, 2] = fringes[:, :-2, 2]
    PIL.Image.fromarray(fringes).save(here / "fringes.jpg", quality=95)
    save_kernel(Kernel.from_array(np.outer([1, 3, 3, 1], [1, 3, 3, 1]), 4), here / "k.npz")
    return here


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_command_runs(name, number, folder):
    line = list(commands(name))[number]
    lines = list(commands(name))
    for needed in _made_before(lines[:number], line, folder):
        test_a_command_runs(name, lines.index(needed), folder)
    line = line.replace("1920x", "150x")  # as large as that only from a larger photo
    words = shlex.split(line, comments=True)
    if set(words) & {"|", ">"}:
        program = shlex.join([sys.executable, "-m", "kfsr"])
        shell = re.sub(r"\bkfsr (?=[a-z])", f"{program} ", line)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", shell], cwd=folder, env=environment(), capture_output=True, timeout=300
        )
        assert done.returncode == 0, done.stderr.decode()
        return
    assert words[0] == "kfsr"
    if words[1] in ("upscale", "deblur", "kernel", "bench") and "--preset" not in words and "--recipe" not in words:
        words += FAST
    assert kfsr_run(folder, *words[1:]).status == 0, line


def _made_before(earlier, line, folder):
    """Commands in the same document that make files which this one takes and which are not there yet."""
    for word in shlex.split(line, comments=True):
        if "." in word and not (folder / word).exists():
            makers = [one for one in earlier if re.search(rf"(-o|>|--save-kernel) {re.escape(word)}(\s|$)", one)]
            yield from makers[-1:]


def test_the_examples_in_python_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    text = (CHECKOUT / "docs" / "python.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, "python.md", "exec"), names)
    assert capsys.readouterr().out.splitlines()[-1] == "cancelled"
    assert (folder / "kernel.png").exists()


def test_the_readme_is_short():
    assert len((CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file) if file else path
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, link


@pytest.mark.skipif(shutil.which("sphinx-build") is None, reason="Sphinx is not installed (pip install '.[docs]')")
def test_the_site_is_built_without_a_warning(tmp_path):
    args = ["sphinx-build", "-q", "-W", "--keep-going", "-b", "html", str(CHECKOUT / "docs"), str(tmp_path)]
    done = subprocess.run(args, capture_output=True, text=True, env=environment(), timeout=300)
    assert done.returncode == 0, done.stderr
