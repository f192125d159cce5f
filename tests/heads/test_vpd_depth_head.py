"""VPD's head of depths gives mmseg 1.2.2's numbers, in float64 with the recipe's weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.resolve import resolve
from jaxseg.testing.reference import fill
from jaxseg.weights.state_dict import from_state_dict, to_state_dict, torch_shapes

SMALL = dict(
    type="VPDDepthHead",
    in_channels=[16, 8, 8, 8],
    embed_dim=4,
    feature_dim=32,
    num_deconv_layers=2,
    num_deconv_filters=[6, 5],
    fmap_border=[1, 0],
)


# Depths at three places, the mean of all, the loss, and the norm of a gradient.
VALUES = [5.308504196809705, 5.290262470590146, 5.331719961730537]
MEAN, LOSS = 5.298376984554813, 0.9272292518465375
NORM = 0.00622617228205273


@pytest.mark.long
def test_depths_loss_and_gradient_are_those_of_mmseg():
    rng = np.random.default_rng(1)
    shapes = [(2, 16, 16, 24), (2, 8, 8, 12), (2, 8, 4, 6), (2, 8, 2, 3)]
    maps = [rng.standard_normal(shape).transpose(0, 2, 3, 1) for shape in shapes]
    depth = rng.uniform(0.1, 10, (2, 50, 90))
    depth[rng.random(depth.shape) < 0.2] = 0
    head = resolve(SMALL, "model.decode_head")
    with jax.enable_x64(True):
        maps = tuple(map(jnp.asarray, maps))
        target = jax.eval_shape(lambda: head.init(jax.random.key(0), maps, False))
        weights = {
            key: fill(key, shape, 0).astype(np.float64)
            for key, shape in torch_shapes(target).items()
        }
        variables = from_state_dict(weights, target)
        found = np.asarray(head.apply(variables, maps, False))
        assert found.shape == (2, 48, 96, 1)
        np.testing.assert_allclose(found[0, 10, [0, 7, 50], 0], VALUES, 1e-10)
        np.testing.assert_allclose(found.mean(), MEAN, 1e-10)

        def loss(params):
            outputs, _ = head.apply(
                variables | {"params": params}, maps, True, mutable=["batch_stats"]
            )
            return head.loss(outputs, {"gt_depth_map": jnp.asarray(depth)})

        def total(params):
            (value,) = loss(params).values()
            return value

        value, gradient = jax.value_and_grad(total)(variables["params"])
        np.testing.assert_allclose(value, LOSS, 1e-10)
        gradient = to_state_dict({"params": gradient})
        norm = np.linalg.norm(gradient["decoder.deconv_layers.0.weight"])
        np.testing.assert_allclose(norm, NORM, 1e-8)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(feature_dim=16), "feature_dim is 16, allowed: 8 .* embed_dim, 32"),
        (dict(in_channels=[16, 8]), "allowed: four numbers"),
        (dict(num_deconv_layers=3), "num_deconv_filters has 2 entries"),
        (dict(num_classes=2), "num_classes: is 2|num_classes is 2"),
    ],
)
def test_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        resolve(SMALL | changes, "model.decode_head")
