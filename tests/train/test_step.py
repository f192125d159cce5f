"""The step: the same on one device and on many, and nothing but what it should do."""

import functools
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from jaxseg.backbones.backbone import Backbone
from jaxseg.heads import FCNHead
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import Norm
from jaxseg.optim.optimizer import make_optimizer
from jaxseg.registry import register
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.train import sharding
from jaxseg.train.sharding import AXES, put_batch, state_sharding
from jaxseg.train.state import new_state
from jaxseg.train.step import StepOptions, make_train_step, metric_names

SYNC_BN = dict(type="SyncBN")
SGD = dict(type="SGD", lr=0.5, momentum=0.9, weight_decay=0.01)
SIDE = 32


@register
class OneConv(Backbone):
    """A backbone that compiles in a second."""

    norm_cfg: Norm | None = None

    @nn.compact
    def __call__(self, x, train):
        conv = ConvModule(4, 3, 2, padding=1, norm_cfg=self.norm_cfg, name="conv")
        return (conv(x, train),)


def small_model(
    norm_cfg=SYNC_BN, dropout_ratio=0.1, dtype="float32", loss=None, sampler=None
):
    return dict(
        type="EncoderDecoder",
        data_preprocessor=dict(type="SegDataPreProcessor", mean=[60.0], std=[50.0]),
        backbone=dict(type="OneConv", norm_cfg=norm_cfg),
        decode_head=dict(
            type="FCNHead",
            in_channels=4,
            channels=8,
            num_convs=1,
            concat_input=False,
            dropout_ratio=dropout_ratio,
            num_classes=3,
            norm_cfg=norm_cfg,
            loss_decode=loss or dict(type="CrossEntropyLoss"),
            sampler=sampler,
        ),
        dtype=dtype,
    )


@register
class EdgeHead(FCNHead):
    """A head with a loss of a second target."""

    target_keys = ("gt_seg_map", "gt_edge_map")

    def loss(self, outputs, targets):
        edges = targets["gt_edge_map"]
        assert edges.shape == targets["gt_seg_map"].shape and edges.dtype == jnp.uint8
        return super().loss(outputs, targets) | {"loss_edge": jnp.float32(edges.sum())}


def make_batch(seed, size=8):
    """Labels that the images tell of, and ignored pixels, ever more in every sample."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, (size, SIDE // 8, SIDE // 8)).astype(np.uint8)
    label = label.repeat(8, 1).repeat(8, 2)
    noise = rng.normal(0, 20, (size, SIDE, SIDE, 3))
    image = 60.0 * label[..., None] + noise
    for i in range(size):
        label[i, : 3 * i] = 255
    return {
        "img": image.astype(np.float32),
        "gt_seg_map": label,
        "img_shape": np.full((size, 2), SIDE, np.int32),
    }


def mesh_of(data=1, fsdp=1, spatial=1):
    sizes = (data, fsdp, spatial)
    devices = jax.devices()[: data * fsdp * spatial]
    return jax.make_mesh(sizes, AXES, (AxisType.Auto,) * 3, devices=devices)


@functools.cache
def fresh_variables(model_config):
    model = resolve(json.loads(model_config), "model")
    return jax.device_get(init_variables(model, 0, 3, (SIDE, SIDE)))


def start(model_config, mesh=None, optim_wrapper=None, **options):
    """The model's first state, its step and its optimiser, on a mesh."""
    mesh = mesh or mesh_of()
    options = StepOptions(**options)
    model = resolve(model_config, "model")
    variables = fresh_variables(json.dumps(model_config))
    optimizer = make_optimizer(
        optim_wrapper or dict(optimizer=SGD),
        [],
        100,
        variables["params"],
        frozen=model.frozen_keys(variables["params"]),
    )
    names = metric_names(model, variables, make_batch(0))
    ema = options.ema_momentum is not None
    variables = jax.tree.map(jnp.asarray, variables)  # a step donates them
    state = new_state(variables, optimizer, 5, ema, names)
    places = state_sharding(state, mesh)
    step = make_train_step(model, optimizer, mesh, options, places, state.params)
    return jax.device_put(state, places), step


def run_steps(model_config, batches, mesh=None, **settings):
    """The losses and the last state (as numpy), after a step with each batch."""
    mesh = mesh or mesh_of()
    state, step = start(model_config, mesh, **settings)
    losses = []
    for batch in batches:
        state, result = step(state, put_batch(batch, mesh))
        losses.append(float(result["loss"]))
    assert step._cache_size() == 1  # compiled once, however many steps
    return np.array(losses), jax.device_get(state)


