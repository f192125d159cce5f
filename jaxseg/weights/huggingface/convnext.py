"""ConvNeXt of Hugging Face, V1 and V2."""

import dataclasses

import numpy as np

from jaxseg.weights.huggingface.family import BackboneFamily
from jaxseg.weights.huggingface.fields import stages_of
from jaxseg.weights.key_table import KeyTable


def _convnext(fields, where):
    return dict(
        type="mmpretrain.ConvNeXt",
        in_channels=fields["num_channels"],
        arch=dict(depths=fields["depths"], channels=fields["hidden_sizes"]),
        stem_patch_size=fields["patch_size"],
        drop_path_rate=fields["drop_path_rate"],
        layer_scale_init_value=fields.get("layer_scale_init_value", 0.0),
        use_grn="layer_scale_init_value" not in fields,
        out_indices=stages_of(fields, len(fields["depths"]), where),
        gap_before_final_norm=False,
    )


def _channels(fields):
    stages = stages_of(fields, len(fields["depths"]), "")
    return tuple(fields["hidden_sizes"][stage] for stage in stages)


def _flat_grn(weights, backbone):
    """V2's response norm, which is (1, 1, 1, C) there."""
    del backbone
    return {
        key: np.asarray(array).reshape(-1) if ".grn." in key else array
        for key, array in weights.items()
    }


CONVNEXT = BackboneFamily(
    prefix="convnext.",
    defaults={
        "num_channels": 3,
        "patch_size": 4,
        "hidden_sizes": (96, 192, 384, 768),
        "depths": (3, 3, 9, 3),
        "layer_scale_init_value": 1e-6,
        "drop_path_rate": 0.0,
        "out_features": None,
        "out_indices": None,
    },
    only={"hidden_act": "gelu"},
    config=_convnext,
    channels=_channels,
    key_table=KeyTable(
        renames=(
            (r"^embeddings\.patch_embeddings\.", "downsample_layers.0.0."),
            (r"^embeddings\.layernorm\.", "downsample_layers.0.1."),
            (
                r"^encoder\.stages\.(\d+)\.downsampling_layer\.",
                r"downsample_layers.\1.",
            ),
            (r"^encoder\.stages\.(\d+)\.layers\.", r"stages.\1."),
            *(
                (rf"^hidden_states_norms\.stage{i + 1}\.", f"norm{i}.")
                for i in range(4)
            ),
            (r"\.dwconv\.", ".depthwise_conv."),
            (r"\.layernorm\.", ".norm."),
            (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
            (r"\.layer_scale_parameter$", ".gamma"),
            (r"\.grn\.weight$", ".grn.gamma"),
            (r"\.grn\.bias$", ".grn.beta"),
        ),
        # The norm of the pooled features, and the classifier.
        unused=("layernorm.", "classifier."),
        convert=_flat_grn,
    ),
)

CONVNEXT_V2 = dataclasses.replace(
    CONVNEXT,
    prefix="convnextv2.",
    defaults={
        k: v for k, v in CONVNEXT.defaults.items() if k != "layer_scale_init_value"
    },
)
