"""Images by windows: the label map of the whole, its georeference, and refusals."""

import dataclasses
import struct
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
import tifffile
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.formats.tiff_directory import Entry
from input_pipeline.formats.tiff_writer import TiledTiff
from input_pipeline.transforms import CLAHE, LoadImageFromFile, PackSegInputs
from jaxseg.errors import JaxsegError
from jaxseg.inference import stream as streaming
from jaxseg.inference.huge_files import stream_to_files
from jaxseg.inference.loaded import load_model
from jaxseg.inference.output_formats import predict_to_files
from jaxseg.inference.slide import Grid
from jaxseg.inference.stream import stream, windows_of
from jaxseg.segmentors import preprocess
from jaxseg.visualize import overlay
from tests.small_unet import small_unet

SIZE = (150, 200)
PALETTE = ((0, 0, 0), (255, 0, 0), (0, 255, 0))
SCALE = (0.5, 0.5, 0.0)
TIE = (0.0, 0.0, 0.0, 500000.0, 5400000.0, 0.0)


@dataclasses.dataclass
class Windowed:
    mode: str = "slide"
    window: tuple = (32, 48)
    stride: tuple = (20, 32)


class Network:
    """A model whose logits of a window depend on the place in it, as a network's do."""

    devices = (jnp.zeros(1).devices().pop(),)

    def __init__(self):
        self.sizes = set()

    def logits(self, variables, images, size):
        assert images.shape[1:3] == size
        self.sizes.add(images.shape)
        rows, columns = np.ogrid[: size[0], : size[1]]
        edge = np.sin(rows / 3) * np.cos(columns / 4)
        return jnp.asarray(images / 255 + 0.5 * edge[..., None], jnp.float32)

    def classes(self, values):
        return jnp.argmax(values, -1).astype(jnp.uint8)


@dataclasses.dataclass
class Preprocessor:
    test_cfg: object = None


@dataclasses.dataclass
class Segmentor:
    test_cfg: Windowed
    data_preprocessor: Preprocessor
    in_channels: int = 3
    out_channels: int = 3
    threshold: float | None = None


class Model:
    """What streaming asks a `SegModel` for."""

    def __init__(self, max_pixels=10_000):
        self.segmentor = Segmentor(Windowed(), Preprocessor())
        self.predictor = Network()
        self.pipeline = (LoadImageFromFile(max_pixels=max_pixels), PackSegInputs())
        self.variables = self.tta = None
        self.palette, self.classes = PALETTE, ("a", "b", "c")
        self.images_together = 4

    def expected(self, pixels):
        """mmseg's sliding windows over the whole image."""
        test_cfg = self.segmentor.test_cfg
        grid = Grid(pixels.shape[:2], test_cfg.window, test_cfg.stride)
        total = np.zeros(pixels.shape, np.float32)
        height, width = grid.window
        for (top, left), window in zip(grid.corners, grid.cut(pixels), strict=True):
            logits = self.predictor.logits(None, window[None], grid.window)
            total[top : top + height, left : left + width] += np.asarray(logits)[0]
        rows, columns = grid.covers(pixels.shape[:2])
        return np.argmax(total / np.outer(rows, columns)[..., None], -1)


@pytest.fixture
def pixels():
    noise = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    smooth = cv2.GaussianBlur(noise, (9, 9), 3)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


@pytest.fixture
def scene(tmp_path, pixels):
    path = tmp_path / "scene.tif"
    write_scene(path, pixels)
    return path


def write_scene(path, pixels, georeferenced=True, **kind):
    tags = [(33550, "d", 3, SCALE, True), (33922, "d", 6, TIE, True)]
    tifffile.imwrite(
        path,
        pixels,
        tile=(16, 32),
        compression="zlib",
        photometric="rgb",
        extratags=tags if georeferenced else [],
        **kind,
    )


@pytest.mark.parametrize(
    ("order", "bytes_of_band"), [("<", 1 << 29), (">", 32 * 3 * 4 * 64)]
)
def test_the_label_map_is_that_of_the_whole(
    tmp_path, pixels, monkeypatch, order, bytes_of_band
):
    """Also in panels, of which the first ends where it cuts windows."""
    monkeypatch.setattr(streaming, "_BAND_BYTES", bytes_of_band)
    monkeypatch.setattr(streaming, "TILE", 64)
    monkeypatch.setattr("input_pipeline.formats.tiff_writer.TILE", 64)
    scene, model = tmp_path / "scene.tif", Model()
    write_scene(scene, pixels, byteorder=order)
    formats = ("mask", "color", "overlay")
    first = predict_to_files(model, scene, Path("scene"), tmp_path, formats)
    assert first == tmp_path / "labels/scene.tif"
    expected = model.expected(pixels)
    assert len(np.unique(expected)) == 3
    with tifffile.TiffFile(first) as tiff:
        page = tiff.pages[0]
        np.testing.assert_array_equal(page.asarray(), expected)
        assert (page.is_tiled, tiff.byteorder, tiff.is_bigtiff) == (True, order, False)
        assert page.tags[33550].value == SCALE and page.tags[33922].value == TIE
    with Image.open(first) as image:
        colors = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(colors, np.array(PALETTE, np.uint8)[expected])
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "colors/scene.tif"), colors
    )
    shown = overlay(pixels, expected, PALETTE)
    Image.fromarray(shown).save(tmp_path / "due.jpg", quality=95)
    due = (tmp_path / "due.jpg").read_bytes()
    assert (tmp_path / "overlays/scene.jpg").read_bytes() == due
    # One program: the last batch of windows is filled up.
    assert {s for s in model.predictor.sizes if s[0] > 1} == {(4, 32, 48, 3)}
    assert not list(tmp_path.rglob("*.part"))


