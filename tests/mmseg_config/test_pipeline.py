"""Pipelines of both lines in ours, by their keys and by the pixels that come out."""

import numpy as np
import pytest

from input_pipeline import transforms
from input_pipeline.loader import collate
from jaxseg.config import ConfigError
from jaxseg.mmseg_config.pipeline import translate_pipeline
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve
from jaxseg.segmentors.preprocess import SegDataPreProcessor

NORMALIZE = {"type": "Normalize", "mean": [10.0] * 3, "std": [2.0] * 3, "to_rgb": True}


def translate(entries, v0, report=None):
    report = Report() if report is None else report
    return translate_pipeline(entries, v0, report, "pipeline")


def run(entries, v0, height=60, width=80, seed=0):
    """The record that the translated transforms make of an image and its label."""
    report = Report()
    pipeline = resolve(translate(entries, v0, report), "pipeline", (transforms,))
    assert report.missing == []
    img = np.arange(height * width * 3).reshape(height, width, 3).astype(np.uint8)
    record = {"img": img, "gt_seg_map": img[..., 0] % 2, "img_path": "image.png"}
    rng = np.random.default_rng(seed)
    for transform in pipeline:
        record = transform(record, rng)
    return record


def shape(entries, v0, **image):
    return run(entries, v0, **image)["img"].shape[:2]


# MARK: Resize


def test_keep_ratio_is_the_default_of_v0_alone():
    assert shape([{"type": "Resize", "img_scale": (40, 40)}], v0=True) == (30, 40)
    assert shape([{"type": "Resize", "scale": (40, 40)}], v0=False) == (40, 40)
    stretched = {"type": "Resize", "img_scale": (40, 20), "keep_ratio": False}
    assert shape([stretched], v0=True) == (20, 40)  # a scale is (w, h) in both


@pytest.mark.parametrize("img_scale", [(40, 20), [40, 20], [(40, 20)], [[40, 20]]])
def test_one_scale_in_every_spelling(img_scale):
    assert translate([{"type": "Resize", "img_scale": img_scale}], True) == [
        {"type": "Resize", "scale": (40, 20), "keep_ratio": True}
    ]


def test_ratio_range():
    entry = {"type": "Resize", "img_scale": (80, 80), "ratio_range": (0.5, 2.0)}
    assert translate([entry], True) == [
        {
            "type": "RandomResize",
            "scale": (80, 80),
            "ratio_range": (0.5, 2.0),
            "keep_ratio": True,
        }
    ]
    widths = {shape([entry], True, seed=seed)[1] for seed in range(30)}
    assert min(widths) >= 40 and max(widths) <= 160 and len(widths) > 10


def test_a_range_of_scales_draws_long_and_short_sides():
    # 0.30's Resize.random_sample: the long side from 30..50, the short from 10..20,
    # and long is the width, whichever way the two scales lie.
    scales = [(10, 30), (50, 20)]
    entry = {"type": "Resize", "img_scale": scales, "keep_ratio": False}
    drawn = [shape([entry], True, seed=seed) for seed in range(60)]
    heights, widths = zip(*drawn, strict=True)
    assert 10 <= min(heights) and max(heights) <= 20 and len(set(heights)) > 5
    assert 30 <= min(widths) and max(widths) <= 50 and len(set(widths)) > 5


def test_a_choice_of_scales():
    entry = {
        "type": "Resize",
        "img_scale": [(40, 40), (80, 80)],
        "multiscale_mode": "value",
    }
    drawn = {shape([entry], True, seed=seed) for seed in range(20)}
    assert drawn == {(30, 40), (60, 80)}


def test_min_size_bounds_the_short_side_alone():
    entry = {"type": "Resize", "img_scale": (256, 64)}
    # Twice as long as the scale allows: 256 / 200 decides, unless min_size does.
    assert shape([entry], True, height=30, width=200) == (38, 256)
    bounded = entry | {"min_size": 64}
    assert shape([bounded], True, height=30, width=200) == (64, 427)  # 64 * 200 / 30
    assert shape([entry | {"min_size": 90}], True, height=30, width=60) == (90, 180)


