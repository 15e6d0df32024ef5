"""Wrong calls get one line and status 2, before anything is read or computed; help is always there."""

import pytest
from process import environment, kfsr_run


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_help_lists_every_command(tmp_path, args):
    text = kfsr_run(tmp_path, *args).ok().stdout.decode()
    for name in ("upscale", "deblur", "kernel", "degrade", "evaluate", "doctor"):
        assert f"\n  {name} " in text
    assert "Exit status" in text


@pytest.mark.parametrize("name", ["upscale", "deblur", "kernel", "degrade", "evaluate", "doctor"])
def test_every_command_has_help(tmp_path, name):
    done = kfsr_run(tmp_path, name, "--help").ok()
    assert done.stdout.startswith(f"Usage: kfsr {name} ".encode())
    assert done.stderr == ""


def test_version(tmp_path):
    import kfsr

    assert kfsr_run(tmp_path, "--version").ok().stdout.decode() == f"kfsr {kfsr.__version__}\n"


WRONG = {
    "unknown command": (("upscal", "face.png"), "did you mean upscale?"),
    "unknown option": (("upscale", "face.png", "--scal", "3"), "--scale"),
    "no input": (("upscale",), "INPUT"),
    "scale too large": (("upscale", "face.png", "--scale", "8"), "--scale: 8 is too much at once, 4 is the most"),
    "scale of nothing": (("upscale", "face.png", "--scale", "0"), "--scale"),
    "method across scales at scale 1": (
        ("upscale", "face.png", "-s", "1", "--kernel-method", "spectral"),
        "use one of auto",
    ),
    "a resize at scale 1": (("kernel", "face.png", "--scale", "1", "--kernel-method", "bicubic"), "only at 2, 3, 4"),
    "interpolation at scale 1": (("upscale", "face.png", "-s", "1", "--solver", "bicubic"), "use one of unrolled"),
    "joint at scale 1": (
        ("upscale", "face.png", "-s", "1", "--kernel-method", "kernelfusion", "--joint"),
        "kernelfusion is not defined at scale 1",
    ),
    "start at scale 1": (("upscale", "face.png", "-s", "1", "--kernel-init", "gaussian"), "leave --kernel-init out"),
    "bench of spectral at scale 1": (("bench", ".", "--scale", "1", "--kernel-method", "spectral"), "use one of auto"),
    "deblur by two": (("deblur", "face.png", "--scale", "2"), "--scale"),
    "deblur across scales": (("deblur", "face.png", "--kernel-method", "spectral"), "not one of auto"),
    "deblur by interpolation": (("deblur", "face.png", "--solver", "bicubic"), "not one of unrolled"),
    "deblur over its input": (("deblur", "face.png", "-o", "face.png"), "overwritten"),
    "deblur without input": (("deblur",), "INPUT"),
    "deblurred picture and JSON on stdout": (("deblur", "-", "--json"), "--json"),
    "strength of nothing and a kernel to save": (
        ("deblur", "face.png", "--strength", "0", "--save-kernel", "k.npz"),
        "--save-kernel",
    ),
    "scale in words": (("upscale", "face.png", "--scale", "twice"), "--scale: 'twice' is no factor"),
    "scale and size": (("upscale", "face.png", "--scale", "2", "--size", "300x"), "leave one of them out"),
    "size of nothing": (("upscale", "face.png", "--size", "0x0"), "--size"),
    "size that is a factor": (("upscale", "face.png", "--size", "1.5"), "--scale 1.5"),
    "size and a kernel": (("upscale", "face.png", "--size", "100x", "--kernel-from", "cat.jpg"), "use --scale"),
    "kernel of a fractional scale": (("kernel", "face.png", "--scale", "1.5"), "whole scale"),
    "format that is none": (("upscale", "face.png", "--format", "doc"), "'doc' is not a known image format"),
    "format that is only read": (("upscale", "face.png", "--format", "gif"), "GIF is read but not written"),
    "format and another ending": (("upscale", "face.png", "--format", "webp", "-o", "a.png"), "leave one of them out"),
    "graphics card of another kind": (("upscale", "face.png", "--device", "gpu"), "cuda:1"),
    "output without -o": (("upscale", "face.png", "big.png"), "face.png -o big.png"),
    "output folder without -o": (("upscale", "face.png", "cat.jpg", "out/"), "face.png cat.jpg -o out/"),
    "kernel without -o": (("kernel", "face.png", "k.npz"), "face.png -o k.npz"),
    "picture in place of a command": (("face.png",), "kfsr upscale face.png"),
    "missing picture in place of a command": (("no.png", "--scale", "4"), "kfsr upscale no.png --scale 4"),
    "unknown method": (("upscale", "face.png", "--kernel-method", "magic"), "spectral"),
    "unknown preset": (("upscale", "face.png", "--preset", "quick"), "balanced"),
    "negative seed": (("upscale", "face.png", "--seed", "-1"), "--seed"),
    "huge seed": (("upscale", "face.png", "--seed", str(2**63)), "--seed"),
    "no threads": (("upscale", "face.png", "--threads", "0"), "--threads"),
    "quality": (("upscale", "face.png", "--quality", "101"), "--quality"),
    "method and kernel": (
        ("upscale", "face.png", "--kernel", "k.npy", "--kernel-method", "ikl"),
        "--kernel-method",
    ),
    "kernel and kernel's pictures": (
        ("upscale", "face.png", "--kernel", "k.npy", "--kernel-from", "."),
        "--kernel-from",
    ),
    "kernel's pictures and none wanted": (
        ("upscale", "face.png", "--kernel-from", "cat.jpg", "--kernel-method", "bicubic"),
        "--kernel-from",
    ),
    "kernel's pictures on stdin": (("upscale", "face.png", "--kernel-from", "-"), "--kernel-from"),
    "result over a kernel's picture": (("upscale", "face.png", "--kernel-from", "cat.jpg", "-o", "cat.jpg"), "cat.jpg"),
    "no workers": (("upscale", "face.png", "--workers", "0"), "--workers: must be 1 or more"),
    "threads in words": (("upscale", "face.png", "--threads", "two"), "--threads: must be a whole number"),
    "folder as input": (("degrade", ".", "--kernel", "box", "-o", "low.png"), "is a folder"),
    "folder into one file": (("upscale", ".", "-o", "out.png"), "out.png/"),
    "unknown field in a name": (("upscale", "face.png", "--name", "{date}.png"), "{stem}"),
    "path as a name": (("upscale", "face.png", "--name", "out/{stem}.png"), "-o"),
    "name without ending": (("upscale", "face.png", "--name", "{stem}"), "ending"),
    "one name for all": (("upscale", "face.png", "cat.jpg", "--name", "a.png", "-o", "out/"), "both be written"),
    "picture and list on stdin": (("upscale", "-", "--files-from", "-", "-o", "out/"), "--files-from"),
    "uncertainty of no use": (("upscale", "face.png", "--solver", "zssr", "--uncertainty", "0.5"), "uncertainty"),
    "start of no use": (("upscale", "face.png", "--kernel-method", "spectral", "--kernel-init", "gaussian"), "ikl"),
    "start of a given kernel": (
        ("upscale", "face.png", "--kernel", "k.npy", "--kernel-init", "gaussian"),
        "--kernel-init",
    ),
    "overwrites its input": (("upscale", "face.png", "-o", "face.png"), "overwritten"),
    "overwrites another input": (("upscale", "face.png", "-o", "cat.jpg", "cat.jpg"), "folder"),
    "overwrites the kernel": (("degrade", "face.png", "--kernel", "gray.png", "-o", "gray.png"), "gray.png"),
    "output without ending": (("upscale", "face.png", "-o", "out"), "out/"),
    "output of unknown kind": (("upscale", "face.png", "-o", "out.txt"), ".png"),
    "several into one file": (("upscale", "face.png", "cat.jpg", "-o", "out.png"), "out.png/"),
    "several to stdout": (("upscale", "face.png", "cat.jpg", "-o", "-"), "standard output"),
    "stdin twice": (("upscale", "-", "-", "-o", "out/"), "once"),
    "picture and JSON on stdout": (("upscale", "face.png", "-o", "-", "--json"), "--json"),
    "stdin's picture and JSON": (("upscale", "-", "--json"), "--json"),
    "kernel and JSON on stdout": (("kernel", "face.png", "-o", "-", "--json"), "--json"),
    "kernel saved to stdout": (("upscale", "face.png", "--save-kernel", "-"), "--save-kernel"),
    "kernel of unknown kind": (("kernel", "face.png", "-o", "k.txt"), ".npy"),
    "saved kernel of unknown kind": (("upscale", "face.png", "--save-kernel", "k.txt"), ".npy"),
    "kernel and plot in one file": (("kernel", "face.png", "-o", "k.png", "--plot", "k.png"), "k.png"),
    "plot over the input": (("kernel", "face.png", "--plot", "face.png"), "overwritten"),
    "degrade without kernel": (("degrade", "face.png", "-o", "low.png"), "--kernel"),
    "degrade without output": (("degrade", "face.png", "--kernel", "bicubic"), "--output"),
    "negative noise": (
        ("degrade", "face.png", "--kernel", "box", "-o", "low.png", "--noise", "-1"),
        "--noise",
    ),
    "nothing to evaluate": (("evaluate",), "nothing to compare"),
    "one kernel to evaluate": (("evaluate", "--kernel", "k.npy", "--scale", "2"), "--kernel-truth"),
    "kernels without scale": (("evaluate", "--kernel", "k.npy", "--kernel-truth", "k.npy"), "--scale"),
}


