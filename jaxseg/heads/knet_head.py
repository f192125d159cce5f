"""K-Net: kernels that are refined stage by stage, https://arxiv.org/abs/2106.14855."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.heads.head import Head
from jaxseg.heads.kernel_update_head import KernelUpdateHead
from jaxseg.ops.narrow import spread

# What the head has of the one that makes the first kernels.
_SHARED = ("in_channels", "num_classes", "ignore_index", "align_corners", "threshold")


class IterativeDecodeHead(Head, kw_only=True):
    """A decode head whose classifier becomes kernels, and stages that refine them.

    The outputs are the logits of the decode head and of every stage, (N, h, w, C) each;
    the last ones are the prediction.

    Attributes:
        num_stages: number of stages.
        kernel_generate_head: the decode head.
        kernel_update_head: the stages.
        in_channels, num_classes, ignore_index, align_corners, threshold: those of the
            decode head.
    """

    num_stages: int
    kernel_generate_head: BaseDecodeHead
    kernel_update_head: tuple[KernelUpdateHead, ...]
    in_channels: int | tuple[int, ...] | None = None
    num_classes: int | None = None
    ignore_index: int | None = None
    align_corners: bool | None = None

    def __post_init__(self):
        generate = self.kernel_generate_head
        for name in _SHARED:
            given, own = getattr(self, name), getattr(generate, name)
            if given not in (None, own):
                raise FieldError(f"{name}: is {given}; kernel_generate_head has {own}")
            setattr(self, name, own)
        if generate.out_channels != generate.num_classes:
            raise FieldError(
                f"kernel_generate_head: out_channels is {generate.out_channels}, "
                f"allowed: num_classes, {generate.num_classes}"
            )
        if self.num_stages != len(self.kernel_update_head):
            raise FieldError(
                f"num_stages: is {self.num_stages}; kernel_update_head has "
                f"{len(self.kernel_update_head)} entries"
            )
        for i, stage in enumerate(self.kernel_update_head):
            found = (stage.in_channels, stage.num_classes)
            if found != (generate.channels, generate.num_classes):
                raise FieldError(
                    f"kernel_update_head: in_channels and num_classes of entry {i} are "
                    f"{found}; the channels and classes of kernel_generate_head are "
                    f"{(generate.channels, generate.num_classes)}"
                )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool) -> tuple[jax.Array, ...]:
        generate = self.kernel_generate_head
        features, logits = _features_and_logits(generate, inputs, train)
        kernel = generate.variables["params"]["conv_seg"]["kernel"]  # (1, 1, C, K)
        kernels = kernel[0, 0].T
        batch = jnp.zeros_like(features, shape=(len(features), *kernels.shape))
        kernels = spread(kernels, batch)
        outputs = [logits]
        for stage in self.kernel_update_head:
            logits, kernels = stage(features, kernels, logits, train)
            outputs.append(logits)
        return tuple(outputs)

    def logits(self, outputs):
        return outputs[-1]

    def loss(self, outputs, targets):
        return {
            f"{name}.s{i}": value
            for i, logits in enumerate(outputs)
            for name, value in self.kernel_generate_head.loss(logits, targets).items()
        }


def _features_and_logits(head, inputs, train):
    """What a decode head classifies, before its dropout, and what it gives."""
    seen = []

    def keep(method, args, kwargs, context):
        if context.module is head and context.method_name == "cls_seg":
            seen.append(args[0])
        return method(*args, **kwargs)

    with nn.intercept_methods(keep):
        logits = head(inputs, train)
    (features,) = seen
    return features, logits
