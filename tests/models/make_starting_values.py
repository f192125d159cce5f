"""Makes starting_values.npz: what the weights of `cases.py` are when mmseg starts them.

    python -m tests.models.make_starting_values

in an environment with mmsegmentation 1.2.2, mmdet 3.3.0, mmpretrain 1.2.0, mmcv, torch
2.13 and jaxseg. Of every entry DRAWS modules are built and started; kept are, of each
weight, the mean, the standard deviation and the mean of the absolute values over all
draws.
"""

import copy
import json
import pathlib

import mmdet.models  # noqa: F401 - registers its parts
import mmpretrain.models  # noqa: F401
import mmseg.models  # noqa: F401
import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models.decode_heads.san_head import RecWithAttnbias
from mmseg.registry import MODELS

from tests.models.cases import MODULES, NOT_IN_MMSEG

OUT = pathlib.Path(__file__).with_name("starting_values.npz")
DRAWS = 100


def draw(name, config, seed):
    """{key: values} of a module that mmseg has started."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    module = MODELS.build(ConfigDict(copy.deepcopy(config), type=name))
    if hasattr(module, "init_weights"):
        module.init_weights()
    return {key: value.detach().numpy() for key, value in module.named_parameters()}


def main():
    init_default_scope("mmseg")
    # mmseg's own fails without a checkpoint: the values stay as the module is made.
    RecWithAttnbias.init_weights = lambda self, weights: None
    arrays = {}
    for name, case in MODULES.items():
        if name in NOT_IN_MMSEG:
            continue
        config = {"type": name} | case.config
        name_in_mmseg = config.pop("type")
        for key in ("num_points", "subdivision_num_points"):  # of train_cfg, test_cfg
            config.pop(key, None)
        draws = [draw(name_in_mmseg, config, seed) for seed in range(DRAWS)]
        keys = list(draws[0])
        arrays[f"{name}/keys"] = json.dumps(keys)
        values = [np.stack([d[key] for d in draws]).astype(np.float64) for key in keys]
        arrays[f"{name}/moments"] = np.array(
            [[v.mean(), v.std(), np.abs(v).mean()] for v in values]
        )
        print(name, len(keys))
    np.savez_compressed(OUT, **arrays)


if __name__ == "__main__":
    main()
