"""What no longer holds for the result is rewritten or removed, with one warning where something visible is lost."""

import io
import json
import logging
import struct
import subprocess
import warnings
import xml.etree.ElementTree as ET
from shutil import which

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import colour_picture, exif_block, file_bytes, gray_picture

from kfsr.errors import InputError
from kfsr.image import StackWriter, encode_image, jpeg, read_image, read_pages
from kfsr.image.xmp import announced, tidy_xmp

CONTAINER = "http://ns.google.com/photos/1.0/container/"
PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmp:Rating="5" {attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
)
DIRECTORY = "<C:Directory><rdf:Seq><rdf:li><C:Item I:Semantic='GainMap' I:Length='9'/></rdf:li></rdf:Seq></C:Directory>"
PACKETS = {
    "gain map": PACKET.format(
        attributes='xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" hdrgm:GainMapMax="2"',
        inner="<hdrgm:OffsetSDR><rdf:Seq><rdf:li>0</rdf:li></rdf:Seq></hdrgm:OffsetSDR>",
    ),
    "gain map under another prefix": PACKET.format(
        attributes=f'xmlns:g="http://ns.adobe.com/hdr-gain-map/1.0/" g:Version="1" xmlns:C="{CONTAINER}" '
        f'xmlns:I="{CONTAINER}item/"',
        inner=DIRECTORY,
    ),
    "video": PACKET.format(
        attributes='xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" '
        'GCamera:MicroVideoOffset="5000" GCamera:MotionPhotoPresentationTimestampUs="0"',
        inner="",
    ),
    "depth map": PACKET.format(
        attributes='xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/" GDepth:Format="RangeLinear"', inner=""
    ),
}
STALE = ("hdrgm:", "g:Version", "GainMap", "Directory", "Motion", "MicroVideo", "GDepth", "hdr-gain-map", "Semantic")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("name", PACKETS)
def test_a_result_does_not_announce_what_it_lacks(name, format):
    if format == "PNG":
        from PIL import PngImagePlugin

        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", PACKETS[name])
        data = file_bytes(colour_picture(), "PNG", pnginfo=info)
    else:
        data = file_bytes(colour_picture(), format, xmp=PACKETS[name].encode())
    what = " ".join(name.split()[:2])
    with pytest.warns(UserWarning, match=f"^photo: its {what} cannot be kept$") as said:
        image = read_image(data, "photo")
    assert len(said) == 1
    text = image.xmp.decode()
    assert 'xmp:Rating="5"' in text
    assert not [word for word in STALE if word in text]
    ET.fromstring(text.replace("xmp:Rating", "Rating"))


def test_what_is_no_film_is_no_loss():
    off = PACKET.format(
        attributes='xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="0"', inner=""
    )
    assert announced(off.encode()) == []
    assert b"MotionPhoto" not in tidy_xmp(off)


def test_embedded_previews_go():
    inner = "<xmp:Thumbnails><rdf:Alt><rdf:li><xmpGImg:image>/9j/</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
    packet = PACKET.format(attributes='xmlns:xmp="http://ns.adobe.com/xap/1.0/"', inner=inner)
    assert b"Thumbnails" not in tidy_xmp(packet)


def test_a_film_behind_the_picture_is_named():
    data = file_bytes(colour_picture(), "JPEG") + b"\0\0\0\x18ftypmp42" + bytes(500)
    with pytest.warns(UserWarning, match="its video cannot be kept"):
        image = read_image(data)
    assert b"ftyp" not in encode_image(image, "JPEG")


