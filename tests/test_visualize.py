"""Pictures of label maps, against numbers by hand and by mmseg 1.2.2."""

import zlib

import numpy as np
import pytest
from PIL import Image

from jaxseg.visualize import as_rgb, colorize, overlay, save_prediction_grid

PALETTE = [[0, 0, 0], [255, 128, 0], [10, 20, 30]]


def test_colorize_by_hand():
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    expected = [[[0, 0, 0], [255, 128, 0]], [[10, 20, 30], [0, 0, 0]]]
    np.testing.assert_array_equal(colorize(labels, PALETTE), expected)


def test_overlay_by_hand():
    image = np.full((1, 3, 3), 101, np.uint8)
    labels = np.array([[1, 2, 255]])
    # 101 / 2 + 255 / 2 = 178.0, 101 / 2 + 128 / 2 = 114.5, cut off; ignored: 50.5.
    expected = [[[178, 114, 50], [55, 60, 65], [50, 50, 50]]]
    result = overlay(image, labels, PALETTE)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "opacity, crc32", [(0.8, 172852156), (0.5, 1321548204), (0.3, 3302103586)]
)
def test_overlay_is_mmsegs_byte_for_byte(opacity, crc32):
    # SegLocalVisualizer(alpha=opacity)._draw_sem_seg(..., with_labels=False) of
    # mmseg 1.2.2 gives these bytes for the same draws.
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, (40, 50))
    labels[0] = 255
    result = overlay(image, labels, [*PALETTE, [77, 201, 133]], opacity)
    assert zlib.crc32(result.tobytes()) == crc32


def test_overlay_refuses_what_does_not_fit():
    image, labels = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8)
    with pytest.raises(ValueError, match=r"image is 4x5, its label map .* \[5, 4\]"):
        overlay(image, labels.T, PALETTE)
    with pytest.raises(ValueError, match=r"image is float64\[4, 5, 3\]"):
        overlay(image / 255, labels, PALETTE)
    with pytest.raises(ValueError, match="opacity is 0; allowed"):
        overlay(image, labels, PALETTE, opacity=0)


def test_any_image_becomes_rgb():
    grey = np.array([[0, 9]], np.uint8)
    np.testing.assert_array_equal(as_rgb(grey), [[[0] * 3, [9] * 3]])
    wide = np.array([[[1000], [2000], [3000]]], np.uint16)
    # (x - 1000) * 255 / 2000 = 0, 127.5, 255.
    np.testing.assert_array_equal(as_rgb(wide), [[[0] * 3, [127] * 3, [255] * 3]])
    channels = np.arange(5, dtype=np.uint8).reshape(1, 1, 5)
    np.testing.assert_array_equal(as_rgb(channels), [[[0, 1, 2]]])


def test_prediction_grid(tmp_path):
    image = np.full((96, 64, 3), 90, np.uint8)
    truth = np.zeros((96, 64), np.uint8)
    truth[20:60, 10:50] = 1
    truth[:5] = 255
    prediction = np.zeros((96, 64), np.int64)
    prediction[22:64, 14:50] = 1
    classes = ["background", "a digit", "never there"]
    path = tmp_path / "grid.png"
    save_prediction_grid(path, image, truth, prediction, classes, PALETTE)
    grid = np.asarray(Image.open(path))
    # Sides doubled (256 // 96); three panels, four margins of 8; a title, one legend.
    assert grid.shape == (26 + 192 + 8 + 18, 3 * 128 + 4 * 8, 3)
    assert (grid[26 + 100, 8 + 60] == 90).all()  # inside of the image
    assert (grid[26 + 100, 8 + 136 + 60] == [172, 109, 45]).all()  # 45 + color / 2
    legend = grid[26 + 192 + 8 :].reshape(-1, 3)
    assert (legend == [255, 128, 0]).all(1).any()
    assert not (legend == [10, 20, 30]).all(1).any()
    save_prediction_grid(path, image, None, prediction, classes, PALETTE)
    assert np.asarray(Image.open(path)).shape[1] == 2 * 128 + 3 * 8
    with pytest.raises(ValueError, match="2 classes, but 3 colours"):
        save_prediction_grid(path, image, None, prediction, classes[:2], PALETTE)
