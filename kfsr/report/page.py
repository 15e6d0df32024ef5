"""One page of HTML from the pictures of a run, in one file that asks nothing of any network."""

from __future__ import annotations

import html
import importlib.resources
import json
import os
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfsr.report.pictures import Shot, data_uri

MARK = b'<meta name="generator" content="kfsr report">'
"""What tells a page of ours from anybody else's."""

KINDS = {
    "failed": "failed",
    "interpolated": "interpolated",
    "cautious": "with caution",
    "done": "done",
    "unchanged": "left as they are",
    "known": "nothing known",
}
"""What became of a picture, in the order in which they are shown, and what the page calls it."""

_FIRST = 12
"""Pictures whose data stands before the script, so that the first screen is whole at once."""


@dataclass(frozen=True)
class Card:
    """What a page shows of a picture. kind: one of `KINDS`. verdict: half a line. facts: names and values. kernels:
    what each shows, and its PNG. links: words, and the file. shot: None where there is nothing to see."""

    name: str
    kind: str
    verdict: str
    facts: Sequence[tuple[str, str]] = ()
    kernels: Sequence[tuple[str, bytes]] = ()
    links: Sequence[tuple[str, Path]] = ()
    shot: Shot | None = None


def page(title: str, summary: str, cards: Iterable[Card], place: Path, *, ordered: bool = False) -> bytes:
    """The page as a file's bytes. place: where the file will be, which its links start from. ordered: leave the cards
    as they come; else those come first whose `KINDS` do."""
    cards = list(cards)
    if not ordered:
        cards.sort(key=lambda card: list(KINDS).index(card.kind))
    blocks = [_block(n, card.shot) for n, card in enumerate(cards) if card.shot is not None]
    parts = {
        "title": _text(title),
        "summary": _text(summary),
        "style": _part("page.css"),
        "chips": _chips(cards),
        "cards": "\n".join(_card(n, card, place.parent) for n, card in enumerate(cards)),
        "first": "\n".join(blocks[:_FIRST]),
        "script": _part("page.js"),
        "rest": "\n".join(blocks[_FIRST:]),
    }
    made = []
    for n, piece in enumerate(_part("page.html").replace("}}", "{{").split("{{")):
        made.append(parts[piece] if n % 2 else piece)
    return "".join(made).encode()


def _part(name: str) -> str:
    return (importlib.resources.files("kfsr.report") / name).read_text(encoding="utf-8")


def _chips(cards: Sequence[Card]) -> str:
    """Buttons that show pictures of one kind alone."""
    counts = Counter(card.kind for card in cards)
    chips = [("", "all", len(cards))] + [(kind, KINDS[kind], counts[kind]) for kind in KINDS if counts[kind]]
    made = []
    for kind, words, count in chips:
        pressed = "false" if kind else "true"
        made.append(f'<button type="button" data-show="{kind}" aria-pressed="{pressed}">{words} ({count})</button>')
    return "".join(made)


def _card(number: int, card: Card, folder: Path) -> str:
    shot = "" if card.shot is None else f' data-shot="{number}"'
    lines = [f'<article class="card {card.kind}" data-kind="{card.kind}"{shot}>', f"<h2>{_text(card.name)}</h2>"]
    if card.shot is not None:
        lines.append('<div class="compare"></div>')
    lines.append(f'<p class="verdict">{_text(card.verdict)}</p>')
    lines.append('<div class="about">')
    lines += [
        f'<figure class="kernel"><img alt="{_text(label)}" src="{data_uri(data)}">{_text(label)}</figure>'
        for label, data in card.kernels
    ]
    if card.shot is not None and card.shot.place is not None:
        lines.append('<figure class="thumb"><span></span>the whole</figure>')
    facts = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in card.facts)
    lines += [f"<dl>{facts}</dl>" if facts else "", "</div>"]
    links = [f'<a href="{_text(_link(path, folder))}">{_text(words)}</a>' for words, path in card.links]
    if card.shot is not None:
        links.insert(0, '<button type="button" data-enlarge>Enlarge</button>')
    lines += [f'<p class="links">{" ".join(links)}</p>' if links else "", "</article>"]
    return "".join(lines)


def _block(number: int, shot: Shot) -> str:
    """The data of a picture, which the script reads when it is needed."""
    width, height = shot.size
    values = {
        "w": width,
        "h": height,
        "place": shot.place,
        "thumb": data_uri(shot.thumb),
        "layers": [(label, data_uri(data)) for label, data in shot.layers],
    }
    text = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="s{number}">{text}</script>'


def _text(words: str) -> str:
    """For HTML, in which control characters and what is no Unicode (bytes of a file's name) are shown as codes."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in words)
    return html.escape(shown)


def _link(path: Path, folder: Path) -> str:
    """A file as seen from the page, its bytes as they are."""
    try:
        near = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    except ValueError:  # Windows: on another drive
        return Path(os.path.realpath(path)).as_uri()
    return urllib.parse.quote(os.fsencode(near).replace(os.sep.encode(), b"/"))
