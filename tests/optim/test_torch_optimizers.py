"""PyTorch's optimisers and clipping, beside torch 2.13 with the same gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxseg.config import ConfigError
from jaxseg.optim.optimizer import averaged_parameters, make_optimizer
from tests.optim.test_optimizer import SGD, gradients, small_params, three_steps

ADAGRAD = dict(type="Adagrad", lr=0.1)


# The kernel and the bias after three steps.
@pytest.mark.parametrize(
    ("optim_wrapper", "kernel", "bias"),
    [
        (
            dict(optimizer=SGD, clip_grad=dict(max_norm=0.8, norm_type=1)),
            [0.9252742529, -1.9500231743, 0.4550486207, 2.8870918751],
            [0.2342980951, -0.3657477796],
        ),
        (
            dict(optimizer=SGD, clip_grad=dict(max_norm=0.4, norm_type="inf")),
            [0.8781328201, -1.9256854057, 0.4257769585, 2.8220808506],
            [0.3236472011, -0.4104223251],
        ),
        (
            dict(optimizer=SGD, clip_grad=dict(type="value", clip_value=0.3)),
            [0.8262387514, -1.8747575283, 0.3661033511, 2.815028429],
            [0.2675955296, -0.4529434741],
        ),
        (
            dict(optimizer=dict(type="Adamax", lr=0.1, weight_decay=0.1)),
            [0.7253196836, -1.7528450489, 0.2321724892, 2.7272236347],
            [0.3452678621, -0.5432943106],
        ),
        (
            dict(
                optimizer=dict(
                    **dict(type="Adagrad", lr=0.1, lr_decay=0.05, weight_decay=0.1),
                    initial_accumulator_value=0.2,
                )
            ),
            [0.8144744039, -1.8096969128, 0.3650995791, 2.7843241692],
            [0.3236463666, -0.4746751785],
        ),
        (
            dict(optimizer=dict(type="Adadelta", weight_decay=0.1)),
            [0.989223063, -1.9879593849, 0.4901172221, 2.9891302586],
            [0.1120911539, -0.31219396],
        ),
        (
            dict(optimizer=dict(type="RMSprop", lr=0.1, weight_decay=0.1)),
            [-1.3351488113, 0.6245785356, -1.428814292, 0.5781897902],
            [2.767318964, -2.9411005974],
        ),
        (
            dict(optimizer=dict(type="RMSprop", lr=0.1, momentum=0.9, centered=True)),
            [-4.0333399773, 3.4631958008, -4.3169722557, -2.1074426174],
            [5.3541536331, -5.5541534424],
        ),
        (
            dict(optimizer=dict(type="NAdam", lr=0.1, weight_decay=0.1)),
            [0.7254517078, -1.7021172047, 0.2436647713, 2.7229604721],
            [0.3981201947, -0.5994465947],
        ),
        (
            dict(
                optimizer=dict(
                    **dict(type="NAdam", lr=0.1, weight_decay=0.1),
                    decoupled_weight_decay=True,
                )
            ),
            [0.693993926, -1.6303566694, 0.2287589759, 2.6280748844],
            [0.3920843899, -0.5861442685],
        ),
        (
            dict(optimizer=dict(type="RAdam", lr=0.1, weight_decay=0.1)),
            [0.8561281562, -1.8712085485, 0.4168338478, 2.7506616116],
            [0.3259429336, -0.4055113494],
        ),
        (
            dict(
                optimizer=dict(
                    **dict(type="RAdam", lr=0.1, weight_decay=0.1, betas=(0.9, 0.5)),
                    decoupled_weight_decay=True,
                )
            ),
            [0.8567528725, -1.8716938496, 0.4172159433, 2.7517383099],
            [0.3250930905, -0.4051213562],
        ),
    ],
)
def test_three_steps(optim_wrapper, kernel, bias):
    head = three_steps(**optim_wrapper)
    np.testing.assert_allclose(head["kernel"].ravel(), kernel, rtol=2e-6)
    np.testing.assert_allclose(head["bias"], bias, rtol=2e-6)


def steps(number, **optim_wrapper):
    params = small_params()
    transform, *_ = make_optimizer(optim_wrapper, [], 10, params)
    state = transform.init(params)
    for step in range(number):
        updates, state = transform.update(gradients(step), state, params, step=step)
        params = optax.apply_updates(params, updates)
        yield params["head"]


def test_radam_once_its_second_moment_can_be_trusted():
    *_, head = steps(8, optimizer=dict(type="RAdam", lr=0.1, betas=(0.9, 0.9)))
    expected = [0.843383193, -1.6861633062, 0.4792338312, 2.6867179871]
    np.testing.assert_allclose(head["kernel"].ravel(), expected, rtol=2e-6)


def test_frozen_by_pattern_and_until_an_iteration():
    start = small_params()["head"]
    frozen = ["*.b?as", dict(keys="head.weight", until=2)]
    found = list(steps(3, optimizer=SGD, frozen=frozen))
    for head in found:
        np.testing.assert_array_equal(head["bias"], start["bias"])
    np.testing.assert_array_equal(found[1]["kernel"], start["kernel"])
    # The third gradient is the first that it sees: no momentum, and decay.
    step = gradients(2)["head"]["kernel"] + 0.01 * start["kernel"]
    np.testing.assert_allclose(found[2]["kernel"], start["kernel"] - 0.1 * step, 1e-6)


def test_what_is_frozen_for_now_is_in_no_norm():
    clip = dict(clip_grad=dict(max_norm=0.1))
    frozen = [dict(keys="head.weight", until=9)]
    later = list(steps(1, optimizer=SGD, frozen=frozen, **clip))
    never = list(steps(1, optimizer=SGD, frozen=["head.weight"], **clip))
    np.testing.assert_array_equal(later[0]["bias"], never[0]["bias"])


@pytest.mark.parametrize(
    ("optim_wrapper", "message"),
    [
        (dict(frozen=["hed"]), r"frozen\.0\.hed: no parameter .*did you mean 'head'"),
        (dict(frozen=[3]), r"frozen: expected .*, found \(3,\)"),
        (
            dict(frozen=[dict(keys="head", until=0)]),
            r"frozen\.0\.until: needs to be >=",
        ),
        (dict(clip_grad=dict(type="value")), r"clip_grad\.clip_value: needs to be > 0"),
        (dict(clip_grad=dict(max_norm=1, clip_value=1)), "clip_value: goes with type="),
        (dict(optimizer=dict(type="LBFGS", lr=1.0)), "LBFGS evaluates the loss of the"),
    ],
)
def test_what_is_refused(optim_wrapper, message):
    with pytest.raises(ConfigError, match=message):
        make_optimizer(dict(optimizer=SGD) | optim_wrapper, [], 10, small_params())


@pytest.mark.parametrize(
    "optimizer",
    [
        dict(type="Lion", lr=0.01, betas=(0.9, 0.99)),
        dict(type="Adafactor", lr=0.01),
        dict(type="LAMB", lr=0.01, weight_decay=0.1),
        dict(type="Muon", lr=0.01),
        dict(type="schedule_free_adamw", lr=0.01),
        dict(type="schedule_free_sgd", lr=0.01),
    ],
    ids=lambda optimizer: optimizer["type"],
)
def test_of_optax(optimizer):
    (head,) = steps(1, optimizer=optimizer)
    moved = jax.tree.map(lambda new, old: new - old, head, small_params()["head"])
    descends = jax.tree.map(lambda m, g: jnp.sum(m * g), moved, gradients(0)["head"])
    assert all(value < 0 for value in jax.tree.leaves(descends))


def test_the_average_of_a_schedule_free_optimiser():
    # By hand: z = -0.1 g and -0.2 g away; of two steps with one learning rate x is the
    # mean of both z, and y = 0.9 x + 0.1 z.
    params = small_params()
    gradient = jax.tree.map(jnp.ones_like, params)
    optim_wrapper = dict(optimizer=dict(type="schedule_free_sgd", lr=0.1, b1=0.9))
    optimizer = make_optimizer(optim_wrapper, [], 10, params, frozen=["head.bias"])
    assert optimizer.averages
    state, now = optimizer.transform.init(params), params
    for step in range(2):
        updates, state = optimizer.transform.update(gradient, state, now, step=step)
        now = optax.apply_updates(now, updates)
    moved = lambda tree: tree["head"]["kernel"] - params["head"]["kernel"]
    np.testing.assert_allclose(moved(now), -(0.9 * 0.15 + 0.1 * 0.2), rtol=1e-5)
    average = averaged_parameters(now, state)
    np.testing.assert_allclose(moved(average), -0.15, rtol=1e-5)
    np.testing.assert_array_equal(average["head"]["bias"], params["head"]["bias"])


# torch's SGD and AdamW with the momentum (the first of the betas) 0.9, 0.5 and 0.7.
@pytest.mark.parametrize(
    ("optimizer", "kernel", "bias"),
    [
        (
            SGD,
            [0.805100143, -1.8514704704, 0.3898210824, 2.7135605812],
            [0.5117854476, -0.5047562718],
        ),
        (
            dict(type="AdamW", lr=0.1),
            [0.6964689493, -1.6926225424, 0.2051405758, 2.6889669895],
            [0.4031085074, -0.602509141],
        ),
    ],
)
def test_a_schedule_of_the_momentum(optimizer, kernel, bias):
    param_scheduler = [
        dict(type="MultiStepMomentum", milestones=[1], gamma=5 / 9),
        dict(type="MultiStepMomentum", milestones=[2], gamma=7 / 5),
        dict(type="PolyLR", power=1.0, eta_min=0.1),  # of the learning rate, 0.1
    ]
    head = three_steps(param_scheduler, optimizer=optimizer)
    np.testing.assert_allclose(head["kernel"].ravel(), kernel, rtol=2e-6)
    np.testing.assert_allclose(head["bias"], bias, rtol=2e-6)


def test_a_momentum_that_is_not_there_has_no_schedule():
    with pytest.raises(ConfigError, match="changes the momentum, which Adagrad does"):
        three_steps([dict(type="StepMomentum", step_size=1)], optimizer=ADAGRAD)
