"""Every converter on files of the published form, and on wrong ones."""

import copy
import json
import pathlib

import pytest

from input_pipeline import datasets
from input_pipeline.errors import DataError
from input_pipeline.prepare.converters import CONVERTERS
from input_pipeline.prepare.run import prepare
from scripts.datasets_page import train_arguments
from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.cases import CASES

every = pytest.mark.parametrize("name", sorted(CONVERTERS))


def run(name, folder, archives=None, partial=True):
    case = CASES[name]
    sources = made.write(folder / "sources", archives or case.archives)
    if case.given:
        sources = [str(folder / "sources" / given) for given in case.given]
    return prepare(
        CONVERTERS[name], sources, folder / "out", case.options, partial=partial
    )


def test_every_converter_has_a_case():
    assert sorted(CASES) == sorted(CONVERTERS)


@every
def test_what_comes_out(name, tmp_path):
    prepared = run(name, tmp_path)
    samples = prepared.samples["train"], prepared.samples["val"]
    assert samples == CASES[name].samples
    CASES[name].check(prepared.folder)
    summary = json.loads((prepared.folder / "prepared.json").read_text())
    dataset = getattr(datasets, summary["dataset"])
    if name != "coco_stuff10k":  # docs/datasets.md has the config of 164k
        assert summary["train"][0] == train_arguments(summary["dataset"])
    for part in (*summary["train"], summary["val"]):
        data = dataset(data_root=str(prepared.folder), **part)
        assert pathlib.Path(data[0]["seg_map_path"]).is_file()
    again = run(name, tmp_path)
    assert again.done_before == again.tasks


@pytest.mark.parametrize("name", [n for n in sorted(CASES) if CASES[n].is_counted])
def test_other_numbers_than_published(name, tmp_path):
    with pytest.raises(DataError, match=rf"{name}: \d+ .*, expected \d+"):
        run(name, tmp_path, partial=False)
    assert {p.name for p in (tmp_path / "out").iterdir()} <= {
        "prepare.jsonl",
        ".scratch",
    }


@every
def test_a_label_that_is_missing(name, tmp_path):
    archives = copy.deepcopy(CASES[name].archives)
    archive, member = CASES[name].label
    if member:
        del archives[archive][member]
        archives[archive]["something/else.txt"] = b"else"
    else:
        del archives[archive]
    with pytest.raises(DataError) as error:
        run(name, tmp_path, archives)
    assert CASES[name].named in str(error.value)


@every
def test_a_wrong_zip(name, tmp_path):
    """An archive of something else is named, with what it holds."""
    source = made.write_zip(tmp_path / "wrong.zip", {"holiday/IMG_1.jpg": made.jpg()})
    with pytest.raises(DataError, match="wrong.zip") as error:
        prepare(CONVERTERS[name], [source], tmp_path / "out", CASES[name].options)
    assert "holiday/IMG_1.jpg" in str(error.value)


@every
def test_what_a_converter_says_of_itself(name):
    converter = CONVERTERS[name]
    assert converter.name == name
    assert converter.url.startswith("http")
    for said in (converter.title, converter.licence, converter.size, converter.layout):
        assert said and not said.endswith(".")
    assert issubclass(getattr(datasets, converter.dataset), datasets.BaseSegDataset)


def test_a_list_that_names_what_is_missing(tmp_path):
    archives = copy.deepcopy(CASES["labelmefacade"].archives)
    files = archives["labelmefacade-master.zip"]
    files["labelmefacade-master/test.txt"] += b"\nimages/no_such.jpg"
    with pytest.raises(DataError, match="list of val names 1 of 2 .*\n *no_such"):
        run("labelmefacade", tmp_path, archives)


def test_parts_that_are_in_another_form(tmp_path):
    archives = copy.deepcopy(CASES["cwfid"].archives)
    files = archives["dataset-master.zip"]
    files["dataset-master/train_test_split.yaml"] = b"training: [1]\ntest: [2]"
    with pytest.raises(DataError, match="train_test_split.yaml: has no line 'train: "):
        run("cwfid", tmp_path, archives)
