"""What every entry of the tables of contents keeps to; each needs a case here."""

import functools
import json

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg import (
    backbones,
    heads,
    layers,
    losses,
    necks,
    segmentors,
    text_encoders,
)
from jaxseg.layers.data_axis import over_data_axis
from jaxseg.layers.norm import BN as LocalBN
from jaxseg.losses.decode import decode_losses
from jaxseg.resolve import resolve
from tests.models.cases import (
    BACKBONES,
    BN,
    HEADS,
    LOSSES,
    MODULES,
    NECKS,
    NEEDED_ELSEWHERE,
    OF_MASKS,
    build,
    maps,
    variants_long,
    weights,
    weights_of,
)
from tests.models.segmentors import SEGMENTORS
from tests.narrow_types import equations, lost_digits, trace


def test_every_entry_has_a_case():
    for table, cases in (
        (backbones, BACKBONES),
        (necks, NECKS),
        (heads, HEADS),
        (losses, LOSSES),
        (
            segmentors,
            {
                "CascadeEncoderDecoder",
                "DepthEstimator",
                "EncoderDecoder",
                "EoMT",
                "MultimodalEncoderDecoder",
                "SegDataPreProcessor",
            },
        ),
        (text_encoders, {"CLIPTextEncoder"}),
        (layers, NEEDED_ELSEWHERE),
    ):
        assert set(table.__all__) - OF_MASKS == set(cases), table.__name__


@pytest.mark.parametrize("name", MODULES, scope="session")
def test_shapes_in_evaluation_without_a_random_stream(name):
    module, inputs = build(name), maps(name)
    outputs = jax.eval_shape(
        lambda v, x: module.apply(v, *x, False), weights_of(name), inputs
    )
    found = [out.shape for out in jax.tree.leaves(outputs)]
    assert found == [(2, *shape) for shape in MODULES[name].outputs]


@pytest.mark.parametrize(
    "name",
    variants_long(name for name in MODULES if MODULES[name].rate),
    scope="session",
)
def test_training_needs_the_dropout_stream_only_for_a_rate(name):
    rate = MODULES[name].rate
    others = [key for key in MODULES[name].config if key.endswith("_rate")]
    none = dict.fromkeys([rate, *others], 0.0)
    inputs, variables = maps(name), weights_of(name)
    for changes, needed in ((none, False), ({rate: 0.1}, True)):
        module = build(name, **changes)

        def train(variables, x, module=module):
            rngs = {"sample": jax.random.key(1)}
            return module.apply(variables, *x, True, rngs=rngs, mutable=["batch_stats"])

        if needed:
            with pytest.raises(flax.errors.InvalidRngError, match="dropout"):
                jax.eval_shape(train, variables, inputs)
        else:
            jax.eval_shape(train, variables, inputs)


def train_step(module, variables, inputs):
    """(value, (outputs, statistics)) and gradients of the outputs' mean squares."""
    rngs = {name: jax.random.key(1, impl="rbg") for name in ("dropout", "sample")}

    def total(params):
        # As a segmentor does.
        with jax.default_matmul_precision("highest"):
            outputs, new = module.apply(
                variables | {"params": params},
                *inputs,
                True,
                mutable=["batch_stats"],
                rngs=rngs,
            )
        outputs = jax.tree.leaves(outputs)
        wide = [out.astype(jnp.float32) for out in outputs]
        return sum(jnp.square(out).mean() for out in wide), (outputs, new)

    return jax.value_and_grad(total, has_aux=True)(variables["params"])


@pytest.mark.parametrize("name", variants_long(MODULES), scope="session")
def test_gradients_are_finite_under_jit_and_multiplied_in_float32(name):
    variables, inputs = weights_of(name), maps(name)
    step = jax.jit(train_step, static_argnums=0)
    # What the process has set is not asked, by the gradients neither.
    with jax.default_matmul_precision("bfloat16"):
        traced = step.trace(build(name), variables, inputs)
    highest = (jax.lax.Precision.HIGHEST,) * 2
    for one in equations(traced.jaxpr.jaxpr):
        if one.primitive.name in ("dot_general", "conv_general_dilated"):
            assert one.params["precision"] == highest, one
    (value, (_, new)), gradients = traced.lower().compile()(variables, inputs)
    assert jnp.isfinite(value) and value > 0
    for leaf in jax.tree.leaves((gradients, new)):
        assert np.isfinite(leaf).all()


