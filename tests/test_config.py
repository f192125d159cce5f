import json

import pytest

from jaxseg.config import (
    ConfigError,
    load,
    override,
    parse_value,
    plain,
    split_overrides,
)


def example():
    return dict(
        model=dict(
            type="EncoderDecoder",
            backbone=dict(type="ResNet", depth=50, strides=[1, 2, 2, 2]),
            auxiliary_head=[dict(type="FCNHead", channels=64)],
            test_cfg=dict(mode="whole"),
        ),
        train_cfg=dict(max_iters=100),
    )


def test_a_python_file_with_an_argument(tmp_path):
    path = tmp_path / "my_config.py"
    path.write_text(
        "def get_config(argument='short'):\n"
        "    return dict(train_cfg=dict(max_iters=5, note=argument), load_from=(1, 2))\n"
    )
    assert load(path) == dict(
        train_cfg=dict(max_iters=5, note="short"), load_from=[1, 2]
    )
    assert load(f"{path}:long:er")["train_cfg"]["note"] == "long:er"


def test_a_neighbour_is_imported_from_the_files_own_folder(tmp_path):
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "common.py").write_text(f"NAME = {name!r}\n")
        (folder / "config.py").write_text(
            "import common\n\ndef get_config():\n    return dict(resume=common.NAME)\n"
        )
    loaded = [
        load(tmp_path / name / "config.py")["resume"] for name in ("first", "second")
    ]
    assert loaded == ["first", "second"]


def test_json_round_trip(tmp_path):
    config = load(example())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert load(path) == config


def test_a_loaded_config_is_a_copy():
    source = example()
    load(source)["model"]["backbone"]["strides"][0] = 7
    assert source == example()


def test_plain_has_the_types_of_json():
    value = {1: (1, [2, (3,)]), "x": None}
    assert plain(value) == {"1": [1, [2, [3]]], "x": None}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.py", None, r"missing\.py: there is no such config file"),
        ("c.json", "{", r"c\.json: not valid JSON"),
        ("c.json", "[1]", r"c\.json: holds a list, not a dict"),
        ("c.py", "x = 1", r"c\.py: has no function get_config\(\)"),
        ("c.py", "def get_config(): return 3", r"c\.py: holds a int, not a dict"),
        ("c.yaml", "x: 1", r"c\.yaml: a config is a \.py or a \.json file"),
        (
            "c.json",
            '{"modle": {}}',
            r"c\.json: 'modle' is no key of a config \(did you mean 'model'\?\)",
        ),
    ],
)
def test_a_file_that_is_no_config(tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.01", 0.01),
        ("1e-3", 0.001),
        ("True", True),
        ("None", None),
        ("[1, (2, 3)]", [1, [2, 3]]),
        ("dict", "dict"),
        ("{'type': 'BN'}", dict(type="BN")),
        ("work_dirs/x", "work_dirs/x"),
        ("", ""),
    ],
)
def test_a_value_of_the_command_line(text, value):
    assert parse_value(text) == value


def test_overrides_are_taken_out_of_a_command_line():
    line = ["--count", "2", "--config.a.b=[1]", "--config", "f", "--config.c", "x=y"]
    assert split_overrides(line) == (
        [("a.b", [1]), ("c", "x=y")],
        ["--count", "2", "--config", "f"],
    )


def test_overrides():
    config = example()
    override(
        config,
        [
            ("model.backbone.depth", 101),
            ("model.backbone.strides.-1", 1),
            ("model.auxiliary_head.0.channels", 32),
            # New keys: where a type will check them, and at the top level.
            ("model.backbone.style", "caffe"),
            ("resume", True),
            ("resume", False),
        ],
    )
    expected = example()
    expected["model"]["backbone"] |= dict(
        depth=101, strides=[1, 2, 2, 1], style="caffe"
    )
    expected["model"]["auxiliary_head"][0]["channels"] = 32
    expected["resume"] = False
    assert config == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "model.bakbone.depth",
            (
                r"config\.model has no key 'bakbone' \(did you mean 'backbone'\?\); "
                r"it has type, backbone"
            ),
        ),
        ("modle", r"config has no key 'modle' \(did you mean 'model'\?\)"),
        ("model.test_cfg.mod", r"config\.model\.test_cfg has no key 'mod' .*'mode'"),
        (
            "model.auxiliary_head.1.channels",
            r"config\.model\.auxiliary_head is a list of 1: '1' is no index of it",
        ),
        (
            "model.auxiliary_head.x.channels",
            r"config\.model\.auxiliary_head is a list of 1: 'x' is no index of it",
        ),
        (
            "model.backbone.depth.x",
            r"config\.model\.backbone\.depth is 50: it holds no 'x'",
        ),
    ],
)
def test_a_path_that_does_not_exist(path, message):
    config = example()
    with pytest.raises(ConfigError, match=message):
        override(config, [(path, 1)])
    assert config == example()
