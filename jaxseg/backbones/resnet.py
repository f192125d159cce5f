"""ResNet and its V1c and V1d variants.

Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385
Bag of Tricks for Image Classification, https://arxiv.org/abs/1812.01187
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import FieldError
from jaxseg.layers.conv import ConvLayer, conv_layer
from jaxseg.layers.deform_conv import Deformable
from jaxseg.layers.generalized_attention import GeneralizedAttention
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.plugin import BlockPlugin
from jaxseg.layers.remat import remat_if
from jaxseg.layers.res_layer import ResBasicBlock, ResBottleneck
from jaxseg.layers.weight_standardization import ConvAWS, with_own_standard
from jaxseg.ops.pool import max_pool
from jaxseg.weights.key_table import KeyTable


def _convert(weights, resnet):
    """Gives ordinary kernels what adaptively standardised ones have besides."""
    if not isinstance(resnet.conv_cfg, ConvAWS):
        return weights
    # These are ordinary convolutions, whatever conv_cfg is.
    others = {*resnet.fresh_modules, "fc1", "fc2"}
    own = {k: w for k, w in weights.items() if not others & set(k.split("."))}
    return {**weights, **with_own_standard(own)}


def _tables(resnet):
    """The tables of near pixels in plugins, by key."""
    block, depths = resnet.depths[resnet.depth]
    tables = {}
    for stage in range(resnet.num_stages):
        planes = resnet.base_channels * 2**stage
        for plugin in resnet.plugins_of(stage):
            if not isinstance(plugin.cfg, GeneralizedAttention):
                continue
            last = plugin.position == "after_conv3"
            fields = {name: getattr(resnet, name) for name in resnet.block_fields}
            width = planes * 4 if last else block(planes, **fields).width
            if (table := plugin.cfg.constraint_map(width)) is not None:
                for i in range(depths[stage]):
                    key = f"layer{stage + 1}.{i}.{plugin.name}.local_constraint_map"
                    tables[key] = table
    return tables


_KEY_TABLE = KeyTable(
    renames=(
        # mmpretrain's stem of V1c and V1d.
        (r"^stem\.0\.conv\.", "stem.0."),
        (r"^stem\.0\.bn\.", "stem.1."),
        (r"^stem\.1\.conv\.", "stem.3."),
        (r"^stem\.1\.bn\.", "stem.4."),
        (r"^stem\.2\.conv\.", "stem.6."),
        (r"^stem\.2\.bn\.", "stem.7."),
        # timm's.
        (r"^conv1\.(\d)\.", r"stem.\1."),
        (r"^bn1\.", "stem.7."),
        # mmcv's before its deformable layers had version 2.
        (r"\.conv2_offset\.", ".conv2.conv_offset."),
    ),
    # CSAIL's semantic-segmentation-pytorch names the stem's three convolutions so.
    layouts={
        "conv3.weight": (
            (r"^conv1\.", "stem.0."),
            (r"^bn1\.", "stem.1."),
            (r"^conv2\.", "stem.3."),
            (r"^bn2\.", "stem.4."),
            (r"^conv3\.", "stem.6."),
            (r"^bn3\.", "stem.7."),
        )
    },
    # The classifier, and the last stages, which num_stages may leave out.
    unused=("fc.", "layer2.", "layer3.", "layer4."),
    buffers=_tables,
    convert=_convert,
)


def _pool(x):
    return max_pool(x, 3, 2, 1)


class ResNet(Backbone):
    """ResNet with dilated stages.

    Attributes:
        depth: 18, 34, 50, 101 or 152.
        stem_channels: channels after the stem.
        base_channels: channels of the first stage's inner convolutions.
        num_stages: number of stages, 1 to 4.
        strides: stride of each stage's first block.
        dilations: dilation of each stage.
        out_indices: the stages that are returned.
        style: `pytorch` (stride on the 3x3) or `caffe` (stride on the first 1x1).
        deep_stem: three 3x3 convolutions in place of the 7x7.
        avg_down: average pooling before the projection of a shortcut.
        frozen_stages: the stem and so many stages keep their weights and statistics;
            -1 freezes nothing.
        conv_cfg: the kind of every convolution, e.g. `ConvWS()`; None: the ordinary one.
        norm_cfg: norm of every layer.
        norm_eval: norms use and keep their running statistics in training.
        dcn: the deformable convolution, e.g. `DCNv2()`, that the 3x3 convolutions of
            some stages are, or None; `conv_cfg` is None beside it.
        stage_with_dcn: whether each stage has them; read where there is a `dcn`.
        plugins: what follows the convolutions of the blocks, or None. Of several at one
            position mmseg 1.2.2 gives each the same map and goes on with what the last
            one makes; so it is here.
        multi_grid: dilation of each block of the last stage.
        contract_dilation: a stage's first block has half its dilation.
        dilates_both: in basic blocks (18 and 34) the second convolution has the stage's
            dilation, too; mmseg leaves it without.
        with_cp: compute a block's activations again in the backward pass.
        zero_init_residual: the last norm of each block starts at zero.
        depths: of each `depth` that the class has, the kind of block and the number of
            blocks of each stage.
        block_fields: the names of the class's own fields that its blocks take.
        falls_back: whether `fallback_on_stride` of its `dcn` is followed.
    """

    depth: int
    stem_channels: int = 64
    base_channels: int = 64
    num_stages: int = 4
    strides: tuple[int, ...] = (1, 2, 2, 2)
    dilations: tuple[int, ...] = (1, 1, 1, 1)
    out_indices: tuple[int, ...] = (0, 1, 2, 3)
    style: str = "pytorch"
    deep_stem: bool = False
    avg_down: bool = False
    frozen_stages: int = -1
    conv_cfg: ConvLayer | None = None
    norm_cfg: Norm = BN()
    norm_eval: bool = False
    dcn: Deformable | None = None
    stage_with_dcn: tuple[bool, ...] = (False, False, False, False)
    plugins: tuple[BlockPlugin, ...] | None = None
    multi_grid: tuple[int, ...] | None = None
    contract_dilation: bool = False
    dilates_both: bool = False
    with_cp: bool = False
    zero_init_residual: bool = True

    takes_padding = True
    takes_bands = True

    key_table = _KEY_TABLE
    depths: ClassVar = {
        18: (ResBasicBlock, (2, 2, 2, 2)),
        34: (ResBasicBlock, (3, 4, 6, 3)),
        50: (ResBottleneck, (3, 4, 6, 3)),
        101: (ResBottleneck, (3, 4, 23, 3)),
        152: (ResBottleneck, (3, 8, 36, 3)),
    }
    block_fields: ClassVar = ()
    falls_back: ClassVar = True

    def __post_init__(self):
        if self.depth not in self.depths:
            raise FieldError(f"depth is {self.depth}, allowed: {sorted(self.depths)}")
        if self.style not in ("pytorch", "caffe"):
            raise FieldError(f"style is {self.style!r}, allowed: pytorch, caffe")
        if not len(self.strides) == len(self.dilations) == self.num_stages <= 4:
            raise FieldError(
                f"strides {self.strides} and dilations {self.dilations} need one entry "
                f"for each of num_stages={self.num_stages} (at most 4)"
            )
        chosen_maps(self.out_indices, self.num_stages)
        blocks = self.depths[self.depth][1][self.num_stages - 1]
        if self.multi_grid is not None and len(self.multi_grid) != blocks:
            raise FieldError(
                f"multi_grid is {self.multi_grid}; the last stage has {blocks} blocks"
            )
        self._check_dcn()
        self._check_plugins()
        super().__post_init__()

    def _check_dcn(self):
        conv_cfg = self.conv_cfg
        if isinstance(conv_cfg, Deformable) and conv_cfg.fallback_on_stride:
            raise FieldError("conv_cfg: fallback_on_stride is a key of dcn alone")
        if self.dcn is None:
            return
        if len(self.stage_with_dcn) != self.num_stages:
            raise FieldError(
                f"stage_with_dcn: is {self.stage_with_dcn}, allowed: one entry for each "
                f"of num_stages={self.num_stages}"
            )
        if any(self.stage_with_dcn):
            self._need_bottlenecks("dcn")
            if conv_cfg is not None:
                raise FieldError(
                    "conv_cfg: with dcn in some stages the other convolutions are "
                    "ordinary ones, allowed: None"
                )

    def _check_plugins(self):
        if self.plugins is None:
            return
        self._need_bottlenecks("plugins")
        for i, plugin in enumerate(self.plugins):
            stages = plugin.stages
            if stages is not None and len(stages) != self.num_stages:
                raise FieldError(
                    f"plugins: the stages of plugin {i} are {stages}, allowed: None, or one "
                    f"entry for each of num_stages={self.num_stages}"
                )
        for stage in range(self.num_stages):
            names = [plugin.name for plugin in self.plugins_of(stage)]
            if twice := [name for name in names if names.count(name) > 1]:
                raise FieldError(
                    f"plugins: {twice[0]} is twice in the blocks of stage {stage + 1}; "
                    "a postfix in its cfg tells one from the other"
                )

    def _need_bottlenecks(self, field):
        if not issubclass(self.depths[self.depth][0], ResBottleneck):
            raise FieldError(
                f"{field}: a ResNet of depth {self.depth} has basic blocks, which take "
                "none; depth 50 and more have bottlenecks"
            )

    def plugins_of(self, stage: int) -> tuple[BlockPlugin, ...]:
        """The plugins in the blocks of a stage, counted from 0."""
        return tuple(p for p in self.plugins or () if p.is_in(stage))

    def _deformable(self, stage, block):
        """The `dcn` of a block, or None where its convolution is an ordinary one."""
        if self.dcn is None or not self.stage_with_dcn[stage]:
            return None
        is_first = block == 0 and not any(self.stage_with_dcn[:stage])
        if is_first and self.dcn.fallback_on_stride and self.falls_back:
            return None
        return self.dcn

    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the stages of out_indices, (N, h, w, C) each."""
        stages = self.stages(x, train)
        wanted = chosen_maps(self.out_indices, self.num_stages)
        return tuple(x for i, x in enumerate(stages) if i in wanted)

    @nn.compact
    def stages(
        self,
        x: jax.Array,
        train: bool,
        pool: Callable[[jax.Array], jax.Array] = _pool,
        before: Mapping[int, Callable[[jax.Array], jax.Array]] | None = None,
    ) -> tuple[jax.Array, ...]:
        """All stages, for a backbone that has this one inside.

        Args:
            x: (N, H, W, in_channels).
            train: whether norms use the batch.
            pool: the pooling of the stem.
            before: what is done to the map that goes into a stage, by its number from
                0 on.

        Returns:
            (N, h, w, C) each.
        """
        norm_train = train and not self.norm_eval
        frozen = self.frozen_stages >= 0
        x = pool(self._stem(x, norm_train and not frozen))  # (N, H/4, W/4, C)
        # Nothing before this point learns: no backward pass for it.
        x = jax.lax.stop_gradient(x) if frozen else x
        outs = []
        for stage in range(self.num_stages):
            frozen = stage < self.frozen_stages
            x = before[stage](x) if before and stage in before else x
            x = self._stage(x, stage, norm_train and not frozen)
            x = jax.lax.stop_gradient(x) if frozen else x
            outs.append(x)
        return tuple(outs)

    def _stem(self, x, train):
        if self.deep_stem:
            stem = (self.stem_channels, self.norm_cfg, self.conv_cfg)
            x = _DeepStem(*stem, name="stem")(x, train)
        else:
            how = dict(stride=2, padding=3, bias=False, name="conv1")
            x = conv_layer(self.conv_cfg, self.stem_channels, 7, **how)(x)
            x = self.norm_cfg(name=f"{self.norm_cfg.abbr}1")(x, train)
            x = jax.nn.relu(x)
        return x  # (N, H/2, W/2, stem_channels)

    def _stage(self, x, stage, train):
        block, depths = self.depths[self.depth]
        stride, dilation = self.strides[stage], self.dilations[stage]
        multi_grid = self.multi_grid if stage == self.num_stages - 1 else None
        dilations = list(multi_grid or [dilation] * depths[stage])
        if multi_grid is None and self.contract_dilation and dilation > 1:
            dilations[0] = dilation // 2
        init = nn.initializers
        fields = {name: getattr(self, name) for name in self.block_fields}
        for i in range(depths[stage]):
            if issubclass(block, ResBottleneck):
                fields["dcn"] = self._deformable(stage, i)
                fields["plugins"] = self.plugins_of(stage)
            x = remat_if(block, self.with_cp)(
                self.base_channels * 2**stage,
                stride if i == 0 else 1,
                dilations[i],
                self.style,
                self.avg_down,
                self.norm_cfg,
                init.zeros if self.zero_init_residual else init.ones,
                self.conv_cfg,
                dilation if self.dilates_both else 1,
                **fields,
                name=f"layer{stage + 1}.{i}",
            )(x, train)
        return x

    @property
    def fresh_modules(self) -> tuple[str, ...]:
        """Names of what an ordinary ResNet lacks: offsets of taps, and plugins."""
        return ("conv_offset", *(plugin.name for plugin in self.plugins or ()))

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules that `frozen_stages` holds."""
        if self.frozen_stages < 0:
            return ()
        stem = ("stem",) if self.deep_stem else ("conv1", f"{self.norm_cfg.abbr}1")
        return (*stem, *(f"layer{i + 1}" for i in range(self.frozen_stages)))


class _DeepStem(nn.Module):
    """Three 3x3 convolutions, the first with stride 2; items numbered as in mmseg."""

    channels: int
    norm_cfg: Norm
    conv_cfg: ConvLayer | None

    @nn.compact
    def __call__(self, x, train: bool):
        half = self.channels // 2
        for i, (channels, stride) in enumerate(
            ((half, 2), (half, 1), (self.channels, 1))
        ):
            how = dict(stride=stride, padding=1, bias=False, name=str(3 * i))
            x = conv_layer(self.conv_cfg, channels, 3, **how)(x)
            x = jax.nn.relu(self.norm_cfg(name=str(3 * i + 1))(x, train))
        return x


class ResNetV1c(ResNet):
    """ResNet with the deep stem."""

    deep_stem: bool = True

    takes_padding = True
    takes_bands = True


class ResNetV1d(ResNet):
    """ResNet with the deep stem and average pooling on the shortcuts."""

    deep_stem: bool = True
    avg_down: bool = True

    takes_padding = True
    takes_bands = True
