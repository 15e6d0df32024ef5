"""Damaged files by the thousand: every load gives a value or one line that names the file, and nothing else.

    python tests/fuzz.py --files 20000 --seed 0            # the long form; --keep FOLDER keeps what was found

The files begin as sound ones of every format that is read, and are changed at random: bits, lengths, headers, cuts and
splices, also inside what a checksum or a compressor protects. They are loaded in child processes, which may use
`SECONDS` of processor time per file and `MEMORY` beyond what they started with; that is ample for `PIXELS`. The same
seed makes the same files. The exit status is 0 when nothing was found, else 1.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path

SECONDS = 20
MEMORY = 256 * 2**20
PIXELS = 250_000
CHUNK = 1000
WRITTEN = ("TIFF", "PNG", "JPEG", "WEBP")
KERNEL_SUFFIXES = (".npy", ".npz", ".mat")
FINDING = "FOUND"


def sources() -> list[tuple[str, bytes]]:
    """(file name, content) of whole files, the name's ending telling the loader."""
    import numpy as np
    import PIL.Image
    import scipy.io
    from image.image_files import (
        alpha_ramp,
        cmyk_profile,
        colour_picture,
        exif_block,
        file_bytes,
        gray_picture,
        png_bytes,
        png_chunk,
        rgb_profile,
    )

    from kfsr.image import Image, encode_image
    from kfsr.kernel import Provenance, gaussian_kernel, kernel_bytes

    small = PIL.Image.fromarray(colour_picture())
    gray = PIL.Image.fromarray(gray_picture())
    alpha = small.copy()
    alpha.putalpha(PIL.Image.fromarray(alpha_ramp()))
    palette = small.quantize(200)
    frames = {"save_all": True, "append_images": [small.rotate(90), small.rotate(180)], "duration": 50}
    about = {"exif": exif_block(6), "icc_profile": rgb_profile()}
    deep = np.repeat(gray_picture()[..., None].astype(np.uint16) * 257, 3, axis=2)
    files = {
        "rgb.png": file_bytes(small, "PNG", **about),
        "gray.png": file_bytes(gray, "PNG"),
        "one_bit.png": file_bytes(gray.convert("1"), "PNG"),
        "palette.png": file_bytes(palette, "PNG", transparency=3),
        "alpha.png": file_bytes(alpha, "PNG"),
        "interlaced.png": png_bytes(gray_picture(), 8, 0, png_chunk(b"tRNS", b"\0\7")),
        "sixteen.png": png_bytes(deep, 16, 2),
        "clip.png": file_bytes(small, "PNG", **frames),
        "rgb.jpg": file_bytes(small, "JPEG", **about),
        "progressive.jpg": file_bytes(small, "JPEG", progressive=True),
        "gray.jpg": file_bytes(gray, "JPEG"),
        "cmyk.jpg": file_bytes(small.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        "lossy.webp": file_bytes(small, "WEBP", **about),
        "lossless.webp": file_bytes(alpha, "WEBP", lossless=True),
        "clip.webp": file_bytes(small, "WEBP", **frames),
        "plain.tif": file_bytes(small, "TIFF", **about),
        "gray.tif": file_bytes(gray, "TIFF"),
        "lzw.tif": file_bytes(small, "TIFF", compression="tiff_lzw"),
        "deflate.tif": file_bytes(alpha, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tif": file_bytes(small, "TIFF", compression="jpeg"),
        "fax.tif": file_bytes(gray.convert("1"), "TIFF", compression="group4"),
        "big.tif": file_bytes(small, "TIFF", big_tiff=True),
        "pages.tif": file_bytes(small, "TIFF", save_all=True, append_images=[gray]),
        "float.tif": file_bytes(gray.convert("F"), "TIFF"),
        "rgb.bmp": file_bytes(small, "BMP"),
        "palette.bmp": file_bytes(palette, "BMP"),
        "rgb.avif": file_bytes(small, "AVIF", **about),
        "alpha.avif": file_bytes(alpha, "AVIF"),
        "gray.avif": file_bytes(gray, "AVIF"),
        "still.gif": file_bytes(palette, "GIF", transparency=3),
        "clip.gif": file_bytes(small, "GIF", **frames),
    }
    sixteen = Image.from_array(np.dstack([deep, deep[..., 0]]))
    files |= {"sixteen_alpha.png": encode_image(sixteen, "PNG"), "sixteen.tif": encode_image(sixteen, "TIFF")}
    files |= scientific_tiffs() | with_side_parts(small, gray) | in_odd_places(small, palette)
    with suppress(ImportError):  # an extra
        import pillow_heif

        files["rgb.heic"] = _saved(lambda f, one: pillow_heif.from_pillow(one).save(f), small)
    kernel = gaussian_kernel(np.array([[3.0, 1.1], [1.1, 1.6]]), 2, 16).stamped(
        Provenance("estimated", "ikl", ("a.png", "b.png"), 0.25)
    )
    for suffix in KERNEL_SUFFIXES:
        files[f"own{suffix}"] = kernel_bytes(kernel, suffix)
    files["single.npy"] = _saved(np.save, kernel.array.astype(np.float32))
    files["fortran.npy"] = _saved(np.save, np.asfortranarray(kernel.array[:, :9]))
    files["packed.npz"] = _saved(lambda f, k: np.savez_compressed(f, kernel=k, scale=2), kernel.array)
    for name, options in {"v5": {}, "packed": {"do_compression": True}, "v4": {"format": "4"}}.items():
        files[f"{name}.mat"] = _saved(lambda f, k, o=options: scipy.io.savemat(f, {"Kernel": k}, **o), kernel.array)
    return sorted(files.items())


def scientific_tiffs() -> dict[str, bytes]:
    """TIFFs of every kind that tifffile writes and Pillow does not."""
    import numpy as np
    import tifffile
    from image.image_files import colour_picture, gray_picture

    colour, gray = colour_picture(), gray_picture()
    real = gray.astype(np.float32) * 3 - 100
    geo = [(33550, 12, 3, (10.0, 10.0, 0.0), True), (33922, 12, 6, (0, 0, 0, 5e5, 4.1e6, 0), True)]
    geo.append((34735, 3, 8, (1, 1, 0, 1, 1025, 0, 1, 2), True))
    ome = {"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm"}
    imagej = {"axes": "ZYX", "unit": "um", "Labels": ["a", "b"]}
    kinds = {
        "real.tif": (real, {"predictor": True, "compression": "zlib"}),
        "signed.tif": (gray.astype(np.int16) - 99, {"byteorder": ">", "bigtiff": True, "extratags": geo}),
        "wide.tif": (gray.astype(np.uint32) << 20, {"tile": (16, 16)}),
        "planes.tif": (colour.transpose(2, 0, 1)[:2], {"photometric": "minisblack", "planarconfig": "separate"}),
        "inks.tif": (np.dstack([colour, gray]), {"photometric": "separated", "compression": "lzw"}),
        "lab.tif": (colour, {"photometric": "cielab", "compression": "packbits"}),
        "near.tif": (np.dstack([colour, gray]), {"photometric": "rgb", "extrasamples": ["unspecified"]}),
        "stack.ome.tif": (np.stack([gray, gray]), {"metadata": ome}),
        "stack_imagej.tif": (np.stack([gray, gray]).astype(np.uint16), {"imagej": True, "metadata": imagej}),
    }
    for codec in ("lerc", "jpeg2000", "webp", "zstd", "jpeg", "lzma", "jpegxl", "jpegxr", "png"):
        kinds[f"{codec}_inside.tif"] = (colour, {"photometric": "rgb", "compression": codec})
    return {
        name: _saved(lambda f, v, o=options: tifffile.imwrite(f, v, **o), v) for name, (v, options) in kinds.items()
    }


def with_side_parts(small, gray) -> dict[str, bytes]:
    """PNG with chunks of every kind, JPEG with segments of every kind and without its end, AVIF of ten bits."""
    import imagecodecs
    import numpy as np
    from image.image_files import exif_block, file_bytes, png_chunk, rgb_profile
    from PIL import PngImagePlugin

    from kfsr.image import jpeg

    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * 300, zip=True)
    texts.add_itxt("Title", "Zoë", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", _XMP)
    png = file_bytes(small, "PNG", pnginfo=texts, icc_profile=rgb_profile(), exif=exif_block(3), dpi=(300, 300))
    colour = png_chunk(b"gAMA", struct.pack(">I", 100000)) + png_chunk(b"cICP", bytes([9, 16, 0, 1]))
    iptc = jpeg.PHOTOSHOP + jpeg.resources_of(b"\x1c\x02\x19\0\6castle")
    photo = file_bytes(small, "JPEG", xmp=_XMP.encode(), comment=b"hello", exif=exif_block(8))
    photo = jpeg.with_segments(photo, [(0xED, iptc), (0xFE, b"more")])
    frames = {"save_all": True, "append_images": [gray]}
    ten_bits = imagecodecs.avif_encode(np.asarray(small).astype(np.uint16) * 4, level=80, bitspersample=10)
    return {
        "chunks.png": png[:33] + colour + png[33:],
        "segments.jpg": photo + b"\0\0\0\x18ftypmp42" + bytes(80),
        "endless.jpg": photo[:-2],
        "views.jpg": file_bytes(small, "MPO", **frames),
        "ten_bits.avif": ten_bits,
    }


def in_odd_places(small, palette) -> dict[str, bytes]:
    """A 16-bit PNG in passes; profiles and XMP in GIF and BMP, which libraries do not find."""
    import numpy as np
    from image.image_files import file_bytes, png_chunk, rgb_profile

    deep = np.asarray(small).astype(">u2") * 257
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\0" + row.tobytes() for x, y, right, down in passes for row in deep[y::down, x::right])
    header = struct.pack(">IIBBBBB", small.width, small.height, 16, 2, 0, 0, 1)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    gif, profile = file_bytes(palette, "GIF"), rgb_profile()
    at = 13 + (3 << ((gif[10] & 7) + 1))
    blocks = b"".join(bytes([len(profile[n : n + 255])]) + profile[n : n + 255] for n in range(0, len(profile), 255))
    parts = b"\x21\xff\x0bICCRGBG1012" + blocks + b"\0"
    parts += b"\x21\xff\x0bXMP DataXMP" + _XMP.encode() + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    pixels = np.asarray(small)[::-1, :, ::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, *small.size, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + bytes(16)
    head += b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + len(pixels), len(profile), 0)
    bmp = b"BM" + struct.pack("<IHHI", 138 + len(pixels) + len(profile), 0, 0, 138) + head + pixels + profile
    return {
        "passes.png": b"\x89PNG\r\n\x1a\n" + b"".join(chunks),
        "applications.gif": gif[:at] + parts + gif[at:],
        "profile.bmp": bmp,
    }


_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" a:MotionPhoto="1">'
    "<hdrgm:Gamma><rdf:Seq/></hdrgm:Gamma></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def _saved(save, array) -> bytes:
    out = io.BytesIO()
    save(out, array)
    return out.getvalue()


def mutated(number: int, seed: int, files: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The file of that number: (name, content)."""
    rng = random.Random(seed * 1_000_003 + number)
    name, data = files[number % len(files)]
    deep = rng.random() < 0.5
    if deep and name.endswith(".npz"):
        return name, _through_zip(data, rng, files)
    if deep and name == "packed.mat":
        inner = bytearray(zlib.decompress(data[136:]))
        packed = zlib.compress(bytes(_changed(inner, rng, files)))
        return name, data[:128] + struct.pack("<II", 15, len(packed)) + packed
    changed = bytes(_changed(bytearray(data), rng, files))
    return name, _with_checksums(changed) if deep and name.endswith(".png") else changed


def _changed(data: bytearray, rng: random.Random, files: list[tuple[str, bytes]]) -> bytearray:
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        if not data:
            break
        # Headers and directories are small and lie at one end or the other; pixels are many.
        region = rng.choice((len(data), len(data), min(len(data), 64), min(len(data), 400)))
        at = rng.randrange(region)
        if rng.random() < 0.1:
            at = len(data) - 1 - at
        match rng.randrange(8):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + rng.choice((1, 4, 16, 200))]
            case 4:
                other = files[rng.randrange(len(files))][1]
                start = rng.randrange(len(other))
                data[at : at + rng.choice((0, 8, 100))] = other[start : start + rng.choice((4, 32, 300))]
            case 5:
                data[at:at] = data[at : at + rng.choice((4, 32, 300))]
            case 6:
                width, order = rng.choice("BHIQ"), rng.choice("<>")
                top = 256 ** struct.calcsize(width) - 1
                values = (0, 1, 2, top, top // 2, top // 2 + 1, len(data), len(data) + 1, rng.randrange(top + 1))
                word = struct.pack(order + width, min(rng.choice(values), top))
                data[at : at + len(word)] = word
            case 7:
                data[at : at + rng.choice((1, 4, 64))] = bytes([rng.choice((0, 255))]) * rng.choice((1, 4, 64))
    return data


def _with_checksums(data: bytes) -> bytes:
    """A PNG with the checksum of every chunk set right, so that its damage is seen by more than the checksums."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def _through_zip(data: bytes, rng: random.Random, files: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if rng.random() < 0.6:
                content = bytes(_changed(bytearray(content), rng, files))
            target.writestr(name, content)
    return out.getvalue()


def judged(number: int, name: str, data: bytes, folder: Path) -> str:
    """ "valid" or "refused"; raises AssertionError, or what the loader raised, for anything else."""
    from kfsr.errors import InputError, OutputError, UsageError
    from kfsr.image import Image, encode_image, read_pages
    from kfsr.kernel import Kernel, load_kernel

    path = folder / name
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            path.write_bytes(data)
            if path.suffix in KERNEL_SUFFIXES:
                value: object = load_kernel(path, 1 + number % 4)
                assert isinstance(value, Kernel)
            else:
                pages = read_pages(path, max_pixels=PIXELS)
                for page in range(min(pages.count, 3)):
                    value = pages.read(page)
                    assert isinstance(value, Image)
                    assert value.width * value.height <= PIXELS
                pages.first()
                if number % 4 == 0:  # what travels with the pixels can be written, or is named
                    with suppress(OutputError):
                        encode_image(value, WRITTEN[number // 4 % len(WRITTEN)])
            verdict = "valid"
        except (InputError, UsageError) as error:
            assert len(str(error).splitlines()) == 1, f"several lines: {error}"
            assert str(path) in str(error), f"no name in: {error}"
            verdict = "refused"
    for one in said:
        assert not issubclass(one.category, RuntimeWarning), f"arithmetic warning: {one.message}"
    return verdict


def child(first: int, last: int, seed: int) -> None:
    """Load the files `first` to `last` - 1, saying before each that it is begun and after each how it went."""
    files = sources()
    for name, data in files:  # everything is imported and has taken its memory before the limit is set
        judged(1, name, data, Path(tempfile.gettempdir()))
    with Path("/proc/self/statm").open() as statm:
        held = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            name, data = mutated(number, seed, files)
            print(number, name, end=" ", flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its signal ends the process
            try:
                verdict = judged(number, name, data, Path(folder))
            except BaseException as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                words = " ".join(f"{type(error).__name__}: {error}".split())
                verdict = f"{FINDING} {words} ({Path(where.filename).name}:{where.lineno})"
            print(verdict, flush=True)


def fuzz(count: int, seed: int, first: int = 0) -> tuple[Counter[str], list[str]]:
    """Load `count` files: how many of each format came to what, and one line for each finding."""
    totals: Counter[str] = Counter()
    findings: list[str] = []
    at, last = first, first + count
    while at < last:
        stop = min(last, at + CHUNK)
        args = [sys.executable, __file__, "--child", str(at), str(stop), "--seed", str(seed)]
        done = subprocess.run(args, capture_output=True, text=True, errors="replace", check=False)
        reached = at
        for line in done.stdout.splitlines():
            number, name, *verdict = line.split(" ", 3)
            reached = int(number) + 1
            what = verdict[0] if verdict else "died"
            totals[f"{Path(name).suffix[1:]} {what}"] += 1
            if what == "died":
                findings.append(f"{number} {name}: the process ended with {done.returncode}: {done.stderr[-200:]!r}")
            elif what == FINDING:
                findings.append(f"{number} {name}: {verdict[1]}")
        if reached == at and done.returncode != 0:
            raise RuntimeError(f"the child did not start: {done.stderr}")
        at = reached
    return totals, findings


def main() -> int:
    parser = argparse.ArgumentParser(description="Load damaged files; see the head of this file.")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="write what was found into this folder")
    parser.add_argument("--child", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.seed)
        return 0
    totals, findings = fuzz(options.files, options.seed, options.first)
    print(f"{'format':8}{'valid':>8}{'refused':>8}{'found':>8}")
    for kind in sorted({key.split()[0] for key in totals}):
        found = totals[f"{kind} {FINDING}"] + totals[f"{kind} died"]
        print(f"{kind:8}{totals[f'{kind} valid']:8}{totals[f'{kind} refused']:8}{found:8}")
    print(f"{sum(totals.values())} files, seed {options.seed}: {len(findings)} findings")
    for line in findings:
        print(line)
    if options.keep and findings:
        options.keep.mkdir(parents=True, exist_ok=True)
        files = sources()
        for line in findings:
            name, data = mutated(int(line.split()[0]), options.seed, files)
            (options.keep / f"{line.split()[0]}_{name}").write_bytes(data)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    sys.exit(main())
