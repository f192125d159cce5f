"""EoMT: queries in the last blocks of a ViT, and masks that go out of use."""

import copy
import pathlib

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.layers.draws import given_draws
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.eomt import MaskAnnealing
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.load import as_variables, fill, read_checkpoint
from jaxseg.weights.prefix import for_model
from jaxseg.weights.state_dict import to_state_dict, torch_shapes
from tests.models.segmentors import model_config
from tests.weights.huggingface.drawn import drawn_image
from tests.weights.huggingface.test_cases import write_folder

FOLDER = pathlib.Path(__file__).parent
HUGGING_FACE = FOLDER.parent / "weights" / "huggingface" / "eomt.npz"


def shapes_of(model):
    return jax.eval_shape(lambda: init_variables(model, 0, 3, (64, 64)))


def test_masks_go_out_of_use_as_in_the_paper():
    """The original's rule: all before the start, none from the end, a power between."""
    annealing = MaskAnnealing(start=(10, 0, 0), end=(20, 0, 4))
    found = [annealing.probabilities(jnp.float32(i)) for i in (0, 10, 13, 20)]
    expected = [[1, 0, 1], [1, 0, 0], [0.7**0.9, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_annealing": {"start": [1], "end": [1]}}, "num_query_blocks, 2"),
        ({"mask_annealing": {"start": [2, 2], "end": [1, 2]}}, "none in end before"),
        ({"backbone": {"num_queries": 3}}, "num_queries is 3, allowed: .* 4"),
        ({"backbone": {"frozen": True}}, "frozen: is True"),
        ({"backbone": {"num_query_blocks": 9}}, "num_query_blocks: is 9, allowed: 1"),
        (
            {"neck": dict(type="MultiLevelNeck", in_channels=[8], out_channels=8)},
            "neck",
        ),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    config = copy.deepcopy(model_config("eomt"))
    for key, value in changes.items():
        config[key] = config[key] | value if key == "backbone" else value
    with pytest.raises(ConfigError, match=message):
        resolve_model(config)


def of_original(key, array):
    """A weight by the names of github.com/tue-mps/eomt, as a run of it saves them."""
    if key == "backbone.pos_embed":
        array = array[:, 1:]
    key = key.replace("patch_embed.projection", "patch_embed.proj")
    key = key.replace("register_tokens", "reg_token")
    for ours, theirs in (
        ("backbone.query.", "network.q."),
        ("backbone.", "network.encoder.backbone."),
        ("decode_head.cls_embed.", "network.class_head."),
        ("decode_head.mask_embed.", "network.mask_head."),
        ("decode_head.upscale.", "network.upscale."),
    ):
        if key.startswith(ours):
            return theirs + key.removeprefix(ours), array
    raise AssertionError(key)


def test_reads_the_originals_checkpoints(tmp_path):
    config = copy.deepcopy(model_config("eomt"))
    config["backbone"] |= dict(swiglu=False, num_register_tokens=1)
    model = resolve_model(config)
    target = shapes_of(model)
    rng = np.random.default_rng(0)
    ours = {
        key: rng.standard_normal(shape).astype(np.float32)
        for key, shape in torch_shapes(target).items()
    }
    ours["backbone.pos_embed"][:, 0] = 0  # timm has added it to the class token
    ours["iterations"] = np.float32(0)
    theirs = dict(of_original(k, a) for k, a in ours.items() if k != "iterations")
    theirs |= {
        "network.attn_mask_probs": np.zeros(2, np.float32),
        "network.encoder.pixel_mean": np.zeros((1, 3, 1, 1), np.float32),
        "network.encoder.pixel_std": np.ones((1, 3, 1, 1), np.float32),
        "criterion.empty_weight": np.ones(4, np.float32),
    }
    path = tmp_path / "eomt.safetensors"
    write_weights(path, theirs, {})
    weights = for_model(read_checkpoint(path), target, model).weights
    found = to_state_dict(as_variables(fill(weights, target, "", model), target, ""))
    assert found.keys() == ours.keys()
    for key, array in ours.items():
        np.testing.assert_array_equal(found[key], array, key)


@pytest.mark.long
def test_training_looks_where_transformers_model_does(tmp_path):
    """Of make_eomt.py: masks of all queries in one block, of some in the next."""
    case = np.load(FOLDER / "eomt.npz")
    write_folder(tmp_path, np.load(HUGGING_FACE))
    checkpoint = read_checkpoint(tmp_path)
    annealing = dict(start=[1000, 0], end=[1000, 10])
    model = resolve_model(checkpoint.config["model"] | {"mask_annealing": annealing})
    target = shapes_of(model)
    weights = checkpoint.weights | {"iterations": np.float32(4)}
    variables = as_variables(fill(weights, target, "", model), target, "")
    draws = np.stack([np.zeros_like(case["draws"]), case["draws"]], axis=1)
    with given_draws(lambda shape: draws.reshape(shape)):
        outputs, new = model.apply(
            variables, drawn_image(64, 64), True, mutable=["batch_stats"]
        )
    outputs = outputs["decode_head"]
    blocks = np.split(outputs.features, 3, axis=-1)
    for found, expected in (
        (np.stack(blocks, axis=1), case["masks"]),
        (outputs.scores, case["scores"]),
    ):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert new["batch_stats"]["iterations"] == 5


@pytest.mark.long
@pytest.mark.parametrize("annealing", [True, False])
def test_losses_are_finite_and_gradients_reach_every_parameter(annealing):
    config = copy.deepcopy(model_config("eomt"))
    if not annealing:
        config["mask_annealing"] = None
    model = resolve_model(config)
    variables = init_variables(model, 0, 3, (42, 56))
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, 42, 56, 3)).astype(np.float32)
    label = rng.choice([0, 1, 2, 255], (2, 42, 56)).astype(np.uint8)

    @jax.jit
    def step(params):
        def loss(params):
            losses, new = model.apply(
                variables | {"params": params},
                images,
                {"gt_seg_map": label},
                method="loss",
                mutable=["batch_stats"],
                rngs={"dropout": jax.random.key(1), "sample": jax.random.key(2)},
            )
            return sum(losses.values()), (losses, new)

        return jax.grad(loss, has_aux=True)(params)

    gradients, (losses, new) = step(variables["params"])
    kinds = ("loss_cls", "loss_mask", "loss_dice")
    layers = ("d0.", "d1.", "")
    assert losses.keys() == {f"decode.{x}{kind}" for x in layers for kind in kinds}
    assert all(np.isfinite(value) and value > 0 for value in losses.values())
    for path, leaf in flax.traverse_util.flatten_dict(gradients).items():
        assert np.isfinite(leaf).all() and (leaf != 0).any(), path
    assert new["batch_stats"]["iterations"] == annealing
