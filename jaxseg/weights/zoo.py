"""Model zoo: names of published weights in mmseg's configs, and their addresses.

A line more is all that another name takes. The eight digits at the end of a file's
name are the start of its SHA-256; `download.fetch` verifies it.
"""

import logging
import os

from jaxseg.config import nearest
from jaxseg.weights.download import DownloadError
from jaxseg.weights.timm_zoo import DEFAULTS, OTHERS

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
    "open-mmlab://msra/hrnetv2_w18_small": (
        f"{_OPEN_MMLAB}/hrnetv2_w18_small-b5a04e21.pth"
    ),
    "open-mmlab://msra/hrnetv2_w18": f"{_OPEN_MMLAB}/hrnetv2_w18-00eb2006.pth",
    "open-mmlab://msra/hrnetv2_w32": f"{_OPEN_MMLAB}/hrnetv2_w32-dc9eeb4f.pth",
    "open-mmlab://msra/hrnetv2_w40": f"{_OPEN_MMLAB}/hrnetv2_w40-ed0b031c.pth",
    "open-mmlab://msra/hrnetv2_w48": f"{_OPEN_MMLAB}/hrnetv2_w48-d2186c55.pth",
    "open-mmlab://resnest50": f"{_OPEN_MMLAB}/resnest50_d2-7497a55b.pth",
    "open-mmlab://resnest101": f"{_OPEN_MMLAB}/resnest101_d2-f3b931b2.pth",
    "open-mmlab://resnest200": f"{_OPEN_MMLAB}/resnest200_d2-ca88e41f.pth",
    "open-mmlab://resnext50_32x4d": f"{_OPEN_MMLAB}/resnext50-32x4d-0ab1a123.pth",
    "open-mmlab://resnext101_32x4d": f"{_OPEN_MMLAB}/resnext101_32x4d-a5af3160.pth",
    "open-mmlab://resnext101_64x4d": f"{_OPEN_MMLAB}/resnext101_64x4d-ee2c6f71.pth",
    "open-mmlab://contrib/mobilenet_v3_large": (
        f"{_OPEN_MMLAB}/mobilenet_v3_large-bc2c3fd3.pth"
    ),
    "open-mmlab://contrib/mobilenet_v3_small": (
        f"{_OPEN_MMLAB}/mobilenet_v3_small-47085aa1.pth"
    ),
    "torchvision://resnet18": f"{_TORCHVISION}/resnet18-f37072fd.pth",
    "torchvision://resnet34": f"{_TORCHVISION}/resnet34-b627a593.pth",
    "torchvision://resnet50": f"{_TORCHVISION}/resnet50-0676ba61.pth",
    "torchvision://resnet101": f"{_TORCHVISION}/resnet101-63fe2227.pth",
    "torchvision://resnet152": f"{_TORCHVISION}/resnet152-394f9c45.pth",
    "torchvision://resnext50_32x4d": f"{_TORCHVISION}/resnext50_32x4d-7cdf4587.pth",
    "torchvision://resnext101_32x8d": f"{_TORCHVISION}/resnext101_32x8d-8ba56ff5.pth",
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
    "mmcls://resnext50_32x4d": (
        f"{_MMCLS}/resnext/resnext50_32x4d_b32x8_imagenet_20210429-56066e27.pth"
    ),
    "mmcls://resnext101_32x4d": (
        f"{_MMCLS}/resnext/resnext101_32x4d_b32x8_imagenet_20210506-e0fa3dd5.pth"
    ),
    "mmcls://resnext101_32x8d": (
        f"{_MMCLS}/resnext/resnext101_32x8d_b32x8_imagenet_20210506-23a247d5.pth"
    ),
    "mmcls://resnext152_32x4d": (
        f"{_MMCLS}/resnext/resnext152_32x4d_b32x8_imagenet_20210524-927787be.pth"
    ),
    "mmcls://resnest50": f"{_MMCLS}/resnest/resnest50_imagenet_converted-1ebf0afe.pth",
    "mmcls://resnest101": (
        f"{_MMCLS}/resnest/resnest101_imagenet_converted-032caa52.pth"
    ),
    "mmcls://resnest200": (
        f"{_MMCLS}/resnest/resnest200_imagenet_converted-581a60f2.pth"
    ),
    "mmcls://mobilenet_v2": (
        f"{_MMCLS}/mobilenet_v2/mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth"
    ),
    "mmcls://mobilenet_v3_small": (
        f"{_MMCLS}/mobilenet_v3/convert/mobilenet_v3_small-8427ecf0.pth"
    ),
    "mmcls://mobilenet_v3_large": (
        f"{_MMCLS}/mobilenet_v3/convert/mobilenet_v3_large-3ea3c186.pth"
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
_URLS |= {f"timm://{name}": url for name, url in (DEFAULTS | OTHERS).items()}
_URLS |= {f"timm://{name.partition('.')[0]}": url for name, url in DEFAULTS.items()}
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
