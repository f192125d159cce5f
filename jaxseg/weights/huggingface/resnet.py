"""ResNet of Hugging Face."""

from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.family import BackboneFamily
from jaxseg.weights.huggingface.fields import stages_of
from jaxseg.weights.key_table import KeyTable

# By the kind of block and how many of them a stage has.
_DEPTHS = {
    ("basic", (2, 2, 2, 2)): 18,
    ("basic", (3, 4, 6, 3)): 34,
    ("bottleneck", (3, 4, 6, 3)): 50,
    ("bottleneck", (3, 4, 23, 3)): 101,
    ("bottleneck", (3, 8, 36, 3)): 152,
}


def _resnet(fields, where):
    kind, depths = fields["layer_type"], fields["depths"]
    base = fields["embedding_size"]
    last = base * (4 if kind == "bottleneck" else 1)
    widths = tuple(last * 2**i for i in range(4))
    if (kind, depths) not in _DEPTHS or fields["hidden_sizes"] != widths:
        raise HuggingFaceError(
            f"{where}: layer_type is {kind!r}, depths {list(depths)} and hidden_sizes "
            f"{list(fields['hidden_sizes'])}, allowed: those of ResNet-18, 34, 50, 101 "
            "and 152"
        )
    return dict(
        type="ResNet",
        depth=_DEPTHS[kind, depths],
        in_channels=fields["num_channels"],
        stem_channels=base,
        base_channels=base,
        out_indices=stages_of(fields, 4, where),
        style="caffe" if fields["downsample_in_bottleneck"] else "pytorch",
        norm_cfg=dict(type="SyncBN"),
    )


def _channels(fields):
    return tuple(fields["hidden_sizes"][i] for i in stages_of(fields, 4, ""))


RESNET = BackboneFamily(
    prefix="resnet.",
    defaults={
        "num_channels": 3,
        "embedding_size": 64,
        "hidden_sizes": (256, 512, 1024, 2048),
        "depths": (3, 4, 6, 3),
        "layer_type": "bottleneck",
        "downsample_in_bottleneck": False,
        "out_features": None,
        "out_indices": None,
    },
    only={"hidden_act": "relu", "downsample_in_first_stage": False},
    config=_resnet,
    channels=_channels,
    key_table=KeyTable(
        renames=(
            (r"^embedder\.embedder\.convolution\.", "conv1."),
            (r"^embedder\.embedder\.normalization\.", "bn1."),
            *(
                (rf"^encoder\.stages\.{i}\.layers\.", f"layer{i + 1}.")
                for i in range(4)
            ),
            (r"\.shortcut\.convolution\.", ".downsample.0."),
            (r"\.shortcut\.normalization\.", ".downsample.1."),
            *(
                pair
                for i in range(3)
                for pair in (
                    (rf"\.layer\.{i}\.convolution\.", f".conv{i + 1}."),
                    (rf"\.layer\.{i}\.normalization\.", f".bn{i + 1}."),
                )
            ),
        ),
        unused=("classifier.",),
    ),
)
