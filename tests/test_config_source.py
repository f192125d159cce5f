"""What of a config file is run: what the person at the command line asks for."""

import json
import sys

import pytest

from jaxseg.apis import init_model
from jaxseg.config import ConfigError
from jaxseg.config_source import is_mmseg_config
from jaxseg.load_config import load_config

PROGRAM = """
import pathlib
pathlib.Path(__file__).with_name("was_run").touch()
def get_config(argument="none"):
    return {"load_from": argument}
"""


@pytest.fixture
def program(tmp_path):
    """A program in a folder of its own; it leaves a file when it is run."""
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "program.py"
    path.write_text(PROGRAM)
    return path


def was_run(program):
    return program.with_name("was_run").exists()


def test_a_program_of_the_current_directory_is_run_and_logged(
    program, monkeypatch, caplog
):
    caplog.set_level("INFO", logger="jaxseg")
    for folder in (program.parent, program.parents[1]):
        monkeypatch.chdir(folder)
        assert load_config(program) == {"load_from": "none"}
    assert was_run(program)
    assert f"{program}: is run, as a program with get_config()" in caplog.text


def test_a_program_of_another_directory_is_not(program, tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    link = tmp_path / "project" / "link.py"
    link.symlink_to(program)
    monkeypatch.chdir(tmp_path / "project")
    for path in (program, link, "../elsewhere/program.py"):
        for read in (load_config, init_model, is_mmseg_config):
            with pytest.raises(ConfigError, match="outside of the current dir") as e:
                read(path)
            assert f"with a colon behind: {path}:" in str(e.value)
    assert not was_run(program)


@pytest.mark.parametrize(
    ("end", "expected"), [("", "none"), ("a", "a"), ("a:b", "a:b")]
)
def test_it_is_run_where_it_is_named_as_a_program(
    program, tmp_path, monkeypatch, end, expected
):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert load_config(f"{program}:{end}") == {"load_from": expected}
    assert was_run(program)


@pytest.mark.parametrize(
    "text",
    [
        "_base_ = ['base.py']",
        "model = dict(type='EncoderDecoder')",
        "data: dict = dict(samples_per_gpu=2)",
    ],
)
def test_a_config_of_mmseg_that_binds_get_config_is_not_run(program, monkeypatch, text):
    monkeypatch.chdir(program.parent)
    program.write_text(f"{text}\n{PROGRAM}")
    with pytest.raises(ConfigError, match=f"sets {text.split()[0].strip(':')}, as a"):
        load_config("program.py")
    assert not was_run(program)
    load_config("program.py:")
    assert was_run(program)


def test_another_name_for_get_config(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("def get_cfg():\n    return {}\n")
    with pytest.raises(
        ConfigError, match=r"has a get_cfg\(\); .* is called get_config"
    ):
        load_config(path)


MODULE = "a_module_of_a_foreign_config"


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A folder with a module on the Python path that nobody has asked for."""
    (tmp_path / f"{MODULE}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop(MODULE, None)


@pytest.mark.parametrize("imports", [[MODULE], MODULE])
def test_a_config_of_data_imports_nothing(foreign, imports):
    config = dict(custom_imports=dict(imports=imports))
    path = foreign / "config.json"
    path.write_text(json.dumps(config))
    for source, name in ((path, str(path)), (config, "config")):
        with pytest.raises(ConfigError, match="no file that is data imports") as error:
            load_config(source)
        assert str(error.value).startswith(f"{name}: custom_imports names")
    assert MODULE not in sys.modules


def test_the_command_line_and_a_program_import(foreign, monkeypatch, caplog):
    caplog.set_level("INFO", logger="jaxseg")
    asked = dict(imports=[MODULE])
    for override in (("custom_imports", asked), ("custom_imports.imports", [MODULE])):
        path = foreign / "config.json"
        path.write_text(json.dumps(dict(custom_imports=dict(imports=["another"]))))
        load_config(path, overrides=[override])
        assert sys.modules.pop(MODULE)
    program = foreign / "program.py"
    program.write_text(f"def get_config():\n    return dict(custom_imports={asked})\n")
    monkeypatch.chdir(foreign)
    config = load_config(program)
    assert MODULE in sys.modules
    assert caplog.text.count(f"custom_imports: {MODULE} is imported") == 3
    # What a Python program has imported is there for its checkpoints.
    assert load_config(config) == config


def test_a_config_of_data_goes_on_without(foreign):
    path = foreign / "config.json"
    path.write_text(json.dumps(dict(custom_imports=dict(imports=[MODULE]))))
    load_config(path, overrides=[("custom_imports", None)])
    assert MODULE not in sys.modules


@pytest.mark.parametrize(
    "custom",
    [
        5,
        ["os"],
        dict(imports=5),
        dict(imports=[5]),
        dict(imports=[None]),
        dict(imports=[""]),
        dict(imports=[".x"]),
        dict(imports=["a b"]),
        dict(imports={"os": 1}),
        dict(imports=["os"], allow_failed_imports=True),
        dict(modules=["os"]),
        dict(imports=["no_such_package_at_all.heads"]),
    ],
)
def test_custom_imports_of_wrong_types(custom):
    with pytest.raises(ConfigError, match=r"custom_imports"):
        load_config({}, overrides=[("custom_imports", custom)])


@pytest.mark.parametrize(
    "text", ["[" * 5000 + "]" * 5000, '{"model": ' * 5000 + "1" + "}" * 5000]
)
def test_a_deep_config_json(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json: "):
        load_config(path)


def test_a_deep_dict():
    config = {}
    for _ in range(5000):
        config = {"model": config}
    with pytest.raises(ConfigError, match="more than 60 lists and dicts inside each"):
        load_config(config)


def test_a_byte_order_mark(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b'\xef\xbb\xbf{"load_from": "x"}')
    assert load_config(path) == {"load_from": "x"}