def assert_close(ours, theirs, **tolerance):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **tolerance), ours, theirs
    )


def assert_same_bits(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.fixture(scope="module")
def on_one_device():
    return run_steps(small_model(), [make_batch(i) for i in range(3)])


@pytest.mark.parametrize(
    "sizes", [(8, 1, 1), (4, 2, 1), (2, 1, 4), (1, 1, 4), (1, 2, 2)], ids=str
)
def test_every_mesh_takes_the_same_steps(sizes, on_one_device, monkeypatch):
    # So that the small model's parameters are split over `fsdp`, too.
    monkeypatch.setattr(sharding, "_SMALLEST_SPLIT", 16)
    losses, state = run_steps(
        small_model(), [make_batch(i) for i in range(3)], mesh_of(*sizes)
    )
    want_losses, want = on_one_device
    assert abs(want_losses[2] - want_losses[1]) > 1e-3  # updates do count
    np.testing.assert_allclose(losses, want_losses, rtol=1e-5)
    for name in ("decode.loss_ce", "loss", "grad_norm"):
        np.testing.assert_allclose(state.window[name], want.window[name], rtol=1e-4)
    if sizes[:2] == (1, 1):  # else it is the mean of each device's own percentage
        name = "decode.acc_seg"
        np.testing.assert_allclose(state.window[name], want.window[name], rtol=1e-4)
    # SyncBN's running statistics are those of the whole batch.
    assert_close(state.batch_stats, want.batch_stats, rtol=1e-4, atol=1e-6)
    assert_close(state.params, want.params, rtol=1e-3, atol=1e-5)


def test_dropout_is_on(on_one_device):
    losses, _ = run_steps(small_model(dropout_ratio=0.0), [make_batch(0)])
    assert abs(losses[0] - on_one_device[0][0]) > 1e-5


def test_the_state_is_donated():
    state, step = start(small_model())
    batch = put_batch(make_batch(0), mesh_of())
    memory = step.lower(state, batch).compile().memory_analysis()
    # The new state takes the place of the old one.
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert memory.alias_size_in_bytes >= size
    step(state, batch)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def what_is_kept(state):
    return state.params, state.batch_stats, state.opt_state, state.ema


def test_a_step_that_is_not_finite_leaves_the_state_as_it_was():
    state, step = start(small_model(), ema_momentum=0.1)
    put = functools.partial(put_batch, mesh=mesh_of())
    poison = make_batch(1)
    poison["img"][3, 7, 7, 0] = np.nan
    state, _ = step(state, put(make_batch(0)))
    before = jax.device_get(state)
    for times in (1, 2):
        state, result = step(state, put(poison))
        assert np.isnan(result["loss"])
        assert int(result["skipped_in_a_row"]) == times
    after = jax.device_get(state)
    assert_same_bits(what_is_kept(after), what_is_kept(before))
    assert (after.step, after.skipped, after.skipped_in_a_row) == (3, 2, 2)
    # The log's means are of the one finite step.
    assert after.window["count"] == 1
    assert after.window["loss"] == before.window["loss"]
    state, result = step(state, put(make_batch(1)))
    assert np.isfinite(result["loss"])
    assert (int(state.skipped), int(state.skipped_in_a_row)) == (2, 0)
    assert not np.array_equal(
        *(jax.tree.leaves(s.params)[0] for s in (before, jax.device_get(state)))
    )


@pytest.mark.parametrize(("bad", "is_finite"), [(np.inf, False), (3.4e38, True)])
def test_infinities_are_told_from_large_numbers(bad, is_finite):
    # The largest float32 is 3.403e38; nearly as large ones are no reason to stop.
    model = small_model(norm_cfg=dict(type="SyncBN", requires_grad=False))
    state, step = start(model)
    statistics = jax.tree.map(jnp.array, state.batch_stats)
    bn = statistics["decode_head"]["convs.0"]["bn"]
    bn["mean"] = bn["mean"].at[:].set(bad)
    state = state.replace(batch_stats=statistics)
    _, result = step(state, put_batch(make_batch(0), mesh_of()))
    assert int(result["skipped_in_a_row"]) == (not is_finite)


@pytest.mark.parametrize("mesh", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_an_update_that_overflows_is_left_out_too(mesh):
    # Loss and gradient are finite, only the new parameters would not be.
    optimizer = dict(optimizer=dict(SGD, lr=float("inf")))
    mesh = mesh_of(*mesh)
    state, step = start(small_model(), mesh, optim_wrapper=optimizer)
    before = jax.device_get(state)
    state, result = step(state, put_batch(make_batch(0), mesh))
    assert np.isfinite(result["loss"])
    assert int(result["skipped_in_a_row"]) == 1
    assert_same_bits(what_is_kept(jax.device_get(state)), what_is_kept(before))


def test_the_moving_average_by_hand():
    state, step = start(small_model(), ema_momentum=0.25)
    average = jax.device_get(state.ema)
    for i in range(2):
        state, _ = step(state, put_batch(make_batch(i), mesh_of()))
        average = jax.tree.map(
            lambda a, p: 0.75 * a + 0.25 * p, average, jax.device_get(state.params)
        )
    assert_close(jax.device_get(state.ema), average, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("devices", [1, 2])
def test_accumulated_gradients_equal_one_batch_of_double_size(devices):
    # Without norms and dropout a sample knows nothing of its batch.
    model = small_model(norm_cfg=None, dropout_ratio=0.0)
    wrapper = dict(optimizer=dict(SGD, lr=0.5), clip_grad=dict(max_norm=0.05))
    doubles = [make_batch(i) for i in range(2)]
    halves = [
        {name: array[part] for name, array in batch.items()}
        for batch in doubles
        for part in (slice(0, 4), slice(4, 8))
    ]
    _, whole = run_steps(model, doubles, optim_wrapper=wrapper)
    _, parts = run_steps(
        model,
        halves,
        mesh_of(devices),
        optim_wrapper=dict(wrapper, accumulative_counts=2),
    )
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), whole.params, parts.params)
    assert max(jax.tree.leaves(moved)) < 1e-6
    fresh, _ = start(model)
    first = jax.tree.leaves(jax.device_get(fresh.params))[0]
    assert np.abs(first - jax.tree.leaves(whole.params)[0]).max() > 1e-4
    # Every part counts as an iteration.
    assert (whole.step, parts.step) == (2, 4)
    np.testing.assert_allclose(parts.window["loss"] / 4, whole.window["loss"] / 2, 1e-4)


def halved_losses(model, batch):
    """The losses of a batch's two halves, each on a device of its own."""
    halves = [
        {name: array[part] for name, array in batch.items()}
        for part in (slice(0, 4), slice(4, 8))
    ]
    return [run_steps(model, [half])[0][0] for half in halves]


def test_loss_scope_with_ignored_pixels_unequally_spread():
    loss = dict(type="CrossEntropyLoss", avg_non_ignore=True)
    model = small_model(norm_cfg=None, dropout_ratio=0.0, loss=loss)
    batch = make_batch(0)
    first, second = halved_losses(model, batch)
    two = mesh_of(data=2)
    (per_device,), _ = run_steps(model, [batch], two, loss_scope="device")
    (over_all,), state = run_steps(model, [batch], two, loss_scope="global")
    # Of the first half 27.5 rows of 32 count on average, of the second 15.5.
    counts = [(batch["gt_seg_map"][i : i + 4] != 255).sum() for i in (0, 4)]
    weighted = np.average([first, second], weights=counts)
    assert abs(weighted - (first + second) / 2) > 1e-5
    np.testing.assert_allclose(per_device, (first + second) / 2, rtol=1e-6)
    np.testing.assert_allclose(over_all, weighted, rtol=1e-6)
    (alone,), state_alone = run_steps(model, [batch])
    np.testing.assert_allclose(over_all, alone, rtol=1e-6)
    assert_close(state.params, state_alone.params, rtol=1e-5, atol=1e-7)


def test_ohem_chooses_on_each_device():
    sampler = dict(type="OHEMPixelSampler", min_kept=40)
    model = small_model(norm_cfg=None, dropout_ratio=0.0, sampler=sampler)
    batch = make_batch(0)
    # All of the second half is hard: the image tells nothing there.
    batch["img"][4:] = 255.0
    (both,), _ = run_steps(model, [batch], mesh_of(data=2))
    np.testing.assert_allclose(both, np.mean(halved_losses(model, batch)), rtol=1e-6)
    (alone,), _ = run_steps(model, [batch])
    assert abs(alone - both) > 1e-6


def test_bfloat16_compute_keeps_float32_state():
    batches = [make_batch(i) for i in range(3)]
    losses, state = run_steps(small_model(dtype="bfloat16"), batches, ema_momentum=0.1)
    exact, _ = run_steps(small_model(), batches)
    kinds = {str(leaf.dtype) for leaf in jax.tree.leaves(what_is_kept(state))}
    assert kinds == {"float32"}
    assert not np.array_equal(losses, exact)
    np.testing.assert_allclose(losses, exact, rtol=0.02)  # bfloat16 has 8 bits


def resnet(**backbone):
    return small_model() | dict(
        backbone=dict(
            type="ResNet",
            depth=18,
            base_channels=4,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(0, 1),
            norm_cfg=SYNC_BN,
            **backbone,
        ),
        decode_head=small_model()["decode_head"] | dict(in_channels=8),
    )


def test_frozen_stages_keep_their_bits():
    model = resnet(frozen_stages=1)
    before = jax.device_get(start(model)[0])
    _, after = run_steps(model, [make_batch(0)])  # with weight decay
    for name in ("conv1", "bn1", "layer1.0", "layer1.1"):
        assert_same_bits(
            after.params["backbone"][name], before.params["backbone"][name]
        )
    for name in ("bn1", "layer1.0"):  # and are in evaluation mode
        assert_same_bits(
            after.batch_stats["backbone"][name], before.batch_stats["backbone"][name]
        )
    kernel = ("backbone", "layer2.0", "conv1", "kernel")
    moved, was = (
        functools.reduce(dict.__getitem__, kernel, state.params)
        for state in (after, before)
    )
    assert not np.array_equal(moved, was)


def test_norms_without_gradient_keep_their_bits_and_follow_their_statistics():
    model = small_model(norm_cfg=dict(type="SyncBN", requires_grad=False))
    before = jax.device_get(start(model)[0])
    _, after = run_steps(model, [make_batch(0)])
    for was, now in zip(*map(jax.tree.leaves, (before.batch_stats, after.batch_stats))):
        assert not np.array_equal(was, now)
    kept = jax.tree.map(np.array_equal, before.params, after.params)
    for path, same in jax.tree_util.tree_flatten_with_path(kept)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        assert same == ("/bn/" in name), name


def test_statistics_of_bn_are_each_devices_own():
    # One sample a device: the mean over devices of each sample's own statistics.
    model = small_model(norm_cfg=dict(type="BN"), dropout_ratio=0.0)
    batch = make_batch(0, size=2)
    _, both = run_steps(model, [batch], mesh_of(data=2))
    alone = [
        run_steps(model, [{k: v[i : i + 1] for k, v in batch.items()}])[1]
        for i in range(2)
    ]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *(s.batch_stats for s in alone))
    assert_close(both.batch_stats, mean, rtol=1e-5, atol=1e-7)
    _, synced = run_steps(small_model(dropout_ratio=0.0), [batch], mesh_of(data=2))
    differences = jax.tree.map(
        lambda a, b: np.abs(a - b).max(), synced.batch_stats, both.batch_stats
    )
    assert max(jax.tree.leaves(differences)) > 1e-4


