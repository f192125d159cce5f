"""Multi-scale and flip of both lines, by the sizes that are averaged."""

import numpy as np
import pytest

from jaxseg.mmseg_config.pipeline import translate_pipeline
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.test_time_aug import (
    read_multi_scale_flip_aug,
    read_tta_pipeline,
)
from jaxseg.settings import tta as test_time_aug

IMAGE = np.zeros((60, 80, 3), np.uint8)


def flip_aug(resize=None, **fields):
    transforms = [
        {"type": "Resize", **(resize or {})},
        {"type": "RandomFlip"},
        {"type": "Normalize", "mean": [0.0] * 3, "std": [1.0] * 3},
        {"type": "ImageToTensor", "keys": ["img"]},
        {"type": "Collect", "keys": ["img"]},
    ]
    return {"type": "MultiScaleFlipAug", "transforms": transforms, **fields}


def translate(aug):
    report = Report()
    entries = [{"type": "LoadImageFromFile"}, aug]
    return translate_pipeline(entries, True, report, "pipeline"), report


def test_one_scale_without_flips_is_a_plain_test():
    pipeline, report = translate(flip_aug(img_scale=(512, 128), flip=False))
    assert pipeline == [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": (512, 128), "keep_ratio": True},
        {"type": "PackSegInputs"},
    ]
    assert report == Report()


def test_segformers_resize_inside_gets_the_scale():
    aligned = {"type": "AlignedResize", "keep_ratio": True, "size_divisor": 32}
    pipeline, report = translate(flip_aug(aligned, img_scale=(512, 128), flip=False))
    assert pipeline[1:3] == [
        {"type": "Resize", "scale": (512, 128), "keep_ratio": True},
        {"type": "ResizeToMultiple", "size_divisor": 32},
    ]
    assert report == Report()
    _, report = translate(flip_aug(aligned, img_scale=(512, 128), img_ratios=[1, 2]))
    assert [name for _, name in report.missing] == [
        "ResizeToMultiple with several scales or flips"
    ]


def test_a_single_ratio_multiplies_the_scale_and_cuts_off():
    aug = flip_aug(img_scale=(101, 51), img_ratios=[0.5])
    assert read_multi_scale_flip_aug(aug, "", Report()) == (None, (50, 25))
    assert translate(aug)[0][1]["scale"] == (50, 25)


def test_of_a_list_of_scales_the_ratios_are_forgotten():
    aug = flip_aug(img_scale=[(80, 60)], img_ratios=[0.5, 1.0])
    assert read_multi_scale_flip_aug(aug, "", Report()) == (None, (80, 60))


def test_without_a_scale_the_image_keeps_its_size():
    pipeline, _ = translate(flip_aug(img_scale=None, img_ratios=[1.0]))
    assert [entry["type"] for entry in pipeline] == [
        "LoadImageFromFile",
        "PackSegInputs",
    ]


def test_ratios_of_v0_multiply_the_test_scale():
    aug = flip_aug(img_scale=(101, 51), img_ratios=[0.5, 1.5], flip=True)
    tta, _ = read_multi_scale_flip_aug(aug, "pipeline.1", Report())
    # Boxes of 50x25 and 151x76, as 0.30 cuts 50.5, 25.5, 151.5 and 76.5 off; 80x60
    # then fits by the short side.
    shapes = [
        image.shape[:2] for image in test_time_aug.TestTimeAug(**tta).scaled(IMAGE)
    ]
    assert shapes == [(25, 33), (76, 101)]
    assert test_time_aug.TestTimeAug(**tta).directions == ("horizontal",)
    pipeline, report = translate(aug)
    assert [entry["type"] for entry in pipeline] == [
        "LoadImageFromFile",
        "PackSegInputs",
    ]
    assert report == Report()


def test_min_size_of_v0_bounds_every_scale():
    aug = flip_aug({"min_size": 40}, img_scale=(90, 30), img_ratios=[0.5, 2.0])
    tta, _ = read_multi_scale_flip_aug(aug, "pipeline.1", Report())
    # 30 * 0.5 is less than 40, and 30 * 2.0 more; the long side has no bound.
    shapes = [
        image.shape[:2]
        for image in test_time_aug.TestTimeAug(**tta).scaled(np.zeros((60, 240, 3)))
    ]
    assert shapes == [(40, 160), (60, 240)]
    assert translate(aug)[1].missing == []


def test_flips_need_a_random_flip_inside():
    aug = flip_aug(img_scale=(80, 60), flip=True)
    assert read_multi_scale_flip_aug(aug, "", Report())[0]["flip"] is True
    del aug["transforms"][1]
    assert read_multi_scale_flip_aug(aug, "", Report()) == (None, (80, 60))


@pytest.mark.parametrize(
    "aug, path, name",
    [
        (
            flip_aug({"min_size": 64}, img_scale=None, img_ratios=[0.5], flip=True),
            "pipeline.1.transforms.0",
            "Resize(min_size) of the image's own scales",
        ),
        (
            flip_aug({"keep_ratio": False}, img_scale=(80, 60), flip=True),
            "pipeline.1.transforms.0",
            "Resize(keep_ratio=False) with several scales or flips",
        ),
        (
            flip_aug(img_scale=[(80, 60), (40, 30)]),
            "pipeline.1",
            "MultiScaleFlipAug(img_scale) of several scales",
        ),
    ],
)
def test_what_our_tta_does_not_do_is_named(aug, path, name):
    assert translate(aug)[1].missing == [(path, name)]


def test_two_flip_directions_weigh_otherwise():
    aug = flip_aug(
        img_scale=(80, 60), flip=True, flip_direction=["horizontal", "vertical"]
    )
    report = translate(aug)[1]
    assert "counts the image that is not flipped 2 times" in report.notes[0]


def tta_pipeline(ratios, flips, **resize):
    return [
        {"type": "LoadImageFromFile"},
        {
            "type": "TestTimeAug",
            "transforms": [
                [{"type": "Resize", "scale_factor": r, **resize} for r in ratios],
                [{"type": "RandomFlip", **flip} for flip in flips],
                [{"type": "LoadAnnotations"}],
                [{"type": "PackSegInputs"}],
            ],
        },
    ]


def test_ratios_of_v1_multiply_the_images_own_size():
    flips = [{"prob": 0.0}, {"prob": 1.0, "direction": "vertical"}]
    report = Report()
    tta = read_tta_pipeline(tta_pipeline([0.5, 1.5], flips, keep_ratio=True), report)
    assert report == Report()
    shapes = [
        image.shape[:2] for image in test_time_aug.TestTimeAug(**tta).scaled(IMAGE)
    ]
    assert shapes == [(30, 40), (90, 120)]
    assert list(test_time_aug.TestTimeAug(**tta).directions) == ["vertical"]


@pytest.mark.parametrize(
    "entries",
    [
        [{"type": "LoadImageFromFile"}],
        tta_pipeline(
            [0.5], [{"prob": 1.0}], keep_ratio=True
        ),  # the image itself is not averaged
        tta_pipeline([0.5], [{"prob": 0.0}], keep_ratio=True, interpolation="area"),
        tta_pipeline([0.5], [{"prob": 0.0}]),  # 1.x does not keep the ratio unasked
        tta_pipeline([None], [{"prob": 0.0}], keep_ratio=True),
    ],
)
def test_other_augmentations_of_v1_are_not_ours(entries):
    assert read_tta_pipeline(entries, Report()) is None
