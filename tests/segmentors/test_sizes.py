import jax
import jax.numpy as jnp
import pytest

from jaxseg.errors import ModelSizeError
from jaxseg.resolve import resolve
from tests.models.segmentors import model_config, others_long

# Sides of the smallest image of those whose pooling or halving leaves nothing of less.
LEAST = {
    "lraspp": 392,
    "unet": 4,
    "unet_deconv": 4,
    "erfnet": 5,
    "icnet": 14,
    "vit_pyramid": 9,
    "segformer": 5,
    "twins": 5,
    "pcpvt": 5,
    "san": 32,
    "depth": 17,
}


@pytest.mark.parametrize("name", others_long("psp", "unet", "vit", *LEAST))
def test_an_image_of_one_pixel_is_predicted_or_refused(name):
    model = resolve(model_config(name), "model")

    def logits(side):
        image = jnp.zeros((1, side, side, model.in_channels))
        return jax.eval_shape(
            lambda: model.init_with_output(
                jax.random.key(0), image, method="encode_decode"
            )[0]
        ).shape

    least = LEAST.get(name, 1)
    assert logits(least)[:3] == (1, least, least)
    if least > 1:
        with pytest.raises(ModelSizeError):
            logits(least - 1)