def test_the_log_window_starts_afresh_after_its_interval():
    state, step = start(small_model(), log_interval=2)
    counts = []
    for i in range(3):
        state, _ = step(state, put_batch(make_batch(i), mesh_of()))
        counts.append(int(state.window["count"]))
    assert counts == [1, 2, 1]


def test_metric_names_are_those_of_the_log():
    state, _ = start(small_model())
    names = {"decode.loss_ce", "decode.acc_seg", "loss", "grad_norm", "count"}
    assert set(state.window) == names
    assert all(v.dtype == jnp.float32 for v in state.window.values())


def test_every_target_of_a_batch_reaches_the_losses():
    config = small_model()
    config["decode_head"]["type"] = "EdgeHead"
    model = resolve(config, "model")
    assert model.target_keys == ("gt_seg_map", "gt_edge_map")
    variables = jax.eval_shape(lambda: init_variables(model, 0, 3, (SIDE, SIDE)))
    batch = make_batch(0)
    batch["gt_edge_map"] = np.ones_like(batch["gt_seg_map"])
    flips = {"device_flip": np.ones((8, 2), bool)}
    names = {"decode.loss_ce", "decode.acc_seg", "loss", "grad_norm"}
    for left in ({}, flips):
        found = metric_names(model, variables, batch | left)
        assert set(found) == names | {"decode.loss_edge"}