@pytest.mark.parametrize(("args", "hint"), WRONG.values(), ids=WRONG.keys())
def test_wrong_call(photos, args, hint):
    before = {path: path.read_bytes() for path in photos.iterdir()}
    assert hint in kfsr_run(photos, *args).error_line(2)
    assert {path: path.read_bytes() for path in photos.iterdir()} == before


def test_a_device_that_is_not_there(photos):
    import torch

    for missing in ("cuda:99", "mps" if torch.cuda.is_available() else "cuda"):
        assert missing in kfsr_run(photos, "upscale", "face.png", "-o", "new/", "--device", missing).error_line(2)
        assert not (photos / "new").exists()


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_an_input_is_not_overwritten_through_a_link(photos, link):
    getattr(photos / "alias.png", link)(photos / "face.png")
    before = (photos / "face.png").read_bytes()
    assert "overwritten" in kfsr_run(photos, "upscale", "face.png", "-o", "alias.png").error_line(2)
    assert (photos / "face.png").read_bytes() == before


def test_debug_adds_the_traceback(photos):
    args = ("degrade", "nowhere.png", "--kernel", "box", "-o", "low.png")
    assert "Traceback" not in kfsr_run(photos, *args).error_line(4)
    done = kfsr_run(photos, *args, env=environment(KFSR_DEBUG="1"))
    assert done.status == 4
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("kfsr: error: nowhere.png")


def test_a_fault_of_the_program_is_one_line_that_asks_for_a_report(photos, tmp_path_factory):
    broken = tmp_path_factory.mktemp("broken")
    (broken / "torch.py").write_text("raise ValueError('a torch that does not load')\n")
    env = environment()
    env["PYTHONPATH"] = f"{broken}:{env['PYTHONPATH']}"
    done = kfsr_run(photos, "degrade", "face.png", "--kernel", "box", "-o", "low.png", env=env)
    line = done.error_line(1)
    assert "ValueError" in line
    assert "report" in line
    assert not (photos / "low.png").exists()


def test_control_characters_in_names_do_not_reach_the_terminal(photos):
    line = kfsr_run(photos, "degrade", "no\nsuch\x1b[31m.png", "--kernel", "box", "-o", "low.png").error_line(4)
    assert "\x1b" not in line
