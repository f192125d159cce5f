import dataclasses
import importlib
import json
import pathlib
import subprocess
import sys

import flax.linen as nn
import pytest

from jaxseg import losses
from jaxseg import registry as registry_module
from jaxseg.backbones import InterpConv, ResNetV1c
from jaxseg.config import ConfigError, plain
from jaxseg.errors import FieldError
from jaxseg.heads import FCNHead
from jaxseg.layers import LeakyReLU, SyncBN
from jaxseg.losses import CrossEntropyLoss, DiceLoss
from jaxseg.losses.loss import Loss
from jaxseg.necks.neck import Neck
from jaxseg.registry import register
from jaxseg.resolve import MODEL_TABLES, build, resolve, resolve_model

ROOT = pathlib.Path(__file__).parents[1]
HEAD = dict(type="FCNHead", in_channels=8, channels=4, num_classes=3)


@pytest.fixture
def registry(monkeypatch):
    """A registry that forgets what a test adds."""
    monkeypatch.setattr(registry_module, "_registered", {})


def test_children_come_first_and_lists_become_tuples():
    head = resolve(
        dict(
            HEAD,
            in_channels=[8, 16],
            in_index=[0, 1],
            input_transform="resize_concat",
            norm_cfg=dict(type="SyncBN", requires_grad=True),
            act_cfg=dict(type="LeakyReLU", negative_slope=0.2),
            loss_decode=[
                dict(type="CrossEntropyLoss", class_weight=[1.0, 2, 3]),
                dict(type="DiceLoss", loss_weight=3.0),
            ],
        ),
        "model.decode_head",
    )
    assert isinstance(head, FCNHead)
    assert head.in_channels == (8, 16)
    assert head.norm_cfg == SyncBN()
    assert head.act_cfg == LeakyReLU(0.2)
    assert head.loss_decode == (
        CrossEntropyLoss(class_weight=(1.0, 2, 3)),
        DiceLoss(loss_weight=3.0),
    )


def test_what_has_no_type_stays_data():
    assert resolve(dict(mode="slide", stride=[2, 2]), "model.test_cfg") == dict(
        mode="slide", stride=(2, 2)
    )
    assert resolve({0: 1, 2: None}, "label_map") == {0: 1, 2: None}
    assert resolve(None, "neck") is None


def test_a_nested_dict_of_options():
    upsample = dict(scale_factor=2, mode="bilinear", align_corners=False)
    entry = resolve(dict(type="InterpConv", upsample_cfg=upsample), "x")
    assert dict(entry.upsample_cfg) == dict(InterpConv().upsample_cfg)


@pytest.mark.parametrize(
    "empty",
    [
        dict(pretrained=None),
        dict(init_cfg=None),
        dict(conv_cfg=None),
        dict(dcn=None, plugins=None),
    ],
)
def test_keys_that_mmseg_leaves_empty(empty):
    config = dict(type="ResNetV1c", depth=18)
    assert resolve(config | empty, "model.backbone") == ResNetV1c(18)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            dict(HEAD, type="FCNHed"),
            (
                r"^model\.decode_head\.type: 'FCNHed' is not known \(did you mean "
                r"'FCNHead'\?\); allowed are .*UPerHead"
            ),
        ),
        (
            dict(HEAD, type=None),
            r"^model\.decode_head\.type: None is not known; allowed are",
        ),
        (
            dict(HEAD, num_clases=3),
            (
                r"^model\.decode_head\.num_clases: this key is not known \(did you mean "
                r"'num_classes'\?\); FCNHead has in_channels, "
            ),
        ),
        (dict(HEAD, parent=3), r"^model\.decode_head\.parent: this key is not known"),
        (
            dict(type="FCNHead", in_channels=8, channels=4),
            r"^model\.decode_head\.num_classes: this key is missing; FCNHead needs it",
        ),
        (
            dict(HEAD, loss_decode=[dict(type="DiceLoss"), dict(type="Dice")]),
            r"^model\.decode_head\.loss_decode\.1\.type: 'Dice' is not known",
        ),
        (
            dict(HEAD, act_cfg=dict(type="LeakyReLU", negativ_slope=0.1)),
            r"^model\.decode_head\.act_cfg\.negativ_slope: .*did you mean 'negative_slope'",
        ),
        (
            dict(HEAD, conv_cfg=dict(mode="x")),
            r"^model\.decode_head\.conv_cfg: this key is not known",
        ),
        (
            dict(HEAD, num_convs=0),
            (
                r"^model\.decode_head: channels is 4, but num_convs=0 passes on an input of "
                r"8 channels"
            ),
        ),
        (
            dict(HEAD, channels=4.0),
            r"^model\.decode_head\.channels: expected int, found 4\.0",
        ),
        (
            dict(HEAD, align_corners="False"),
            r"^model\.decode_head\.align_corners: expected bool, found 'False'",
        ),
        (
            dict(HEAD, in_index=["0"]),
            (
                r"^model\.decode_head\.in_index: expected int \| tuple\[int, \.\.\.\], "
                r"found \('0',\)"
            ),
        ),
    ],
)
def test_an_error_names_the_path(config, message):
    with pytest.raises(ConfigError, match=message):
        resolve(config, "model.decode_head")


