"""A page in a real browser, without a screen: what a script in it finds, and what the console says."""

import html
import json
import shutil
import subprocess
import time
import urllib.request

import pytest

NAME = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), None)

with_browser = pytest.mark.skipif(NAME is None, reason="no Chromium here (Debian: apt install chromium)")

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")

_ASK = """<script>
const errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => errors.push("refused: " + event.blockedURI));
addEventListener("load", async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const all = (what) => [...document.querySelectorAll(what)];
  let found;
  try { found = await (async () => { %s })(); } catch (error) { errors.push(String(error)); }
  document.title = "FOUND " + JSON.stringify({ found, errors });
});
</script>"""


def ask(page, script, folder, size="1200,900"):
    """What `script`, the body of an async function, returns when it runs in the page. Fails when the page makes an
    error or asks for anything outside it."""
    copy = page.with_name("asked.html")
    copy.write_text(page.read_text(encoding="utf-8").replace("</head>", _ASK % script + "</head>", 1), encoding="utf-8")
    address = copy.as_uri()
    args = [NAME, *FLAGS, f"--window-size={size}", "--remote-debugging-port=0", f"--user-data-dir={folder}", address]
    with (folder.parent / "browser.log").open("wb") as log:
        browser = subprocess.Popen([*args, "--enable-logging=stderr"], stdout=log, stderr=log)
    try:
        title = _title(folder, time.monotonic() + 60)
    finally:
        browser.terminate()
        browser.wait(30)
    said = (folder.parent / "browser.log").read_text(errors="replace")
    assert "CONSOLE" not in said, said
    answer = json.loads(html.unescape(title).removeprefix("FOUND "))
    assert answer["errors"] == []
    return answer.get("found")


def shoot(page, picture, folder, size="1200,900", *flags):
    """A picture of the page."""
    args = [NAME, *FLAGS, f"--window-size={size}", f"--user-data-dir={folder}", *flags]
    args += ["--hide-scrollbars", "--virtual-time-budget=3000", f"--screenshot={picture}", page.as_uri()]
    subprocess.run(args, check=True, capture_output=True, timeout=60)


def _title(folder, deadline):
    while time.monotonic() < deadline:
        time.sleep(0.2)
        port = folder / "DevToolsActivePort"
        if not port.exists():
            continue
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json/list", timeout=5
            ) as got:
                titles = [one["title"] for one in json.load(got)]
        except (OSError, IndexError):
            continue
        for title in titles:
            if title.startswith("FOUND "):
                return title
    raise AssertionError("the page did not answer")
