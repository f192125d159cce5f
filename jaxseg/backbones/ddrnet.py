"""DDRNet: https://arxiv.org/abs/2101.06085."""

import flax.linen as nn
import jax
import numpy as np

from jaxseg.backbones.backbone import Backbone
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.basic_block import BasicBlock, Bottleneck, row_of_blocks
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.dappm import DAPPM
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.resize import resize
from jaxseg.weights.key_table import KeyTable, Weights

# The names of github.com/ydhongHIT/DDRNet.
_RENAMES = (
    (r"^(layer\d_?\.\d\.conv\d)\.", r"\1.conv."),
    (r"^(layer\d_?\.\d\.)bn(\d)\.", r"\1conv\2.bn."),
    *(
        (rf"^{theirs}\.", f"{ours}.")
        for theirs, ours in {
            r"conv1\.0": "stem.0.conv",
            r"conv1\.1": "stem.0.bn",
            r"conv1\.3": "stem.1.conv",
            r"conv1\.4": "stem.1.bn",
            "layer1": "stem.2",
            "layer2": "stem.4",
            "layer3": "context_branch_layers.0",
            "layer4": "context_branch_layers.1",
            "layer5": "context_branch_layers.2",
            "layer3_": "spatial_branch_layers.0",
            "layer4_": "spatial_branch_layers.1",
            "layer5_": "spatial_branch_layers.2",
            r"compression3\.0": "compression_1.conv",
            r"compression3\.1": "compression_1.bn",
            r"compression4\.0": "compression_2.conv",
            r"compression4\.1": "compression_2.bn",
            r"down3\.0": "down_1.conv",
            r"down3\.1": "down_1.bn",
            r"down4\.0": "down_2.0.conv",
            r"down4\.1": "down_2.0.bn",
            r"down4\.3": "down_2.1.conv",
            r"down4\.4": "down_2.1.bn",
        }.items()
    ),
    (r"^spp\.scale0\.", "spp.scales.0."),
    (r"^spp\.scale([1-4])\.1\.", r"spp.scales.\1.1.bn."),
    (r"^spp\.scale([1-4])\.3\.", r"spp.scales.\1.1.conv."),
    *((rf"^spp\.process{i + 1}\.", f"spp.processes.{i}.") for i in range(4)),
    (r"^(spp\.(?:scales\.0|processes\.\d|compression|shortcut))\.0\.", r"\1.bn."),
    (r"^(spp\.(?:scales\.0|processes\.\d|compression|shortcut))\.2\.", r"\1.conv."),
)


def _without_biases(weights: Weights, part: "DDRNet") -> Weights:
    """The authors' first two convolutions have biases, which a norm takes off again."""
    del part
    weights = dict(weights)
    for k in range(2):
        bias, mean = f"stem.{k}.conv.bias", f"stem.{k}.bn.running_mean"
        if bias in weights and mean in weights:
            weights[mean] = np.asarray(weights[mean]) - np.asarray(weights.pop(bias))
    return weights


class DDRNet(Backbone, kw_only=True):
    """Two branches, of 1/8 and of 1/16 to 1/64 of the image, that exchange maps twice.

    Attributes:
        channels: channels of the stem: 32 of DDRNet-23-slim, 64 of DDRNet-23.
        ppm_channels: channels of a scale of the pooling pyramid.
        align_corners: `align_corners` of the resizes between the branches.
        norm_cfg, act_cfg: flavours of the layers. As in mmseg, the first block of each
            row and the pyramid have plain batch norm.
    """

    channels: int = 32
    ppm_channels: int = 128
    align_corners: bool = False
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    takes_padding = True

    key_table = KeyTable(
        renames=_RENAMES,
        # Of the authors' classifier and segmentor.
        unused=("down5.", "last_layer.", "linear.", "final_layer.", "seghead_extra."),
        convert=_without_biases,
    )
    # The authors' ImageNet classifier has no pyramid.
    fresh_modules = ("spp",)

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the detail branch after its first fusion, and the sum of both.

        Their channels are 2 and 4 times `channels`, their size is (ceil(H / 8),
        ceil(W / 8)). The first is for a loss.
        """
        c, relu = self.channels, jax.nn.relu
        x = self._stem(x, train)  # (N, H/8, W/8, 2c)

        context = self._row("context_branch_layers.0", x, 4 * c, train, 2)
        spatial = self._row("spatial_branch_layers.0", x, 2 * c, train)
        small = self._conv("compression_1", relu(context), 2 * c, train)
        context = context + self._conv("down_1", relu(spatial), 4 * c, train, 2)
        spatial = detail = spatial + self._like(small, spatial)

        # (N, H/32, W/32, 8c) and (N, H/8, W/8, 2c)
        context = self._row("context_branch_layers.1", relu(context), 8 * c, train, 2)
        spatial = self._row("spatial_branch_layers.1", relu(spatial), 2 * c, train)
        small = self._conv("compression_2", relu(context), 2 * c, train)
        down = self._conv("down_2.0", relu(spatial), 4 * c, train, 2, self.act_cfg)
        context = context + self._conv("down_2.1", down, 8 * c, train, 2)
        spatial = spatial + self._like(small, spatial)

        # (N, H/8, W/8, 4c) and (N, H/64, W/64, 16c)
        spatial = self._row("spatial_branch_layers.2", relu(spatial), 2 * c, train)
        context = self._row("context_branch_layers.2", relu(context), 8 * c, train, 2)
        context = DAPPM(self.ppm_channels, 4 * c, name="spp")(context, train)
        return detail, spatial + self._like(context, spatial)

    def _stem(self, x, train):
        c = self.channels
        for k in range(2):
            x = self._conv(f"stem.{k}", x, c, train, 2, self.act_cfg)
        # Items 3 and 5 are ReLUs.
        x = jax.nn.relu(self._row("stem.2", x, c, train))
        return jax.nn.relu(self._row("stem.4", x, 2 * c, train, 2))

    def _row(self, name, x, features, train, stride=1):
        is_last = name.endswith("layers.2")
        return row_of_blocks(
            name,
            Bottleneck if is_last else BasicBlock,
            x,
            features,
            train,
            count=1 if is_last else 2,
            stride=stride,
            downsample_norm=self.norm_cfg,
            norm_cfg=self.norm_cfg,
            numbered_downsample=True,
        )

    def _conv(self, name, x, features, train, stride=1, act_cfg=None):
        """A 1x1 convolution, or a 3x3 one with a stride."""
        side = 1 if stride == 1 else 3
        return ConvModule(
            features,
            side,
            stride,
            side // 2,
            norm_cfg=self.norm_cfg,
            act_cfg=act_cfg,
            name=name,
        )(x, train)

    def _like(self, x, target):
        return resize(x, target.shape[1:3], align_corners=self.align_corners)
