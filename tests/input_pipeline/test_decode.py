"""Decoding: what comes out of a file, and what is refused."""

import io
import os
import pickle
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from input_pipeline import decode
from input_pipeline.decode import as_image, image_size, read_image, read_label
from input_pipeline.errors import DataError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
IDS = RNG.integers(0, 9, (40, 60), dtype=np.uint8)


def encoded(array, kind, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.fixture
def write(tmp_path):
    """`write(name, bytes)` -> the path of a new file."""

    def write(name, data):
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_colors_come_back_in_rgb_order(write, kind):
    np.testing.assert_array_equal(read_image(write("a", encoded(RGB, kind))), RGB)


def test_jpeg_is_what_opencv_decodes(write):
    path = write("a.jpg", encoded(RGB, "JPEG"))
    np.testing.assert_array_equal(read_image(path), cv2.imread(path)[..., ::-1])


def test_grey_is_repeated_as_color_and_single_as_grayscale(write):
    path = write("a.png", encoded(RGB[..., 0], "PNG"))
    np.testing.assert_array_equal(read_image(path), np.repeat(RGB[..., :1], 3, axis=2))
    np.testing.assert_array_equal(read_image(path, "grayscale"), RGB[..., :1])


def test_alpha_is_dropped_as_color_and_kept_unchanged(write):
    rgba = np.concatenate([RGB, RGB[..., :1]], axis=2)
    path = write("a.png", encoded(rgba, "PNG"))
    np.testing.assert_array_equal(read_image(path), RGB)
    np.testing.assert_array_equal(read_image(path, "unchanged"), rgba)


def test_sixteen_bits(write):
    deep = (RNG.random((4, 5, 3)) * 65535).astype(np.uint16)
    path = write("a.png", cv2.imencode(".png", deep[..., ::-1])[1].tobytes())
    unchanged = read_image(path, "unchanged")
    assert unchanged.dtype == np.uint16
    np.testing.assert_array_equal(unchanged, deep)
    assert read_image(path).dtype == np.uint8
    np.testing.assert_allclose(read_image(path), deep / 257, atol=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 13])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_tiff_of_any_number_of_channels(write, dtype, channels, planarconfig):
    bands = (RNG.random((6, 7, channels)) * 200).astype(dtype)
    stored = bands
    if channels == 1:
        stored, planarconfig = bands[..., 0], None
    elif planarconfig == "separate":
        stored = np.moveaxis(bands, 2, 0)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        stored,
        photometric="minisblack",
        planarconfig=planarconfig,
        compression="zlib",
    )
    path = write("a.tif", file.getvalue())
    read = read_image(path, "unchanged")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, bands)
    assert image_size(path, "unchanged") == image_size(path) == (6, 7)


@pytest.mark.parametrize("array", [RGB, RGB[..., 0], RGB[..., 0].astype(np.uint16)])
def test_lzw_tiff(write, array):
    path = write("a.tif", encoded(array, "TIFF", compression="tiff_lzw"))
    read = read_image(path, "unchanged")
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read.reshape(array.shape), array)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_rgb_tiff_unchanged(write, planarconfig, dtype):
    rgb = RGB.astype(dtype)
    stored = rgb if planarconfig == "contig" else np.moveaxis(rgb, 2, 0)
    file = io.BytesIO()
    tifffile.imwrite(file, stored, photometric="rgb", planarconfig=planarconfig)
    read = read_image(write("a.tif", file.getvalue()), "unchanged")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, rgb)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_npy(tmp_path, dtype):
    bands = (RNG.random((6, 7, 5)) * 200).astype(dtype)
    np.save(tmp_path / "a.npy", bands)
    read = read_image(str(tmp_path / "a.npy"), "unchanged")
    assert read.dtype == (np.float32 if dtype == "float64" else dtype)
    np.testing.assert_array_equal(read, bands.astype(read.dtype))
    assert image_size(str(tmp_path / "a.npy")) == (6, 7)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("color_type", ["color", "grayscale", "unchanged"])
def test_size_from_the_header_is_the_size_decoded(write, kind, orientation, color_type):
    path = write("a", encoded(RGB, kind, exif=exif(orientation)))
    img = read_image(path, color_type)
    assert image_size(path, color_type) == img.shape[:2]
    turned = orientation in (6, 8) and color_type != "unchanged"
    assert img.shape[:2] == ((60, 40) if turned else (40, 60))


