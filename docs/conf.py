"""The documentation as a site: `sphinx-build -W docs site`. Every warning is an error, broken links included."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import kfsr  # noqa: E402

project = "kfsr"
author = "the authors of kfsr"
version = release = kfsr.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"kfsr {version}"
exclude_patterns = ["README.md"]
default_role = "code"
autodoc_typehints = "none"  # the docstrings say what the types do not
autodoc_member_order = "bysource"


def _cards(app: object, name: str, source: list[str]) -> None:
    """The pages of the networks are their cards in `models/`, and links to cards lead to those pages."""
    if name == "cards/index":
        toctree = source[0][source[0].index("```{toctree}") :]
        text = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
        source[0] = re.sub(r"\((\w+)/README\.md\)", r"(\1.md)", text) + "\n" + toctree
    elif name.startswith("cards/"):
        card = ROOT / "models" / name.removeprefix("cards/") / "README.md"
        text = re.sub(r"\(\.\./(\w+)/README\.md\)", r"(\1.md)", card.read_text(encoding="utf-8"))
        source[0] = text.replace("(../../docs/", "(../")
    else:
        text = re.sub(r"\(\.\./models/(\w+)/README\.md\)", r"(cards/\1.md)", source[0])
        source[0] = text.replace("(../models/README.md)", "(cards/index.md)")


def setup(app: object) -> None:
    app.connect("source-read", _cards)  # type: ignore[attr-defined]
