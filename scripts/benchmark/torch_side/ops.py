"""The other side of `scripts/benchmark/ops.py`: the operations in PyTorch.

Started by that script with the python of an environment that has torch; it imports
nothing of jaxseg's. What the two say to each other stands in
`scripts/benchmark/measuring/against.py`; the job is the cases, the inputs as a file, and the
number of threads.
"""

import functools
import importlib
import time

import numpy as np
from serve import serve

# By name: jaxseg itself never imports it, and a test reads the imports.
torch = importlib.import_module("torch")
F = torch.nn.functional

_LAYOUTS = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}


def start(job):
    """The answer to a job, and what takes the turns."""
    torch.set_num_threads(job["threads"])
    side = Side(job["cases"], np.load(job["inputs"]))
    variants = list(_LAYOUTS)
    hello = {"variants": variants, "torch": torch.__version__, "norms": side.norms()}
    return hello, side.turn


class Side:
    """All cases, one of them ready at a time."""

    def __init__(self, cases, inputs):
        self._cases = cases
        self._inputs = inputs
        # Both layouts of the case that is being measured.
        self.prepare = functools.lru_cache(maxsize=2)(self._prepare)

    def norms(self):
        """Of every case, the norms of its result and its gradients."""
        norms = {}
        for name in self._cases:
            leaves, function, g = self._prepare(name, "contiguous")
            outputs = [function(*leaves)]
            if self._cases[name]["backward"]:
                outputs[0].backward(g)
                outputs += [x.grad for x in leaves if x.requires_grad]
            norms[name] = [float(x.detach().double().norm()) for x in outputs]
        return norms

    def turn(self, order):
        run = self.runner(order["variant"], *order["measure"].rsplit(":", 1))
        start = time.perf_counter()
        for _ in range(order["steps"]):
            run()
        return {"seconds": time.perf_counter() - start}

    def runner(self, layout, name, measure):
        """What a step of a measure does."""
        leaves, function, g = self.prepare(name, layout)

        def forward():
            with torch.no_grad():
                return function(*leaves)

        def backward():
            for x in leaves:
                x.grad = None
            function(*leaves).backward(g)

        return {"forward": forward, "forward and backward": backward}[measure]

    def _prepare(self, name, layout):
        case = self._cases[name]
        arrays = [self._inputs[f"{name}/{i}"] for i in range(case["inputs"])]
        leaves = [
            self._put(torch.from_numpy(array), case["kind"], i, _LAYOUTS[layout])
            for i, array in enumerate(arrays)
        ]
        function = functools.partial(OPS[case["kind"]], **case["options"])
        with torch.no_grad():
            # Of a softmax or a norm, the gradient of the plain sum would be zero.
            return leaves, function, function(*leaves) ** 2

    @staticmethod
    def _put(array, kind, number, layout):
        """A leaf in torch's order of axes and the layout that is measured."""
        if not array.is_floating_point():
            return array.long()
        if array.ndim == 4 and kind != "attention":
            order = (0, 3, 1, 2)
            if number > 0:  # a kernel (kh, kw, in, out)
                order = (2, 3, 0, 1) if kind == "conv_transpose" else (3, 2, 0, 1)
            array = array.permute(order).contiguous(memory_format=layout)
        return array.requires_grad_()


def conv(x, kernel, **options):
    return F.conv2d(x, kernel, **options)


def conv_transpose(x, kernel, **options):
    return F.conv_transpose2d(x, kernel, **options)


def max_pool(x, window, stride, padding):
    return F.max_pool2d(x, window, stride, padding)


def avg_pool(x, window):
    return F.avg_pool2d(x, window, ceil_mode=True, count_include_pad=False)


def linear(x, kernel):
    return x @ kernel


def adaptive_avg_pool(x, sizes):
    pooled = [F.adaptive_avg_pool2d(x, size).flatten(2) for size in sizes]
    return torch.cat(pooled, 2)


def pyramid(x, *kernels, sizes):
    branches = []
    for size, kernel in zip(sizes, kernels, strict=True):
        pooled = F.conv2d(F.adaptive_avg_pool2d(x, size), kernel)
        branches.append(resize(pooled, x.shape[2:]))
    return torch.cat([x, *branches], 1)


def resize(x, size, mode="bilinear", align_corners=False):
    if mode == "nearest":
        return F.interpolate(x, size, mode=mode)
    return F.interpolate(x, size, mode=mode, align_corners=align_corners)


def upsample_loss(x, label, size, loss="softmax", ohem=None):
    """As mmseg's heads: the loss and the accuracy of the full-size logits."""
    x = resize(x, size)
    (x.detach().argmax(1) == label).float().mean()
    if loss in BY_LABEL:
        return BY_LABEL[loss](x, label)
    if loss != "softmax":
        target = F.one_hot(label, x.shape[1]).permute(0, 3, 1, 2).float()
        return BY_CHANNEL[loss](x, target)
    if ohem is None:
        return F.cross_entropy(x, label)
    with torch.no_grad():
        probability = F.softmax(x, 1).gather(1, label[:, None])[:, 0].reshape(-1)
        kept = min(ohem["min_kept"] * len(x), probability.numel() - 1)
        threshold = max(probability.sort()[0][kept], ohem["thresh"])
        weight = (probability < threshold).float().view_as(label)
    return (F.cross_entropy(x, label, reduction="none") * weight).mean()