def test_a_ratio_of_the_images_own_size():
    entry = {"type": "Resize", "ratio_range": (0.5, 0.5)}
    assert shape([entry], True, height=31, width=60) == (15, 29)  # int(15.5) fits
    assert shape([entry | {"keep_ratio": False}], True, height=31, width=60) == (15, 30)


def test_min_size_bounds_what_is_drawn():
    drawn = {"type": "Resize", "img_scale": (20, 9), "ratio_range": (1.0, 1.0)}
    assert shape([drawn], True, height=30, width=60) == (9, 18)
    assert shape([drawn | {"min_size": 12}], True, height=30, width=60) == (12, 24)
    # Without keep_ratio 0.x does not read it.
    stretched = drawn | {"min_size": 12, "keep_ratio": False}
    assert shape([stretched], True, height=30, width=60) == (9, 20)
    two = {"type": "Resize", "img_scale": [(20, 9), (22, 9)], "min_size": 12}
    for mode in ("range", "value"):
        entry = two | {"multiscale_mode": mode}
        assert shape([entry], True, height=30, width=60) == (12, 24)


def test_segformers_resize_goes_on_to_multiples():
    aligned = {"type": "AlignedResize", "img_scale": (50, 50), "size_divisor": 16}
    assert shape([{"type": "Resize", "img_scale": (50, 50)}], v0=True) == (38, 50)
    assert shape([aligned], v0=True) == (48, 64)
    drawn = {"type": "AlignedResize", "img_scale": (50, 50), "ratio_range": (1, 2)}
    assert shape([drawn], v0=True) in ((64, 64), (64, 96), (96, 96), (96, 128))


def test_a_resize_to_nothing():
    with pytest.raises(ConfigError, match="pipeline.0: Resize has neither img_scale"):
        translate([{"type": "Resize"}], True, Report())


# MARK: Pad


def test_pad_is_width_height_in_v1_and_height_width_in_v0():
    v1 = [{"type": "Pad", "size": (90, 70)}]
    v0 = [{"type": "Pad", "size": (70, 90)}, NORMALIZE]
    for entries, is_v0 in ((v1, False), (v0, True)):
        padded = run(entries, is_v0)
        assert padded["img"].shape[:2] == padded["gt_seg_map"].shape == (70, 90)
        assert (padded["img"][60:] == 0).all()
        assert (padded["gt_seg_map"][60:] == 255).all()


def normalised(entries, v0):
    """What the network sees of a sample that is padded to 70x90."""
    preprocess = SegDataPreProcessor(
        mean=(10.0,) * 3, std=(2.0,) * 3, bgr_to_rgb=True, size=(70, 90)
    )
    batch = collate([run(entries, v0)], (70, 90), 255)
    return np.asarray(preprocess(batch["img"], batch["img_shape"]))[0]


def test_padding_behind_the_normalisation_is_zero_and_before_it_is_not():
    behind = normalised([NORMALIZE, {"type": "Pad", "size": (70, 90)}], v0=True)
    before = normalised([{"type": "Pad", "size": (70, 90)}, NORMALIZE], v0=True)
    of_v1 = normalised([{"type": "Pad", "size": (90, 70)}], v0=False)
    assert (behind[60:] == 0).all() and (behind[:, 80:] == 0).all()
    for padded in (before, of_v1):
        assert (padded[60:] == -5).all() and (padded[:, 80:] == -5).all()  # (0-10)/2
        np.testing.assert_array_equal(padded[:60, :80], behind[:60, :80])


def test_the_colour_of_padding_is_bgr_in_mmseg():
    entry = {"type": "Pad", "size": (81, 60), "pad_val": {"img": (1, 2, 3), "seg": 9}}
    padded = run([entry], v0=False)
    assert padded["img"][0, 80].tolist() == [3, 2, 1]
    assert padded["gt_seg_map"][0, 80] == 9
    of_v0 = {"type": "Pad", "size_divisor": 7, "pad_val": 4, "seg_pad_val": 9}
    padded = run([of_v0], v0=True)
    assert padded["img"].shape[:2] == (63, 84)
    assert padded["img"][62, 83].tolist() == [4, 4, 4]
    assert padded["gt_seg_map"][62, 83] == 9