def test_other_views_are_named_and_previews_are_not():
    frames = [PIL.Image.fromarray(colour_picture())] * 3
    data = file_bytes(frames[0], "MPO", save_all=True, append_images=frames[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(data)
    changed = bytearray(data)
    entries = data.index(struct.pack("<I", 0x030000), data.index(b"MPF\0") + 50)  # the first one's type
    struct.pack_into("<I", changed, entries + 16, 0x020002)
    with pytest.warns(UserWarning, match="its 1 other view cannot be kept"):
        read_image(bytes(changed))


def exif_with_preview():
    preview = file_bytes(colour_picture()[::4, ::4], "JPEG")
    exif = PIL.Image.Exif()
    exif[0x010F] = "Kfsr Optics"
    exif[0x8769] = {0x829A: 0.125, 0xA002: 64, 0x9214: (10, 20), 0xA20E: 3000.0}
    block = bytearray(exif.tobytes())
    (first,) = struct.unpack_from(">I", block, 10) if block[6:8] == b"MM" else struct.unpack_from("<I", block, 10)
    order = ">" if block[6:8] == b"MM" else "<"
    (count,) = struct.unpack_from(order + "H", block, 6 + first)
    link, at = 6 + first + 2 + 12 * count, len(block) - 6
    struct.pack_into(order + "I", block, link, at)
    tags = [(0x0201, 4, 1, at + 30), (0x0202, 4, 1, len(preview))]
    block += struct.pack(order + "H", 2) + b"".join(struct.pack(order + "HHII", *one) for one in tags) + bytes(4)
    return bytes(block) + preview, preview


def test_previews_and_places_in_pixels_leave_exif():
    block, preview = exif_with_preview()
    image = read_image(file_bytes(colour_picture(), "JPEG", exif=block))
    assert preview[-40:] not in image.exif
    assert len(image.exif) < len(block) - len(preview) + 8
    exif = PIL.Image.Exif()
    exif.load(image.exif)
    assert exif[0x010F] == "Kfsr Optics"
    assert set(exif.get_ifd(0x8769)) == {0x829A}


@pytest.mark.skipif(which("exiftool") is None, reason="needs exiftool")
def test_exiftool_finds_nothing_wrong_in_such_a_block(tmp_path):
    block, _ = exif_with_preview()
    image = read_image(file_bytes(colour_picture(), "JPEG", exif=block))
    (tmp_path / "a.jpg").write_bytes(encode_image(image, "JPEG"))
    done = subprocess.run(
        ["exiftool", "-validate", "-warning", "-a", tmp_path / "a.jpg"], capture_output=True, text=True
    )
    assert "Thumbnail" not in done.stdout


def doubled(image):
    return image.resized(np.kron(image.pixels, np.ones((2, 2, 1), np.float32)), None, 2)


def rewritten(data, tmp_path, change=doubled):
    """The stack with every page changed, as tifffile opens it."""
    pages = read_pages(data)
    writer = StackWriter(tmp_path / "a.tif", pages.count)
    for page in pages:
        writer.add(change(page))
    return writer.finish()


def quietly(data):
    """The file and its first series as tifffile opens them, which must have nothing to complain of."""
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    log = logging.getLogger("tifffile")
    log.addHandler(handler)
    try:
        file = tifffile.TiffFile(io.BytesIO(data))
        series = file.series[0]
    finally:
        log.removeHandler(handler)
    assert said == []
    return file, series


STACK = np.stack([gray_picture().astype(np.uint16) + n for n in range(6)]).reshape(2, 3, 48, 64)


def imagej(**options):
    file = io.BytesIO()
    about = {"axes": "ZCYX", "unit": "um", "spacing": 0.5, "Labels": list("abcdef"), "Info": "Zoë µ", "min": 1.0}
    tifffile.imwrite(file, STACK, imagej=True, resolution=(3.2, 1.6), metadata=about, **options)
    return file.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
def test_imagej_keeps_its_axes_and_its_pixels_shrink(tmp_path, order):
    file, series = quietly(rewritten(imagej(byteorder=order), tmp_path))
    assert (series.axes, series.shape) == ("ZCYX", (2, 3, 96, 128))
    about = file.imagej_metadata
    assert (about["unit"], about["spacing"], about["Labels"], about["Info"]) == ("um", 0.5, list("abcdef"), "Zoë µ")
    across, down = (file.pages[0].tags[tag].value for tag in (282, 283))
    assert (across[0] / across[1], down[0] / down[1]) == (6.4, 3.2)
    assert np.array_equal(series.asarray()[..., ::2, ::2], STACK)


def test_imagej_outlines_go(tmp_path):
    file = io.BytesIO()
    tifffile.imwrite(file, STACK[0], imagej=True, metadata={"axes": "ZYX", "ROI": b"Iout" + bytes(60), "Info": "x"})
    again, _ = quietly(rewritten(file.getvalue(), tmp_path))
    assert "ROI" not in again.imagej_metadata
    assert again.imagej_metadata["Info"] == "x"


def test_one_page_of_an_imagej_stack_is_no_stack():
    image = read_image(imagej(), page=2)
    file, series = quietly(encode_image(image, "TIFF"))
    assert series.axes == "YX"
    assert np.array_equal(series.asarray(), STACK[0, 1])
    assert file.imagej_metadata["unit"] == "um"
    assert "slices" not in file.imagej_metadata


def ome(**more):
    file = io.BytesIO()
    about = {"axes": "TZYX", "PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm", "Name": "Zoë", **more}
    tifffile.imwrite(file, STACK, ome=True, photometric="minisblack", metadata=about)
    return file.getvalue()


def test_ome_keeps_its_axes_and_its_pixels_shrink(tmp_path):
    file, series = quietly(rewritten(ome(), tmp_path))
    assert (series.axes, series.shape) == ("TZYX", (2, 3, 96, 128))
    assert file.is_ome
    text = file.ome_metadata
    assert 'PhysicalSizeX="0.05"' in text
    assert "µm" in text
    assert "Zoë" in text
    assert "UUID" not in text
    assert np.array_equal(series.asarray()[..., ::2, ::2], STACK)


def test_one_page_of_an_ome_stack_is_no_stack():
    file, series = quietly(encode_image(read_image(ome(), page=6), "TIFF"))
    assert (series.axes, series.shape) == ("YX", (48, 64))
    assert np.array_equal(series.asarray(), STACK[1, 2])
    assert file.is_ome


@pytest.mark.parametrize(
    "damage",
    [
        ("<OME", "<OMX"),
        ("<?xml", '<!DOCTYPE a [<!ENTITY b "c">]><?xml'),
        ('SizeX="64"', 'SizeX="many"'),
        ("</OME>", ""),
    ],
)
def test_an_ome_description_that_cannot_be_understood_is_left_out(damage, tmp_path):
    data = ome()
    old, new = (one.encode() for one in damage)
    at = data.index(old)
    changed = data[:at] + new + data[at + len(old) :] if len(old) == len(new) else None
    if changed is None:  # the same length, so that no offset moves
        end = data.index(b"</OME>") + 6
        text = data[data.index(b"<?xml") : end].replace(old, new)
        start = data.index(b"<?xml")
        changed = data[:start] + text[: end - start].ljust(end - start) + data[end:]
    assert tifffile.TiffFile(io.BytesIO(rewritten(changed, tmp_path))).pages[0].tags.get(270) is None


@pytest.mark.parametrize(("shape", "axes"), [((2, 3, 48, 64), "TCYX"), ((4, 48, 64, 3), "ZYXS")])
def test_tifffiles_own_description_counts_the_new_pixels(shape, axes, tmp_path):
    values = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    file = io.BytesIO()
    photometric = "rgb" if shape[-1] == 3 else "minisblack"
    tifffile.imwrite(file, values, photometric=photometric, metadata={"axes": axes, "lens": "20x"})
    again, series = quietly(rewritten(file.getvalue(), tmp_path))
    assert (series.axes, series.shape[-3:]) == (axes, (*shape[-3:-2], 96, 128) if shape[-1] != 3 else (96, 128, 3))
    assert json.loads(again.pages[0].description)["lens"] == "20x"


def test_a_plain_description_stays():
    image = read_image(file_bytes(colour_picture(), "TIFF", tiffinfo={270: "ImageJ is not mentioned at the start"}))
    assert b"ImageJ is not mentioned" in image.exif
    assert image.extras.tags == ()


def test_the_microscopes_description_is_named_where_it_has_no_place():
    with pytest.warns(UserWarning, match="PNG cannot hold the microscope's description; left out"):
        encode_image(read_image(ome(), page=1), "PNG")
    assert exif_block() is not None


def test_a_panorama_counts_the_new_pixels():
    packet = PACKET.format(
        attributes='GPano:FullPanoWidthPixels="64" GPano:CroppedAreaLeftPixels=\'3\' GPano:PoseHeadingDegrees="64"',
        inner="<GPano:FullPanoHeightPixels>48</GPano:FullPanoHeightPixels><dc:format>image/jpeg</dc:format>",
    )
    image = doubled(read_image(file_bytes(colour_picture(), "JPEG", xmp=packet.encode())))
    text = image.xmp.decode()
    assert 'FullPanoWidthPixels="128"' in text
    assert "CroppedAreaLeftPixels='6'" in text
    assert "<GPano:FullPanoHeightPixels>96<" in text
    assert 'PoseHeadingDegrees="64"' in text
    assert "dc:format" not in text


def test_xmp_beyond_the_first_segment_is_named():
    more = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"<x/>"
    data = jpeg.with_segments(file_bytes(colour_picture(), "JPEG"), [(0xE1, more)])
    with pytest.warns(UserWarning, match="its extended XMP cannot be kept"):
        read_image(data)


def test_layers_of_a_tiff_are_named():
    with pytest.warns(UserWarning, match="its layers cannot be kept"):
        read_image(file_bytes(colour_picture(), "TIFF", tiffinfo={37724: b"Adobe Photoshop Document Data Block"}))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("imagej", [False, True])
def test_pages_without_directories_are_pages_too(imagej, order, tmp_path):
    """As ImageJ writes stacks of more than 4 gigabytes."""
    file = io.BytesIO()
    about = {"axes": "ZCYX", "unit": "um"} if imagej else {"axes": "ZCYX"}
    options = {"photometric": "minisblack", "truncate": True, "metadata": about, "byteorder": order}
    tifffile.imwrite(file, STACK, imagej=imagej, **options)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as found:
        assert len(found.pages) == 1
    again, series = quietly(rewritten(file.getvalue(), tmp_path))
    assert (len(again.pages), series.axes, series.shape) == (6, "ZCYX", (2, 3, 96, 128))
    assert np.array_equal(series.asarray()[..., ::2, ::2], STACK)
    assert np.array_equal(np.rint(read_image(file.getvalue(), page=5).pixels[..., 0] * 65535), STACK[1, 1])
    cut = read_pages(file.getvalue()[: -2 * STACK[0, 0].nbytes])
    assert (cut.count, cut.read(3).size) == (6, (64, 48))
    with pytest.raises(InputError, match="page 5: damaged or incomplete TIFF"):
        cut.read(4)
    left_behind = file.getvalue()[: -5 * STACK[0, 0].nbytes]  # the description of a stack, and one page
    assert read_pages(left_behind).count == 1


def test_tifffile_does_complain_of_what_is_stale(tmp_path):
    """Else the tests above could not fail."""
    stale = rewritten(ome(), tmp_path, lambda page: page.with_pixels(doubled(page).pixels))
    with pytest.raises(AssertionError):
        quietly(stale)
