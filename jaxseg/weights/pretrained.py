"""Pretrained, the `init_cfg`: the weights that a part starts from."""

import dataclasses

from jaxseg.errors import FieldError


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """mmengine's entry of that name.

    Attributes:
        checkpoint: a name such as `open-mmlab://resnet50_v1c`, a URL, a file, or a run.
        prefix: what the part's keys begin with in it, where the keys themselves do not
            show it.
    """

    checkpoint: str
    prefix: str | None = None

    def __post_init__(self):
        for name, allowed in {"checkpoint": str, "prefix": str | None}.items():
            value = getattr(self, name)
            is_text = isinstance(value, allowed)
            if not is_text:
                raise FieldError(f"{name}: is {value!r}, allowed: a text")
