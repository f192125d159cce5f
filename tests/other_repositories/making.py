"""Making of cases: what a torch model of another repository computes.

The cases have the entries and the recipe of tests/reference/README.md, with these
differences: `keys` are the repository's, `config` says whose, `grad_names` and
`stat_names` are ours, and no noise of float32 is known.
"""

import json

import jax
import numpy as np
import torch
import torch.nn.functional as F

from jaxseg.resolve import resolve_model
from jaxseg.testing.reference import fill, image, label
from jaxseg.weights.other_names import names_in_model
from jaxseg.weights.state_dict import torch_shapes
from tests.other_repositories.models import CLASSES

SIZE, SEED = (65, 97), 0
LOSS_WEIGHTS = {"decode": 1.0, "aux": 0.4}


def write(path, nets, model, logits_of, size=SIZE):
    """Runs a model in evaluation and in training, and writes a case.

    Args:
        path: the `.npz` to write.
        nets: torch modules, whose state dicts together are the case's.
        model: our config of it.
        logits_of: images -> logits (N, C, h, w) by the head's name in the log.
        size: (height, width) of the images.
    """
    state_dict = {}
    for net in nets:
        _fill(net.double().eval())
        state_dict |= net.state_dict()
    names = _our_names(list(state_dict), model)
    with torch.no_grad():
        maps = logits_of(_images(1, size))["decode"]
        logits = _at_size(maps, size, model).numpy()
    index = np.random.default_rng(SEED).permutation(logits.size)[:4096]
    index.sort()
    losses, gradients, statistics = _train_once(nets, model, logits_of, size)
    gradients = {names[key]: value for key, value in gradients.items()}
    statistics = {names[key]: value for key, value in statistics.items()}
    np.savez_compressed(
        path,
        config=path.stem,
        model=json.dumps(model),
        keys=json.dumps(list(state_dict)),
        shapes=json.dumps([list(value.shape) for value in state_dict.values()]),
        seed=SEED,
        size=size,
        index=index,
        value=logits.ravel()[index],
        shape=logits.shape,
        absmax=np.abs(logits).max(),
        noise=0.0,
        **_entries("loss", "values", losses),
        **_entries("grad", "norms", gradients),
        **_entries("stat", "norms", statistics),
    )
    print(path.name, len(state_dict), losses)


def _fill(net):
    for module in net.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
    # Each only once, by its first name: a module may hang at two places.
    for name, value in (*net.named_parameters(), *net.named_buffers()):
        if value.is_floating_point():
            array = fill(name, tuple(value.shape), SEED)
            value.data.copy_(torch.from_numpy(array.astype(np.float64)))


def _images(batch, size):
    images = image(batch, size, SEED).transpose(0, 3, 1, 2).astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(images))


def _at_size(maps, size, model):
    aligned = model["decode_head"].get("align_corners", False)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=aligned)


def _our_names(keys, model):
    segmentor = resolve_model(model)
    images = jax.ShapeDtypeStruct((1, *SIZE, 3), np.float32)
    target = jax.eval_shape(segmentor.init, jax.random.key(0), images)
    return names_in_model(keys, torch_shapes(target), segmentor, "the state dict")


def _train_once(nets, model, logits_of, size):
    for net in nets:
        net.train()
    labels = label(2, size, CLASSES, SEED).astype(np.int64)
    labels = torch.from_numpy(labels)
    total, losses = 0.0, {}
    for name, maps in logits_of(_images(2, size)).items():
        maps = _at_size(maps, size, model)
        value = F.cross_entropy(maps, labels, ignore_index=255) * LOSS_WEIGHTS[name]
        total += value
        right = (maps.argmax(1) == labels)[labels != 255]
        losses[f"{name}.loss_ce"] = value.item()
        losses[f"{name}.acc_seg"] = 100 * right.double().mean().item()
    total.backward()
    gradients, statistics = {}, {}
    for net in nets:
        gradients |= {n: p.grad.norm().item() for n, p in net.named_parameters()}
        statistics |= {
            name: value.norm().item()
            for name, value in net.named_buffers()
            if name.endswith((".running_mean", ".running_var"))
        }
    return losses, gradients, statistics


def _entries(kind, what, numbers):
    return {
        f"{kind}_names": json.dumps(list(numbers)),
        f"{kind}_{what}": np.array(list(numbers.values())),
        f"{kind}_noise": np.zeros(len(numbers)),
    }
