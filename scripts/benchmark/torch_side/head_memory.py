"""The other side of `scripts/benchmark/head_memory.py`: mmseg's heads in PyTorch.

Started by that script with the python of an environment that has torch and mmseg; it
imports nothing of jaxseg's. Its one answer is `bytes`, by the head's name.
"""

from model import stand_in_for_missing_parts
from serve import serve


def start(job):
    """The answer to a job; there are no turns."""
    # Among them the arithmetic of PSANet's masks, whose arrays mmcv allocates outside
    # of it: their memory is all that counts here.
    stand_in_for_missing_parts()
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS
    from mmseg.utils import register_all_modules

    register_all_modules()
    init_default_scope("mmseg")
    shape = job["shape"]
    found = {
        name: most_bytes(MODELS.build(config), shape)
        for name, config in job["heads"].items()
    }
    return {"bytes": found}, None


def most_bytes(head, shape):
    """Bytes that a training pass holds at once beside inputs and parameters.

    Args:
        head: mmseg's.
        shape: of the feature map, (N, H, W, C).
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    batch, height, width, channels = shape
    x = torch.randn(batch, channels, height, width, requires_grad=True)
    head.train()
    with torch.no_grad():
        outputs = as_tuple(head([x]))
    cotangents = [torch.randn_like(output) for output in outputs]
    del outputs
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        torch.autograd.backward(as_tuple(head([x])), cotangents)
    events = [
        event
        for event in profiler.profiler.kineto_results.events()
        if event.name() == "[memory]"
    ]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def as_tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


if __name__ == "__main__":
    serve(start)
