import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.losses import CrossEntropyLoss, OHEMPixelSampler
from jaxseg.losses.targets import Targets
from jaxseg.ops.strips.upsampled import Upsampled

# The labels' probabilities in the batch are .0798 .1307 .6287 / .0494 ignored .1280 and
# .1729 .1513 .0295 / ignored .0385 .0396.
HARDEST_FOUR = [[[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 1, 1]]]
BELOW_0_3 = [[[1, 1, 0], [1, 0, 1]], [[1, 1, 1], [0, 1, 1]]]
BELOW_0_9 = [[[1, 1, 1], [1, 0, 1]], [[1, 1, 1], [0, 1, 1]]]


def sample_of(sampler, logits, label):
    logits = Upsampled(logits, label.shape[1:])
    return sampler.sample(logits, Targets(label), (CrossEntropyLoss(),))


# The masks are those of mmseg 1.2.2; min_kept is a number a sample.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(thresh=0.3, min_kept=2), BELOW_0_3),
        (dict(thresh=0.05, min_kept=2), HARDEST_FOUR),
        # The tenth of ten pixels is the limit itself, and not below it.
        (dict(thresh=0.05, min_kept=100), BELOW_0_3),
        (dict(thresh=0.9, min_kept=2), BELOW_0_9),
        (dict(min_kept=2), HARDEST_FOUR),
        (dict(min_kept=100), BELOW_0_9),
    ],
)
def test_equals_mmseg(logits, label, options, expected):
    sampler = OHEMPixelSampler(**options)

    @jax.jit
    def sample(logits, label):
        return sample_of(sampler, logits, label)

    np.testing.assert_array_equal(sample(logits, label), expected)


def test_of_equal_losses_just_enough_are_kept():
    logits, label = jnp.zeros((1, 4, 4, 2)), jnp.zeros((1, 4, 4), jnp.int32)
    sampler = OHEMPixelSampler(min_kept=5)
    weight = sample_of(sampler, logits, label)
    assert weight.sum() == 5


@pytest.mark.parametrize("thresh", [None, 0.7])
def test_without_labels_nothing_is_kept(logits, label, thresh):
    sampler = OHEMPixelSampler(thresh=thresh, min_kept=2)
    label = jnp.full_like(label, 255)
    weight = sample_of(sampler, logits, label)
    np.testing.assert_array_equal(weight, 0)


def test_min_kept_is_above_one():
    with pytest.raises(ValueError, match="min_kept is 1"):
        OHEMPixelSampler(min_kept=1)
