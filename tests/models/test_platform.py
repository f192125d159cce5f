"""What is lowered of a model for another platform has no form of a CPU's."""

import jax
import jax.numpy as jnp
import pytest

from jaxseg.resolve import resolve
from tests.train.test_compiled_programs import (
    SIDE,
    abstract_step_of,
    model_config,
)


def loops(text):
    return text.count("stablehlo.while")


# Attention and layer norms; depthwise convolutions, poolings of all kinds.
@pytest.mark.parametrize(("name", "layers"), [("vit", 2), ("sep_aspp", 0)])
def test_inference(name, layers, monkeypatch):
    model = resolve(model_config(name), "model")
    images = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), images)

    def lowered(platform):
        run = jax.jit(lambda v, x: model.apply(v, x, method="logits"))
        traced = run.trace(variables, images)
        return traced.lower(lowering_platforms=(platform,)).as_text()

    text = lowered("cpu")
    assert loops(text) == layers  # over heads
    assert "reduce_window" not in text and "feature_group_count = 64" not in text
    for platform, over_heads in (("cuda", 0), ("tpu", layers)):
        other = lowered(platform)
        assert loops(other) == over_heads
        if name == "sep_aspp":
            assert "reduce_window" in other and "feature_group_count = 64" in other
    # Whatever the host has: it is not asked.
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert lowered("cpu") == text


def test_training_step():
    step, state, batch = abstract_step_of("vit")
    traced = step.trace(state, batch)
    found = {
        platform: loops(traced.lower(lowering_platforms=(platform,)).as_text())
        for platform in ("cpu", "cuda", "tpu")
    }
    # The strips of the loss; two layers' heads on a TPU, forward and backward.
    assert (found["cuda"], found["tpu"]) == (1, 1 + 2 * 2)
    assert found["cpu"] > found["tpu"]