def test_an_image_that_is_lower_than_a_window(tmp_path, pixels):
    model, path = Model(max_pixels=4000), tmp_path / "a.tif"
    write_scene(path, pixels[:25])
    found = np.zeros((25, 200), np.uint8)
    for rows in stream(model, windows_of(model, path)):
        found[rows.top : rows.top + len(rows.classes)] = rows.classes
    np.testing.assert_array_equal(found, model.expected(pixels[:25]))


def test_an_image_that_fits_is_predicted_whole(scene, tmp_path, pixels):
    assert windows_of(Model(max_pixels=30_000), scene) is None
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    assert windows_of(Model(), path) is None


def test_without_a_georeference(tmp_path, pixels, caplog):
    path, model = tmp_path / "a.tif", Model()
    write_scene(path, pixels, georeferenced=False)
    with caplog.at_level("INFO", "jaxseg"):
        stream_to_files(model, windows_of(model, path), {"mask": tmp_path / "m.tif"})
    assert "a.tif has no georeference" in caplog.text
    with tifffile.TiffFile(tmp_path / "m.tif") as tiff:
        assert 33550 not in tiff.pages[0].tags


def test_a_truncated_image_leaves_no_file(scene, tmp_path):
    scene.write_bytes(scene.read_bytes()[:-9])
    model = Model()
    with pytest.raises(DataError, match="scene.tif: the TIFF is truncated or damaged"):
        stream_to_files(model, windows_of(model, scene), {"mask": tmp_path / "m.tif"})
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dict(mode="whole"), "test_cfg.mode is 'whole'.*crop_size="),
        (
            dict(padding=preprocess.TestPadding(size_divisor=32)),
            "test_cfg pads whole images",
        ),
        (dict(tta=object()), "tta needs whole images"),
        (dict(pipeline=(CLAHE(),)), "CLAHE of val_dataloader.*needs the whole image"),
        (dict(channels=4), "has 3 channels, and model.backbone.in_channels is 4"),
        (
            dict(formats=("polygons",)),
            "'polygons' cannot be written; .*mask, color, ov",
        ),
    ],
)
def test_what_needs_the_whole_image_is_refused(scene, tmp_path, change, says):
    model = Model()
    model.segmentor.test_cfg.mode = change.get("mode", "slide")
    model.segmentor.data_preprocessor.test_cfg = change.get("padding")
    model.segmentor.in_channels = change.get("channels", 3)
    model.tta = change.get("tta")
    model.pipeline += change.get("pipeline", ())
    formats = change.get("formats", ("mask",))
    with pytest.raises(JaxsegError, match=says):
        predict_to_files(model, scene, Path("scene"), tmp_path, formats)


def test_a_large_file_is_a_bigtiff(tmp_path):
    """Decided before its tiles are there, by what they may take at the most."""
    assert not TiledTiff(tmp_path / "a.tif", (60_000, 60_000), np.uint8)._big
    assert TiledTiff(tmp_path / "a.tif", (70_000, 70_000), np.uint8)._big


def test_a_bigtiff_of_16_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("input_pipeline.formats.tiff_writer._MOST", 0)
    values = np.arange(700 * 530, dtype=np.uint16).reshape(700, 530)
    scale = Entry(12, 3, struct.pack(">3d", *SCALE))
    how = dict(georeference={33550: scale}, order=">")
    with TiledTiff(tmp_path / "a.tif", values.shape, np.uint16, **how) as tiff:
        for top in range(0, 700, 300):
            tiff.add(top, 0, values[top : top + 300])
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_bigtiff and tiff.pages[0].tags[33550].value == SCALE
        np.testing.assert_array_equal(tiff.pages[0].asarray(), values)


def test_a_file_with_missing_rows_is_not_kept(tmp_path):
    written = TiledTiff(tmp_path / "a.tif", (600, 600), np.uint8)
    with pytest.raises(ValueError, match="rows are missing"), written as tiff:
        tiff.add(0, 0, np.zeros((512, 600), np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.parametrize("size", [(131, 203), (30, 203), (131, 30), (1100, 1300)])
def test_a_network_has_the_label_map_of_mode_slide(tmp_path, monkeypatch, size):
    noise = np.random.default_rng(0).random((*size, 3), np.float32)
    smooth = cv2.GaussianBlur(noise, (5, 5), 2)
    pixels = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    write_scene(tmp_path / "a.tif", pixels)
    head = dict(type="FCNHead", in_channels=4, in_index=1, channels=4, num_convs=0)
    model = load_model(
        dict(
            model=dict(
                type="EncoderDecoder",
                backbone=small_unet(),
                decode_head=dict(head, concat_input=False, num_classes=4),
                test_cfg=dict(mode="slide", crop_size=(32, 48), stride=(20, 32)),
            )
        )
    )
    whole = model.predict(tmp_path / "a.tif")
    assert len(np.unique(whole)) > 1
    limit = LoadImageFromFile(max_pixels=size[0] * size[1] - 1)
    model = dataclasses.replace(model, pipeline=(limit,))
    for bytes_of_band in (1 << 29, 32 * 4 * 4 * 600):
        monkeypatch.setattr(streaming, "_BAND_BYTES", bytes_of_band)
        windows = windows_of(model, tmp_path / "a.tif")
        stream_to_files(model, windows, {"mask": tmp_path / "m.tif"})
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), whole)
