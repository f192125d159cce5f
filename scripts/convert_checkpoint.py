"""A checkpoint from one form to another, every weight checked and none changed.

Of mmseg's, for jaxseg; CONFIG is an unmodified config of mmseg or one of jaxseg's:
    python scripts/convert_checkpoint.py --config CONFIG --src X.pth --dst DIR

And back, for mmseg; a folder of jaxseg's has its config in it:
    python scripts/convert_checkpoint.py --to-mmseg --src DIR --dst X.pth

jaxseg takes a .pth as it is, wherever it takes a checkpoint; this is for keeping it in
another form, and for models that are not quite those of the file.
"""

import argparse
import pathlib
import sys

from jaxseg.command_line import command
from jaxseg.errors import JaxsegError
from jaxseg.inference.convert import convert_checkpoint


@command
def main(arguments: list[str]) -> int:
    """Converts; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config",
        help="config of the model, of jaxseg or of mmseg 0.x or 1.x; not needed for a "
        "checkpoint of jaxseg",
    )
    parser.add_argument(
        "--src",
        required=True,
        help="what to read: a .pth, .safetensors or .npz file; a work directory of "
        "jaxseg, its checkpoints folder, one step of it, or DIR:best; a URL; a model of "
        "Hugging Face's, hf://OWNER/NAME or its folder",
    )
    parser.add_argument(
        "--dst",
        required=True,
        help="what to write: a folder, for a checkpoint of jaxseg; or a file ending in "
        ".safetensors or .npz, or, with --to-mmseg, .pth. None that is there, unless "
        "with --overwrite",
    )
    parser.add_argument(
        "--to-mmseg",
        action="store_true",
        help="write a .pth that torch.load(weights_only=True) and mmseg's init_model take",
    )
    parser.add_argument(
        "--skip",
        default="",
        metavar="KEY,KEY",
        help="modules or parameters not to take from --src, such as "
        "decode_head.conv_seg,auxiliary_head.conv_seg of other classes: they start fresh",
    )
    parser.add_argument(
        "--adapt-in-channels",
        action="store_true",
        help="adapt a first layer for 3 channels to the config's backbone.in_channels: "
        "summed up for 1, else repeated and scaled by 3 / channels",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace --dst, once all is checked and written; of folders, one with "
        "nothing but checkpoints in it",
    )
    options = parser.parse_args(arguments)
    if options.to_mmseg != (pathlib.Path(options.dst).suffix == ".pth"):
        parser.error("--to-mmseg and a --dst ending in .pth belong together")
    try:
        lines = convert_checkpoint(
            options.config,
            options.src,
            options.dst,
            skip=[name for name in options.skip.split(",") if name],
            adapt=options.adapt_in_channels,
            overwrite=options.overwrite,
        )
    except OSError as error:  # of --src or --dst, which it names
        raise JaxsegError(str(error)) from error
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
