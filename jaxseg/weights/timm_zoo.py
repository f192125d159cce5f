"""timm's weights: names of its models with their tags, and their files' addresses.

Those that timm 1.0.31 has in files named by their digest: what it loads for a name
without a tag, and others. The rest of them is on huggingface.co/timm.
"""

_GITHUB = "https://github.com/rwightman"
_TIMM = f"{_GITHUB}/pytorch-image-models/releases/download"
_GLUON = f"{_GITHUB}/pytorch-pretrained-gluonresnet/releases/download/v0.1"
_FACEBOOK = "https://dl.fbaipublicfiles.com"
_TORCHVISION = "https://download.pytorch.org/models"

DEFAULTS = {
    "resnet18.a1_in1k": f"{_TIMM}/v0.1-rsb-weights/resnet18_a1_0-d63eafa0.pth",
    "resnet18d.ra2_in1k": f"{_TIMM}/v0.1-weights/resnet18d_ra2-48a79e06.pth",
    "resnet34.a1_in1k": f"{_TIMM}/v0.1-rsb-weights/resnet34_a1_0-46f8f793.pth",
    "resnet34d.ra2_in1k": f"{_TIMM}/v0.1-weights/resnet34d_ra2-f8dcfcaf.pth",
    "resnet50.a1_in1k": f"{_TIMM}/v0.1-rsb-weights/resnet50_a1_0-14fe96d1.pth",
    "resnet50d.ra2_in1k": f"{_TIMM}/v0.1-weights/resnet50d_ra2-464e36ba.pth",
    "resnet50c.gluon_in1k": f"{_GLUON}/gluon_resnet50_v1c-48092f55.pth",
    "resnet50s.gluon_in1k": f"{_GLUON}/gluon_resnet50_v1s-1762acc0.pth",
    "resnet101.a1h_in1k": f"{_TIMM}/v0.1-rsb-weights/resnet101_a1h-36d3f2aa.pth",
    "resnet101d.ra2_in1k": f"{_TIMM}/v0.1-weights/resnet101d_ra2-2803ffab.pth",
    "resnet101c.gluon_in1k": f"{_GLUON}/gluon_resnet101_v1c-1f26822a.pth",
    "resnet101s.gluon_in1k": f"{_GLUON}/gluon_resnet101_v1s-60fe0cc1.pth",
    "resnet152.a1h_in1k": f"{_TIMM}/v0.1-rsb-weights/resnet152_a1h-dc400468.pth",
    "resnet152d.ra2_in1k": f"{_TIMM}/v0.1-weights/resnet152d_ra2-5cac0439.pth",
    "resnet152c.gluon_in1k": f"{_GLUON}/gluon_resnet152_v1c-a3bb0b98.pth",
    "resnet152s.gluon_in1k": f"{_GLUON}/gluon_resnet152_v1s-dcc41b81.pth",
    "resnext50_32x4d.a1h_in1k": f"{_TIMM}/v0.1-rsb-weights/resnext50_32x4d_a1h-0146ab0a.pth",
    "resnext50d_32x4d.bt_in1k": f"{_TIMM}/v0.1-weights/resnext50d_32x4d-103e99f8.pth",
    "resnext101_32x4d.fb_ssl_yfcc100m_ft_in1k": f"{_FACEBOOK}/semiweaksupervision/model_files/semi_supervised_resnext101_32x4-dc43570a.pth",
    "resnext101_32x8d.tv_in1k": f"{_TORCHVISION}/resnext101_32x8d-8ba56ff5.pth",
    "resnext101_32x16d.fb_wsl_ig1b_ft_in1k": f"{_TORCHVISION}/ig_resnext101_32x16-c6f796b0.pth",
    "resnext101_32x32d.fb_wsl_ig1b_ft_in1k": f"{_TORCHVISION}/ig_resnext101_32x32-e4b90b00.pth",
    "resnext101_64x4d.c1_in1k": f"{_TIMM}/v0.1-tpu-weights/resnext101_64x4d_c-0d0e0cc0.pth",
    "mobilenetv2_050.lamb_in1k": f"{_TIMM}/v0.1-weights/mobilenetv2_050-3d30d450.pth",
    "mobilenetv2_100.ra_in1k": f"{_TIMM}/v0.1-weights/mobilenetv2_100_ra-b33bc2c4.pth",
    "mobilenetv2_140.ra_in1k": f"{_TIMM}/v0.1-weights/mobilenetv2_140_ra-21a4e913.pth",
    "deit_tiny_patch16_224.fb_in1k": f"{_FACEBOOK}/deit/deit_tiny_patch16_224-a1311bcf.pth",
    "deit_small_patch16_224.fb_in1k": f"{_FACEBOOK}/deit/deit_small_patch16_224-cd65a155.pth",
    "deit_base_patch16_224.fb_in1k": f"{_FACEBOOK}/deit/deit_base_patch16_224-b5f2ef4d.pth",
    "deit_base_patch16_384.fb_in1k": f"{_FACEBOOK}/deit/deit_base_patch16_384-8de9b5d1.pth",
    "vit_large_patch32_384.orig_in21k_ft_in1k": f"{_TIMM}/v0.1-vitjx/jx_vit_large_p32_384-9b920ba8.pth",
}
OTHERS = {
    "vit_base_patch16_224.orig_in21k_ft_in1k": f"{_TIMM}/v0.1-vitjx/jx_vit_base_p16_224-80ecf9dd.pth",
    "vit_base_patch16_384.orig_in21k_ft_in1k": f"{_TIMM}/v0.1-vitjx/jx_vit_base_p16_384-83fb41ba.pth",
    "resnet18.tv_in1k": f"{_TORCHVISION}/resnet18-f37072fd.pth",
    "resnet34.tv_in1k": f"{_TORCHVISION}/resnet34-b627a593.pth",
    "resnet50.tv_in1k": f"{_TORCHVISION}/resnet50-0676ba61.pth",
    "resnet101.tv_in1k": f"{_TORCHVISION}/resnet101-63fe2227.pth",
    "resnet152.tv_in1k": f"{_TORCHVISION}/resnet152-394f9c45.pth",
    "resnext50_32x4d.tv_in1k": f"{_TORCHVISION}/resnext50_32x4d-7cdf4587.pth",
}
