"""Heads in a cascade: who takes what, under which names, and what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.resolve import resolve_model
from jaxseg.weights.state_dict import keys_of
from tests.tiny import get_config

FIRST = dict(
    type="FCNHead", in_channels=8, in_index=0, channels=4, num_convs=1, num_classes=4
)
NORM = dict(type="SyncBN")
FIRST |= dict(norm_cfg=NORM, concat_input=False)
SECOND = dict(type="OCRHead", in_channels=8, in_index=0, channels=6, num_classes=4)
SECOND |= dict(ocr_channels=3, norm_cfg=NORM)


def build(heads=(FIRST, SECOND), **changes):
    model = get_config("")["model"] | dict(decode_head=list(heads))
    model |= dict(type="CascadeEncoderDecoder", num_stages=len(heads))
    return resolve_model(model | changes)


IMAGES = jnp.zeros((2, 16, 16, 3))
LABELS = {"gt_seg_map": jnp.zeros((2, 16, 16), jnp.uint8)}


def test_names_and_answers():
    model = build(auxiliary_head=FIRST)
    variables = jax.eval_shape(model.init, jax.random.key(0), IMAGES)
    keys = keys_of(variables)
    assert "decode_head.0.convs.0.conv.weight" in keys
    assert "decode_head.1.object_context_block.query_project.1.bn.weight" in keys
    assert list(model.heads) == ["decode_head.0", "decode_head.1", "auxiliary_head"]
    assert model.num_classes == model.out_channels == 4
    assert not model.align_corners and model.threshold is None

    apply = functools.partial(model.apply, mutable=["batch_stats"])
    rngs = {"dropout": jax.random.key(0)}
    losses, _ = jax.eval_shape(
        lambda v: apply(v, IMAGES, LABELS, method="loss", rngs=rngs), variables
    )
    assert set(losses) == {
        *("decode_0.loss_ce", "decode_0.acc_seg"),
        *("decode_1.loss_ce", "decode_1.acc_seg"),
        *("aux.loss_ce", "aux.acc_seg"),
    }
    logits = jax.eval_shape(
        lambda v: model.apply(v, IMAGES, method="encode_decode"), variables
    )
    assert logits.shape == (2, 16, 16, 4)


def test_the_last_head_sees_the_one_before_it():
    model = build()
    images = jax.random.normal(jax.random.key(1), IMAGES.shape)
    variables = jax.jit(model.init)(jax.random.key(0), images)
    run = jax.jit(functools.partial(model.apply, method="encode_decode"))
    before = run(variables, images)
    first = variables["params"]["decode_head.0"]["conv_seg"]
    first["kernel"] = first["kernel"] + np.arange(4, dtype=np.float32)
    assert np.abs(run(variables, images) - before).max() > 1e-6


@pytest.mark.parametrize(
    ("heads", "changes", "message"),
    [
        (
            (FIRST, SECOND),
            dict(num_stages=3),
            "decode_head: has 2 heads, and num_stage",
        ),
        ((), dict(), "decode_head: has 0 heads, and num_stages is 0"),
        ((FIRST, FIRST), dict(), "FCNHead does not take the outputs .* at place 1"),
        ((SECOND,), dict(), "OCRHead takes the outputs of a head before .* at place 0"),
        (
            (FIRST,),
            dict(decode_head=FIRST),
            "expected tuple.Head, .* FCNHead",
        ),
        (
            (FIRST, SECOND),
            dict(auxiliary_head=[FIRST, SECOND]),
            "auxiliary_head.1: OCRHead takes the outputs of a head before it, allowed:",
        ),
        (
            (FIRST, SECOND | dict(scale=2)),
            dict(),
            "^model.decode_head.1.scale: is 2, allowed: 1",
        ),
    ],
)
def test_what_is_no_cascade(heads, changes, message):
    with pytest.raises(ConfigError, match=message):
        build(heads, **changes)


def test_maps_of_two_sizes():
    model = build((FIRST, SECOND | dict(in_channels=4, in_index=1)))
    with pytest.raises(ConfigError, match="^model.decode_head.1: .* 4 x 4 .* 8 x 8"):
        jax.eval_shape(model.init, jax.random.key(0), IMAGES)


def test_a_plain_segmentor_refuses_a_head_of_a_cascade():
    model = get_config("")["model"]
    with pytest.raises(
        ConfigError, match="^model.decode_head: OCRHead takes the outpu"
    ):
        resolve_model(model | dict(decode_head=SECOND))
