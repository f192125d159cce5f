"""A U-Net of two stages, for tests that need some network."""

from typing import Any


def small_unet(base_channels: int = 4, **changes: Any) -> dict[str, Any]:
    """Config of the backbone; its maps have twice `base_channels`, and as many."""
    return dict(
        type="UNet",
        base_channels=base_channels,
        num_stages=2,
        strides=(1, 1),
        enc_num_convs=(1, 1),
        dec_num_convs=(1,),
        downsamples=(True,),
        enc_dilations=(1, 1),
        dec_dilations=(1,),
        **changes,
    )
