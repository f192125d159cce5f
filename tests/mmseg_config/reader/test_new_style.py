"""Configs in mmengine's new style, with types and bases that are imported."""

import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.inherit import read, read_text
from jaxseg.mmseg_config.reader.module_files import CONFIGS_VARIABLE


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


BASE = """
from mmseg.models import EncoderDecoder, FCNHead
from torch.nn import SyncBatchNorm as SyncBN
norm_cfg = dict(type=SyncBN, requires_grad=True)
model = dict(
    type=EncoderDecoder,
    decode_head=dict(type=FCNHead, channels=8, num_classes=19, norm_cfg=norm_cfg))
_private = 1
"""
CHILD = """
import torch.nn as nn
from mmengine.config import read_base
from mmdet.models.losses import CrossEntropyLoss
from mmseg.models.losses.dice_loss import DiceLoss
with read_base():
    from .._base_.models.fcn import *
    from .._base_.schedule import lr as rate, steps
model.update(dict(decode_head=dict(num_classes=2)))
model.decode_head.loss_decode = [dict(type=DiceLoss), dict(type=CrossEntropyLoss)]
model.decode_head.act_cfg = dict(type=nn.GELU)
model.auxiliary_head = dict(type='FCNHead')
rate *= 2
"""


def test_types_are_names_and_bases_are_variables(write):
    path = write(
        {
            "configs/_base_/models/fcn.py": BASE,
            "configs/_base_/schedule.py": "lr = 0.1\nsteps = [1, 2]\nother = 1",
            "configs/fcn/a.py": CHILD,
        }
    )
    norm_cfg = dict(type="SyncBN", requires_grad=True)
    head = dict(
        type="FCNHead",
        channels=8,
        num_classes=2,
        norm_cfg=norm_cfg,
        loss_decode=[dict(type="DiceLoss"), dict(type="mmdet.CrossEntropyLoss")],
        act_cfg=dict(type="GELU"),
    )
    assert read(path) == dict(
        norm_cfg=norm_cfg,
        model=dict(
            type="EncoderDecoder",
            decode_head=head,
            auxiliary_head=dict(type="FCNHead"),
        ),
        rate=0.2,
        steps=[1, 2],
    )


def test_merge_replaces_where_it_is_told_to(write):
    child = (
        "with read_base():\n    from .b import *\n"
        "m.merge(dict(x=dict(a=2), y=dict(_delete_=True, c=3), z=dict(d=4)))\n"
    )
    path = write(
        {"b.py": "m = dict(x=dict(a=1, b=1), y=dict(a=1), z=1)", "a.py": child}
    )
    assert read(path)["m"] == dict(x=dict(a=2, b=1), y=dict(c=3), z=dict(d=4))


def test_a_base_is_not_changed_for_another_one(write):
    path = write(
        {
            "c.py": "m = dict(a=1)",
            "b.py": "with read_base():\n    from .c import *\nm.update(a=2)",
            "a.py": "with read_base():\n    from .b import m as x\n    from .c import m",
        }
    )
    assert read(path) == dict(x=dict(a=2), m=dict(a=1))


def test_modules_of_the_user_are_custom_imports(write):
    text = (
        "from projects.net.models import MyNet\nimport my_heads.one\n"
        "model = dict(type=MyNet, head=dict(type=my_heads.one.MyHead))"
    )
    found = read(write({"a.py": text}))
    assert found["model"] == dict(type="MyNet", head=dict(type="MyHead"))
    assert found["custom_imports"] == dict(
        imports=["projects.net.models", "my_heads.one"]
    )


def test_a_name_that_the_base_does_not_have(write):
    path = write(
        {"b.py": "x = 1", "a.py": "with read_base():\n    from .b import model"}
    )
    with pytest.raises(ConfigError, match=r"a\.py:1: b sets no 'model'"):
        read(path)


def test_a_text_without_a_file_has_no_bases():
    with pytest.raises(ConfigError, match="comes from no file"):
        read_text("with read_base():\n    from .b import *", "meta.config")


@pytest.mark.parametrize("module", ["configs._base_.b", "mmseg.configs._base_.b"])
def test_a_base_of_a_package_or_of_mmseg(write, tmp_path, monkeypatch, module):
    path = write(
        {
            "configs/_base_/b.py": "x = 1",
            "configs/x/a.py": f"with read_base():\n    from {module} import *",
        }
    )
    monkeypatch.setenv(CONFIGS_VARIABLE, str(tmp_path / "configs"))
    assert read(path) == dict(x=1)


def test_a_base_after_mmseg(write, tmp_path, monkeypatch):
    monkeypatch.setenv(CONFIGS_VARIABLE, str(tmp_path / "mmseg"))
    write({"mmseg/_base_/b.py": "x = 1", "mmseg/_base_/c.py": "_base_ = 'b.py'"})
    path = write({"mine/a.py": "_base_ = ['mmseg::_base_/c.py']\ny = 2"})
    assert read(path) == dict(x=1, y=2)
    path = write({"mine/a.py": "_base_ = ['mmseg::_base_/none.py']"})
    with pytest.raises(ConfigError, match=r"_base_/none\.py: there is no such file"):
        read(path)


def test_a_base_after_mmseg_of_the_installed_wheel(write, tmp_path, monkeypatch):
    monkeypatch.delenv(CONFIGS_VARIABLE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    write({"mmseg/__init__.py": "raise SystemExit"})
    write({"mmseg/.mim/configs/_base_/b.py": "x = 1"})
    path = write({"mine/a.py": "_base_ = ['mmseg::_base_/b.py']"})
    assert read(path) == dict(x=1)


def test_how_mmsegs_configs_are_named_is_said(write, monkeypatch):
    monkeypatch.delenv(CONFIGS_VARIABLE, raising=False)
    path = write({"a.py": "_base_ = ['mmseg::_base_/b.py']"})
    with pytest.raises(ConfigError, match=f"environment variable {CONFIGS_VARIABLE}"):
        read(path)


def test_a_base_by_its_absolute_path_or_far_up(write, tmp_path):
    write({"b.py": "x = 1"})
    deep = "/".join("abcdefgh")
    path = write({f"{deep}/a.py": f"_base_ = '{tmp_path / 'b.py'}'"})
    assert read(path) == dict(x=1)
    path = write({f"{deep}/a.py": "_base_ = '" + "../" * 8 + "b.py'"})
    assert read(path) == dict(x=1)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    for name, text in (("a.py", b"x = 1"), ("a.json", b'{"x": 1}')):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text)
        assert read(tmp_path / name) == dict(x=1)


def test_environment_variables_and_their_defaults(write, monkeypatch):
    monkeypatch.setenv("JAXSEG_TEST_ROOT", "/data")
    monkeypatch.delenv("JAXSEG_TEST_CLASSES", raising=False)
    path = write(
        {
            "a.py": "root = '{{$JAXSEG_TEST_ROOT:data}}/images'\n"
            "classes = {{'$JAXSEG_TEST_CLASSES:80'}}\n"
            "sizes = {{ $JAXSEG_TEST_SIZES:[1,2] }}\n"
        }
    )
    assert read(path) == dict(root="/data/images", classes=80, sizes=[1, 2])
