import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxseg.config import ConfigError
from jaxseg.optim.optimizer import make_optimizer

SGD = dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=0.01)


def small_params():
    return {
        "head": {
            "kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]]),
            "bias": jnp.array([0.1, -0.3]),
        }
    }


def gradients(step):
    return {
        "head": {
            "kernel": jnp.array([[0.3, -0.1], [0.2, 0.4]]) * (step + 1) - 0.1 * step**2,
            "bias": jnp.array([-0.5, 0.25]) * (step + 1),
        }
    }


def three_steps(param_scheduler=(), **optim_wrapper):
    params = small_params()
    transform, *_ = make_optimizer(optim_wrapper, list(param_scheduler), 10, params)
    state = transform.init(params)
    for step in range(3):
        updates, state = transform.update(gradients(step), state, params, step=step)
        params = optax.apply_updates(params, updates)
    return params["head"]


# The values are those of torch 2.13 after three steps with the same gradients.
@pytest.mark.parametrize(
    ("optim_wrapper", "kernel", "bias"),
    [
        pytest.param(
            dict(optimizer=SGD),
            [0.7682587504, -1.8347575665, 0.3661033511, 2.6620063782],
            [0.5746495128, -0.5359234810],
            id="SGD",
        ),
        pytest.param(
            dict(optimizer=dict(SGD, nesterov=True)),
            [0.6587841511, -1.7354511023, 0.3082165718, 2.4972989559],
            [0.8262709379, -0.6611266732],
            id="SGD with Nesterov's momentum",
        ),
        pytest.param(
            dict(optimizer=dict(type="Adam", lr=0.1, weight_decay=0.1)),
            [0.7010168433, -1.7064704895, 0.2021485120, 2.7006709576],
            [0.3923158646, -0.5913668275],
            id="Adam",
        ),
        pytest.param(
            dict(optimizer=dict(type="AdamW", lr=0.1, weight_decay=0.1)),
            [0.6757389903, -1.6643115282, 0.1910816729, 2.6173331738],
            [0.3863930106, -0.5804528594],
            id="AdamW",
        ),
        pytest.param(
            dict(
                optimizer=dict(
                    type="AdamW", lr=0.1, betas=[0.8, 0.95], eps=1e-6, weight_decay=0.1
                )
            ),
            [0.6739387512, -1.6591680050, 0.1905891001, 2.6150641441],
            [0.3896808028, -0.5837401748],
            id="AdamW with other betas",
        ),
        pytest.param(
            dict(
                optimizer=dict(type="SGD", lr=0.1, momentum=0.9),
                clip_grad=dict(max_norm=0.8, norm_type=2),
            ),
            [0.8476649523, -1.9147245884, 0.4070675373, 2.7882626057],
            [0.3970130086, -0.4485065043],
            id="clipped",
        ),
        pytest.param(
            dict(
                optimizer=dict(type="AdamW", lr=0.1, weight_decay=0.05),
                paramwise_cfg=dict(bias_lr_mult=10, bias_decay_mult=0.0),
            ),
            [0.6890309453, -1.6924120188, 0.1969817281, 2.6601791382],
            [3.0231828690, -3.2231831551],
            id="two groups",
        ),
    ],
)
def test_equals_torch(optim_wrapper, kernel, bias):
    head = three_steps(**optim_wrapper)
    np.testing.assert_allclose(head["kernel"].ravel(), kernel, rtol=5e-7)
    np.testing.assert_allclose(head["bias"], bias, rtol=5e-7)


def test_adam_bias_correction_holds_in_the_first_step():
    params = small_params()
    transform, *_ = make_optimizer(
        dict(optimizer=dict(type="Adam", lr=1.0)), [], 10, params
    )
    updates, _ = transform.update(gradients(0), transform.init(params), params, step=0)
    # By hand: m / (1 - b1) = g and v / (1 - b2) = g ** 2. optax's is 6e-6 off.
    np.testing.assert_allclose(updates["head"]["bias"], [1.0, -1.0], rtol=2e-7)


