"""Whole folders with planted faults, by the hundred: every run ends, with the right status, and loses nothing.

    python tests/fuzz_folders.py --folders 300 --seed 0

Each seed makes a tree of small pictures with odd names, and among them pipes, sockets, links in circles and to nowhere,
files and folders that may not be read, empty and damaged files, files that vanish meanwhile, and pictures whose results
would have one name. `kfsr upscale` is run on it as a folder, a list or by names; then once more with --skip-existing,
and with another scale. What must hold is in `check`. The runs are in child processes without root's rights and may take
`SECONDS` for a folder. The exit status is 0 when nothing was found, else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 300
CHUNK = 50
QUICK = ("--kernel-method", "bicubic", "--solver", "bicubic", "--threads", "1")
STEMS = (
    *("photo", "a b", "größe", "IMG[1]", "what?", "st*r", "{stem}", "%s", "it's", 'quo"te', "dots..", "new\nline"),
    *("tab\t", "back\\slash", "x" * 200, "日本", "a_x2", "b_x3_sharp", "-dash", "#hash", "~home", "$HOME", "e\u0301"),
)
ENDINGS = (".png", ".PNG", ".jpg", ".webp", ".gif", ".jfif", ".tif", ".bmp")
FAULTS = (
    *("pipe", "socket", "device", "loop", "nowhere", "unreadable", "no folder", "empty", "cut", "text", "vanishing"),
    *("twin", "own", "other", "hidden", "parent", "bytes"),
)


@dataclass
class Tree:
    """What was made. good: pictures that have to be done; bad: what has to fail; either: what may do both; silent: what
    is left out of a folder."""

    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    either: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    plain: bool = True


def picture(rng: random.Random, ending: str) -> bytes:
    """A small picture of a size that is no multiple of another one's."""
    import numpy as np
    import PIL.Image

    height, width = rng.choice((11, 13, 17)), rng.choice((12, 14, 19))
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (height, width, 3), dtype=np.uint8)
    kind = {".jpg": "JPEG", ".jfif": "JPEG", ".tif": "TIFF"}.get(ending.lower(), ending[1:].upper())
    buffer = io.BytesIO()
    PIL.Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


def plant(rng: random.Random, root: Path) -> Tree:
    """The tree under `root`, in which the current folder is."""
    tree = Tree()
    folders = ["d", *(f"d/{rng.choice(('sub', 'a b', 'ü', '[x]', 'deep/er'))}" for _ in range(rng.randrange(3)))]
    taken: set[str] = set()

    def place(stem: str, ending: str) -> str | None:
        """A free name whose result has a free name too."""
        name = f"{rng.choice(folders)}/{stem}{ending}"
        bare = name.removesuffix(ending)
        if bare in taken:
            return None
        taken.add(bare)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        return name

    for stem in rng.sample(STEMS, rng.randrange(1, 6)):
        ending = rng.choice(ENDINGS)
        if name := place(stem, ending):
            (root / name).write_bytes(picture(rng, ending))
            tree.good.append(name)
    for n, fault in enumerate(rng.choices(FAULTS, k=rng.randrange(7))):
        name = place(f"fault {n}", ".png")
        if name is None:
            continue
        path, whole = root / name, picture(rng, ".png")
        match fault:
            case "pipe":
                os.mkfifo(path)
                tree.silent.append(name)
            case "socket":
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as end:  # the path may be too long
                    end.bind(os.path.relpath(path))
                    tree.silent.append(name)
            case "device":
                path.symlink_to(rng.choice(("/dev/zero", "/dev/null")))
                tree.silent.append(name)
            case "loop" | "nowhere":
                path.symlink_to(path.name if fault == "loop" else "no such file.png")
                tree.bad.append(name)
            case "unreadable":
                path.write_bytes(whole)
                path.chmod(0)
                tree.bad.append(name)
            case "no folder":
                (root / f"d/closed {n}").mkdir()
                (root / f"d/closed {n}/in.png").write_bytes(whole)
                (root / f"d/closed {n}").chmod(0)
                tree.bad.append(f"d/closed {n}")
            case "empty" | "cut" | "text":
                path.write_bytes({"empty": b"", "cut": whole[:60], "text": b"no picture"}[fault])
                tree.bad.append(name)
            case "vanishing":
                path.write_bytes(whole)
                tree.either.append(name)
            case "twin":
                path.write_bytes(whole)
                path.with_suffix(".gif").write_bytes(picture(rng, ".gif"))
                tree.good += [name, str(Path(name).with_suffix(".gif"))]
            case "own":  # in the place of another one's result, and none
                path.write_bytes(whole)
                path.with_name(f"{path.stem}_x2.png").write_bytes(picture(rng, ".png"))
                tree.either += [name, str(Path(name).with_name(f"{path.stem}_x2.png"))]
                tree.plain = False
            case "other":
                path.with_suffix(".txt").write_bytes(b"notes")
                path.with_suffix(".nef").write_bytes(b"raw")
            case "hidden":
                path.with_name(f".{path.name}").write_bytes(whole)
            case "parent":
                path.with_suffix("").symlink_to(root / "d")
            case "bytes":
                odd = os.fsdecode(os.fsencode(path.with_suffix("")) + b"\xff.png")
                Path(odd).write_bytes(whole)
                tree.good.append(os.path.relpath(odd, root))
    return tree


