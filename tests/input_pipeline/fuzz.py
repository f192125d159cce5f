"""Damages small files of one format at random and reads each of them.

    python fuzz.py KIND COUNT SEED FOLDER

`KIND` is one of `SAMPLES`, or 'index', 'raw' or 'array_record' of a packed data set. Prints one
line a mutant that ends in anything but pixels or a DataError that names the file, that
takes longer than SLOWEST, and one if the memory grew by more than GROWTH; then 'done'.
A process of its own, as a decoder that crashes would take the tests with it.
"""

import base64
import io
import json
import pathlib
import random
import resource
import struct
import sys
import time
import zlib

import cv2
import numpy as np
import tifffile
from PIL import Image

from input_pipeline.datasets import BaseSegDataset, PackedDataset
from input_pipeline.decode import image_size, read_image, read_label
from input_pipeline.errors import DataError
from input_pipeline.packing.check import check
from input_pipeline.packing.write import pack

MAX_PIXELS = 1 << 18  # of which 3 MB may come
SLOWEST = 5.0  # seconds; nothing takes a tenth of one on a quiet machine
GROWTH = 150 << 10  # KB
SEAT_BELT = 8 << 30  # bytes of address space, in case all of this fails

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)
IDS = RNG.integers(0, 9, (24, 20), dtype=np.uint8)


def pillow(array, kind, mode=None, **options):
    image = Image.fromarray(array)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def opencv(array, suffix):
    return cv2.imencode(suffix, array)[1].tobytes()


def tiff(array, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False, **options)
    return file.getvalue()


def exif():
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags


def frames():
    return [Image.fromarray(np.roll(RGB, i, 0)) for i in range(3)]


def overviews():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(RGB, photometric="rgb", subfiletype=0)
        writer.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
    return file.getvalue()


BANDS = RNG.integers(0, 999, (24, 20, 6)).astype(np.uint16)
GREY = {"photometric": "minisblack"}
SAMPLES = {
    "png": [
        pillow(RGB, "PNG", exif=exif()),
        pillow(IDS, "PNG", "P"),
        pillow(RGB, "PNG", "RGBA"),
        pillow(IDS > 4, "PNG"),
        pillow(IDS.astype(np.uint16) * 999, "PNG"),
        pillow(RGB, "PNG", save_all=True, append_images=frames()),
        opencv(RGB.astype(np.uint16) * 200, ".png"),
    ],
    "jpg": [
        pillow(RGB, "JPEG", exif=exif()),
        pillow(RGB, "JPEG", progressive=True),
        pillow(RGB, "JPEG", "CMYK"),
        pillow(IDS, "JPEG"),
    ],
    "bmp": [
        pillow(RGB, "BMP"),
        pillow(IDS, "BMP"),
        pillow(IDS > 4, "BMP"),
        opencv(RGB, ".bmp"),
    ],
    "gif": [
        pillow(IDS, "GIF"),
        pillow(RGB, "GIF", "P", save_all=True, append_images=frames()),
    ],
    "webp": [
        pillow(RGB, "WEBP", exif=exif()),
        pillow(RGB, "WEBP", lossless=True),
        pillow(RGB, "WEBP", "RGBA"),
        pillow(RGB, "WEBP", save_all=True, append_images=frames()),
    ],
    "ppm": [
        pillow(RGB, "PPM"),
        pillow(IDS, "PPM"),
        pillow(IDS > 4, "PPM"),
        opencv(RGB.astype(np.uint16) * 200, ".ppm"),
        b"P3 2 2 255\n1 2 3 4 5 6 7 8 9 10 11 12\n",
        b"P2\n# grey\n2 2 9\n1 2 3 4\n",
    ],
    "tif": [
        tiff(RGB, photometric="rgb"),
        tiff(RGB, photometric="rgb", compression="zlib", predictor=True),
        tiff(BANDS, compression="zlib", **GREY),
        tiff(np.moveaxis(BANDS, 2, 0), planarconfig="separate", **GREY),
        tiff(BANDS[..., 0], tile=(16, 16), **GREY),
        tiff(IDS.astype(np.int16) - 1, bigtiff=True, **GREY),
        tiff(IDS.astype(np.int64), byteorder=">", **GREY),
        tiff(IDS.astype(np.float32), **GREY),
        pillow(RGB, "TIFF", compression="tiff_lzw"),
        pillow(RGB, "TIFF", compression="packbits", exif=exif()),
        pillow(IDS, "TIFF", "P"),
        pillow(IDS > 4, "TIFF", compression="group4"),
        overviews(),
    ],
    "npy": [
        npy(RGB),
        npy(BANDS),
        npy(IDS.astype(np.int64)),
        npy(np.asfortranarray(IDS.astype(">f4"))),
        npy(IDS > 4, version=(2, 0)),
    ],
}


def read_file(path):
    """Every way in which a file of a data set is read."""
    for read, options in (
        (read_image, {"color_type": "color"}),
        (read_image, {"color_type": "grayscale"}),
        (read_image, {"color_type": "unchanged"}),
        (read_label, {}),
        (image_size, {}),
    ):
        yield lambda read=read, options=options: read(
            str(path), max_pixels=MAX_PIXELS, **options
        )


