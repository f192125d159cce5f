"""The step agrees on 1, 2, 4 and 8 devices, for a convnet with SyncBN and for a ViT."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from jaxseg.optim.optimizer import make_optimizer
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.train.sharding import AXES, put_batch, state_sharding
from jaxseg.train.state import new_state
from jaxseg.train.step import StepOptions, make_train_step, metric_names
from tests.small_unet import small_unet

pytestmark = pytest.mark.long

SIDE, CLASSES, STEPS = 32, 4, 4
NORM = dict(type="SyncBN")
HEAD = dict(
    type="FCNHead",
    in_index=-1,
    channels=8,
    num_convs=1,
    num_classes=CLASSES,
    dropout_ratio=0.1,
    norm_cfg=NORM,
)
MODELS = {
    "convnet": dict(
        backbone=small_unet(8, norm_cfg=NORM),
        decode_head=dict(in_channels=8, **HEAD),
    ),
    "vit": dict(
        backbone=dict(
            type="VisionTransformer",
            img_size=(SIDE, SIDE),
            patch_size=8,
            embed_dims=16,
            num_layers=1,
            num_heads=2,
            out_indices=(0,),
            drop_path_rate=0.1,
        ),
        decode_head=dict(in_channels=16, **HEAD),
    ),
}


def make_batch(seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, CLASSES, (8, SIDE // 8, SIDE // 8)).astype(np.uint8)
    label = label.repeat(8, 1).repeat(8, 2)
    image = 60.0 * label[..., None] + rng.normal(0, 20, (8, SIDE, SIDE, 3))
    return {
        "img": image.astype(np.float32),
        "gt_seg_map": label,
        "img_shape": np.full((8, 2), SIDE, np.int32),
    }


@functools.cache
def results_on(name, devices):
    """The losses of a few steps, and the state after them as numpy."""
    model = resolve(
        dict(
            type="EncoderDecoder",
            data_preprocessor=dict(type="SegDataPreProcessor", mean=[60.0], std=[50.0]),
            **MODELS[name],
        ),
        "model",
    )
    variables = init_variables(model, 0, 3, (SIDE, SIDE))
    sgd = dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=0.01)
    optimizer = make_optimizer(
        dict(optimizer=sgd), [], 100, variables["params"], frozen=frozenset()
    )
    names = metric_names(model, variables, make_batch(0))
    state = new_state(jax.tree.map(jnp.copy, variables), optimizer, 5, False, names)
    mesh = jax.make_mesh(
        (devices, 1, 1), AXES, (AxisType.Auto,) * 3, devices=jax.devices()[:devices]
    )
    places = state_sharding(state, mesh)
    step = make_train_step(model, optimizer, mesh, StepOptions(), places, state.params)
    state, losses = jax.device_put(state, places), []
    for seed in range(STEPS):
        state, result = step(state, put_batch(make_batch(seed), mesh))
        losses.append(float(result["loss"]))
    return np.array(losses), jax.device_get(state)


@pytest.mark.parametrize("devices", [2, 4, 8])
@pytest.mark.parametrize("name", MODELS)
def test_the_steps_are_those_of_one_device(name, devices):
    want_losses, want = results_on(name, 1)
    losses, state = results_on(name, devices)
    assert len(set(want_losses)) == STEPS
    np.testing.assert_allclose(losses, want_losses, rtol=1e-5)
    assert jax.tree.leaves(want.batch_stats)
    for tree in ("batch_stats", "params"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
            getattr(state, tree),
            getattr(want, tree),
        )