# MARK: the rest


def test_a_training_pipeline_of_v0():
    entries = [
        {"type": "LoadImageFromFile", "file_client_args": {"backend": "disk"}},
        {"type": "LoadAnnotations", "reduce_zero_label": True},
        {"type": "RandomCrop", "crop_size": (70, 90), "cat_max_ratio": 0.75},
        {"type": "RandomFlip", "flip_ratio": 0.25},
        {"type": "PhotoMetricDistortion"},
        NORMALIZE,
        {"type": "Pad", "size": (70, 90), "pad_val": 0, "seg_pad_val": 255},
        {"type": "DefaultFormatBundle"},
        {"type": "Collect", "keys": ["img", "gt_semantic_seg"]},
    ]
    report = Report()
    assert translate(entries, True, report) == [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations"},  # the data set says reduce_zero_label
        {"type": "RandomCrop", "crop_size": (70, 90), "cat_max_ratio": 0.75},
        {"type": "RandomFlip", "prob": 0.25},
        {"type": "PhotoMetricDistortion"},
        {"type": "PackSegInputs"},
    ]
    assert report == Report()


def test_a_training_pipeline_of_v1():
    entries = [
        {"type": "mmcv.LoadImageFromFile", "backend_args": None},
        {"type": "LoadAnnotations", "reduce_zero_label": True},
        {"type": "RandomResize", "scale": (4, 2), "ratio_range": (0.5, 2.0)},
        {"type": "RandomFlip", "prob": [0.25, 0.5], "direction": ["horizontal", "d"]},
        {"type": "PackSegInputs", "meta_keys": ("img_path", "flip")},
    ]
    report = Report()
    assert translate(entries, False, report) == [
        {"type": "LoadImageFromFile"},
        *entries[1:4],
        {"type": "PackSegInputs"},
    ]
    assert report == Report()


def test_what_is_missing_is_named_at_its_place_and_stays():
    entries = [
        {"type": "LoadImageFromFile", "color_type": "color_ignore_orientation"},
        {"type": "LoadImageFromFile", "backend_args": {"backend": "petrel"}},
        {"type": "NoTransform", "edge_width": 4},
        {"type": "RandomFlip", "prob": 0.5, "swap_seg_labels": [(1, 2)]},
        {"type": "Pad", "pad_to_square": True, "padding_mode": "reflect"},
    ]
    report = Report()
    assert translate(entries, False, report)[2] == entries[2]
    assert report.missing == [
        (
            "pipeline.0",
            "LoadImageFromFile(color_type='color_ignore_orientation')",
        ),
        ("pipeline.1.backend_args", "the file backend 'petrel'"),
        ("pipeline.2", "NoTransform"),
        ("pipeline.3", "RandomFlip(swap_seg_labels)"),
        ("pipeline.4", "Pad(pad_to_square)"),
        ("pipeline.4", "Pad(padding_mode='reflect')"),
    ]


def test_other_decoders_and_an_order_that_is_not_ours_are_noted():
    report = Report()
    translate([{"type": "LoadAnnotations", "imdecode_backend": "cv2"}], False, report)
    translate([NORMALIZE, {"type": "RandomRotate", "prob": 0.5}], True, report)
    assert [note.partition(";")[0] for note in report.notes] == [
        "pipeline.0: imdecode_backend='cv2' is not used",
        "pipeline.1: RandomRotate comes behind Normalize in mmseg",
    ]


# MARK: change detection


def test_two_images_of_change_detection():
    flip = {"type": "HorizontalFlip", "p": 0.5}
    entries = [
        {"type": "LoadMultipleRSImageFromFile"},
        {"type": "Albu", "transforms": [flip]},
        {"type": "ConcatCDInput"},
    ]
    report = Report()
    load, albu, concat = translate(entries, False, report)
    assert load == {"type": "LoadMultipleRSImageFromFile"}
    assert report.missing == [] and "to_float32 is not used" in report.notes[0]
    # The entries inside are the library's, and no transforms of ours.
    built = resolve([load, albu, concat], "pipeline", (transforms,))
    assert built[1] == transforms.Albu(transforms=(flip,))