def model(**changes):
    backbone = dict(type="ResNetV1c", depth=18)
    return dict(type="EncoderDecoder", backbone=backbone, decode_head=HEAD) | changes


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            model(backbone=HEAD),
            (
                r"^model\.backbone\.type: FCNHead is no Backbone; allowed are .*ResNet, "
                r"ResNetV1c, ResNetV1d, STDC.*, UNet, VAN, .*VisionTransformer$"
            ),
        ),
        (
            model(backbone=dict(type="ResNetV1")),
            r"^model\.backbone\.type: 'ResNetV1' is not known \(did you mean 'ResNetV1",
        ),
        (
            model(backbone=dict(depth=18)),
            (
                r"^model\.backbone: expected Backbone, found {'depth': 18}; Backbone is a "
                r"dict with the `type` .*ResNet, .* or VisionTransformer$"
            ),
        ),
        (
            model(decode_head=3),
            r"^model\.decode_head: expected Head, found 3; Head is",
        ),
        (
            model(decode_head=[HEAD, HEAD]),
            (
                r"^model\.decode_head: expected Head, found a list of FCNHead, "
                r"FCNHead; "
            ),
        ),
        (
            model(decode_head=HEAD | dict(norm_cfg=dict(type="ReLU"))),
            (
                r"^model\.decode_head\.norm_cfg\.type: ReLU is no Norm; allowed are BN, GN, "
                r"IN, LN, SyncBN$"
            ),
        ),
        (
            model(decode_head=HEAD | dict(act_cfg=dict(type="BN"))),
            r"^model\.decode_head\.act_cfg\.type: BN is no Act; allowed are ELU, GELU, .*Lea",
        ),
        (
            model(decode_head=HEAD | dict(loss_decode=dict(type="OHEMPixelSampler"))),
            r"^model\.decode_head\.loss_decode\.type: OHEMPixelSampler is no Loss; ",
        ),
        (
            model(decode_head=HEAD | dict(loss_decode=[dict(type="BN")])),
            r"^model\.decode_head\.loss_decode\.0\.type: BN is no Loss; allowed are ",
        ),
        (
            model(decode_head=HEAD | dict(loss_decode="CrossEntropyLoss")),
            (
                r"^model\.decode_head\.loss_decode: expected Loss \| tuple\[Loss, \.\.\.\], "
                r"found 'CrossEntropyLoss'; Loss is a dict with the `type` .*CrossEntropyLoss"
            ),
        ),
        (
            model(decode_head=HEAD | dict(sampler=dict(type="CrossEntropyLoss"))),
            r"^model\.decode_head\.sampler\.type: CrossEntropyLoss is no Sampler; ",
        ),
        (
            model(auxiliary_head=[HEAD, dict(type="UNet")]),
            r"^model\.auxiliary_head\.1\.type: UNet is no Head; ",
        ),
        (
            model(data_preprocessor=dict(type="FPN")),
            r"^model\.data_preprocessor\.type: FPN is no SegDataPreProcessor; allowed",
        ),
        (HEAD, r"^model\.type: FCNHead is no Segmentor; allowed are .*EncoderDecoder"),
        (
            3,
            r"^model: expected Segmentor, found 3; Segmentor is a dict with the `type`",
        ),
        ({}, r"^model: expected Segmentor, found {}; "),
    ],
)
def test_a_slot_takes_its_role_alone(config, message):
    with pytest.raises(ConfigError, match=message):
        resolve_model(config)


