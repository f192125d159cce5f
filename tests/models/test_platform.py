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
@pytest.mark.parametrize(("name", "on_cpu"), [("vit", 2), ("sep_aspp", 0)])
def test_inference(name, on_cpu, monkeypatch):
    model = resolve(model_config(name), "model")
    images = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), images)

    def lowered(platform):
        run = jax.jit(lambda v, x: model.apply(v, x, method="logits"))
        traced = run.trace(variables, images)
        return traced.lower(lowering_platforms=(platform,)).as_text()

    text = lowered("cpu")
    assert loops(text) == on_cpu  # a layer's heads
    assert "reduce_window" not in text and "feature_group_count = 64" not in text
    for platform in ("cuda", "tpu"):
        other = lowered(platform)
        assert loops(other) == 0
        if name == "sep_aspp":
            assert "reduce_window" in other and "feature_group_count = 64" in other
    # Whatever the host has: it is not asked.
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert lowered("cpu") == text


def test_training_step():
    step, state, batch = abstract_step_of("vit")
    traced = step.trace(state, batch)
    on_cpu, *elsewhere = (
        traced.lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda", "tpu")
    )
    assert loops(on_cpu) > 1
    assert [loops(text) for text in elsewhere] == [1, 1]  # the strips of the loss