def test_the_learning_rate_follows_the_step_and_not_the_number_of_updates():
    params = small_params()
    transform, learning_rate, *_ = make_optimizer(
        dict(
            optimizer=dict(type="SGD", lr=0.1),
            paramwise_cfg=dict(custom_keys={"bias": dict(lr_mult=0.1)}),
        ),
        [dict(type="PolyLR", eta_min=0.05)],
        11,
        params,
    )
    ones = jax.tree.map(jnp.ones_like, params)
    updates, _ = transform.update(ones, transform.init(params), params, step=5)
    # By hand: half way to an eta_min that is one for all groups, from 0.1 and 0.01.
    np.testing.assert_allclose(learning_rate(5), 0.075, rtol=2e-7)
    np.testing.assert_allclose(updates["head"]["kernel"], -0.075, rtol=2e-7)
    np.testing.assert_allclose(updates["head"]["bias"], -0.03, rtol=2e-7)


def test_a_small_gradient_is_not_clipped():
    plain = three_steps(optimizer=SGD)
    clipped = three_steps(optimizer=SGD, clip_grad=dict(max_norm=100.0))
    np.testing.assert_array_equal(plain["kernel"], clipped["kernel"])


def test_frozen_parameters_stay_have_no_state_and_no_part_in_the_norm():
    params = {**small_params(), "backbone": {"conv1": {"kernel": jnp.ones((5, 7))}}}
    optimizer = make_optimizer(
        dict(optimizer=SGD, clip_grad=dict(max_norm=1.0)),
        [],
        10,
        params,
        frozen=["backbone.conv1"],
    )
    state = optimizer.transform.init(params)
    assert sorted(x.shape for x in jax.tree.leaves(state)) == [(2,), (2, 2)]

    grads = jax.tree.map(lambda p: jnp.full_like(p, 100.0), params)
    grads["head"] = jax.tree.map(lambda g: g * 1e-6, grads["head"])
    updates, _ = optimizer.transform.update(grads, state, params, step=0)
    np.testing.assert_array_equal(updates["backbone"]["conv1"]["kernel"], 0)
    # By hand: the norm of what is trained is below 1, so nothing is clipped.
    expected = -0.1 * (1e-4 + 0.01 * params["head"]["bias"])
    np.testing.assert_allclose(updates["head"]["bias"], expected, rtol=1e-6)
    assert "frozen: 1 tensors, 35 values" in optimizer.description


def test_groups_do_not_multiply_the_state():
    params = small_params()
    paramwise_cfg = dict(bias_lr_mult=2.0, bias_decay_mult=0.0)
    transform, _, description, *_ = make_optimizer(
        dict(optimizer=SGD, paramwise_cfg=paramwise_cfg), [], 10, params
    )
    state = jax.eval_shape(transform.init, params)
    assert sum(x.size for x in jax.tree.leaves(state)) == 6
    assert description.split("\n") == [
        "SGD: lr 0.1, weight decay 0.01",
        "  lr x 1, weight decay x 1: 1 tensors, 4 values",
        "  lr x 2, weight decay x 0: 1 tensors, 2 values",
    ]


def test_a_step_compiles_once():
    params = small_params()
    transform, *_ = make_optimizer(
        dict(optimizer=dict(type="AdamW", lr=0.1), clip_grad=dict(max_norm=1.0)),
        [dict(type="LinearLR", end=5), dict(type="PolyLR", begin=5)],
        10,
        jax.eval_shape(small_params),
    )
    traces = []

    @jax.jit
    def update(params, state, step):
        traces.append(1)
        updates, state = transform.update(gradients(step), state, params, step=step)
        return optax.apply_updates(params, updates), state

    state = transform.init(params)
    for step in range(10):
        params, state = update(params, state, jnp.int32(step))
    assert len(traces) == 1


@pytest.mark.parametrize("name", ["lamb", "lion", "adafactor", "lars", "sgd", "adam"])
def test_optimizers_of_optax(name):
    # optax's own optimiser with a constant learning rate gives the expected values.
    params = small_params()
    expected, reference = small_params(), getattr(optax, name)(0.01)
    state = reference.init(expected)
    for step in range(3):
        updates, state = reference.update(gradients(step), state, expected)
        expected = optax.apply_updates(expected, updates)

    head = three_steps(optimizer=dict(type=name, lr=0.01))
    np.testing.assert_allclose(head["kernel"], expected["head"]["kernel"], rtol=1e-6)
    assert not np.allclose(head["kernel"], params["head"]["kernel"], rtol=1e-6)