def test_a_scope_is_part_of_the_name_unless_a_class_says_otherwise(monkeypatch):
    assert resolve(HEAD | dict(type="mmseg.FCNHead"), "x") == resolve(HEAD, "x")
    with pytest.raises(ConfigError, match="'mmdet.KLDivLoss' is not known"):
        resolve(dict(type="mmdet.KLDivLoss"), "x", slot=Loss)
    monkeypatch.setattr(DiceLoss, "aliases", ("mmdet.OtherDice",), raising=False)
    assert resolve(dict(type="mmdet.OtherDice"), "x", slot=Loss) == DiceLoss()

    class Child(DiceLoss):
        """It is not what mmdet calls by that name."""

    monkeypatch.setattr(losses, "DiceLoss", Child)
    with pytest.raises(ConfigError, match="'mmdet.OtherDice' is not known"):
        resolve(dict(type="mmdet.OtherDice"), "x", slot=Loss)


def test_no_name_stands_for_two_classes():
    names = [name for table in MODEL_TABLES for name in table.__all__]
    classes = [getattr(table, name) for table in MODEL_TABLES for name in table.__all__]
    names += [alias for cls in classes for alias in vars(cls).get("aliases", ())]
    several = {name for name in names if names.count(name) > 1}
    # mmdet has one class for the losses of classes and of masks.
    assert several == {"mmdet.CrossEntropyLoss"}


def test_of_several_classes_with_a_name_the_place_and_the_keys_choose():
    name = "mmdet.CrossEntropyLoss"
    for role in (losses.QueryClassLoss, losses.MaskCrossEntropyLoss):
        assert registry_module.lookup(name, "x", MODEL_TABLES, (role,)) is role
    keys = ("type", "use_sigmoid", "class_weight")
    found = registry_module.lookup(name, "x", MODEL_TABLES, keys=keys)
    assert found is losses.QueryClassLoss


def dataclass_of(module, name):
    cls = dataclasses.make_dataclass(name, [])
    cls.__module__ = module
    return cls


def test_a_registered_name_that_a_table_has(registry):
    register(dataclass_of("mine", "FCNHead"))
    with pytest.raises(
        ConfigError, match="FCNHead is jaxseg's own, and mine registers"
    ):
        resolve(HEAD, "model.decode_head")


TEXTS = """
from __future__ import annotations
import dataclasses
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from nowhere import Unknown

@dataclasses.dataclass(frozen=True)
class Plain:
    depth: int = 3

@dataclasses.dataclass(frozen=True)
class Checked:
    depth: int = 3
    other: Unknown = None
"""


def test_annotations_that_are_texts(tmp_path, monkeypatch):
    (tmp_path / "annotated_by_texts.py").write_text(TEXTS)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("annotated_by_texts")
    plain, checked = module.Plain, module.Checked
    with pytest.raises(ConfigError, match=r"^x\.depth: expected int, found 'a'"):
        build(plain, dict(depth="a"), "x")
    # A name that only a type checker knows leaves the class unchecked.
    assert build(checked, dict(depth="a", other=1), "x").other == 1


