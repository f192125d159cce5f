"""CLIP's text encoder: https://arxiv.org/abs/2103.00020."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.layers.activation import QuickGELU
from jaxseg.layers.embedding import Embedding
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.pre_norm_layer import PreNormLayer
from jaxseg.layers.transformer import check_heads
from jaxseg.ops.unit import unit
from jaxseg.text_encoders.clip_tokenizer import tokenize
from jaxseg.text_encoders.templates import TEMPLATES
from jaxseg.text_encoders.text_encoder import TextEncoder
from jaxseg.text_encoders.vocabulary import classes_of
from jaxseg.weights.key_table import KeyTable
from jaxseg.weights.state_dict import from_state_dict, torch_shapes

_EMBEDS = "class_embeds"


def _with_class_embeds(weights, encoder):
    """mmseg's weights, and what they make of this encoder's classes."""
    weights = {key: array for key, array in weights.items() if key != _EMBEDS}
    target = {"params": jax.eval_shape(encoder.init, jax.random.key(0))["params"]}
    shapes = torch_shapes(target)
    given = {key: weights[key] for key in shapes if key in weights}
    made = {key: np.zeros(shapes[key]) for key in encoder.fresh_modules}
    given = {key: made[key] for key in made if key in shapes} | given
    if any(key not in given or given[key].shape != shapes[key] for key in shapes):
        return weights
    variables = jax.tree.map(jnp.asarray, from_state_dict(given, target))
    _, found = jax.jit(functools.partial(encoder.apply, mutable="batch_stats"))(
        variables
    )
    return {**weights, _EMBEDS: np.asarray(found["batch_stats"][_EMBEDS])}


def _without_class_embeds(weights, encoder):
    del encoder
    return {key: array for key, array in weights.items() if key != _EMBEDS}


class CLIPTextEncoder(TextEncoder, kw_only=True):
    """A causal transformer over the tokens of each class's name.

    A class is the mean of what its name is in several templates. That is computed once,
    when weights are put into the model, and kept beside them as `class_embeds`; a
    training leaves it alone, since it leaves alone all weights that it is made of.
    mmseg's files do not have it, and those that are written for mmseg neither.

    Attributes:
        dataset_name: the data set whose classes are meant (`classes_of`), or None.
        vocabulary: the names of the classes, where there is no `dataset_name`.
        templates: texts with {} for a name, or the name of a set of them.
        total_vocab_size: number of tokens that there are.
        context_length: the most tokens of a text.
        embed_dims: channels of a token.
        num_layers, num_heads: of the transformer.
        mlp_ratio: width of the FFN over embed_dims.
        output_dims: channels of a class's vector.
        cat_bg: whether one more vector, which training learns, stands for no class.
        norm_cfg: norm after the last layer.
    """

    dataset_name: str | None = None
    vocabulary: tuple[str, ...] | None = None
    templates: str | tuple[str, ...] = "vild"
    total_vocab_size: int = 49408
    context_length: int = 77
    embed_dims: int = 512
    num_layers: int = 12
    num_heads: int = 8
    mlp_ratio: int = 4
    output_dims: int = 512
    cat_bg: bool = True
    norm_cfg: Norm = LN()

    frozen_exclude = ("bg_embed",)
    fresh_modules = ("bg_embed",)
    key_table = KeyTable(convert=_with_class_embeds, convert_back=_without_class_embeds)

    def __post_init__(self):
        if (self.dataset_name is None) == (self.vocabulary is None):
            raise FieldError(
                f"dataset_name is {self.dataset_name!r} and vocabulary "
                f"{self.vocabulary!r}; exactly one of them must be set"
            )
        if self.vocabulary == ():
            raise FieldError("vocabulary: is empty; one name of a class at least")
        if isinstance(self.templates, str) and self.templates not in TEMPLATES:
            raise FieldError(
                f"templates: is {self.templates!r}, allowed: {', '.join(TEMPLATES)}, or "
                "a list of texts with {} for a name"
            )
        for text in self._texts_around:
            if "{}" not in text:
                raise FieldError(f"templates: {text!r} has no {{}} for a name")
        if self.dataset_name is not None:
            classes_of(self.dataset_name)
        check_heads(self.embed_dims, self.num_heads)
        super().__post_init__()

    @property
    def class_names(self) -> tuple[str, ...]:
        if self.dataset_name is not None:
            return classes_of(self.dataset_name)
        return self.vocabulary

    @property
    def _texts_around(self):
        given = self.templates
        return TEMPLATES[given] if isinstance(given, str) else given

    @nn.compact
    def __call__(self) -> jax.Array:
        """The vector of each class times CLIP's scale, (classes [+ 1], output_dims)."""
        logit_scale = self.param("logit_scale", nn.initializers.constant(2.6593), ())
        embeds = self.variable("batch_stats", _EMBEDS, self._encoded_classes).value
        if self.cat_bg:
            start = nn.initializers.normal(self.output_dims**-0.5)
            none = self.param("bg_embed", start, (1, self.output_dims))
            embeds = unit(jnp.concatenate([embeds, none]))
        return jnp.exp(logit_scale) * embeds

    def _encoded_classes(self):
        """(classes, output_dims), vectors of length 1."""
        names = self.class_names
        texts = [text.format(name) for text in self._texts_around for name in names]
        tokens = tokenize(texts, self.context_length)
        if tokens.max() >= self.total_vocab_size:
            raise FieldError(
                f"total_vocab_size is {self.total_vocab_size}, and CLIP's tokens are "
                f"numbered up to {tokens.max()}"
            )
        vectors = unit(self._encoded(tokens)).reshape(-1, len(names), self.output_dims)
        mean = vectors.mean(0)
        return mean / jnp.linalg.norm(mean, axis=-1, keepdims=True)

    def _encoded(self, tokens):
        """(N, L) -> (N, output_dims), where each text ends."""
        width, length = self.embed_dims, tokens.shape[1]
        table = Embedding(self.total_vocab_size, width, name="token_embedding")()
        shape = (self.context_length, width)
        places = self.param("positional_embedding", nn.initializers.normal(0.01), shape)
        x = table[tokens] + places[:length]
        # Nothing sees what comes after it, so tokens behind the longest text are left out.
        seen = np.tril(np.ones((length, length), bool))
        for i in range(self.num_layers):
            x = PreNormLayer(
                self.num_heads,
                self.mlp_ratio * width,
                QuickGELU(),
                name=f"transformer.{i}",
            )(x, False, mask=seen[None, None])
        x = self.norm_cfg(name="ln_final")(x, False)
        x = x[np.arange(len(x)), tokens.argmax(-1)]
        shape = (width, self.output_dims)
        return x @ self.param(
            "text_projection", nn.initializers.normal(width**-0.5), shape
        )