def run(args: list[str], stdin: bytes = b"") -> tuple[int, list[dict[str, object]], str]:
    """Status, records and messages of one run in this process."""
    from kfsr.cli import run as kfsr
    from kfsr.cli.streams import Streams

    streams = Streams(*(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")))
    status = kfsr([args[0], "--json", *args[1:]], streams)
    out, err = (stream.buffer.getvalue().decode(errors="replace") for stream in (streams.stdout, streams.stderr))
    return status, [json.loads(line) for line in out.splitlines()], err


def check(seed: int) -> list[str]:
    """What is wrong with the runs on the tree of a seed; in a folder of its own."""
    rng, root = random.Random(seed), Path.cwd()
    tree = plant(rng, root)
    way = rng.choice(("folder", "folder", "list", "names")) if tree.plain else "folder"
    output = rng.choice(([], ["-o", "out/"], ["-o", "d/out/"]))
    if way != "folder" and output == []:
        output = ["-o", "out/"]  # names beside pictures of one name are for the folder
    bad, silent = list(tree.bad), tree.silent
    if way == "list":
        args, stdin = (
            ["--files-from", "-"],
            b"".join(os.fsencode(one) + b"\0" for one in [*tree.good, *bad, *silent, *tree.either]),
        )
        bad, silent = [*bad, *silent], []
    elif way == "names":
        args, stdin = ["--", *tree.good, *bad, *tree.either], b""
    else:
        args, stdin = ["d"], b""
    if way != "folder" and not stdin and len(args) == 1:
        return []
    options = ["upscale", *(["-r"] if way != "names" else []), *QUICK, *output]
    before = {name: (root / name).read_bytes() for name in tree.good}
    remover = threading.Thread(target=remove, args=(rng.random() * 0.2, [root / one for one in tree.either]))
    if tree.plain:
        remover.start()
    status, records, messages = run([*options, *args], stdin)
    if tree.plain:
        remover.join()
    wrong = judged(status, messages, len(tree.good), len(bad), len(tree.either))
    done = {str(one["input"]) for one in records if one.get("status") == "done"}
    wrong += [f"not done: {name!r}" for name in tree.good if name not in done]
    results = [Path(str(one["output"])) for one in records if one.get("status") == "done"]
    wrong += [f"no result: {path}" for path in results if not path.is_file()]
    if len(set(results)) < len(results):
        wrong.append("two results of one name")
    for again, expected in ((["--skip-existing"], "skipped"), (["--scale", "3"], "done")):
        status, records, messages = run([*options, *again, *args], stdin)
        wrong += judged(status, messages, len(tree.good), len(bad), len(tree.either), first=False)
        told = {str(one["input"]): one["status"] for one in records if "status" in one}
        wrong += [f"{again}: {name!r} is {told.get(name)}" for name in tree.good if told.get(name) != expected]
        wrong += [
            f"{again}: a result was taken: {one}"
            for one in results
            if told.get(str(one)) is not None and way == "folder" and tree.plain
        ]
    wrong += [f"changed: {name!r}" for name, data in before.items() if (root / name).read_bytes() != data]
    wrong += [f"left behind: {path}" for path in root.rglob(".kfsr-*.tmp")]
    return [f"({way}, {output}) {one}" for one in wrong]


def remove(after: float, paths: list[Path]) -> None:
    time.sleep(after)
    for path in paths:
        path.unlink(missing_ok=True)


def judged(status: int, messages: str, good: int, bad: int, either: int, first: bool = True) -> list[str]:
    """What is wrong with a status and its messages."""
    wrong = [line for line in messages.splitlines() if "Traceback" in line or "internal error" in line]
    possible = {
        0 if failed == 0 else 3 if failed < bad + good + either else 4 for failed in range(bad, bad + either + 1)
    }
    if good + bad + either == 0:
        possible = {4, 2}  # there is no picture, or nothing is named
    if not first and either:
        possible |= {0, 3, 4}
    if status not in possible:
        wrong.append(f"status {status}, not one of {sorted(possible)}: {messages[-600:]}")
    return wrong


def child(first: int, last: int) -> None:
    """Check these seeds; a line before and after each."""
    for seed in range(first, last):
        print(f"start {seed}", flush=True)
        with tempfile.TemporaryDirectory(prefix="kfsr-folders-") as folder, contextlib.chdir(folder):
            try:
                wrong = check(seed)
            finally:
                for path in Path(folder).glob("d/closed*"):
                    path.chmod(0o755)
        print(f"end {seed} {json.dumps(wrong)}", flush=True)


def less_than_root() -> list[str]:
    """What makes root's children ordinary users, whom permissions hold for."""
    if os.geteuid() != 0:
        return []
    less = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={less}", f"--inh-caps={less}"] if shutil.which("setpriv") else []


def search(first: int, last: int) -> list[str]:
    """The findings of the seeds, each with its seed; a child that hangs or dies is one, and the rest goes on."""
    findings = []
    while first < last:
        command = [*less_than_root(), sys.executable, __file__, "--child", str(first), str(last)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        watch = threading.Timer(SECONDS, process.kill)
        watch.start()
        at, other = first, []
        for line in process.stdout or ():
            word, _, rest = line.partition(" ")
            if word == "start":
                watch.cancel()
                watch = threading.Timer(SECONDS, process.kill)
                watch.start()
                at = int(rest)
            elif word == "end":
                findings += [f"seed {at}: {one}" for one in json.loads(rest.split(" ", 1)[1])]
                first = at + 1
            else:
                other.append(line)
        watch.cancel()
        if process.wait() != 0 or first <= at:
            findings.append(f"seed {at}: hung or died ({process.returncode}): {''.join(other)[-800:]}")
            first = at + 1
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description="Folders with planted faults; see the head of this file.")
    parser.add_argument("--folders", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return 0
    findings, last = [], options.seed + options.folders
    for first in range(options.seed, last, CHUNK):
        found = search(first, min(first + CHUNK, last))
        findings += found
        print(*found, f"up to seed {min(first + CHUNK, last) - 1}: {len(findings)} findings", sep="\n", flush=True)
    kinds = Counter(one.split(": ", 1)[0] for one in findings)
    print(f"{options.folders} folders from seed {options.seed}: {len(kinds)} with findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