def sigmoid_ce(x, target):
    return F.binary_cross_entropy_with_logits(x, target, reduction="none").mean()


def dice(x, target):
    x, target = x.sigmoid().flatten(1), target.flatten(1)
    overlap, eps = (x * target).sum(1), 1e-3
    total = (x * x).sum(1) + eps + (target * target).sum(1) + eps
    return (1 - 2 * overlap / total).mean()


def dice_v0(x, target):
    x, losses = F.softmax(x, 1), []
    for i in range(x.shape[1]):
        p, t = x[:, i].flatten(1), target[:, i].flatten(1)
        total = (p**2 + t**2).sum(1) + 1
        losses.append((1 - (2 * (p * t).sum(1) + 1) / total).mean())
    return sum(losses) / len(losses)


def focal(x, target):
    p = x.sigmoid()
    wrong = (1 - p) * target + p * (1 - target)
    loss = F.binary_cross_entropy_with_logits(x, target, reduction="none")
    return (loss * 0.5 * wrong**2).mean()


def tversky(x, target):
    x, losses = F.softmax(x, 1), []
    for i in range(x.shape[1]):
        p, t = x[:, i].flatten(1), target[:, i].flatten(1)
        overlap = (p * t).sum(1)
        wrong = 0.3 * (p * (1 - t)).sum(1) + 0.7 * ((1 - p) * t).sum(1)
        losses.append((1 - (overlap + 1) / (overlap + wrong + 1)).mean())
    return sum(losses) / len(losses)


def lovasz(x, label):
    x, label = F.softmax(x, 1).movedim(1, -1).flatten(0, 2), label.flatten()
    losses = []
    for i in label.unique():
        wanted = (label == i).float()
        errors, order = (wanted - x[:, i]).abs().sort(descending=True)
        wanted = wanted[order]
        left = wanted.sum() - wanted.cumsum(0)
        jaccard = 1 - left / (wanted.sum() + (1 - wanted).cumsum(0))
        jaccard[1:] = jaccard[1:] - jaccard[:-1]
        losses.append(torch.dot(errors, jaccard))
    return sum(losses) / len(losses)


def ohem_ce(x, label):
    losses = F.cross_entropy(x, label, reduction="none").flatten()
    probability = F.softmax(x, 1).gather(1, label[:, None]).flatten()
    probability, order = probability.sort()
    threshold = max(probability[min(100000, len(probability) - 1)], 0.7)
    return losses[order][probability < threshold].mean()


BY_LABEL = {"lovasz": lovasz, "ohem": ohem_ce}
BY_CHANNEL = {
    "sigmoid": sigmoid_ce,
    "dice": dice,
    "dice of 0.x": dice_v0,
    "focal": focal,
    "tversky": tversky,
}


def upsample_accuracy(x, label, size):
    x = resize(x, size)
    return 100 * (x.argmax(1) == label).float().mean()


def kth_smallest(x, k):
    """As mmseg's OHEMPixelSampler: by a sort."""
    return x.abs().reshape(-1).sort()[0][k]


def largest_channel(x):
    return x.argmax(1).float()


def upsample_argmax(x, size):
    return resize(x, size).argmax(1).to(torch.uint8).float()


def attention(q, k, v):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def layer_norm(x, scale, bias):
    return F.layer_norm(x, x.shape[-1:], scale, bias, 1e-5)


def batch_norm(x, scale, bias, train):
    mean, var = torch.zeros_like(scale), torch.ones_like(scale)
    return F.batch_norm(x, mean.detach(), var.detach(), scale, bias, training=train)


def gelu(x):
    return F.gelu(x)


def softmax(x):
    return F.softmax(x, 1)


def confusion(pred, label, num_classes):
    """mmseg's three histograms."""
    pred, label = pred.float(), label.float()
    hits = pred[pred == label]
    last = num_classes - 1
    areas = [torch.histc(x, num_classes, 0, last) for x in (hits, pred, label)]
    return torch.stack(areas)


OPS = {
    function.__name__: function
    for function in (
        conv,
        conv_transpose,
        linear,
        max_pool,
        avg_pool,
        adaptive_avg_pool,
        pyramid,
        resize,
        upsample_loss,
        upsample_accuracy,
        upsample_argmax,
        kth_smallest,
        largest_channel,
        attention,
        layer_norm,
        batch_norm,
        gelu,
        softmax,
        confusion,
    )
}


if __name__ == "__main__":
    serve(start)