def packed_set(kind, folder):
    """A packed data set of five small pictures; (its source, the file to damage)."""
    for i in range(5):
        for place, array in (("images", RGB), ("labels", IDS)):
            (folder / place).mkdir(exist_ok=True)
            Image.fromarray(np.roll(array, i, 0)).save(folder / f"{place}/{i}.png")
    source = BaseSegDataset(
        data_root=str(folder),
        data_prefix={"img_path": "images", "seg_map_path": "labels"},
        img_suffix=".png",
        metainfo={"classes": [str(i) for i in range(9)]},
    )
    format = "arrayrecord" if kind == "array_record" else "raw"
    pack(source, folder / "packed", format=format)
    name = {"index": "index.json", "raw": "data-00000.bin"}
    return source, folder / "packed" / name.get(kind, "data-00000.array_record")


def read_packed(kind, source, folder):
    """Every way in which a packed data set is read."""

    def read():
        packed = PackedDataset(str(folder))
        for index in range(len(packed)):
            packed[index]

    # A check reads the data files in the same way.
    return [read, lambda: check(source, folder)][: 1 + (kind == "index")]


def other_value(value, rng):
    """JSON in which one node has another value, or is missing."""
    if isinstance(value, dict | list) and value and rng.random() < 0.9:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(keys)
        if rng.random() < 0.1:
            del value[key]
        else:
            value[key] = other_value(value[key], rng)
        return value
    return rng.choice(
        (None, True, -1, 0, 1, 7, 1 << 40, 1 << 70, 0.5, "", "x", "\0", "<u2", [], {})
        + ([1], {"x": 1}, [[]], "raw", "arrayrecord", "/dev/zero", 10**400, [None] * 3)
    )


EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF)


def mutant(samples, rng):
    """A damaged copy of one of `samples`."""
    data = bytearray(rng.choice(samples))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        # The first bytes say most.
        last = len(data) - 1 if rng.random() < 0.5 else min(len(data) - 1, 150)
        at = rng.randint(0, max(last, 0))
        what = rng.randrange(8)
        if what == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif what == 1 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif what == 2:
            order = rng.choice("<>") + rng.choice("HI")
            size = struct.calcsize(order)
            value = rng.choice(EXTREMES) & (256**size - 1)
            data[at : at + size] = struct.pack(order, value)
        elif what == 3:
            del data[at:]
        elif what == 4:
            del data[at : at + rng.randint(1, 12)]
        elif what == 5:
            data[at:at] = data[at : at + rng.randint(1, 64)]
        elif what == 6:
            data[at:at] = rng.randbytes(rng.randint(1, 12))
        else:
            other = rng.choice(samples)
            begin = rng.randrange(len(other))
            part = other[begin : begin + rng.randint(1, 64)]
            data[at : at + len(part)] = part
    return bytes(data)


def with_checksums(data):
    """A PNG whose chunks have the CRC of what they hold now."""
    data, at = bytearray(data), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        end = at + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4)
        at = end + 4
    return bytes(data)


def write(path, data):
    """Not by a new file: ext4 waits for the disk where one is emptied and closed."""
    with open(path, "r+b" if path.exists() else "wb") as file:
        file.write(data)
        file.truncate()


def try_one(named, reads):
    """What is wrong with the way in which a mutant is read, one text each."""
    for place, read in enumerate(reads):
        begin = time.perf_counter()
        try:
            read()
        except DataError as error:
            if named not in str(error):
                yield f"{place}: does not name the file: {error}"
        except BaseException as error:  # noqa: BLE001 - that is the question
            yield f"{place}: {type(error).__name__}: {error}"
        taken = time.perf_counter() - begin
        if taken > SLOWEST:
            yield f"{place}: {taken:.1f} s"


def mutants(kind, samples, count, rng):
    for _ in range(count):
        if kind == "index" and rng.random() < 0.7:
            stored = json.loads(samples[0])
            for _ in range(rng.choice((1, 1, 2, 4))):
                stored = other_value(stored, rng)
            yield json.dumps(stored).encode()
            continue
        data = mutant(samples, rng)
        yield with_checksums(data) if kind == "png" and rng.random() < 0.7 else data


def main(kind, count, seed, folder):
    resource.setrlimit(resource.RLIMIT_AS, (SEAT_BELT, SEAT_BELT))
    rng = random.Random(f"{kind} {seed}")
    if kind in SAMPLES:
        path = pathlib.Path(folder) / f"mutant.{kind}"
        samples, named, reads = SAMPLES[kind], path.name, list(read_file(path))
    else:
        source, path = packed_set(kind, pathlib.Path(folder))
        samples, named = [path.read_bytes()], str(path.parent)
        reads = read_packed(kind, source, path.parent)
    for data in samples:  # what is imported late, and buffers, do not count
        write(path, data)
        list(try_one(named, reads))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in mutants(kind, samples, count, rng):
        write(path, data)
        for fault in try_one(named, reads):
            print(fault, base64.b64encode(data).decode())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > GROWTH:
        print(f"the memory grew by {grown} KB")
    print("done")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
