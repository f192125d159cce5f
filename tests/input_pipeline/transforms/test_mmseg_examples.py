"""Pixels and labels of MMSegmentation's own transforms, with the same random draws.

The examples are those of mmseg 1.2.2 and, where it differs, 0.30.0, made by
make_mmseg_examples.py beside the file; a config goes the way that an mmseg config goes.
"""

import json
import pathlib

import cv2
import numpy as np
import pytest
from PIL import Image

from input_pipeline import transforms
from jaxseg.mmseg_config.pipeline import translate_pipeline
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve
from tests.input_pipeline.transforms.recorded_draws import RecordedDraws

STORED = np.load(pathlib.Path(__file__).with_name("mmseg_examples.npz"))
EXAMPLES = json.loads(str(STORED["examples"]))
# OpenCV 5's warpAffine interpolates elsewhere than 4's, the same pixels being chosen for
# labels: 4.11 gives 7 % of the bytes of a rotated image differently, by 4 at most.
OTHER_WARP = cv2.__version__.split(".")[0] != str(STORED["opencv"]).split(".")[0]


def record_of(example, folder):
    """The record that goes into the transforms of an example."""
    height, width = example["size"]
    img = STORED["img"][:height, :width]
    if "facts" not in example:
        label = STORED["label"][:height, :width]
        return {"img": img, "gt_seg_map": label, "img_shape": img.shape[:2]}
    Image.fromarray(img).save(folder / "a.png")
    Image.fromarray(STORED[example["source"]]).save(folder / "b.png")
    return {
        "img_path": str(folder / "a.png"),
        "seg_map_path": str(folder / "b.png"),
        # So many that no id of a byte is outside of them.
        "classes": tuple(f"class {i}" for i in range(255)),
        "palette": (),
        "reduce_zero_label": example["facts"]["reduce_zero_label"],
        "label_map": dict(example["facts"]["label_map"] or ()),
        "ignore_index": 255,
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_equal_to_mmseg(name, tmp_path):
    example, report = EXAMPLES[name], Report()
    translated = translate_pipeline(example["config"], example["v0"], report, name)
    pipeline = resolve(translated, name, (transforms,))
    assert report.missing == report.notes == []

    results, rng = record_of(example, tmp_path), RecordedDraws(example["draws"])
    for transform in pipeline:
        results = transform(results, rng)

    rng.check_all_are_drawn()
    img, label = STORED[f"{name}.img"], STORED[f"{name}.label"]
    assert results["img"].dtype == img.dtype
    assert results["gt_seg_map"].dtype == np.uint8
    assert results["img_shape"] == img.shape[:2]
    of_opencv = f"(OpenCV {cv2.__version__}; mmseg's had {STORED['opencv']})"
    allowed = 4 if name.startswith("rotate") and OTHER_WARP else 0
    difference = np.abs(results["img"].astype(float) - img)
    assert difference.max() <= allowed, of_opencv
    assert (difference > 0).mean() <= (0.1 if allowed else 0), of_opencv
    np.testing.assert_array_equal(results["gt_seg_map"], label, of_opencv)


def draws(prefix):
    """(kind, value) of the draws of all examples whose names start so."""
    return [
        [(kind, value) for kind, _, value in example["draws"]]
        for name, example in EXAMPLES.items()
        if name.startswith(prefix)
    ]


def test_the_examples_have_every_way_to_go():
    # A coin for each of brightness, place of contrast, contrast, saturation and hue.
    coins = [[v for kind, v in d if kind == "integers"] for d in draws("colours")]
    steps = [[kind for kind, _ in d] for d in draws("colours")]
    assert {len(d) for d in steps} >= {5, 7, 8, 9}  # none of four steps, two, all
    assert {coin[1] for coin in coins} == {0, 1}
    # A place is two draws; more than one place, and eleven of them, are drawn.
    assert {len(d) for d in draws("crop_0.75")} > {2}
    assert {len(d) for d in draws("crop_one_class")} == {22}
    assert {len(d) for d in draws("crop_of_nothing")} == {22}
    assert {v for d in draws("flip_several") for _, v in d} == {0, 1, 2, 3}
    assert {v for d in draws("flip_each") for _, v in d} == {0, 1, 2}
    rotated = {d[0][1] < 0.5 for d in draws("rotate")}
    assert rotated == {True, False}
