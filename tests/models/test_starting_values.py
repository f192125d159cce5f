"""The starting values have the distributions that mmseg 1.2.2's init_weights gives."""

import json
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.backbones import ResNet
from jaxseg.weights.state_dict import to_state_dict
from tests.models.cases import (
    MODULES,
    NOT_IN_MMSEG,
    OF_DINO,
    OF_VAN,
    build,
    maps,
    variants_long,
)
from tests.models.quick_random import HASH

# Moments of each weight over a hundred modules: make_starting_values.py.
MMSEG = np.load(pathlib.Path(__file__).with_name("starting_values.npz"))
DRAWS = 100
# Of a standard normal variable; of other distributions it is less.
STD_OF_ABS = math.sqrt(1 - 2 / math.pi)


def draw(module, inputs):
    """{PyTorch key: values (DRAWS, ...)} of modules that are started."""
    keys = jax.random.split(jax.random.key(0, impl=HASH), DRAWS)

    @jax.jit
    @jax.vmap
    def params(key):
        return module.init(key, *inputs, False)["params"]

    drawn = jax.tree.map(np.asarray, params(keys))
    states = [
        to_state_dict({"params": jax.tree.map(lambda x, i=i: x[i], drawn)})
        for i in range(DRAWS)
    ]
    return {key: np.stack([state[key] for state in states]) for key in states[0]}


@pytest.mark.parametrize(
    "name", variants_long(name for name in MODULES if name not in NOT_IN_MMSEG)
)
def test_moments_are_those_of_mmseg(name):
    keys = json.loads(str(MMSEG[f"{name}/keys"]))
    found = draw(build(name), maps(name, batch=1))
    assert found.keys() == set(keys)
    for key, (mean, std, size) in zip(keys, MMSEG[f"{name}/moments"], strict=True):
        values = found[key].astype(np.float64)
        # Both are estimates; five of their standard deviations.
        error = 5 * math.sqrt(2 / values.size)
        assert abs(values.mean() - mean) <= error * std + 1e-7, key
        assert abs(values.std() - std) <= error * std, key
        assert abs(np.abs(values).mean() - size) <= error * std * STD_OF_ABS + 1e-7, key


@pytest.mark.parametrize("name", variants_long(sorted(NOT_IN_MMSEG - OF_DINO)))
def test_moments_are_those_of_the_original(name):
    """Kaiming's normal values: over the outputs of backbones, the inputs of heads.

    VAN counts the outputs of a group.
    """
    found = draw(build(name), maps(name, batch=1))
    for key, values in found.items():
        shape = values.shape[1:]
        if len(shape) == 4:
            fan = math.prod(shape[1:]) if "Head" in name else shape[0] * shape[2] ** 2
            if name in OF_VAN and shape[1] == 1:
                fan //= shape[0]
            error = 5 * math.sqrt(2 / values.size)
            assert values.std() == pytest.approx(math.sqrt(2 / fan), rel=error), key
            assert abs(values.mean()) <= error * math.sqrt(2 / fan), key
        elif key == "conv_seg.bias":  # torch's default: uniform over the inputs
            bound = MODULES[name].config["channels"] ** -0.5
            assert 0.98 * bound < np.abs(values).max() <= bound
        else:
            start = 0.01 if "layer_scale" in key else float(key.endswith("weight"))
            np.testing.assert_allclose(values, start, err_msg=key)


def test_a_residual_branch_may_start_with_ones():
    resnet = ResNet(
        18,
        base_channels=4,
        num_stages=1,
        out_indices=(0,),
        strides=(1,),
        dilations=(1,),
        zero_init_residual=False,
    )
    values = draw(resnet, (jnp.zeros((1, 8, 8, 3)),))
    np.testing.assert_array_equal(values["layer1.0.bn2.weight"], 1)


@pytest.mark.parametrize("name", variants_long(sorted(OF_DINO - {"EoMTHead"})))
def test_moments_are_those_of_dino(name):
    """Linear layers and the table 0.02, its tokens 1e-6; the classifier is mmseg's."""
    for key, values in draw(build(name), maps(name, batch=1)).items():
        shape = values.shape[1:]
        if key.startswith("patch_embed."):  # torch's default
            bound = (3 * 14**2 if name == "DINOv2" else 3 * 16**2) ** -0.5
            assert 0.95 * bound < np.abs(values).max() <= bound
        elif len(shape) == 1:
            np.testing.assert_array_equal(
                values, float(key.endswith(("weight", "gamma")))
            )
        else:
            std = 0.01 if key.startswith("conv_seg.") else 0.02
            std = 1e-6 if key.endswith(("cls_token", "register_tokens")) else std
            error = 5 * math.sqrt(2 / values.size)
            assert values.std() == pytest.approx(std, rel=error), key
            assert abs(values.mean()) <= error * std, key


@pytest.mark.long
def test_moments_of_eomt_are_those_of_torch():
    """Uniform over the inputs, of the transposed convolution over the outputs."""
    found = draw(build("EoMTHead"), maps("EoMTHead", batch=1))
    width = MODULES["EoMTHead"].config["in_channels"]
    fans = {"conv1": 4 * width, "conv2": 9, "mask_embed": width, "cls_embed": width}
    for key, values in found.items():
        if ".norm." in key:
            np.testing.assert_array_equal(values, float(key.endswith("weight")))
            continue
        bound = next(fan for name, fan in fans.items() if name in key) ** -0.5
        assert 0.95 * bound < np.abs(values).max() <= bound, key
        assert abs(values.mean()) < 0.1 * bound, key