def test_types_of_values():
    @dataclasses.dataclass(frozen=True)
    class Entry:
        number: float = 0.0
        pair: tuple[int, float] | None = None
        words: tuple[str, ...] = ()
        table: dict | None = None
        anything: list[int] = ()
        module: nn.Module | None = None

    for good in (
        dict(number=1),
        dict(pair=None),
        dict(pair=(1, 2)),
        dict(words=()),
        dict(words=("a", "b")),
        dict(table={}),
        dict(anything=(1, "x")),
        dict(module=FCNHead(in_channels=1, channels=1, num_classes=2)),
    ):
        assert build(Entry, good, "x") == Entry(**good)
    for bad in (
        dict(number=True),
        dict(number="1"),
        dict(number=None),
        dict(pair=(1,)),
        dict(pair=(1.0, 2.0)),
        dict(words="ab"),
        dict(words=("a", 1)),
        dict(table=()),
        dict(anything="x"),
        dict(module=3),
    ):
        with pytest.raises(ConfigError, match=rf"^x\.{next(iter(bad))}: expected "):
            build(Entry, bad, "x")


def test_an_error_that_begins_with_a_key_goes_on_from_the_path():
    @dataclasses.dataclass(frozen=True)
    class Entry:
        rate: float

        def __post_init__(self):
            raise FieldError(f"rate: found {self.rate}")

    with pytest.raises(ConfigError, match=r"^a\.b\.rate: found 2\.0$"):
        build(Entry, dict(rate=2.0), "a.b")
    with pytest.raises(ConfigError, match=r"^a\.b: expected a dict, found 3$"):
        build(Entry, 3, "a.b")


def test_a_users_class(registry):
    @register
    class MyHead(FCNHead, kw_only=True):
        gain: float = 1.0

    config = dict(HEAD, type="MyHead", gain=2)
    assert resolve(config, "model.decode_head").gain == 2
    assert register(MyHead) is MyHead

    with pytest.raises(ConfigError, match=r"did you mean 'MyHead'"):
        resolve(dict(HEAD, type="MyHed"), "model.decode_head")

    with pytest.raises(ConfigError, match="MyHead is no Neck; allowed are FPN, .*JPU"):
        resolve(config, "model.neck", slot=Neck)
    with pytest.raises(TypeError, match="str is no dataclass"):
        register(str)
    other = dataclass_of("somewhere.else", "MyHead")
    with pytest.raises(ValueError, match="MyHead of somewhere.else is registered alre"):
        register(other)


CUSTOM = """
import dataclasses
from jaxseg.layers.activation import Act
from jaxseg.registry import register

@register
@dataclasses.dataclass(frozen=True)
class Mish(Act):
    beta: float = 1.0
"""


def test_custom_imports_of_another_program(tmp_path):
    (tmp_path / "my_layers.py").write_text(CUSTOM)
    config = dict(custom_imports=dict(imports=["my_layers"]), x=dict(type="Mish"))
    program = (
        "import json, sys\n"
        "from jaxseg.registry import import_custom\n"
        "from jaxseg.resolve import resolve\n"
        "config = json.loads(sys.argv[1])\n"
        "import_custom(config)\n"
        "print(resolve(config['x'], 'x'))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, json.dumps(config)],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "JAX_PLATFORMS": "cpu"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout == "Mish(beta=1.0)\n", result.stderr


@pytest.mark.parametrize(
    "config", [{}, dict(custom_imports=None), dict(custom_imports=dict(imports=[]))]
)
def test_without_custom_imports(config):
    before = set(sys.modules)
    registry_module.import_custom(config)
    assert set(sys.modules) == before


def test_a_module_that_is_not_there():
    config = dict(custom_imports=dict(imports="no_such_module"))
    with pytest.raises(
        ConfigError, match=r"custom_imports\.imports: there is no modul"
    ):
        registry_module.import_custom(config)


def test_the_same_object_from_a_config_and_from_its_json():
    config = dict(
        type="ResNetV1c", depth=50, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)
    )
    text = json.dumps(plain(config))
    assert resolve(json.loads(text), "x") == resolve(config, "x")
