"""with_cp: less memory for the backward pass, and the same gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.backbones.vit import VisionTransformer

# XLA's own order of operations on a CPU computes again as soon as it can, and so frees
# nothing; GPUs and TPUs order by memory.
BY_MEMORY = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}


@pytest.fixture(scope="module")
def programs():
    """{with_cp: the compiled gradient}, and what it takes."""
    images = jax.random.normal(jax.random.key(0), (2, 64, 64, 3))
    found = {}
    for with_cp in (False, True):
        vit = VisionTransformer(
            img_size=(64, 64),
            patch_size=4,
            embed_dims=16,
            num_layers=4,
            num_heads=2,
            mlp_ratio=4,
            out_indices=(3,),
            with_cp=with_cp,
        )
        params = jax.jit(vit.init, static_argnums=2)(jax.random.key(1), images, False)[
            "params"
        ]

        def loss(params, images, vit=vit):
            (x,) = vit.apply({"params": params}, images, True)
            return jnp.square(x).mean()

        gradient = jax.jit(jax.grad(loss)).lower(params, images)
        found[with_cp] = gradient.compile(BY_MEMORY)
    return found, (params, images)


def test_it_takes_less_memory(programs):
    plain, again = (
        programs[0][with_cp].memory_analysis().temp_size_in_bytes
        for with_cp in (False, True)
    )
    # Attention keeps no probabilities on a CPU, with or without: 3.2 of 3.8 MB.
    assert again < 0.9 * plain


def test_the_gradients_are_the_same(programs):
    compiled, arguments = programs
    plain, again = (compiled[with_cp](*arguments) for with_cp in (False, True))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        *(plain, again),
    )
