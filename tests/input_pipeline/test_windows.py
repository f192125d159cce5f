"""Windows of a TIFF: the pixels of the whole, and no more than what they need."""

import itertools

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from input_pipeline import decode
from input_pipeline.errors import DataError
from input_pipeline.formats.tiff_window import TiffWindows
from input_pipeline.scan import scan
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import (
    LoadAnnotations,
    LoadImageFromFile,
    RandomCrop,
    RandomFlip,
    RandomResize,
)
from input_pipeline.transforms.loaded_crop import LoadedCrop, join_loading_and_crop
from input_pipeline.windows import open_image, open_label

SIZE = (131, 203)
FACTS = {
    "classes": ("a", "b", "c"),
    "palette": (),
    "reduce_zero_label": False,
    "label_map": None,
    "ignore_index": 255,
}
LAYOUTS = {
    "tiles": dict(tile=(32, 48)),
    "strips": dict(rowsperstrip=7),
    "one strip": dict(),
}


def smooth(channels, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    pixels = cv2.GaussianBlur(rng.random((*SIZE, channels), np.float32), (5, 5), 2)
    pixels = pixels.reshape(*SIZE, channels)
    return (pixels * np.iinfo(dtype).max).astype(dtype)


def some_windows(seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(3):
        top, left = int(rng.integers(SIZE[0])), int(rng.integers(SIZE[1]))
        yield slice(top, top + 40), slice(left, left + 50)
    yield slice(0, SIZE[0]), slice(0, SIZE[1])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_windows_are_those_of_the_whole(tmp_path, layout, compression):
    path = str(tmp_path / "a.tif")
    cases = itertools.product("<>", ("contig", "separate"), (1, 3, 5), (False, True))
    for order, planes, channels, big in cases:
        pixels = smooth(channels, "uint16")
        stored = np.moveaxis(pixels, 2, 0) if planes == "separate" else pixels
        tifffile.imwrite(
            path,
            pixels[..., 0] if channels == 1 else stored,
            byteorder=order,
            photometric="rgb" if channels == 3 else "minisblack",
            planarconfig=planes if channels > 1 else None,
            compression=compression,
            predictor=compression is not None,
            bigtiff=big,
            **LAYOUTS[layout],
        )
        windows = open_image(path, "unchanged", 10**6, lambda pixels: pixels)
        assert (windows.shape, windows.dtype) == (pixels.shape, pixels.dtype)
        for window in some_windows():
            np.testing.assert_array_equal(windows[window], pixels[window])


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "packbits"])
@pytest.mark.parametrize("color_type", ["color", "grayscale"])
def test_compressions_of_libtiff(tmp_path, compression, color_type):
    path = str(tmp_path / "a.tif")
    Image.fromarray(smooth(3)).save(path, compression=compression)
    whole = decode.read_image(path, color_type)
    windows = open_image(path, color_type, 10**6, lambda pixels: pixels)
    for window in some_windows():
        np.testing.assert_array_equal(windows[window], whole[window])


def test_a_wide_window_is_put_together(tmp_path, monkeypatch):
    path = str(tmp_path / "a.tif")
    tifffile.imwrite(path, smooth(3), tile=(16, 16), photometric="rgb")
    monkeypatch.setattr("input_pipeline.windows._AT_ONCE", 500)
    # All of it has 26 593 pixels.
    windows = open_image(path, "color", 5000, lambda pixels: pixels)
    np.testing.assert_array_equal(windows[:, :], smooth(3))


def test_what_is_no_upright_tiff_has_no_windows(tmp_path):
    Image.fromarray(smooth(3)).save(tmp_path / "a.png")
    turned = Image.Exif()
    turned[274] = 6
    Image.fromarray(smooth(3)).save(tmp_path / "a.tif", exif=turned)
    for name in ("a.png", "a.tif"):
        path = str(tmp_path / name)
        assert open_image(path, "color", 10**6, lambda pixels: pixels) is None
        assert open_label(path, 10**6, lambda pixels: pixels) is None


