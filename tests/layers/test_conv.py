import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.layers import BN, PReLU, ReLU
from jaxseg.layers.conv import Conv2d, ConvModule

X = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)


def paths(variables):
    return {"/".join(key.key for key in path) for path, _ in leaves(variables)}


def leaves(variables):
    return jax.tree_util.tree_flatten_with_path(variables["params"])[0]


@pytest.mark.parametrize(
    ("bias", "norm_cfg", "has_bias"),
    [(None, None, True), (None, BN(), False), (True, BN(), True), (False, None, False)],
)
def test_a_bias_is_there_without_a_norm_or_where_it_is_asked_for(
    bias, norm_cfg, has_bias
):
    layer = ConvModule(4, 1, norm_cfg=norm_cfg, bias=bias)
    variables = layer.init(jax.random.key(0), X, False)
    assert ("conv/bias" in paths(variables)) == has_bias


def test_the_order_of_convolution_norm_and_activation():
    flavours = {"norm_cfg": BN(eps=0.0), "act_cfg": ReLU()}
    layer = ConvModule(4, 1, **flavours, order=("norm", "act", "conv"), bias=False)
    variables = layer.init(jax.random.key(0), X, False)
    # The norm stands before the convolution: as many channels as the input.
    assert variables["params"]["bn"]["scale"].shape == (3,)
    kernel = variables["params"]["conv"]["kernel"][0, 0]
    y = layer.apply(variables, X, False)
    np.testing.assert_allclose(y, np.maximum(X, 0) @ kernel, atol=1e-5)


def test_an_activation_with_parameters_has_mmcvs_name():
    layer = ConvModule(4, 1, act_cfg=PReLU())
    variables = layer.init(jax.random.key(0), X, False)
    assert paths(variables) == {"conv/kernel", "conv/bias", "activate/slope"}


@pytest.mark.parametrize(
    ("mode", "numpys"),
    [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")],
)
def test_padding_modes(mode, numpys):
    layer = Conv2d(4, (3, 5), padding=(1, 2), padding_mode=mode)
    variables = layer.init(jax.random.key(0), X)
    padded = np.pad(X, ((0, 0), (1, 1), (2, 2), (0, 0)), mode=numpys)
    expected = Conv2d(4, (3, 5)).apply(variables, padded)
    y = layer.apply(variables, X)
    assert y.shape == (2, 5, 6, 4)
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_kernels_strides_paddings_and_dilations_by_axis():
    layer = Conv2d(4, (3, 1), stride=(2, 3), padding=(2, 0), dilation=(2, 1))
    variables = layer.init(jax.random.key(0), X)
    kernel = np.asarray(variables["params"]["kernel"])
    assert kernel.shape == (3, 1, 3, 4)
    padded = np.pad(X, ((0, 0), (2, 2), (0, 0), (0, 0)))
    # Windows begin at rows 0, 2 and 4 of 9, and see rows 0, 2 and 4 of themselves.
    expected = np.stack(
        [
            np.einsum("nkwc,kcf->nwf", padded[:, top : top + 5 : 2, ::3], kernel[:, 0])
            for top in (0, 2, 4)
        ],
        axis=1,
    )
    np.testing.assert_allclose(layer.apply(variables, X), expected, atol=1e-5)


def test_a_depthwise_convolution_by_axis():
    layer = Conv2d(3, (1, 3), stride=(1, 2), padding=(0, 1), groups=3, bias=False)
    variables = layer.init(jax.random.key(0), X)
    kernel = np.asarray(variables["params"]["kernel"])[0, :, 0]  # (3, C)
    padded = np.pad(X, ((0, 0), (0, 0), (1, 1), (0, 0)))
    expected = sum(padded[:, :, i : i + 5 : 2] * kernel[i] for i in range(3))
    y, pull = jax.vjp(lambda x: layer.apply(variables, x), jnp.asarray(X))
    np.testing.assert_allclose(y, expected, atol=1e-5)
    (gradient,) = pull(jnp.ones_like(y))
    # Even columns are seen by the middle tap of a window; odd ones by its right tap, and
    # by the left tap of the next window where there is one.
    left, middle, right = kernel
    columns = [middle, left + right, middle, left + right, middle, right]
    np.testing.assert_allclose(
        gradient, np.broadcast_to(np.stack(columns), X.shape), atol=1e-5
    )
