"""Forty files there and back: ImageMagick, libvips and Pillow see the same EXIF, profile, resolution, depth, channels
and orientation in the result as in the picture it was made from."""

import io
import json
import re
import subprocess
import warnings
from shutil import which

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import alpha_ramp, colour_picture, exif_block, file_bytes, gray_picture, gray_profile, rgb_profile

from kfsr.image import Image, encode_image, read_image

COLOUR, GRAY = PIL.Image.fromarray(colour_picture()), PIL.Image.fromarray(gray_picture())
ALPHA = COLOUR.copy()
ALPHA.putalpha(PIL.Image.fromarray(alpha_ramp()))


def deep(format, channels):
    rng = np.random.default_rng(channels)
    values = rng.integers(0, 65536, (48, 64, channels)).astype(np.uint16)
    alpha = values[..., -1] / np.float32(65535) if channels in (2, 4) else None
    pixels = (values[..., :-1] if alpha is not None else values) / np.float32(65535)
    image = Image(pixels.astype(np.float32), alpha, exif=exif_block(), dpi=(300, 300), depth=16)
    return encode_image(image, format)


def made():
    """(name, bytes) of the forty."""
    pictures = {"colour": COLOUR, "gray": GRAY, "alpha": ALPHA}
    profiles = {"colour": rgb_profile(), "gray": gray_profile(), "alpha": rgb_profile()}
    for format, ending in {"PNG": "png", "JPEG": "jpg", "TIFF": "tif", "WEBP": "webp"}.items():
        for name, picture in pictures.items():
            if (name, format) == ("alpha", "JPEG") or (name == "gray" and format == "WEBP"):
                continue
            options = {"quality": 95} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
            yield f"{name}_plain.{ending}", file_bytes(picture, format, **options)
            about = {"exif": exif_block(), "icc_profile": profiles[name], "dpi": (300, 300)}
            yield f"{name}_all.{ending}", file_bytes(picture, format, **options, **about)
            yield f"{name}_turned.{ending}", file_bytes(picture, format, **options, exif=exif_block(6))
    for channels in (1, 3, 4):
        yield f"deep{channels}.png", deep("PNG", channels)
        yield f"deep{channels}.tif", deep("TIFF", channels)
    yield "real.tif", tiff(gray_picture().astype(np.float32) / 255)
    yield "big.tif", tiff(colour_picture(), bigtiff=True, byteorder=">", photometric="rgb")
    yield "planes.tif", tiff(colour_picture().transpose(2, 0, 1), planarconfig="separate", photometric="rgb")
    yield "zstd.tif", tiff(colour_picture(), compression="deflate", photometric="rgb")


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **({"metadata": None, "software": False, "resolution": (72, 72)} | options))
    return file.getvalue()


FILES = dict(made())
TURNED = "turned"


def by_pillow(path):
    with PIL.Image.open(path) as found:
        exif = found.getexif()
        dpi = found.info.get("dpi")
        return {
            "size": found.size,
            "mode": found.mode,
            "icc": found.info.get("icc_profile"),
            "dpi": None if dpi is None else tuple(round(float(one)) for one in dpi),
            "maker": exif.get(0x010F),
            "exposure": float(exif.get_ifd(0x8769).get(0x829A, 0)),
            "orientation": exif.get(0x0112, 1),
        }


def by_magick(path):
    program = which("magick") or which("convert")
    asked = "%w %h|%z|%[channels]|%[orientation]|%[profiles]|%[exif:Make]|%[exif:ExposureTime]|%x %y %U"
    tool = [program, "identify"] if program.endswith("magick") else ["identify"]
    done = subprocess.run([*tool, "-format", asked, str(path)], capture_output=True, text=True, check=True)
    names = ["size", "depth", "channels", "orientation", "profiles", "maker", "exposure", "resolution"]
    found = dict(zip(names, done.stdout.split("|"), strict=True))
    numbers = [float(one) for one in re.findall(r"[\d.]+", found["resolution"])[:2]]
    per_inch = [one * 2.54 if "Centimeter" in found["resolution"] else one for one in numbers]
    found["resolution"] = [round(one) for one in per_inch]
    found["profiles"] = sorted(set(found["profiles"].split(",")) & {"icc", "exif", "xmp", "iptc"})
    return found


def by_vips(path):
    fields = {}
    done = subprocess.run(["vipsheader", "-a", str(path)], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        name, _, value = line.partition(": ")
        fields[name] = value
    names = ["width", "height", "bands", "format", "interpretation", "orientation"]
    names += ["icc-profile-data", "exif-ifd0-Make", "exif-ifd2-ExposureTime"]
    found = {name: fields.get(name) for name in names}
    found["per_mm"] = [round(float(fields[name]), 1) for name in ("xres", "yres")]
    found["orientation"] = found["orientation"] or "1"
    return found


LOOKS = {"Pillow": (by_pillow, "python"), "ImageMagick": (by_magick, "convert"), "libvips": (by_vips, "vipsheader")}


def test_there_are_forty():
    assert len(FILES) == 40, sorted(FILES)


@pytest.mark.parametrize("program", LOOKS)
@pytest.mark.parametrize("name", FILES)
def test_the_same_is_seen_before_and_after(name, program, tmp_path):
    look, tool = LOOKS[program]
    if tool != "python" and which(tool) is None:
        pytest.skip(f"{program} is not installed")
    if (name, program) == ("big.tif", "Pillow"):
        pytest.skip("Pillow does not open BigTIFF of that byte order")
    before, after = tmp_path / name, tmp_path / f"after_{name}"
    before.write_bytes(FILES[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(before)
        after.write_bytes(encode_image(image, after.suffix))
    if TURNED in name:  # the pixels are turned, and the tag goes
        with PIL.Image.open(before) as stored:
            stored.load()
            kind, turn = stored.format, stored.copy()
        if turn.size == (64, 48):  # Pillow turns TIFFs itself
            turn = turn.transpose(PIL.Image.Transpose.ROTATE_270)
        before.write_bytes(file_bytes(turn, kind, exif=exif_block()))
    expected, found = look(before), look(after)
    assert json.dumps(found, default=str, indent=1) == json.dumps(expected, default=str, indent=1)
