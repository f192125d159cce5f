"""ConvNeXt V2's maps are mmpretrain's; V1's are in a reference case."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.backbones import ConvNeXt, PoolFormer
from jaxseg.errors import FieldError
from jaxseg.testing.reference import fill
from jaxseg.weights.state_dict import from_state_dict, torch_shapes
from tests.models.cases import build, maps

# From make_convnext_v2.py.
V2 = np.load(pathlib.Path(__file__).with_name("convnext_v2.npz"))


def test_maps_of_v2_are_those_of_mmpretrain():
    net, (images,) = build("ConvNeXt"), maps("ConvNeXt")
    assert net.use_grn
    target = jax.eval_shape(lambda: net.init(jax.random.key(0), images, False))
    weights = {k: fill(k, shape, 0) for k, shape in torch_shapes(target).items()}
    found = net.apply(from_state_dict(weights, target), images, False)
    assert len(found) == len(V2.files) == 2
    for ours, name in zip(found, V2.files, strict=True):
        bound = 1e-5 * np.abs(V2[name]).max()
        np.testing.assert_allclose(ours, V2[name], rtol=0, atol=bound)


def test_a_channel_that_is_0_everywhere_has_a_gradient():
    net, (images,) = build("ConvNeXt"), maps("ConvNeXt")
    variables = jax.eval_shape(lambda: net.init(jax.random.key(0), images, False))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape), variables)

    def total(variables):
        return sum(x.sum() for x in net.apply(variables, images, False))

    for leaf in jax.tree.leaves(jax.grad(total)(zeros)):
        assert np.isfinite(leaf).all()


def test_what_is_frozen():
    net = ConvNeXt(frozen_stages=1, gap_before_final_norm=False)
    assert net.frozen_modules == ("downsample_layers.0", "stages.0")
    assert PoolFormer(frozen_stages=-1).frozen_modules == ()
    assert PoolFormer().frozen_modules == ("patch_embed",)
    held = ("patch_embed", "network.0", "norm0")
    assert PoolFormer(frozen_stages=1).frozen_modules == held


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (ConvNeXt, "gap_before_final_norm: is True, mmpretrain's default"),
        (lambda: ConvNeXt(arch="giant"), "arch: is 'giant', allowed: atto, femto"),
        (
            lambda: ConvNeXt(out_indices=(4,), gap_before_final_norm=False),
            "out_indices: is .4,., allowed: 0 to 3",
        ),
        (lambda: PoolFormer(out_indices=7), "out_indices: is 7, allowed: 0 to 6"),
        (lambda: PoolFormer(pool_size=2), "pool_size: is 2, allowed: odd numbers"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(FieldError, match=message):
        make()
