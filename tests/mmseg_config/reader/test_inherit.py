"""Config files and their bases, against what mmengine makes of the same files.

expected.json was written by make_expected.py with mmengine 0.10.7.
"""

import json
import pathlib

import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.inherit import MAX_CHAIN, read, read_text

HERE = pathlib.Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text())


def decode(value):
    """Undoes make_expected.encode."""
    if isinstance(value, list):
        return [decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    (kind, values), *_ = value.items()
    if kind == "dict":
        return {decode(k): decode(v) for k, v in values}
    return {"tuple": tuple, "set": set}[kind](decode(values))


@pytest.fixture
def write(tmp_path):
    """Writes files, {relative path: text}; gives the path of the last."""

    def write_files(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return path

    return write_files


def test_every_config_has_an_expectation():
    files = {path.name for path in (HERE / "configs").glob("*") if path.is_file()}
    assert files == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_equal_to_mmengine(name):
    found, expected = read(HERE / "configs" / name), decode(EXPECTED[name])
    assert found == expected
    # The types too, and the order of the keys.
    assert repr(found) == repr(expected)


def test_file_placeholders_are_data_whatever_the_folder_is_called(write):
    folder = "x'); import os; ('"
    path = write({f"{folder}/a.py": "d = '{{ fileDirname }}|{{fileBasename}}'"})
    assert read(path) == {"d": f"{path.parent}|a.py"}


def test_placeholders_of_a_base_are_those_of_its_own_file(write):
    path = write(
        {
            "m/base.py": "name = '{{ fileBasenameNoExtension }}'",
            "child.py": "_base_ = 'm/{{ fileBasename }}'.replace('child', 'base')",
        }
    )
    assert read(path) == {"name": "base"}


def test_base_placeholder_inside_a_text(write):
    # mmengine leaves the random name of its own marker there.
    path = write(
        {
            "b.py": "root = 'data'\nsize = dict(h=7)",
            "a.py": "_base_ = 'b.py'\nx = '{{_base_.root}}/{{ _base_.size.h }}'",
        }
    )
    assert read(path)["x"] == "data/7"


def test_items_of_a_list_are_changed_by_index(write):
    base = "heads = [dict(type='A', n=1), dict(type='B'), 'c']"
    child = (
        "_base_ = 'b.py'\nheads = {'0': dict(n=2), '1': dict(_delete_=True), '2': 5}"
    )
    path = write({"b.py": base, "a.py": child})
    assert read(path) == {"heads": [dict(type="A", n=2), {}, 5]}


@pytest.mark.parametrize(
    "child, match",
    [
        ("heads = {'2': dict(n=2)}", "list of 2 in the base: it has no item 2"),
        ("heads = {'-1': dict(n=2)}", "'-1' is no index"),
        ("heads = {0: dict(n=2)}", "0 is no index"),
        ("heads = dict(type='A')", "_delete_=True, which replaces the list"),
        ("x = 1\nlr = dict(a=1)", r"a\.py:3: 'lr' is a dict here and a float"),
        ("sizes = {'0': dict(a=1)}", "'sizes' is a dict here and a tuple"),
    ],
)
def test_a_dict_that_meets_something_else(write, child, match):
    base = "heads = [dict(n=1), dict(n=2)]\nlr = 0.1\nsizes = (1, 2)"
    path = write({"b.py": base, "a.py": f"_base_ = 'b.py'\n{child}"})
    with pytest.raises(ConfigError, match=match):
        read(path)


def test_bases_share_no_key(write):
    path = write(
        {"b.py": "lr = 1", "c.py": "lr = 1", "a.py": "x = 0\n_base_ = ['b.py', 'c.py']"}
    )
    with pytest.raises(ConfigError, match=r"a\.py:2: .*'lr' is set by b\.py and by c"):
        read(path)


@pytest.mark.parametrize("name", ["filename", "text", "pretty_text", "env_variables"])
def test_names_that_mmengine_keeps_for_itself(write, name):
    with pytest.raises(ConfigError, match=f"'{name}' is reserved"):
        read(write({"a.py": f"{name} = 1"}))


def test_a_deprecated_base_is_read_with_a_warning(write):
    deprecation = "_deprecation_ = dict(expected='new.py', reference='page 3')"
    path = write({"b.py": f"{deprecation}\nx = 1", "a.py": "_base_ = 'b.py'"})
    with pytest.warns(FutureWarning, match=r"b\.py.*use new\.py; see page 3"):
        assert read(path) == {"x": 1}


def test_bases_reach_as_deep_as_they_may(write):
    files = {f"{i}.py": f"_base_ = '{i - 1}.py'\nx{i} = {i}" for i in range(1, 11)}
    path = write({"0.py": "x0 = 0", **files})
    assert len(files) == MAX_CHAIN
    assert read(path) == {f"x{i}": i for i in range(11)}
    path = write({"11.py": "_base_ = '10.py'"})
    with pytest.raises(ConfigError, match="more than 10 bases of bases"):
        read(path)


def test_a_folder_of_configs_may_itself_be_a_link(write, tmp_path):
    write({"real/_base_/b.py": "x = 1", "real/m/a.py": "_base_ = '../_base_/b.py'"})
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert read(tmp_path / "link" / "m" / "a.py") == {"x": 1}


def test_a_base_may_be_read_twice(write):
    path = write(
        {
            "0.py": "__x = 1",
            "1.py": "_base_ = '0.py'\na = 1",
            "2.py": "_base_ = '0.py'\nb = 2",
            "3.py": "_base_ = ['1.py', '2.py']",
        }
    )
    assert read(path) == {"a": 1, "b": 2}


def test_text_of_a_checkpoint():
    # As mmengine's pretty_text writes a config.
    text = "model = dict(size=(\n    64,\n    96,\n), type='A')\nclasses = {0: 'x'}\n"
    expected = {"model": {"size": (64, 96), "type": "A"}, "classes": {0: "x"}}
    assert read_text(text, "x.pth: meta.cfg") == expected


@pytest.mark.parametrize(
    "text, match",
    [
        ("\n_base_ = 'a.py'", "x.pth: meta:2: `_base_` in a text"),
        ("x = '{{ fileDirname }}'", "meta:1: .*comes from no file"),
        ("x = 1\nimport os", "meta:2: an import statement is not read"),
        ("text = 1", "'text' is reserved"),
        ("#" * (2 << 20), "longer than"),
    ],
)
def test_text_that_is_refused(text, match):
    with pytest.raises(ConfigError, match=match):
        read_text(text, "x.pth: meta")


def test_missing_file():
    with pytest.raises(ConfigError, match="no_such.py: there is no such file"):
        read("no_such.py")


def test_a_missing_base_is_named_with_the_line_that_names_it(write, tmp_path):
    path = write({"m/a.py": "\n_base_ = '../_base_/b.py'"})
    missing = tmp_path / "_base_" / "b.py"
    match = f"m/a.py:2: `_base_`: {missing}: there is no such file"
    with pytest.raises(ConfigError, match=match):
        read(path)