def test_weight_decay_of_optax_has_its_multiplier():
    decayed = three_steps(optimizer=dict(type="lion", lr=0.01, weight_decay=0.5))
    spared = three_steps(
        optimizer=dict(type="lion", lr=0.01, weight_decay=0.5),
        paramwise_cfg=dict(bias_decay_mult=0.0),
    )
    undecayed = three_steps(optimizer=dict(type="lion", lr=0.01, weight_decay=0.0))
    np.testing.assert_array_equal(spared["kernel"], decayed["kernel"])
    np.testing.assert_array_equal(spared["bias"], undecayed["bias"])


def test_amp_wrapper_is_accepted_and_reported():
    optim_wrapper = dict(type="AmpOptimWrapper", loss_scale="dynamic", optimizer=SGD)
    optimizer = make_optimizer(optim_wrapper, [], 10, small_params())
    assert "bfloat16 compute; loss_scale is not needed" in optimizer.description


@pytest.mark.parametrize(
    ("optim_wrapper", "error", "message"),
    [
        (
            dict(optimizer=dict(SGD, momentun=0.9)),
            ConfigError,
            r"optim_wrapper\.optimizer\.momentun: .*did you mean 'momentum'",
        ),
        (
            dict(optimizer=dict(type="AdamWW", lr=0.1)),
            ValueError,
            (
                r"optim_wrapper\.optimizer\.type: 'AdamWW' is not known "
                r"\(did you mean 'AdamW'"
            ),
        ),
        (
            dict(optimizer=dict(type="SGD")),
            ValueError,
            r"optim_wrapper\.optimizer\.lr: this key is missing",
        ),
        (
            dict(optimizer=dict(type="lion")),
            ConfigError,
            r"optim_wrapper\.optimizer\.lr: expected a number, found None",
        ),
        (
            dict(optimizer=dict(type="lion", lr=0.1, beta=0.9)),
            ConfigError,
            r"optim_wrapper\.optimizer\.beta: this key is not known",
        ),
        (
            dict(
                optimizer=dict(type="adafactor", lr=0.1),
                paramwise_cfg=dict(bias_decay_mult=0.0),
            ),
            ValueError,
            r"paramwise_cfg: multiplies the weight decay, which adafactor does not",
        ),
        (
            dict(optimizer=SGD, clip_grad=dict(max_norm=1, norm_type=-1)),
            ValueError,
            r"optim_wrapper\.clip_grad\.norm_type: needs to be > 0, found -1",
        ),
        (
            dict(optimizer=SGD, clip_grad=dict(maxnorm=1)),
            ConfigError,
            r"optim_wrapper\.clip_grad\.maxnorm: .*did you mean 'max_norm'",
        ),
        (
            dict(optimizer=SGD, accumulative_counts=0),
            ValueError,
            r"optim_wrapper\.accumulative_counts: needs to be >= 1, found 0",
        ),
        (
            dict(optimizer=SGD, loss_scale=512.0),
            ConfigError,
            r"optim_wrapper\.loss_scale: this key is not known",
        ),
        (
            dict(type="AmpOptimWrapper", optimizer=SGD, dtype="float16"),
            ValueError,
            r"optim_wrapper\.dtype: found 'float16', allowed is 'bfloat16'",
        ),
        ({}, ValueError, r"optim_wrapper\.optimizer: this key is missing"),
    ],
)
def test_a_wrong_config_is_named_by_its_path(optim_wrapper, error, message):
    with pytest.raises(error, match=message):
        make_optimizer(optim_wrapper, [], 10, small_params())


def test_a_frozen_name_has_to_exist():
    with pytest.raises(ValueError, match=r"frozen\.hed: .*did you mean 'head'"):
        make_optimizer(dict(optimizer=SGD), [], 10, small_params(), frozen=["hed"])
