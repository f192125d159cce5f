"""A loader whose data set looks for no labels."""

import pytest

from jaxseg.config import ConfigError
from jaxseg.settings.unlabelled import without_labels

PATH = "test_dataloader"
LOAD, LABEL, PACK = (
    dict(type=name)
    for name in ("LoadImageFromFile", "LoadAnnotations", "PackSegInputs")
)


def loader_of(pipeline):
    inner = dict(
        type="BaseSegDataset", data_prefix=dict(img_path="img"), pipeline=pipeline
    )
    concat = dict(type="ConcatDataset", datasets=[inner, inner])
    return dict(batch_size=2, dataset=dict(type="RepeatDataset", dataset=concat))


def test_labels_go_out_at_any_depth():
    loader = loader_of([LOAD, LABEL, PACK])
    changed = without_labels(loader, PATH)
    assert changed["batch_size"] == 2
    for inner in changed["dataset"]["dataset"]["datasets"]:
        assert inner["pipeline"] == [LOAD, PACK]
        assert inner["data_prefix"] == dict(img_path="img", seg_map_path=None)
    assert loader == loader_of([LOAD, LABEL, PACK])


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ([LOAD, "LoadAnnotations"], "datasets.0.pipeline.1: expected a dict, found"),
        (LOAD, "datasets.0.pipeline: expected a list of dicts, found"),
        ([dict(type="Lode")], "datasets.0.pipeline.0"),
    ],
)
def test_what_is_no_pipeline(pipeline, message):
    with pytest.raises(ConfigError, match=f"^{PATH}.dataset.dataset.{message}"):
        without_labels(loader_of(pipeline), PATH)
