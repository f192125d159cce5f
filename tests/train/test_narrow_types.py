"""What whole models in bfloat16 compute in float32: all that mmseg's autocast does.

tests/models/test_contracts.py asks the same of every part and every loss alone.
"""

import jax
import jax.numpy as jnp
import pytest

from jaxseg.resolve import resolve
from jaxseg.train.abstract_step import abstract_step
from tests.models.segmentor_parts import SIDE
from tests.models.segmentors import model_config, others_long
from tests.narrow_types import lost_digits, trace

# Those whose heads have losses of their own.
NAMES = others_long("enc", "maskformer", "point_rend")


@pytest.mark.parametrize("name", NAMES)
def test_a_step_loses_no_digits(name):
    config = {
        "model": model_config(name) | {"dtype": "bfloat16"},
        "optim_wrapper": dict(optimizer=dict(type="SGD", lr=1e-3)),
    }
    size, one = (SIDE, SIDE), jax.devices()[:1]
    step, state, batch = abstract_step(config, {}, 2, size, devices=one)
    traced = step.trace(state, batch)
    assert "bf16" in str(traced.jaxpr)
    assert lost_digits(traced.jaxpr) == []
    new, metrics = traced.out_info
    for leaf in jax.tree.leaves((new.params, new.batch_stats, new.opt_state)):
        assert leaf.dtype == jnp.float32
    assert metrics["loss"].dtype == jnp.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_prediction_loses_no_digits(name):
    model = resolve(model_config(name) | {"dtype": "bfloat16"}, "model")
    images = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), images)

    def predict(variables, images):
        return model.apply(variables, images, method="encode_decode")

    program, logits = trace(predict, variables, images)
    assert lost_digits(program) == []
    assert logits.dtype == jnp.float32
