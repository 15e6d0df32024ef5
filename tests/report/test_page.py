"""The page of results: what it holds, that names cannot break it, and that it works in a browser."""

import html.parser
import os
import urllib.parse
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from browser import ask, shoot, with_browser
from skimage import data

from kfsr.report.page import Card, page
from kfsr.report.pictures import TOTAL, busiest, kernel_file, shot_of, side_for


def shot(side=64, count=1, truth=False):
    sharp = data.astronaut()[60 : 60 + side, 150 : 150 + side].astype(np.float32) / 255
    low_res = sharp.reshape(side // 2, 2, side // 2, 2, 3).mean((1, 3))
    return shot_of([("kfsr", sharp), *([("truth", sharp)] if truth else [])], low_res, count, "bicubic")


class Reader(html.parser.HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, words):
        self.words.append(words)


HOSTILE = ["<script>alert(1)</script>.png", 'a" onerror="alert(1).png', "two\nlines.png", "&amp;.png", "caf\udce9.png"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_a_name(name, tmp_path):
    made = page(
        "t", "s", [Card(name, "done", name, [(name, name)], links=[("result", tmp_path / name)])], tmp_path / "p"
    )
    reader = Reader(made.decode())
    plain = Reader(
        page(
            "t", "s", [Card("n", "done", "n", [("n", "n")], links=[("result", tmp_path / "n")])], tmp_path / "p"
        ).decode()
    )
    assert [tag for tag, _ in reader.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(attrs) for _, attrs in reader.tags] == [sorted(attrs) for _, attrs in plain.tags]
    shown = name.replace("\n", "\\n").replace("\udce9", "\\udce9")
    assert reader.words.count(shown) == 4
    (link,) = (attrs["href"] for tag, attrs in reader.tags if tag == "a")
    assert urllib.parse.unquote_to_bytes(link) == os.fsencode(name)


def test_nothing_is_asked_of_a_network(tmp_path):
    reader = Reader(page("t", "s", [Card("n", "done", "v", shot=shot())], tmp_path / "p").decode())
    for _, attrs in reader.tags:
        assert not attrs.get("src", "data:").partition("data:")[0]
        assert "://" not in attrs.get("href", "")
    (policy,) = (a["content"] for t, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_failures_come_first_and_else_the_order_stays():
    kinds = ["done", "failed", "interpolated", "done", "failed"]
    cards = [Card(f"n{n}", kind, "") for n, kind in enumerate(kinds)]
    text = page("t", "s", cards, Path("p")).decode()
    order = sorted(range(5), key=lambda n: text.index(f"<h2>n{n}</h2>"))
    assert order == [1, 4, 2, 0, 3]


def test_the_window_is_where_the_detail_is():
    pixels = np.full((200, 300, 3), 0.5, np.float32)
    pixels[120:180, 200:260] = np.random.default_rng(0).random((60, 60, 3))
    row, col, rows, cols = busiest(pixels, 80)
    assert (rows, cols) == (80, 80)
    assert row <= 120 and row + 80 >= 180 and col <= 200 and col + 80 >= 260


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (17, 16), (96, 33)])
def test_a_window_lies_inside_any_picture(size):
    for side in (8, 64, 1400):
        row, col, rows, cols = busiest(np.random.default_rng(0).random((*size, 3), np.float32), side)
        assert min(row, col) >= 0
        assert row + rows <= size[0] and col + cols <= size[1]
        assert (rows, cols) == (min(side, size[0]), min(side, size[1]))


@pytest.mark.parametrize("count", [1, 30, 1000])
def test_pictures_share_the_room_of_a_page(count):
    noise = np.random.default_rng(0).random((400, 400, 3), np.float32)  # nothing is harder to pack
    smooth = data.astronaut()[:400, :400].astype(np.float32) / 255
    made = shot_of([("kfsr", smooth)], smooth[::2, ::2], count, "bicubic")
    assert count * (len(made.thumb) + sum(len(one) for _, one in made.layers)) < 1.1 * TOTAL
    assert made.size == (min(side_for(count), 400),) * 2
    assert shot_of([("kfsr", noise)], None, 10**6, "bicubic").layers[0][0] == "kfsr"


def test_before_is_bicubic_at_any_factor():
    low_res = np.random.default_rng(0).random((40, 50, 3), np.float32)
    for size in ((80, 100), (120, 150), (60, 75), (40, 50)):
        after = np.zeros((*size, 3), np.float32)
        made = shot_of([("kfsr", after)], low_res, 1, "bicubic")
        assert [label for label, _ in made.layers] == ["bicubic", "kfsr"]
        assert made.size == size[::-1]


def test_a_kernel_without_its_empty_border(tmp_path):
    kernel = np.zeros((33, 33))
    kernel[15:18, 15:18] = 1 / 9
    (tmp_path / "k.png").write_bytes(kernel_file(kernel))
    assert PIL.Image.open(tmp_path / "k.png").size == (9, 9)


@pytest.fixture
def many(tmp_path):
    cards = [
        Card(f"photo_{n}.png", "done", "sharpened fully", shot=shot(640 // 2, 40, truth=n == 0)) for n in range(40)
    ]
    cards.append(Card("<b>bad.png", "failed", "not an image"))
    place = tmp_path / "index.html"
    place.write_bytes(page("A run", "41 pictures", cards, place))
    return place


@with_browser
def test_the_slider_moves_and_the_rest_works(many, tmp_path):
    found = ask(
        many,
        """
        await pause(300);
        const card = all(".card")[1];
        const range = card.querySelector("input"), over = card.querySelectorAll(".stage img")[1];
        const clips = [over.style.clipPath];
        range.value = 250; range.dispatchEvent(new Event("input")); clips.push(over.style.clipPath);
        const widths = [card.querySelector(".stage").offsetWidth];
        all("header [data-zoom]")[1].click(); widths.push(card.querySelector(".stage").offsetWidth);
        const filled = all(".card .stage").length;
        card.querySelector("[data-enlarge]").click();
        const names = [all("#large h2")[0].textContent];
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "PageDown", bubbles: true }));
        names.push(all("#large h2")[0].textContent);
        const focus = document.activeElement.type;
        all("#close")[0].click();
        all("[data-show=failed]")[0].click();
        const shown = all(".card").filter((one) => !one.hidden).map((one) => one.querySelector("h2").textContent);
        all("[data-show='']")[0].click();
        all(".card")[40].scrollIntoView(); await pause(500);
        const end = all(".card")[40].querySelectorAll(".stage img");
        const truth = all(".card")[1].querySelectorAll(".tools button");
        truth[1].click();
        const tag = all(".card")[1].querySelector(".tag.left").textContent;
        const loaded = [...end].map((one) => one.naturalWidth);
        return { clips, widths, filled, names, focus, shown, loaded, tag,
                 fits: document.body.scrollWidth <= innerWidth };
        """,
        tmp_path / "profile",
    )
    before, after = (float(one.split()[1].rstrip("px")) for one in found["clips"])
    assert after > before + 50
    assert found["widths"] == [320, 640]
    assert 1 <= found["filled"] < 40
    assert found["names"] == ["photo_0.png", "photo_1.png"]
    assert found["focus"] == "range"
    assert found["shown"] == ["<b>bad.png"]
    assert found["loaded"] == [320, 320]
    assert found["tag"] == "truth"
    assert found["fits"]


@with_browser
def test_it_fits_a_phone_and_the_dark(many, tmp_path):
    wide = ask(
        many,
        "await pause(300); return document.documentElement.scrollWidth <= innerWidth",
        tmp_path / "profile",
        "390,800",
    )
    assert wide
    for name, flags in {"light": (), "dark": ("--blink-settings=preferredColorScheme=0",)}.items():
        shoot(many, tmp_path / f"{name}.png", tmp_path / "profile", "390,800", *flags)
    light, dark = (
        np.asarray(PIL.Image.open(tmp_path / f"{name}.png").convert("L"))[:4].mean() for name in ("light", "dark")
    )
    assert light > 200
    assert dark < 60
