"""Preprocessors of Hugging Face's: what becomes of each field."""

import pytest

from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.preprocessor import read_preprocessor, read_windows

COLOURS = {"image_mean": [0.5, 0.25, 0.0], "image_std": [0.5, 0.25, 1.0]}


def read(**fields):
    return read_preprocessor(COLOURS | fields, "preprocessor_config.json")


def test_mean_and_std_are_those_of_bytes():
    preprocessor, _ = read(do_resize=False, rescale_factor=1 / 255)
    assert preprocessor["mean"] == pytest.approx((127.5, 63.75, 0))
    assert preprocessor["std"] == pytest.approx((127.5, 63.75, 255))
    assert preprocessor["bgr_to_rgb"] is True
    preprocessor, _ = read(do_resize=False, do_normalize=False)
    assert preprocessor["std"] == pytest.approx((255, 255, 255))
    preprocessor, _ = read(do_resize=False, do_rescale=False)
    assert preprocessor["std"] == pytest.approx((0.5, 0.25, 1.0))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"size": {"height": 32, "width": 64}},
            dict(type="Resize", scale=(64, 32), interpolation="pillow-bilinear"),
        ),
        (
            {
                "size": 512,
                "resample": 3,
                "feature_extractor_type": "BeitFeatureExtractor",
            },
            dict(type="Resize", scale=(512, 512), interpolation="pillow-bicubic"),
        ),
        (
            {
                "size": 512,
                "max_size": 2048,
                "image_processor_type": "MaskFormerImageProcessor",
            },
            dict(
                type="ResizeShortestEdge",
                scale=512,
                max_size=2048,
                interpolation="pillow-bilinear",
            ),
        ),
        (
            {"size": {"height": 380, "width": 390}, "ensure_multiple_of": 32},
            dict(type="Resize", scale=(384, 384), interpolation="pillow-bilinear"),
        ),
        (
            {"size": 384, "keep_aspect_ratio": True, "ensure_multiple_of": 32},
            dict(
                type="ResizeClosestSide",
                scale=(384, 384),
                size_divisor=32,
                interpolation="pillow-bilinear",
            ),
        ),
    ],
)
def test_sizes_become_a_resize(fields, expected):
    assert read(**fields)[1] == [dict(type="LoadImageFromFile"), expected]


def test_a_split_image_is_looked_at_in_windows():
    edge = {"size": {"shortest_edge": 512, "longest_edge": None}}
    window = dict(mode="slide", crop_size=(512, 512), stride=(512, 512))
    assert read_windows(edge | {"do_split_image": True}, "a") == {"test_cfg": window}
    assert read_windows(edge | {"do_split_image": False}, "a") == {}
    with pytest.raises(HuggingFaceError, match="allowed: shortest_edge"):
        read_windows({"size": {"height": 3, "width": 3}, "do_split_image": True}, "a")


def test_a_divisor_pads():
    preprocessor, _ = read(do_resize=False, size_divisor=32)
    assert preprocessor["test_cfg"] == dict(size_divisor=32)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": None}, "size is None"),
        ({"size": {"longest_edge": 3}}, "size has longest_edge"),
        ({"size": {"height": -1, "width": 3}}, "pixels above 0"),
        ({"size": 32, "resample": 7}, "resample is 7"),
        ({"size": 32, "ensure_multiple_of": "a"}, "ensure_multiple_of is 'a'"),
        ({"rescale_factor": 0}, "rescale_factor is 0"),
        ({"image_mean": [0.5]}, "image_mean is"),
    ],
)
def test_what_jaxseg_lacks_is_named(fields, message):
    with pytest.raises(HuggingFaceError, match=message):
        read(**fields)
