import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.errors import FieldError
from jaxseg.losses import CrossEntropyLoss


def value_and_norm(loss, logits, label, **options):
    value, gradient = jax.jit(jax.value_and_grad(lambda x: loss(x, label, **options)))(
        logits
    )
    return value, jnp.linalg.norm(gradient.ravel())


# (loss, gradient's norm) of mmseg 1.2.2 in float64.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(), (1.978978, 0.305547)),
        (dict(avg_non_ignore=True, loss_weight=0.4), (0.9499094, 0.1466625)),
        (dict(use_sigmoid=True), (0.9419001, 0.0987766)),
        (dict(use_sigmoid=True, avg_non_ignore=True), (1.1302801, 0.1185319)),
    ],
)
def test_equals_mmseg(logits, label, options, expected):
    found = value_and_norm(CrossEntropyLoss(**options), logits, label)
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_class_weights_equal_mmseg_where_it_has_no_ignored_pixel(logits, label):
    label = jnp.where(label == 255, 0, label)
    for avg_non_ignore in (False, True):
        loss = CrossEntropyLoss(
            class_weight=(0.5, 1.0, 2.0), avg_non_ignore=avg_non_ignore
        )
        found = value_and_norm(loss, logits, label)
        np.testing.assert_allclose(found, (2.2084338, 0.3611835), rtol=2e-6)


def test_an_ignored_pixel_has_no_class_weight():
    # By hand: -log(3/4) and -log(1/4) with weights 1 and 3, over 1 + 3.
    logits = jnp.log(jnp.array([[[[3.0, 1.0], [3.0, 1.0], [5.0, 1.0]]]]))
    label = jnp.array([[[0, 1, 255]]])
    value = CrossEntropyLoss(class_weight=(1.0, 3.0))(logits, label)
    expected = (math.log(4 / 3) + 3 * math.log(4)) / 4
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_another_ignore_index(logits, label):
    label = jnp.where(label == 255, 0, label)
    loss = CrossEntropyLoss(avg_non_ignore=True)
    found = value_and_norm(loss, logits, label, ignore_index=1)
    # mmseg 1.2.2 in float64.
    np.testing.assert_allclose(found, (2.4541517, 0.3852664), rtol=2e-6)


# mmseg 1.2.2 in float64, of one channel whose class is 1.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(), (0.6179648, 0.1343481)),
        (dict(avg_non_ignore=True, class_weight=(2.5,)), (1.1432302, 0.2730147)),
    ],
)
def test_one_channel_equals_mmseg(logits, label, options, expected):
    loss = CrossEntropyLoss(use_sigmoid=True, **options)
    label = jnp.where(label == 2, 0, label)
    found = value_and_norm(loss, logits[..., :1], label)
    np.testing.assert_allclose(found, expected, rtol=2e-6)


@pytest.mark.parametrize(
    ("avg_non_ignore", "expected"),
    [(False, (2.1496218, 0.3724936)), (True, (2.5795466, 0.4469923))],
)
def test_class_weights_outside_the_divisor_equal_mmseg_0x(
    logits, label, avg_non_ignore, expected
):
    # torch 2.13's cross_entropy(weight, reduction='none', ignore_index=255) in float64,
    # summed over all 12 pixels or over the 10 that count.
    loss = CrossEntropyLoss(
        class_weight=(0.5, 1.0, 2.0),
        avg_non_ignore=avg_non_ignore,
        weighted_mean=False,
    )
    found = value_and_norm(loss, logits, label)
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_class_weight_of_a_sigmoid_weighs_the_positive_pixels_of_its_channel():
    # By hand: at a logit of 0 every term is log 2; only the label's term is weighed.
    loss = CrossEntropyLoss(use_sigmoid=True, class_weight=(3.0, 5.0))
    value = loss(jnp.zeros((1, 1, 2, 2)), jnp.array([[[0, 1]]]))
    expected = (3 + 1 + 1 + 5) * math.log(2) / 4
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_pixel_weights_leave_the_divisor():
    # By hand: log 2 at each of two pixels, the second of them doubled, over two.
    weight = jnp.array([[[1.0, 2.0]]])
    value = CrossEntropyLoss()(jnp.zeros((1, 1, 2, 2)), jnp.zeros((1, 1, 2)), weight)
    np.testing.assert_allclose(value, 1.5 * math.log(2), rtol=1e-6)


@pytest.mark.parametrize("use_sigmoid", [False, True])
def test_large_logits_stay_finite(use_sigmoid):
    logits = jnp.array([[[[1e4, -1e4]]]])
    loss = CrossEntropyLoss(use_sigmoid=use_sigmoid)
    value, norm = value_and_norm(loss, logits, jnp.array([[[1]]]))
    # By hand: 2e4 as softmax; of two sigmoids one is 1e4 wrong each, in the mean.
    np.testing.assert_allclose(value, 1e4 if use_sigmoid else 2e4)
    assert norm > 0.5


def test_class_weight_has_an_entry_a_class(logits, label):
    with pytest.raises(ValueError, match="class_weight of loss_ce has 2 entries"):
        CrossEntropyLoss(class_weight=(1.0, 2.0))(logits, label)


# torch 2.13's cross_entropy with label_smoothing=0.1, in float64.
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, [0.5076059644443804, 0.5076059644443804, 0.0, 3.912340996081049]),
        ((0.5, 2, 1), [0.3976433798518156, 0.8479114318517291, 0.0, 3.997268901571289]),
    ],
)
def test_label_smoothing_is_that_of_torch(weights, expected):
    with jax.enable_x64(True):
        channels = [[2.0, -1.0, 0.5, 3.0], [0.0, 1.0, -2.0, 0.5], [1.0, 0.0, 1.5, -1.0]]
        logits = jnp.asarray(channels, "float64").T.reshape(1, 2, 2, 3)
        label = jnp.array([[[0, 1], [255, 2]]], jnp.uint8)
        loss = CrossEntropyLoss(
            class_weight=weights, label_smoothing=0.1, reduction="none"
        )
        np.testing.assert_allclose(loss(logits, label).ravel(), expected, rtol=1e-12)
        # Over the sum of the labels' weights, as with no smoothing.
        mean = CrossEntropyLoss(
            class_weight=weights, label_smoothing=0.1, avg_non_ignore=True
        )(logits, label)
        divisor = 3 if weights is None else sum(weights)
        np.testing.assert_allclose(mean, sum(expected) / divisor, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(label_smoothing=1.5), "label_smoothing is 1.5, allowed: 0 to 1"),
        (dict(label_smoothing=0.1, use_sigmoid=True), "only the softmax has it"),
    ],
)
def test_label_smoothing_that_means_nothing(options, message):
    with pytest.raises(FieldError, match=message):
        CrossEntropyLoss(**options)
