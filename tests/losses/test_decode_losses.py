import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.losses import CrossEntropyLoss, DiceLoss, DiceLossV0, OHEMPixelSampler
from jaxseg.losses.decode import decode_losses
from jaxseg.ops.resize import resize

LOSSES = [
    CrossEntropyLoss(),
    CrossEntropyLoss(avg_non_ignore=True),
    CrossEntropyLoss(class_weight=(1.0, 2.0, 3.0)),
    CrossEntropyLoss(use_sigmoid=True, avg_non_ignore=True),
    DiceLoss(),
    DiceLossV0(),
]


def large_label(label):
    """(2, 7, 9), a size that the logits' 2 x 3 do not divide."""
    return jnp.tile(label, (1, 4, 3))[:, :7, :9]


def test_the_logits_are_resized_and_the_accuracy_is_mmsegs(logits, label):
    # mmseg 1.2.2: CrossEntropyLoss() and accuracy() of the same batch.
    found = decode_losses(logits, label, [CrossEntropyLoss()])
    assert found.keys() == {"loss_ce", "acc_seg"}
    np.testing.assert_allclose(found["loss_ce"], 1.978978, rtol=2e-6)
    np.testing.assert_allclose(found["acc_seg"], 10.0, rtol=1e-5)

    label = large_label(label)
    found = decode_losses(logits, label, [CrossEntropyLoss()], align_corners=True)
    full = resize(logits, (7, 9), align_corners=True)
    np.testing.assert_allclose(
        found["loss_ce"], CrossEntropyLoss()(full, label), rtol=1e-6
    )
    hits = (full.argmax(-1) == label).sum()
    np.testing.assert_allclose(
        found["acc_seg"], 100 * hits / (label != 255).sum(), rtol=1e-5
    )


def test_losses_of_one_name_are_summed(logits, label):
    label = large_label(label)
    first = CrossEntropyLoss(loss_name="loss_x", loss_weight=0.5)
    second = CrossEntropyLoss(loss_name="loss_x", avg_non_ignore=True)
    third = DiceLoss(loss_name="loss_x", loss_weight=3.0)
    alone = CrossEntropyLoss(use_sigmoid=True, loss_name="loss_y")
    found = decode_losses(logits, label, [first, second, third, alone])
    assert found.keys() == {"loss_x", "loss_y", "acc_seg"}
    full = resize(logits, (7, 9))
    expected = sum(loss(full, label) for loss in (first, second, third))
    np.testing.assert_allclose(found["loss_x"], expected, rtol=1e-6)
    np.testing.assert_allclose(found["loss_y"], alone(full, label), rtol=1e-6)


def test_one_channel_is_right_on_its_side_of_zero():
    logits = jnp.array([[[[2.0], [-1.0], [3.0], [-1.0]]]])
    label = jnp.array([[[1, 1, 0, 255]]])
    found = decode_losses(logits, label, [CrossEntropyLoss(use_sigmoid=True)])
    np.testing.assert_allclose(found["acc_seg"], 100 / 3, rtol=1e-6)


def test_the_sampler_weighs_every_loss(logits, label):
    losses = [CrossEntropyLoss(), CrossEntropyLoss(avg_non_ignore=True, loss_name="b")]
    sampler = OHEMPixelSampler(thresh=0.05, min_kept=2)
    found = decode_losses(logits, label, losses, sampler=sampler)
    # By hand: the four hardest pixels, over twelve pixels and over ten.
    hardest = -np.log([0.0493555, 0.0294719, 0.0384906, 0.0395531]).sum()
    np.testing.assert_allclose(found["loss_ce"], hardest / 12, rtol=1e-5)
    np.testing.assert_allclose(found["b"], hardest / 10, rtol=1e-5)


def test_a_sampler_takes_no_loss_over_regions(logits, label):
    with pytest.raises(ValueError, match="OHEMPixelSampler .* DiceLoss does not know"):
        decode_losses(logits, label, [DiceLoss()], sampler=OHEMPixelSampler())


@pytest.mark.parametrize(
    ("loss", "sampler"),
    [
        *((loss, None) for loss in LOSSES),
        (CrossEntropyLoss(), OHEMPixelSampler(thresh=0.7, min_kept=2)),
        (CrossEntropyLoss(), OHEMPixelSampler(min_kept=2)),
    ],
)
def test_a_batch_without_labels(logits, label, loss, sampler):
    label = jnp.full((2, 7, 9), 255, jnp.uint8)

    @jax.jit
    def total(logits):
        losses = decode_losses(logits, label, [loss], sampler=sampler)
        return losses[loss.loss_name]

    value, gradient = jax.value_and_grad(total)(logits)
    assert jnp.isfinite(gradient).all()
    if loss.pixelwise:
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)
    elif isinstance(loss, DiceLoss):
        # By hand: no target, so no overlap.
        np.testing.assert_allclose(value, 1.0)
    else:
        assert jnp.isfinite(value)