@pytest.fixture
def pair(tmp_path):
    """An image and a label with three classes, of which each has its place."""
    label = (np.arange(SIZE[1]) * 3 // SIZE[1]).astype(np.uint8)
    label = np.tile(label, (SIZE[0], 1))
    label[:40, :60] = 2
    for name, pixels in (("img", smooth(3)), ("seg_map", label)):
        tifffile.imwrite(
            tmp_path / f"{name}.tif",
            pixels,
            tile=(16, 32),
            compression="zlib",
            photometric="rgb" if name == "img" else "minisblack",
        )
    return FACTS | {
        f"{name}_path": str(tmp_path / f"{name}.tif") for name in ("img", "seg_map")
    }


def run(steps, record, seed):
    rng = np.random.default_rng(seed)
    for step in steps:
        record = step(record, rng)
    return record


@pytest.mark.parametrize(
    "crop",
    [
        [RandomCrop((20, 24))],
        [RandomCrop((20, 24), cat_max_ratio=0.75)],
        [
            RandomResize((203, 131), (0.5, 2.0), keep_ratio=True),
            RandomCrop((20, 24), cat_max_ratio=0.75, crop_first=True),
        ],
    ],
)
def test_a_crop_has_the_draws_and_pixels_of_the_transforms(pair, crop):
    limits = dict(max_pixels=20_000)  # the whole has 26 593
    pipeline = [LoadImageFromFile(**limits), LoadAnnotations(**limits), *crop]
    joined = join_loading_and_crop([*pipeline, RandomFlip(0.5)])
    assert isinstance(joined[0], LoadedCrop)
    whole = [LoadImageFromFile(), LoadAnnotations()]
    # A resizing and its crop are one step in both.
    apart = [*whole, *join_loading_and_crop(crop), RandomFlip(0.5)]
    with pytest.raises(DataError, match="131x203 .* is too large"):
        run(pipeline, pair, 0)
    for seed in range(12):
        found, due = run(joined, pair, seed), run(apart, pair, seed)
        assert found.keys() == due.keys()
        for key in ("img", "gt_seg_map", "img_shape", "ori_shape"):
            np.testing.assert_array_equal(found[key], due[key])


def test_a_small_image_is_read_whole(pair):
    steps = [LoadImageFromFile(), LoadAnnotations(), RandomCrop((100, 100))]
    (joined,) = join_loading_and_crop(steps)
    for seed in range(3):
        found, due = run([joined], pair, seed), run(steps, pair, seed)
        np.testing.assert_array_equal(found["img"], due["img"])


def test_floats_that_are_resized_are_read_whole(pair):
    steps = [
        LoadImageFromFile(to_float32=True),
        RandomResize((203, 131), (0.5, 2.0), keep_ratio=True),
        RandomCrop((20, 24), crop_first=True),
    ]
    (joined,) = join_loading_and_crop(steps)
    apart = [steps[0], *join_loading_and_crop(steps[1:])]
    found, due = run([joined], pair, 0)["img"], run(apart, pair, 0)["img"]
    np.testing.assert_array_equal(found, due)


def test_a_label_of_another_size_or_with_unknown_ids(pair, tmp_path):
    (joined,) = join_loading_and_crop(
        [LoadImageFromFile(), LoadAnnotations(), RandomCrop((20, 24))]
    )
    two = pair | {"classes": ("a", "b")}
    with pytest.raises(DataError, match="seg_map.tif: label ids outside the 2 classes"):
        for seed in range(9):
            run([joined], two, seed)
    tifffile.imwrite(pair["seg_map_path"], np.zeros((131, 200), np.uint8))
    with pytest.raises(DataError, match="the label is 131x200 .*131x203"):
        run([joined], pair, 0)


def test_damaged_files_get_a_sentence(tmp_path):
    path = tmp_path / "a.tif"
    for compression, layout in (("zlib", "tiles"), (None, "one strip")):
        kind = dict(compression=compression, **LAYOUTS[layout])
        tifffile.imwrite(path, smooth(3), photometric="rgb", **kind)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 3 // 4])
        try:
            windows = open_image(str(path), "color", 10**6, lambda pixels: pixels)
            whole = np.s_[0:131, 0:203]
            with pytest.raises(DataError, match="truncated or damaged: it has"):
                windows[whole]
        except DataError as error:  # the directory may stand at the end
            assert "truncated or damaged" in str(error)
    for start in range(0, 300, 7):
        path.write_bytes(content[:start] + b"\xff\xff\xff" + content[start + 3 :])
        try:
            windows = open_image(str(path), "color", 10**6, lambda pixels: pixels)
            if windows is not None:
                windows[0:20, 0:20]
        except DataError as error:
            assert str(path) in str(error)


def test_a_sparse_file_and_one_of_huge_strips(tmp_path):
    path = str(tmp_path / "a.tif")
    tifffile.imwrite(path, smooth(3), compression="zlib", photometric="rgb")
    windows = open_image(path, "color", 10_000, lambda pixels: pixels)
    with pytest.raises(DataError, match="whose strips are 131x203; .*TILED=YES"):
        windows[0:5, 0:5]
    tiff = TiffWindows(path)
    tiff._lengths[:] = 1 << 40
    with pytest.raises(DataError, match="damaged: tile 0 has 1099511627776 bytes"):
        tiff.cut(range(5), range(5), 10**6)
    tiff._lengths[:] = 0
    with pytest.raises(DataError, match="leaves out tile 0 .*SPARSE_OK=FALSE"):
        tiff.cut(range(5), range(5), 10**6)


def test_a_scan_takes_what_the_pipeline_reads_by_windows(pair):
    class Pair(SegDataset):
        def files(self):
            return [(pair["img_path"], pair["seg_map_path"])]

    dataset, limits = Pair(), dict(max_pixels=10_000)
    dataset.pipeline = [LoadImageFromFile(**limits), LoadAnnotations(**limits)]
    with pytest.raises(DataError, match="131x203 .* is too large"):
        scan(dataset)
    dataset.pipeline += [RandomCrop((20, 24))]
    assert scan(dataset).sizes == {SIZE: 1}