def test_exif_turns_the_pixels(write):
    path = write("a.png", encoded(RGB, "PNG", exif=exif(6)))  # 6: turn right
    np.testing.assert_array_equal(read_image(path), np.rot90(RGB, -1))


def test_palette_label_gives_indices(write):
    image = Image.fromarray(IDS, "L")
    image.putpalette([200, 10, 10] * 9)
    file = io.BytesIO()
    image.save(file, "PNG")
    np.testing.assert_array_equal(read_label(write("a.png", file.getvalue())), IDS)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_grey_label_gives_values(write, kind):
    np.testing.assert_array_equal(read_label(write("a", encoded(IDS, kind))), IDS)


def test_deep_color_and_one_bit_labels(write, tmp_path):
    deep = IDS.astype(np.uint16) * 1000
    np.testing.assert_array_equal(
        read_label(write("a.png", encoded(deep, "PNG"))), deep
    )
    np.testing.assert_array_equal(read_label(write("b.png", encoded(RGB, "PNG"))), RGB)
    bits = read_label(write("c.png", encoded(IDS > 4, "PNG")))
    assert bits.dtype == np.uint8
    np.testing.assert_array_equal(bits, IDS > 4)
    np.save(tmp_path / "d.npy", IDS.astype(np.int64))
    np.testing.assert_array_equal(read_label(str(tmp_path / "d.npy")), IDS)


