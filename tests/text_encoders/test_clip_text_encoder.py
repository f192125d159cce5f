"""CLIP's tokens, and the vectors of classes that its text encoder makes of them."""

import sys

import jax
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.resolve import resolve
from jaxseg.text_encoders import clip_tokenizer
from jaxseg.text_encoders.clip_tokenizer import tokenize
from jaxseg.weights.layout import to_mmseg, to_model
from jaxseg.weights.part import frozen_keys
from jaxseg.weights.state_dict import to_state_dict

SMALL = dict(
    type="CLIPTextEncoder",
    templates=["a photo of a {}.", "the {} in the scene"],
    embed_dims=8,
    num_layers=1,
    num_heads=2,
    mlp_ratio=1,
    output_dims=6,
)


def test_tokens_are_those_of_mmseg():
    # mmseg.utils.tokenizer.tokenize of mmseg 1.2.2.
    tokens = tokenize(
        [
            "A photo of a traffic light.",
            "There is the café's  door-stuff &amp; 12 in the scene",
            "word " * 100,
        ]
    )
    photo = [49406, 320, 1125, 539, 320, 3399, 1395, 269, 49407]
    door = [997, 533, 518, 15304, 568, 2489, 268, 3487, 261, 272, 273, 530, 518, 3562]
    assert tokens.shape == (3, 77)
    assert tokens[0].tolist() == photo + [0] * 68
    assert tokens[1, :16].tolist() == [49406, *door, 49407]
    assert tokens[2].tolist() == [49406] + [2653] * 75 + [49407]


def test_without_the_library_a_sentence_names_the_extra(monkeypatch):
    clip_tokenizer._tokenizer.cache_clear()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"tokenizers.*pip install 'jaxseg\[text\]'"):
        tokenize(["a"])


def encoder(*names, **changes):
    return resolve(SMALL | dict(vocabulary=names) | changes, "model.text_encoder")


def test_classes_follow_from_the_weights_and_the_vocabulary():
    model = encoder("road", "sky")
    variables = jax.jit(model.init)(jax.random.key(0))
    fresh = to_state_dict(variables)
    assert fresh["class_embeds"].shape == (2, 6)
    np.testing.assert_allclose(np.linalg.norm(fresh["class_embeds"], axis=1), 1, 1e-6)

    mmseg = to_mmseg(fresh, model, {}, 0)
    assert mmseg.keys() == fresh.keys() - {"class_embeds"}
    np.testing.assert_allclose(
        to_model(mmseg, model)["class_embeds"], fresh["class_embeds"], 1e-5, 1e-6
    )
    # What a run has kept is of its own classes.
    other = to_model(fresh, encoder("car", "road"))["class_embeds"]
    np.testing.assert_allclose(other[1], fresh["class_embeds"][0], 1e-5, 1e-6)
    assert np.abs(other[0] - fresh["class_embeds"][0]).max() > 1e-3
    # Weights that do not fit are left to the error that lists them.
    del mmseg["ln_final.weight"]
    assert "class_embeds" not in to_model(mmseg, model)


def test_only_the_vector_of_no_class_is_trained():
    model = encoder("road")
    params = jax.eval_shape(model.init, jax.random.key(0))["params"]
    keys = to_state_dict({"params": jax.tree.map(np.zeros_like, params)}).keys()
    assert set(frozen_keys(model, params)) == keys - {"bg_embed"}


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(dataset_name="voc"), "exactly one"),
        (
            dict(vocabulary=None, dataset_name="vok"),
            "dataset_name: is 'vok', allowed: ",
        ),
        (dict(templates="villd"), "templates: is 'villd', allowed: imagenet, vild"),
        (dict(templates=["a photo"]), "'a photo' has no {}"),
    ],
)
def test_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        encoder("road", **changes)


def test_a_data_set_stands_for_its_classes_without_background():
    voc = encoder(vocabulary=None, dataset_name="voc12aug")
    assert voc.class_names[:2] == ("aeroplane", "bicycle")
    assert len(voc.class_names) == 20
