"""Mosaics in a MultiImageMixDataset, as MMSegmentation's own.

The samples of mmseg 1.2.2 are those of make_mmseg_mosaics.py; 0.30.0 computes the same.
"""

import json
import pathlib

import numpy as np
import pytest

from input_pipeline import transforms
from input_pipeline.datasets import MultiImageMixDataset
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import RandomMosaic
from jaxseg.mmseg_config.pipeline import translate_pipeline
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve
from tests.input_pipeline.transforms.recorded_draws import RecordedDraws

STORED = np.load(pathlib.Path(__file__).with_name("mmseg_mosaics.npz"))
EXAMPLES = json.loads(str(STORED["examples"]))


def pipeline_of(config, v0=False):
    report = Report()
    translated = translate_pipeline(config, v0, report, "pipeline")
    assert report.missing == report.notes == []
    return resolve(translated, "pipeline", (transforms,))


class Windows(SegDataset):
    """The data set of the examples: parts of one picture."""

    metainfo, ignore_index, reduce_zero_label = {"classes": ("a",)}, 255, False
    label_map, file_palette = None, ()

    def __init__(self, pipeline):
        self.pipeline = pipeline

    def __len__(self):
        return len(EXAMPLES["sizes"])

    def __getitem__(self, index):
        height, width = EXAMPLES["sizes"][index]
        keys = {"img": "img", "gt_seg_map": "label", "gt_depth_map": "depth"}
        arrays = {key: STORED[k][:height, :width] for key, k in keys.items()}
        return arrays | {"img_shape": (height, width), "img_path": f"{index}.png"}


@pytest.mark.parametrize("v0", [False, True])
@pytest.mark.parametrize("name", EXAMPLES["found"])
def test_equal_to_mmseg(name, v0):
    example = EXAMPLES["found"][name]
    if v0 and len(example["config"]) > 1:
        pytest.skip("RandomResize is of 1.x alone")
    windows = Windows(pipeline_of(EXAMPLES["inner"]))
    dataset = MultiImageMixDataset(windows, pipeline_of(example["config"], v0))
    rng = RecordedDraws(example["draws"])
    found = dataset.sample(example["index"], rng)
    rng.check_all_are_drawn()
    for key, kind in (
        ("img", "img"),
        ("gt_seg_map", "label"),
        ("gt_depth_map", "depth"),
    ):
        expected = STORED[f"{name}.{kind}"]
        np.testing.assert_array_equal(found[key], expected)
        assert found[key].dtype == expected.dtype
    assert found["img_shape"] == found["img"].shape[:2]
    assert "mix_results" not in found


def test_the_examples_have_every_way_to_go():
    counts = {
        len(example["draws"])
        for name, example in EXAMPLES["found"].items()
        if name.startswith("perhaps")
    }
    # Four flips, three others and the coin; a mosaic has a centre, too.
    assert counts == {8, 10}


def test_new_pixels_count_nowhere(picture, label):
    depth = np.ones(label.shape, np.float32)
    record = {"img": picture, "gt_seg_map": label, "gt_depth_map": depth}
    record |= {"ignore_index": 254, "mix_results": [dict(record)] * 3}
    mosaic = RandomMosaic(1.0, (50, 100), center_ratio_range=(1, 1))
    found = mosaic(record, np.random.default_rng(0))
    # 60x80 becomes 50x66, which leaves 34 columns on either side.
    assert found["img"].shape == (100, 200, 3) and found["img_shape"] == (100, 200)
    for key, fill in (("img", 0), ("gt_seg_map", 254), ("gt_depth_map", 0)):
        assert (found[key][:, :34] == fill).all() and (
            found[key][:, 166:] == fill
        ).all()
    assert (found["gt_depth_map"][:, 34:166] == 1).all()


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"prob": 2}, r"prob is 2; it must be in \[0, 1\]"),
        ({"img_scale": (0, 9)}, r"img_scale is \(0, 9\)"),
        ({"center_ratio_range": (0.5, 2.5)}, "must be two numbers from 0 to 2"),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=f"RandomMosaic.*{message}"):
        RandomMosaic(**{"prob": 1} | fields)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda r: r.pop("mix_results"),
            r"a.png: RandomMosaic needs other samples \(3\), and got 0",
        ),
        (
            lambda r: r["mix_results"][1].pop("gt_seg_map"),
            "b.png: .* they must be equal",
        ),
        (
            lambda r: r["mix_results"][1].update(gt_seg_map=np.zeros((3, 3), np.uint8)),
            r"b.png: RandomMosaic got an image of .*\(60, 80\) and a gt_seg_map of",
        ),
        (
            lambda r: r["mix_results"][1].update(
                img=np.zeros((9, 999, 3), np.uint8),
                gt_seg_map=np.zeros((9, 999), np.uint8),
            ),
            r"b.png: of its \(999, 9\) .* no pixel is left",
        ),
    ],
)
def test_samples_that_do_not_fit(picture, label, change, message):
    record = {"img": picture, "gt_seg_map": label, "img_path": "a.png"}
    others = [dict(record, img_path=name) for name in ("x.png", "b.png", "y.png")]
    record["mix_results"] = others
    change(record)
    with pytest.raises(ValueError, match=message):
        RandomMosaic(1.0, (20, 20))(record, np.random.default_rng(0))


def test_sizes_before_anything_is_drawn():
    assert RandomMosaic(0.5, (30, 40)).output_size((99, 50)) is None
    assert RandomMosaic(0.5, (30, 40)).smallest_size((99, 50)) == (80, 50)
    assert RandomMosaic(1, (30, 40)).smallest_size((99, 50)) == (80, 60)
