"""What devices tell each other in a training step, read from the compiled program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.train import sharding
from jaxseg.train.abstract_step import abstract_step
from jaxseg.train.sharding import make_mesh
from tests.hlo import collectives

NORM = dict(type="SyncBN")
BATCH, SIDE, CLASSES = 16, 64, 5


def resnet(kind="ResNetV1c", **config):
    return dict(
        type=kind,
        depth=18,
        base_channels=8,
        stem_channels=8,
        norm_cfg=NORM,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        **config,
    )


def unet(upsample):
    return dict(
        type="UNet",
        base_channels=8,
        num_stages=3,
        strides=(1, 1, 1),
        enc_num_convs=(2, 2, 2),
        dec_num_convs=(2, 2),
        downsamples=(True, True),
        enc_dilations=(1, 1, 1),
        dec_dilations=(1, 1),
        upsample_cfg=dict(type=upsample),
        norm_cfg=NORM,
    )


def head(kind, loss="CrossEntropyLoss", **config):
    common = dict(channels=16, num_classes=CLASSES, dropout_ratio=0.1, norm_cfg=NORM)
    return dict(type=kind, loss_decode=dict(type=loss), **(common | config))


def last(kind, channels=64, **config):
    return head(kind, in_channels=channels, in_index=-1, **config)


PYRAMID = dict(in_channels=[8, 16, 32, 64], in_index=[0, 1, 2, 3])
OHEM = dict(type="OHEMPixelSampler", thresh=0.7, min_kept=100)

# Every backbone, neck and head, and every loss, in as few programs as they fit in.
MODELS = {
    "psp": dict(
        backbone=resnet(),
        decode_head=last("PSPHead", sampler=OHEM),
        auxiliary_head=head("FCNHead", in_channels=32, in_index=2, num_convs=1),
    ),
    "aspp": dict(
        backbone=resnet("ResNet"),
        decode_head=last("ASPPHead", loss="DiceLoss", dilations=[1, 2]),
        auxiliary_head=last("FCNHead", loss="DiceLossV0"),
    ),
    "sep_aspp": dict(
        backbone=resnet("ResNetV1d"),
        decode_head=last(
            "DepthwiseSeparableASPPHead",
            dilations=[1, 2],
            c1_in_channels=8,
            c1_channels=4,
        ),
    ),
    "uper": dict(backbone=resnet(), decode_head=head("UPerHead", **PYRAMID)),
    "fpn": dict(
        backbone=resnet(),
        neck=dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=16, num_outs=4),
        decode_head=head(
            "FPNHead",
            in_channels=[16] * 4,
            in_index=[0, 1, 2, 3],
            feature_strides=[4, 8, 8, 8],
        ),
    ),
    "unet": dict(
        backbone=unet("InterpConv"), decode_head=last("FCNHead", 8, num_convs=1)
    ),
    "unet_deconv": dict(
        backbone=unet("DeconvModule"), decode_head=last("FCNHead", 8, num_convs=1)
    ),
    "vit": dict(
        backbone=dict(
            type="VisionTransformer",
            img_size=(SIDE, SIDE),
            patch_size=8,
            embed_dims=16,
            num_layers=2,
            num_heads=2,
            out_indices=(0, 1),
            drop_path_rate=0.1,
        ),
        neck=dict(
            type="MultiLevelNeck", in_channels=[16, 16], out_channels=16, scales=[2, 1]
        ),
        decode_head=head("UPerHead", in_channels=[16, 16], in_index=[0, 1]),
    ),
}
QUICK = ("psp",)
ALL = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.long)
    for name in MODELS
]


def model_config(name):
    return dict(
        type="EncoderDecoder",
        data_preprocessor=dict(type="SegDataPreProcessor", mean=[60.0], std=[50.0]),
        **MODELS[name],
    )


def abstract_step_of(name, **sizes):
    """The step on eight devices, and its state and batch by shape and place."""
    config = {
        "model": model_config(name),
        "optim_wrapper": dict(optimizer=dict(type="AdamW", lr=1e-3)),
    }
    return abstract_step(config, sizes, BATCH, (SIDE, SIDE))


def compile_step(name, **sizes):
    """The step's program on eight devices, and its state by shape and place."""
    step, state, batch = abstract_step_of(name, **sizes)
    return step.lower(state, batch).compile(), state


def check_sums(found, state):
    """That all-reduces are no larger than gradients, statistics and metrics make them.

    Of each statistic that is two moments and their gradients.
    """
    for one in found:
        assert not one.in_loop, one
    trees = (state.params, *[state.batch_stats] * 4)
    most = 1000 + sum(4 * leaf.size for leaf in jax.tree.leaves(trees))
    assert sum(one.bytes for one in found if one.kind == "all-reduce") <= most


@pytest.mark.parametrize("name", ALL)
def test_data_parallel_steps_reduce_gradients_and_statistics_alone(name):
    compiled, state = compile_step(name)
    found = collectives(compiled)
    assert {one.kind for one in found} == {"all-reduce"}, found
    check_sums(found, state)
    parameters = sum(4 * leaf.size for leaf in jax.tree.leaves(state.params))
    assert sum(one.bytes for one in found) >= parameters  # all are trained


@pytest.mark.parametrize("name", ALL)
def test_fsdp_steps_gather_parameters_alone(name, monkeypatch):
    # So that these models' parameters are split, too.
    monkeypatch.setattr(sharding, "_SMALLEST_SPLIT", 256)
    compiled, state = compile_step(name, data=2, fsdp=4)
    found = collectives(compiled)
    assert {one.kind for one in found} == {
        "all-reduce",
        "all-gather",
        "reduce-scatter",
    }
    check_sums(found, state)
    leaves = jax.tree.leaves(state.params)
    whole = {leaf.shape for leaf in leaves}
    parts = {leaf.sharding.shard_shape(leaf.shape) for leaf in leaves}
    for one in found:
        if one.kind != "all-reduce":
            known = whole if one.kind == "all-gather" else parts
            assert set(one.shapes) <= known, one


def test_a_gathered_batch_and_a_sum_in_a_loop_are_found():
    """Both are what the partitioner makes of a step that is left to it."""
    mesh = make_mesh()
    rows = NamedSharding(mesh, P("data"))
    x = jax.ShapeDtypeStruct((8, 100), np.float32, sharding=rows)

    def kth(x):
        return jnp.sort(x.ravel())[7]

    gathered = collectives(jax.jit(kth).lower(x).compile())
    assert any(one.kind == "all-gather" and one.bytes == 3200 for one in gathered)

    def strips(x):
        def add(total, strip):
            return total + jnp.tanh(strip).sum(), None

        return jax.lax.scan(add, 0.0, x.T)[0]

    assert [one.in_loop for one in collectives(jax.jit(strips).lower(x).compile())] == [
        True
    ]
