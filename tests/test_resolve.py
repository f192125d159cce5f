import dataclasses
import json
import pathlib
import subprocess
import sys

import flax.linen as nn
import pytest

from jaxseg import resolve as resolve_module
from jaxseg.backbones import InterpConv, ResNetV1c
from jaxseg.config import ConfigError, plain
from jaxseg.errors import FieldError
from jaxseg.heads import FCNHead
from jaxseg.layers import LeakyReLU, SyncBN
from jaxseg.losses import CrossEntropyLoss, DiceLoss
from jaxseg.resolve import build, register, resolve

ROOT = pathlib.Path(__file__).parents[1]
HEAD = dict(type="FCNHead", in_channels=8, channels=4, num_classes=3)


@pytest.fixture
def registry(monkeypatch):
    """A registry that forgets what a test adds."""
    monkeypatch.setattr(resolve_module, "_registered", {})


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
        # Only plain types are checked.
        dict(anything="x"),
        dict(module=3),
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

    other = type("MyHead", (), {"__module__": "somewhere.else"})
    with pytest.raises(ValueError, match="MyHead of somewhere.else is registered alre"):
        register(other)


CUSTOM = """
import dataclasses
from jaxseg.resolve import register

@register
@dataclasses.dataclass(frozen=True)
class Swish:
    beta: float = 1.0
"""


def test_custom_imports_of_another_program(tmp_path):
    (tmp_path / "my_layers.py").write_text(CUSTOM)
    config = dict(custom_imports=dict(imports=["my_layers"]), x=dict(type="Swish"))
    program = (
        "import json, sys\n"
        "from jaxseg.resolve import import_custom, resolve\n"
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
    assert result.stdout == "Swish(beta=1.0)\n", result.stderr


@pytest.mark.parametrize(
    "config", [{}, dict(custom_imports=None), dict(custom_imports=dict(imports=[]))]
)
def test_without_custom_imports(config):
    resolve_module.import_custom(config)


def test_a_module_that_is_not_there():
    config = dict(custom_imports=dict(imports="no_such_module"))
    with pytest.raises(
        ConfigError, match=r"custom_imports\.imports: there is no modul"
    ):
        resolve_module.import_custom(config)


def test_the_same_object_from_a_config_and_from_its_json():
    config = dict(
        type="ResNetV1c", depth=50, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)
    )
    text = json.dumps(plain(config))
    assert resolve(json.loads(text), "x") == resolve(config, "x")
