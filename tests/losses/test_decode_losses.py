import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.losses import (
    CrossEntropyLoss,
    DiceLoss,
    DiceLossV0,
    HuasdorffDisstanceLoss,
    LovaszLoss,
    OHEMPixelSampler,
    SiLogLoss,
    decode,
)
from jaxseg.losses.loss import Loss
from jaxseg.losses.pixel_loss import PixelLoss
from jaxseg.losses.targets import Targets
from jaxseg.ops.resize import resize
from jaxseg.ops.strips import upsampled as strips
from jaxseg.ops.strips.upsampled import Upsampled

LOSSES = [
    CrossEntropyLoss(),
    CrossEntropyLoss(avg_non_ignore=True),
    CrossEntropyLoss(class_weight=(1.0, 2.0, 3.0)),
    CrossEntropyLoss(use_sigmoid=True, avg_non_ignore=True),
    DiceLoss(),
    DiceLossV0(),
]


def decode_losses(logits, label, losses, **options):
    return decode.decode_losses(logits, {"gt_seg_map": label}, losses, **options)


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
    if isinstance(loss, PixelLoss):
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)
    elif isinstance(loss, DiceLoss):
        # By hand: no target, so no overlap.
        np.testing.assert_allclose(value, 1.0)
    else:
        assert jnp.isfinite(value)


def case(large, dtype, small=(5, 4), classes=5):
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.standard_normal((2, *small, classes)), dtype)
    label = rng.integers(0, classes, (2, *large))
    label[:, :3, :2] = 255
    return logits, jnp.asarray(label, jnp.uint8)


# Larger by no whole factor, smaller, and the same size: many strips of one row.
@pytest.mark.parametrize("large", [(13, 11), (3, 7), (5, 4)])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-6), ("float64", 1e-12)])
def test_strips_equal_the_full_size(monkeypatch, large, dtype, rtol):
    monkeypatch.setattr(strips, "_CPU_STRIP_BYTES", 1)
    losses = [
        CrossEntropyLoss(loss_name="loss_a"),
        CrossEntropyLoss(class_weight=(0.5, 1.0, 2.0, 0.1, 3.0), loss_name="loss_b"),
        CrossEntropyLoss(
            use_sigmoid=True, avg_non_ignore=True, loss_weight=0.4, loss_name="loss_c"
        ),
        DiceLoss(loss_name="loss_d"),
        DiceLoss(use_sigmoid=False, naive_dice=True, loss_name="loss_e"),
        DiceLossV0(ignore_index=1, loss_name="loss_f"),
    ]
    align_corners = large == (13, 11)

    def ours(logits, label):
        return decode_losses(logits, label, losses, align_corners=align_corners)

    def plain(logits, label):
        full = resize(logits, large, align_corners=align_corners)
        values = {loss.loss_name: loss(full, label) for loss in losses}
        hits = (full.argmax(-1) == label).sum() / (label != 255).sum()
        return values | {"acc_seg": 100 * hits}

    def total(logits, label, values_of):
        values = values_of(logits, label)
        # A factor each, so that no gradient hides behind another.
        factors = {loss.loss_name: i + 1 for i, loss in enumerate(losses)}
        return sum(factors[name] * values[name] for name in factors), values

    with jax.enable_x64(dtype == "float64"):
        logits, label = case(large, dtype)
        of = jax.jit(jax.grad(total, has_aux=True), static_argnums=2)
        gradient, found = of(logits, label, ours)
        expected_gradient, expected = of(logits, label, plain)
    for name in expected:
        # mmseg's accuracy has an epsilon in it.
        tolerance = 1e-5 if name == "acc_seg" else rtol
        np.testing.assert_allclose(
            found[name], expected[name], rtol=tolerance, err_msg=name
        )
    scale = np.abs(expected_gradient).max()
    np.testing.assert_allclose(gradient, expected_gradient, atol=rtol * scale)


@pytest.mark.parametrize("large", [(13, 11), (5, 4)])
def test_a_loss_of_whole_maps_beside_one_on_strips(large):
    losses = [
        LovaszLoss(per_image=True, loss_weight=0.5),
        CrossEntropyLoss(),
        HuasdorffDisstanceLoss(),
    ]
    logits, label = case(large, "float32")

    def ours(logits):
        found = decode_losses(logits, label, losses)
        return sum(found[loss.loss_name] for loss in losses)

    def plain(logits):
        full = resize(logits, large)
        return sum(loss(full, label) for loss in losses)

    found, expected = (jax.jit(jax.value_and_grad(f))(logits) for f in (ours, plain))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    scale = np.abs(expected[1]).max()
    np.testing.assert_allclose(found[1], expected[1], atol=2e-6 * scale)


