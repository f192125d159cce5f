import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.resize import resize
from jaxseg.ops.strips import upsampled as strips
from jaxseg.ops.strips.map import strip_map
from jaxseg.ops.strips.sums import Term, strip_sums
from jaxseg.ops.strips.upsampled import Upsampled

BATCH, CLASSES = 2, 3

# (logits' size, labels' size, align_corners): a whole factor, none that divides, fewer
# rows than the logits have, one row of logits, the same size.
SIZES = [
    ((4, 5), (16, 20), False),
    ((5, 4), (13, 11), False),
    ((5, 4), (13, 11), True),
    ((9, 8), (5, 6), False),
    ((1, 3), (7, 9), True),
    ((6, 7), (6, 7), False),
    ((9, 5), (9, 5), True),
]


@pytest.fixture(params=[1, 4])
def rows(request, monkeypatch):
    """So many rows of labels 11 pixels wide make a strip."""
    row_bytes = BATCH * 11 * CLASSES * 4
    monkeypatch.setattr(strips, "_CPU_STRIP_BYTES", request.param * row_bytes)
    return request.param


def inputs(small, large):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((BATCH, *small, CLASSES)).astype(np.float32)
    label = rng.integers(0, CLASSES, (BATCH, *large))
    weight = rng.random((BATCH, *large)).astype(np.float32)
    return jnp.asarray(logits), jnp.asarray(label), jnp.asarray(weight)


def three_sums(logits, inside, label, weight):
    """Sums of unlike functions of the logits, and a count."""
    hot = jax.nn.one_hot(label, CLASSES)
    picked = (logits * hot).sum(-1)
    values = (jax.nn.logsumexp(logits, -1) - picked, picked**2, jnp.sin(logits[..., 0]))
    sums = [jnp.where(inside, weight * value, 0).sum() for value in values]
    hits = (logits.argmax(-1) == label) & inside
    return jnp.stack(sums), hits.sum()


def three_sums_alone(*args):
    return three_sums(*args)[0]


def three_sums_count(*args):
    return three_sums(*args)[1]


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize(("small", "large", "align_corners"), SIZES)
def test_sums_equal_those_of_the_full_size(rows, small, large, align_corners, passes):
    logits, label, weight = inputs(small, large)

    def full(logits):
        logits = resize(logits, large, align_corners=align_corners)
        return three_sums(logits, np.ones((1, large[0], 1), bool), label, weight)

    def ours(logits):
        upsampled = Upsampled(logits, large, align_corners)
        term = Term(three_sums_alone, (label, weight), passes)
        count = Term(three_sums_count, (label, weight), 0)
        sums = strip_sums([count, term], upsampled)
        return sums[1], sums[0]

    # Each sum has its own factor, so that gradients of one are not another's.
    factors = jnp.array([1.0, -2.0, 0.5])

    def with_gradient(function):
        def total(logits):
            sums, count = function(logits)
            return (factors * sums).sum(), (sums, count)

        return jax.jit(jax.grad(total, has_aux=True))(logits)

    expected, (expected_sums, expected_count) = with_gradient(full)
    gradient, (sums, count) = with_gradient(ours)
    np.testing.assert_allclose(sums, expected_sums, rtol=2e-5)
    assert count == expected_count
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)
    # Without a gradient the sums come from another pass.
    np.testing.assert_allclose(jax.jit(ours)(logits)[0], sums, rtol=1e-6)


@pytest.mark.parametrize(("small", "large", "align_corners"), SIZES)
def test_map_equals_that_of_the_full_size(rows, small, large, align_corners):
    logits, label, weight = inputs(small, large)

    def value(logits, label, weight):
        hot = jax.nn.one_hot(label, CLASSES)
        return weight * (jax.nn.softmax(logits) * hot).sum(-1)

    @jax.jit
    def ours(logits):
        return strip_map(value, Upsampled(logits, large, align_corners), label, weight)

    ours = ours(logits)
    full = value(resize(logits, large, align_corners=align_corners), label, weight)
    assert ours.shape == label.shape
    np.testing.assert_allclose(ours, full, atol=1e-6)


def test_narrow_logits_are_summed_in_float32():
    logits, label, weight = inputs((4, 5), (16, 20))
    narrow = logits.astype(jnp.bfloat16)

    def sums(logits):
        term = Term(three_sums_alone, (label, weight))
        return strip_sums([term], Upsampled(logits, (16, 20)))[0]

    assert sums(narrow).dtype == jnp.float32
    np.testing.assert_allclose(
        sums(narrow), sums(narrow.astype(jnp.float32)), rtol=1e-6
    )
    gradient = jax.grad(lambda x: sums(x).sum())(narrow)
    assert gradient.dtype == jnp.bfloat16


def test_on_a_tpu_rows_are_those_of_other_platforms(request):
    logits, label, weight = inputs((5, 4), (13, 11))

    def sums(logits):
        term = Term(three_sums_alone, (label, weight))
        return strip_sums([term], Upsampled(logits, (13, 11)))[0]

    def both(logits):
        values, pull = jax.vjp(sums, logits)
        return values, *pull(jnp.array([1.0, -2.0, 0.5]))

    def traced():
        return str(jax.make_jaxpr(lambda logits: both(logits))(logits))

    joined = f"{11 * CLASSES}]"  # width and classes as one axis
    assert joined in traced()
    elsewhere = both(logits)
    request.getfixturevalue("tpu")
    assert joined not in traced()
    for one, other in zip(both(logits), elsewhere, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
