"""Edges of labels: MMSegmentation's, of make_mmseg_targets.py."""

import pathlib

import numpy as np
import pytest

from input_pipeline import transforms
from input_pipeline.errors import DataError
from input_pipeline.transforms import GenerateEdge
from jaxseg.mmseg_config.pipeline import translate_pipeline
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve

STORED = np.load(pathlib.Path(__file__).with_name("mmseg_targets.npz"))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
def test_equal_to_mmseg(width):
    report = Report()
    config = [{"type": "GenerateEdge", "edge_width": width}]
    config = translate_pipeline(config, False, report, "pipeline")
    (transform,) = resolve(config, "pipeline", (transforms,))
    assert report.missing == report.notes == []
    results = {"gt_seg_map": STORED["label"], "ignore_index": 255}
    edges = transform(results, None)["gt_edge_map"]
    np.testing.assert_array_equal(edges, STORED[f"edges_{width}"])
    assert edges.dtype == np.uint8


def test_the_ignored_label_has_no_edges():
    label = np.zeros((6, 6), np.uint16)
    label[:, 3:] = 2
    results = {"gt_seg_map": label, "ignore_index": 2}
    assert not GenerateEdge()(results, None)["gt_edge_map"].any()
    edges = GenerateEdge(edge_width=1, ignore_index=300)(results, None)["gt_edge_map"]
    # The pixels on the left of the border, and on its right those that have one of the
    # other class below to the left: all but the last row.
    np.testing.assert_array_equal(edges[:, 2], 1)
    np.testing.assert_array_equal(edges[:, 3], [1, 1, 1, 1, 1, 0])
    assert edges.dtype == np.uint16 and not edges[:, [0, 1, 4, 5]].any()


def test_what_it_cannot_do():
    with pytest.raises(ValueError, match="edge_width is 0; .* integer of 1 or more"):
        GenerateEdge(edge_width=0)
    with pytest.raises(DataError, match="a.png: GenerateEdge needs a label"):
        GenerateEdge()({"img_path": "a.png"}, None)