@pytest.mark.parametrize(
    "name",
    variants_long(name for name in MODULES if hasattr(build(name), "with_cp")),
    scope="session",
)
def test_with_cp_computes_blocks_again(name):
    step = functools.partial(train_step, build(name, with_cp=True))
    program = jax.make_jaxpr(step)(weights_of(name), maps(name))
    assert "remat2" in {one.primitive.name for one in equations(program.jaxpr)}


def synced(name):
    """An entry whose batch norms are those of all devices."""
    of_device = getattr(build(name), "norm_cfg", None) == LocalBN()
    return build(name, **({"norm_cfg": dict(type="SyncBN")} if of_device else {}))


@pytest.mark.parametrize("name", variants_long(MODULES), scope="session")
def test_bfloat16_is_the_type_of_the_maps_alone(name):
    """As on one of eight devices, which ask each other for sums alone."""
    variables, inputs = weights_of(name), maps(name, "bfloat16")
    step = functools.partial(train_step, synced(name))
    with over_data_axis("data"):
        program, ((_, (outputs, new)), gradients) = trace(
            step, variables, inputs, axes=[("data", 8)]
        )
    # The places of points are no map.
    places = {jnp.dtype("float32")} if name == "PointHead" else set()
    assert {out.dtype for out in outputs} == {jnp.dtype("bfloat16")} | places
    assert {leaf.dtype for leaf in jax.tree.leaves((gradients, new))} == {
        jnp.dtype("float32")
    }
    assert lost_digits(program) == []
    assert {
        one.primitive.name
        for one in equations(program.jaxpr)
        if "data" in one.params.get("axes", one.params.get("axis_name", ()))
    } <= {"psum", "axis_index"}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_float32_and_their_gradients_finite(name, dtype):
    config, channels, label = LOSSES[name]
    entry = resolve({"type": name} | config, name)
    rng = np.random.default_rng(0)
    logits = jnp.asarray(20 * rng.standard_normal((2, 5, 4, channels)), dtype)
    label = jnp.asarray(label(rng))
    is_sampler = name.endswith("Sampler")
    loss = losses.CrossEntropyLoss() if is_sampler else entry
    loss.check_channels(channels)

    @jax.jit
    @jax.value_and_grad
    def value_of(logits):
        sampler = entry if is_sampler else None
        found = decode_losses(logits, {"gt_seg_map": label}, [loss], sampler=sampler)
        return found[loss.loss_name]

    assert lost_digits(trace(value_of, logits)[0]) == []
    value, gradient = value_of(logits)
    assert value.dtype == jnp.float32 and value != 0
    assert gradient.dtype == logits.dtype
    assert jnp.isfinite(gradient).all() and (gradient != 0).any()


def segmentor(**changes):
    fcn = dict(type="FCNHead", channels=4, num_convs=1, norm_cfg=BN)
    config = dict(
        type="EncoderDecoder",
        backbone={"type": "ResNetV1c"} | BACKBONES["ResNetV1c"].config,
        neck=dict(type="FPN", in_channels=[4, 8], out_channels=4, num_outs=2),
        decode_head=dict(fcn, in_channels=4, num_classes=3),
        auxiliary_head=[dict(fcn, in_channels=4, in_index=0, num_classes=3)],
        test_cfg=dict(mode="whole"),
    )
    return resolve(config | changes, "model")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_segmentor(dtype):
    model = segmentor(dtype=dtype)
    images = jax.random.normal(jax.random.key(0), (2, 37, 29, 3))
    label = jnp.asarray(np.random.default_rng(0).choice([0, 1, 2, 255], (2, 37, 29)))
    variables = weights(model, images)
    logits = jax.eval_shape(
        lambda v, x: model.apply(v, x, method="encode_decode"), variables, images
    )
    assert (logits.shape, logits.dtype) == ((2, 37, 29, 3), jnp.float32)

    @jax.jit
    def losses_of(variables):
        return model.apply(
            variables,
            images,
            {"gt_seg_map": label},
            method="loss",
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(1, impl="rbg")},
        )

    found, new = losses_of(variables)
    assert found.keys() == {
        "decode.loss_ce",
        "decode.acc_seg",
        "aux_0.loss_ce",
        "aux_0.acc_seg",
    }
    assert all(v.dtype == jnp.float32 and jnp.isfinite(v) for v in found.values())
    assert jax.tree.structure(new["batch_stats"]) == jax.tree.structure(
        variables["batch_stats"]
    )


def test_every_entry_stands_in_a_segmentor():
    text = json.dumps(SEGMENTORS)
    assert [name for name in MODULES if f'"{name}"' not in text] == []