def test_all_losses_share_one_loop_over_the_strips():
    logits, label = case((13, 11), "float32")
    losses = [CrossEntropyLoss(), DiceLoss(), DiceLossV0(), CrossEntropyLoss()]

    def loops(function):
        return str(jax.make_jaxpr(function)(logits)).count("scan[")

    def total(logits):
        found = decode_losses(logits, label, losses)
        return found["loss_ce"] + found["loss_dice"]

    assert loops(total) == 1
    # Dice is no linear function of its sums: its gradient takes a second pass.
    assert loops(jax.grad(total)) == 2


@dataclasses.dataclass(frozen=True)
class EdgeLoss(Loss):
    """A user's loss: of two maps, with a number that is known only in the program."""

    loss_weight: float = 1.0
    loss_name: str = "loss_edge"

    def prepare(self, logits, targets):
        edge = targets.maps["gt_edge_map"]
        return targets.classes, edge, jnp.maximum(edge.sum(), 1.0)

    def strip(self, logits, inside, label, edge, number):
        picked = jnp.take_along_axis(logits, jnp.maximum(label, 0)[..., None], -1)
        return jnp.where(inside, picked[..., 0] ** 2 * edge / number, 0).sum()

    def finish(self, total, label, edge, number):
        return total


def test_a_users_loss_reads_a_second_map(monkeypatch):
    monkeypatch.setattr(strips, "_CPU_STRIP_BYTES", 1)
    logits, label = case((13, 11), "float32")
    edge = jnp.asarray(np.random.default_rng(1).random((2, 13, 11)) < 0.3)
    targets = {"gt_seg_map": label, "gt_edge_map": edge}

    def ours(logits):
        return decode.decode_losses(logits, targets, [EdgeLoss()])["loss_edge"]

    def plain(logits):
        full = resize(logits, (13, 11))
        index = jnp.where(label == 255, 0, label)[..., None]
        picked = jnp.take_along_axis(full, index, -1)[..., 0]
        return jnp.where(edge, picked**2, 0).sum() / edge.sum()

    found, expected = (jax.jit(jax.value_and_grad(f))(logits) for f in (ours, plain))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-7)


def test_there_is_no_accuracy_of_what_is_no_class():
    depth = jnp.ones((2, 7, 9))
    found = decode_losses(jnp.ones((2, 3, 4, 1)), depth, [SiLogLoss()])
    assert found.keys() == {"loss_silog"}


@pytest.mark.parametrize(
    "sampler", [OHEMPixelSampler(thresh=0.2, min_kept=9), OHEMPixelSampler(min_kept=9)]
)
def test_a_sampler_in_strips_equals_one_at_full_size(monkeypatch, sampler):
    monkeypatch.setattr(strips, "_CPU_STRIP_BYTES", 1)
    logits, label = case((13, 11), "float32")
    losses = (CrossEntropyLoss(),)

    def of(logits):
        return decode_losses(logits, label, losses, sampler=sampler)["loss_ce"]

    def plain(logits):
        full = resize(logits, (13, 11))
        fixed = jax.lax.stop_gradient(full)
        fixed = Upsampled(fixed, (13, 11))
        weight = sampler.sample(fixed, Targets(label), losses)
        return losses[0](full, label, weight)

    found, expected = (jax.jit(jax.value_and_grad(f))(logits) for f in (of, plain))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "sampler"),
    [
        (CrossEntropyLoss(), None),
        (CrossEntropyLoss(), OHEMPixelSampler(thresh=0.7)),
        (DiceLoss(use_sigmoid=False), None),
    ],
)
@pytest.mark.parametrize("small", [(128, 128), (512, 512)])
def test_full_size_logits_are_never_held(loss, sampler, small):
    logits = jax.ShapeDtypeStruct((1, *small, 150), jnp.float32)
    label = jax.ShapeDtypeStruct((1, 512, 512), jnp.uint8)

    def total(logits, label):
        losses = decode_losses(logits, label, [loss], sampler=sampler)
        return losses[loss.loss_name]

    compiled = jax.jit(jax.value_and_grad(total)).lower(logits, label).compile()
    full = 512 * 512 * 150 * 4
    # Of logits that are of full size themselves, the gradient is too.
    limit = full / 4 if small != (512, 512) else 1.25 * full
    assert compiled.memory_analysis().temp_size_in_bytes < limit
