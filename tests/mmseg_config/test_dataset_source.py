"""A user's data set class is read from its source as data, and never imported."""

import pytest

from jaxseg.mmseg_config.dataset_source import read_dataset_class
from jaxseg.mmseg_config.datasets import translate_data
from jaxseg.mmseg_config.report import Report

V1 = """
import no_such_package
raise SystemExit("it was run")
@DATASETS.register_module()
class Roads(BaseSegDataset):
    '''Roads.'''
    METAINFO = dict(classes=('ground', 'road'), palette=[[0, 0, 0], [9, 9, 9]])
    def __init__(self, img_suffix='.tif', seg_map_suffix='_gt.png', **kwargs):
        super().__init__(
            img_suffix=img_suffix, seg_map_suffix=seg_map_suffix,
            reduce_zero_label=True, **kwargs)
"""
V0 = """
class Roads(CustomDataset):
    CLASSES = ('ground', 'road')
    PALETTE = [[0, 0, 0], [9, 9, 9]]
    def __init__(self, **kwargs):
        super(Roads, self).__init__(img_suffix='.tif', **kwargs)
        assert self.file_client.exists(self.img_dir)
"""
METAINFO = dict(classes=["ground", "road"], palette=[[0, 0, 0], [9, 9, 9]])


@pytest.fixture
def project(tmp_path):
    """A project with a config, and a package of data sets beside its folder."""
    for folder in ("configs", "my_project/datasets"):
        (tmp_path / folder).mkdir(parents=True)
    init = tmp_path / "my_project/datasets/__init__.py"
    init.write_text("from .roads import Roads")
    (tmp_path / "my_project/datasets/roads.py").write_text(V1)
    return tmp_path


@pytest.mark.parametrize("module", ["my_project.datasets", "my_project.datasets.roads"])
def test_names_and_suffixes_are_read(project, module):
    found = read_dataset_class("Roads", [module], str(project / "configs/a.py"))
    assert found == dict(
        metainfo=METAINFO,
        img_suffix=".tif",
        seg_map_suffix="_gt.png",
        reduce_zero_label=True,
    )


def test_a_config_of_1(project):
    config = dict(type="Roads", data_root="d", img_suffix=".jpg")
    raw = dict(
        val_dataloader=dict(dataset=config),
        custom_imports=dict(imports=["my_project.datasets.roads"]),
    )
    report = Report()
    ours = translate_data(raw, report, str(project / "configs/a.py"))
    assert ours["val_dataloader"]["dataset"] == dict(
        type="BaseSegDataset",
        data_root="d",
        metainfo=METAINFO,
        img_suffix=".jpg",
        seg_map_suffix="_gt.png",
        reduce_zero_label=True,
    )
    assert report.missing == []
    assert any("Roads is read as data, not imported" in n for n in report.notes)


def test_a_config_of_0(project):
    (project / "roads.py").write_text(V0)
    raw = dict(
        data=dict(val=dict(type="Roads", img_dir="i", ann_dir="a")),
        custom_imports=dict(imports="roads"),
    )
    ours = translate_data(raw, Report(), str(project / "configs/a.py"))
    dataset = ours["val_dataloader"]["dataset"]
    assert dataset["type"] == "BaseSegDataset" and dataset["metainfo"] == METAINFO
    assert dataset["img_suffix"] == ".tif"


@pytest.mark.parametrize(
    "text",
    [
        V1.replace("(BaseSegDataset)", "(MyBase)"),
        V1 + "    def load_data_list(self):\n        return []\n",
        V1.replace("METAINFO = dict(", "METAINFO = make("),
        V1.replace("class Roads", "class Streets"),
        "class Roads(",
        "",
    ],
)
def test_what_says_more_is_missing_and_the_overrides_are_named(project, text):
    (project / "my_project/datasets/roads.py").write_text(text)
    raw = dict(
        val_dataloader=dict(dataset=dict(type="Roads")),
        custom_imports=dict(imports=["my_project.datasets.roads", "nowhere", "..x"]),
    )
    report = Report()
    translate_data(raw, report, str(project / "configs/a.py"))
    assert report.missing == [("val_dataloader.dataset", "Roads")]
    (note,) = report.notes
    for flag in ("type=BaseSegDataset", "metainfo='{", "img_suffix=.jpg"):
        assert f"--config.val_dataloader.dataset.{flag}" in note