def without_pixels_at_the_end(data):
    return data[: len(data) * 6 // 10]


BAD = {
    "empty": (b"", "empty"),
    "html": (b"<html>404 not found</html>", "not an image"),
    "half a JPEG": (without_pixels_at_the_end(encoded(RGB, "JPEG")), "truncated"),
    "JPEG end": (encoded(RGB, "JPEG")[:-2] + b"\0\0", "truncated"),
    "half a PNG": (without_pixels_at_the_end(encoded(RGB, "PNG")), "truncated"),
    "half a BMP": (without_pixels_at_the_end(encoded(RGB, "BMP")), "truncated"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_images_are_refused_by_name(write, case):
    data, reason = BAD[case]
    path = write("bad.img", data)
    with pytest.raises(DataError, match=f"bad.img.*{reason}"):
        read_image(path)
    with pytest.raises(DataError, match="bad.img"):
        read_label(path)


def test_jpeg_whose_thumbnail_alone_has_an_end_marker_is_truncated(write):
    thumbnail = exif(1).tobytes() + encoded(RGB[:8, :8], "JPEG")
    whole = encoded(RGB, "JPEG", exif=thumbnail)
    assert read_image(write("whole.jpg", whole)).shape == (40, 60, 3)
    with pytest.raises(DataError, match="cut.jpg.*FFD9"):
        read_image(write("cut.jpg", whole[:-200]))


def test_jpeg_markers_may_be_filled_up(write):
    data = encoded(RGB, "JPEG")
    filled = data[:2] + b"\xff\xff\xff" + data[2:]
    assert read_image(write("a.jpg", filled)).shape == (40, 60, 3)


def test_bands_in_pages_are_refused_and_overviews_are_not(write):
    def tiff(*pages):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            for shape, kind in pages:
                page = np.ones(shape, np.uint16)
                writer.write(page, photometric="minisblack", subfiletype=kind)
        return file.getvalue()

    pages = write("a.tif", tiff(((8, 6), 0), ((8, 6), 0), ((8, 6), 0)))
    with pytest.raises(DataError, match="a.tif: the TIFF has 3 images"):
        read_image(pages, "unchanged")
    overview = write("b.tif", tiff(((8, 6), 0), ((4, 3), 1)))
    assert read_image(overview, "unchanged").shape == (8, 6, 1)


def test_flipped_bits_of_a_png_are_refused(write):
    data = bytearray(encoded(RGB, "PNG"))
    data[len(data) // 2] ^= 0xFF
    path = write("a.png", bytes(data))
    for read in (read_image, read_label):
        with pytest.raises(DataError, match="a.png.*damaged"):
            read(path)


def test_truncated_tiff_and_npy_are_refused(write):
    file = io.BytesIO()
    tifffile.imwrite(file, RNG.random((40, 60, 5), np.float32), planarconfig="contig")
    path = write("a.tif", file.getvalue()[:-5000])
    with pytest.raises(DataError, match="a.tif.*damaged"):
        read_image(path, "unchanged")
    file = io.BytesIO()
    np.save(file, RGB)
    with pytest.raises(DataError, match="a.npy"):
        read_image(write("a.npy", file.getvalue()[:-1]))


def test_missing_file():
    for read in (read_image, read_label, image_size):
        for name in ("absent.png", "absent.npy"):
            with pytest.raises(DataError, match=f"{name}.*No such file"):
                read(name)


def test_oversized_is_refused_before_it_is_decoded(write, tmp_path):
    path = write("a.png", encoded(RGB, "PNG"))
    np.save(tmp_path / "a.npy", RGB)
    for name in (path, str(tmp_path / "a.npy")):
        for read in (read_image, read_label, image_size):
            with pytest.raises(DataError, match="40x60.*2400 pixels.*allows 2399"):
                read(name, max_pixels=2399)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_header_that_announces_too_much_is_refused(write, side):
    # IHDR is type, width, height, five bytes, and the CRC of all these.
    data = encoded(RGB, "PNG")
    chunk = b"IHDR" + side.to_bytes(4) * 2 + data[24:29]
    bomb = data[:12] + chunk + zlib.crc32(chunk).to_bytes(4) + data[33:]
    for read in (read_image, read_label, image_size):
        with pytest.raises(DataError, match=f"a.png: .*too large.*{side * side}"):
            read(write("a.png", bomb))


def png_chunk(kind, content):
    crc = zlib.crc32(kind + content).to_bytes(4)
    return len(content).to_bytes(4) + kind + content + crc


def test_a_png_chunk_that_announces_more_than_the_file_is_refused(write):
    data = encoded(RGB, "PNG")
    length = (1 << 32) - 256
    for at in (8, data.index(b"IDAT") - 4, len(data) - 12):
        path = write("a.png", data[:at] + length.to_bytes(4) + data[at + 4 :])
        for read in (read_image, read_label):
            with pytest.raises(DataError, match=f"a.png.*damaged.*{length} bytes"):
                read(path)


def test_a_png_frame_larger_than_its_image_and_a_second_header_are_refused(write):
    data = encoded(RGB, "PNG")
    frame = png_chunk(b"acTL", (1).to_bytes(4) + bytes(4)) + png_chunk(
        b"fcTL", bytes(4) + (1 << 30).to_bytes(4) * 2 + bytes(14)
    )
    header = data[8:33]
    for extra, reason in ((frame, "larger than the image"), (header, "2 headers")):
        path = write("a.png", data[:33] + extra + data[33:])
        with pytest.raises(DataError, match=f"a.png: .*{reason}"):
            read_image(path)


def test_a_jpeg_of_endless_scans_is_refused(write):
    data = encoded(RGB, "JPEG", progressive=True)
    begin = data.rindex(b"\xff\xda")
    scan = data[begin:-2]
    assert read_image(write("a.jpg", data)).shape == (40, 60, 3)
    path = write("b.jpg", data[:-2] + scan * 200 + b"\xff\xd9")
    with pytest.raises(DataError, match="b.jpg: the JPEG has 2.. scans.*100 are read"):
        read_image(path)


def test_a_webp_that_announces_a_large_canvas_is_refused_before_it_is_opened(write):
    body = b"\0" * 4 + b"\xff\x3f\0" * 2  # 16384 x 16384
    chunk = b"VP8X" + len(body).to_bytes(4, "little") + body
    data = b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk
    with pytest.raises(DataError, match="a.webp: 16384x16384.*too large"):
        image_size(write("a.webp", data))
    for options in ({}, {"lossless": True}):
        path = write("b.webp", encoded(RGB, "WEBP", **options))
        with pytest.raises(DataError, match="b.webp: 40x60 .* 2400 pixels"):
            image_size(path, max_pixels=2399)


def test_tiff_directories_that_loop_are_refused(write):
    file = io.BytesIO()
    tifffile.imwrite(file, RGB, photometric="rgb")
    data = bytearray(file.getvalue())
    first = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[first : first + 2], "little")
    after = first + 2 + 12 * entries
    data[after : after + 4] = first.to_bytes(4, "little")
    path = write("a.tif", data)
    for read in (read_image, read_label, image_size):
        with pytest.raises(DataError, match="a.tif: the TIFF is damaged.*loop"):
            read(path)
    with pytest.raises(DataError, match="a.tif: the TIFF is damaged.*loop"):
        read_image(path, "unchanged")


def test_the_limit_counts_channels_and_bytes_of_a_value(tmp_path):
    # Without the pixels: a header is enough, and holes cost no disk.
    tiff, npy = tmp_path / "a.tif", tmp_path / "b.npy"
    shape = (3000, 3000, 50)
    tifffile.imwrite(tiff, np.zeros((1, 1), np.float64), photometric="minisblack")
    with tifffile.TiffFile(tiff, mode="r+b") as file:
        for tag, value in ((256, 3000), (257, 3000), (277, 50)):
            file.pages[0].tags[tag].overwrite(value)
    with open(npy, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": shape}
        )
        file.truncate(10**10)
    for path in (tiff, npy):
        for read in (read_image, read_label, image_size):
            with pytest.raises(
                DataError,
                match="3000x3000 .* 50 channels of float64 .* 3600000000 bytes; max_pi",
            ):
                read(str(path))


def test_a_tiff_segment_that_unpacks_to_more_than_its_share_is_refused(write):
    file = io.BytesIO()
    bands = np.zeros((8, 8, 5), np.uint8)
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(file, bands, compression="zlib", **options)
    bomb = zlib.compress(bytes(1 << 24))
    data = file.getvalue() + bomb
    path = write("a.tif", data)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["StripOffsets"].overwrite([len(data) - len(bomb)])
        tiff.pages[0].tags["StripByteCounts"].overwrite([len(bomb)])
    with pytest.raises(DataError, match="a.tif: the TIFF is damaged.*unpack to more"):
        read_image(path, "unchanged")


def test_sides_that_no_image_has(write, tmp_path):
    bmp = bytearray(encoded(IDS > 4, "BMP"))
    bmp[18:22] = (1 << 21).to_bytes(4, "little")
    np.save(tmp_path / "b.npy", np.zeros((40, 0), np.uint8))
    for read in (read_image, read_label, image_size):
        with pytest.raises(DataError, match="a.bmp: 40x2097152 .* 1048576 pixels"):
            read(write("a.bmp", bmp))
        with pytest.raises(DataError, match="b.npy: 40x0 .* has no pixels"):
            read(str(tmp_path / "b.npy"))


def test_extremely_thin_images(write):
    for shape in ((1, 1), (1, 70_000), (70_000, 1)):
        grey = np.zeros(shape, np.uint8)
        for kind in ("PNG", "BMP", "TIFF"):
            path = write("a", encoded(grey, kind))
            assert read_image(path).shape == (*shape, 3)
            assert read_label(path).shape == shape


def test_more_than_pillow_allows_if_max_pixels_does(write):
    # 13400 x 13400 are beyond Pillow's own limit, whatever is set here.
    path = write("a.png", encoded(np.zeros((13_400, 13_400), bool), "PNG"))
    assert image_size(path, max_pixels=200_000_000) == (13_400, 13_400)
    assert read_label(path, 200_000_000).shape == (13_400, 13_400)
    with pytest.raises(DataError, match="too large: 179560000 .*Cut it into tiles"):
        read_image(path)


def test_what_has_no_end_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "a.npy")
    for read in (read_image, read_label, image_size):
        for name in ("a.png", "a.npy"):
            with pytest.raises(DataError, match=f"{name}: not a regular .*named pipe"):
                read(str(tmp_path / name))
        with pytest.raises(DataError, match="/dev/zero: not a regular .*a device"):
            read("/dev/zero")
        with pytest.raises(DataError, match="not a regular file, but a folder"):
            read(str(tmp_path))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint32"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_tiff_labels_of_every_integer_type(write, dtype, options):
    ids = IDS.astype(dtype)
    ids[0, :5] = -1 if dtype.startswith("i") else np.iinfo(dtype).max
    file = io.BytesIO()
    tifffile.imwrite(file, ids, photometric="minisblack", **options)
    np.testing.assert_array_equal(read_label(write("a.TIF", file.getvalue())), ids)


def test_suffixes_may_be_of_either_case(tmp_path):
    with open(tmp_path / "A.NPY", "wb") as file:
        np.save(file, RGB)
    np.testing.assert_array_equal(read_image(str(tmp_path / "A.NPY")), RGB)
    assert image_size(str(tmp_path / "A.NPY")) == (40, 60)
    with open(tmp_path / "B.Npy", "wb") as file:
        np.save(file, IDS)
    np.testing.assert_array_equal(read_label(str(tmp_path / "B.Npy")), IDS)


def test_that_alpha_is_dropped_is_said_once(write, caplog):
    decode._ALPHA_WAS_SAID.clear()
    rgba = np.concatenate([RGB, RGB[..., :1]], axis=2)
    path = write("a.png", encoded(rgba, "PNG"))
    read_image(path, "unchanged")
    assert not caplog.records
    read_image(path)
    read_image(path)
    (record,) = caplog.records
    assert "a.png has a fourth band, alpha, which is dropped" in record.getMessage()


def test_a_fourth_band_that_is_no_alpha_is_refused(write):
    rgbn = np.concatenate([RGB, RGB[..., :1]], axis=2)
    file = io.BytesIO()
    tifffile.imwrite(file, rgbn, photometric="rgb", extrasamples=["unspecified"])
    path = write("a.tif", file.getvalue())
    for color_type in ("color", "grayscale"):
        with pytest.raises(
            DataError, match="a.tif: 4 channels.*'unchanged' and backbone.in_channels=4"
        ):
            read_image(path, color_type)
    np.testing.assert_array_equal(read_image(path, "unchanged"), rgbn)


def test_a_npy_header_is_data(write):
    for text in (b"(" * 9000, b"-" * 9000, b"{'descr': '<f8', 'shape': (2, 2)}", b""):
        header = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text
        for read in (read_image, read_label, image_size):
            with pytest.raises(DataError, match="a.npy: not a .npy array"):
                read(write("a.npy", header))


def test_objects_in_npy_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{}]]), allow_pickle=True)
    for read in (read_image, read_label):
        with pytest.raises(DataError, match="a.npy"):
            read(str(tmp_path / "a.npy"))

    class Program:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was-run"),)

    (tmp_path / "b.npy").write_bytes(pickle.dumps(Program()))
    for read in (read_image, read_label, image_size):
        with pytest.raises(DataError, match="b.npy"):
            read(str(tmp_path / "b.npy"))
    assert not (tmp_path / "was-run").exists()


