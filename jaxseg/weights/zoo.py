"""Model zoo: names of published weights in mmseg's configs, and their addresses.

A line more is all that another name takes. The eight digits at the end of a file's
name are the start of its SHA-256; `download.fetch` verifies it.
"""

import logging
import os

from jaxseg.config import nearest
from jaxseg.weights.download import DownloadError

_log = logging.getLogger("jaxseg")

_OPEN_MMLAB = "https://download.openmmlab.com/pretrain/third_party"
_MMCLS = "https://download.openmmlab.com/mmclassification/v0"
_TORCHVISION = "https://download.pytorch.org/models"
_TIMM_VIT = (
    "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-vitjx"
)
_DEIT = "https://dl.fbaipublicfiles.com/deit"

# As mmengine 0.10 has them.
_URLS = {
    "open-mmlab://resnet18_v1c": f"{_OPEN_MMLAB}/resnet18_v1c-b5776b93.pth",
    "open-mmlab://resnet50_v1c": f"{_OPEN_MMLAB}/resnet50_v1c-2cccc1ad.pth",
    "open-mmlab://resnet101_v1c": f"{_OPEN_MMLAB}/resnet101_v1c-e67eebb6.pth",
    "torchvision://resnet18": f"{_TORCHVISION}/resnet18-f37072fd.pth",
    "torchvision://resnet34": f"{_TORCHVISION}/resnet34-b627a593.pth",
    "torchvision://resnet50": f"{_TORCHVISION}/resnet50-0676ba61.pth",
    "torchvision://resnet101": f"{_TORCHVISION}/resnet101-63fe2227.pth",
    "torchvision://resnet152": f"{_TORCHVISION}/resnet152-394f9c45.pth",
    "mmcls://resnet18": f"{_MMCLS}/resnet/resnet18_8xb32_in1k_20210831-fbbb1da6.pth",
    "mmcls://resnet34": f"{_MMCLS}/resnet/resnet34_8xb32_in1k_20210831-f257d4e6.pth",
    "mmcls://resnet50": f"{_MMCLS}/resnet/resnet50_8xb32_in1k_20210831-ea4938fc.pth",
    "mmcls://resnet101": f"{_MMCLS}/resnet/resnet101_8xb32_in1k_20210831-539c63f8.pth",
    "mmcls://resnet152": f"{_MMCLS}/resnet/resnet152_8xb32_in1k_20210901-4d7582fa.pth",
    "mmcls://resnet50_v1d": (
        f"{_MMCLS}/resnet/resnetv1d50_b32x8_imagenet_20210531-db14775a.pth"
    ),
    "mmcls://resnet101_v1d": (
        f"{_MMCLS}/resnet/resnetv1d101_b32x8_imagenet_20210531-6e13bcd3.pth"
    ),
    "mmcls://resnet152_v1d": (
        f"{_MMCLS}/resnet/resnetv1d152_b32x8_imagenet_20210531-278cf22a.pth"
    ),
    "mmcls://vit_base_p16": (
        f"{_MMCLS}/vit/finetune/vit-base-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_"
        "20210928-98e8652b.pth"
    ),
    "mmcls://vit_base_p32": (
        f"{_MMCLS}/vit/finetune/vit-base-p32_in21k-pre-3rdparty_ft-64xb64_in1k-384_"
        "20210928-9cea8599.pth"
    ),
    "mmcls://vit_large_p16": (
        f"{_MMCLS}/vit/finetune/vit-large-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_"
        "20210928-b20ba619.pth"
    ),
}
# Other names of a table.
_ALIASES = {"openmmlab": "open-mmlab", "mmpretrain": "mmcls", "modelzoo": "torchvision"}
# Files that mmseg's configs expect under `pretrain/`, with its keys: there a user makes
# them from these with vit2mmseg.py. Here the keys are no matter.
_FILES = {
    "deit_small_patch16_224-cd65a155.pth": (
        f"{_DEIT}/deit_small_patch16_224-cd65a155.pth"
    ),
    "deit_small_patch16_224.pth": f"{_DEIT}/deit_small_patch16_224-cd65a155.pth",
    "deit_base_patch16_224-b5f2ef4d.pth": f"{_DEIT}/deit_base_patch16_224-b5f2ef4d.pth",
    "jx_vit_base_p16_224-80ecf9dd.pth": f"{_TIMM_VIT}/jx_vit_base_p16_224-80ecf9dd.pth",
    # The file that the page of mmseg's ViT configs converts.
    "vit_base_patch16_224.pth": f"{_TIMM_VIT}/jx_vit_base_p16_224-80ecf9dd.pth",
    "vit-b16_p16_224-80ecf9dd.pth": f"{_TIMM_VIT}/jx_vit_base_p16_224-80ecf9dd.pth",
    "jx_vit_large_p16_384-b3be5167.pth": (
        f"{_TIMM_VIT}/jx_vit_large_p16_384-b3be5167.pth"
    ),
    "vit_large_p16.pth": f"{_TIMM_VIT}/jx_vit_large_p16_384-b3be5167.pth",
}


def url_of(source: str) -> str | None:
    """Where published weights are.

    Args:
        source: a name such as `open-mmlab://resnet50_v1c`, an http(s) URL, or the path
            of a file that is not there.

    Returns:
        The URL. Of a path, that of the published file which mmseg's configs mean by
        its name; None if there is none.

    Raises:
        DownloadError: for a name that is not in the table, or another kind of URL.
    """
    scheme, is_name, name = source.partition("://")
    if not is_name:
        url = _FILES.get(os.path.basename(source))
        if url is not None:
            _log.info("%s is not there: taken from %s", source, url)
        return url
    if scheme in ("http", "https"):
        return source
    name = f"{_ALIASES.get(scheme, scheme)}://{name}"
    if name not in _URLS:
        raise DownloadError(
            f"{source} is not known{nearest(name, _URLS)}; there are "
            f"{', '.join(_URLS)}, http(s) URLs and files"
        )
    return _URLS[name]