def test_labels_that_are_no_integers_or_lossy(write, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5), np.float32))
    with pytest.raises(DataError, match="a.npy: labels of type float32"):
        read_label(str(tmp_path / "a.npy"))
    with pytest.raises(DataError, match="b.jpg: a label in JPEG"):
        read_label(write("b.jpg", encoded(IDS, "JPEG")))


def test_channels_that_color_type_would_lose_are_refused(write, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6), np.uint16))
    with pytest.raises(DataError, match="a.npy: 6 channels of uint16.*'unchanged'"):
        read_image(str(tmp_path / "a.npy"))
    float_tiff = write("b.tif", encoded(np.ones((4, 5), np.float32), "TIFF"))
    with pytest.raises(DataError, match="b.tif.*'unchanged'"):
        read_image(float_tiff)
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((6, 4, 5), np.uint8), planarconfig="separate")
    with pytest.raises(DataError, match="c.tif.*'unchanged'"):
        read_image(write("c.tif", file.getvalue()))


def test_arrays_are_checked_like_files():
    assert as_image(RGB[..., 0], "unchanged", "x").shape == (40, 60, 1)
    assert as_image(RGB[..., 0], "color", "x").shape == (40, 60, 3)
    with pytest.raises(DataError, match="x: pixels of type int64"):
        as_image(RGB.astype(np.int64), "unchanged", "x")
    with pytest.raises(DataError, match=r"x: an array of shape \(40,\)"):
        as_image(RGB[:, 0, 0], "unchanged", "x")
    with pytest.raises(DataError, match="color_type is 'bgr'"):
        read_image("a.png", "bgr")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiles_are_read_as_strips(tmp_path, dtype, channels, compression):
    """OpenCV 5.0 refuses some, and mixes up the rows of others that end in a tile."""
    path = str(tmp_path / "a.tif")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 57, channels))
    pixels = (pixels * (257 if dtype == "uint16" else 1)).astype(dtype)
    how = {
        "photometric": "minisblack" if channels == 1 else "rgb",
        "extrasamples": ["unassalpha"] if channels == 4 else None,
        "compression": compression,
    }
    found = []
    for layout in (dict(tile=(16, 16)), dict(rowsperstrip=8)):
        tifffile.imwrite(path, pixels.squeeze(), **how, **layout)
        types = ("color", "grayscale", "unchanged")
        found.append([decode.read_image(path, color_type) for color_type in types])
    for tiled, striped in zip(*found, strict=True):
        np.testing.assert_array_equal(tiled, striped)
    np.testing.assert_array_equal(found[0][-1], pixels)
