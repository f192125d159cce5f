"""Programs: what is compiled for predictions: the network, and the postprocessing."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError
from jaxseg.inference.buckets.network import MaskedNetwork
from jaxseg.inference.postprocess import (
    confidence_of,
    finish,
    probabilities,
    resize_stages,
)
from jaxseg.metrics.metric import Metric
from jaxseg.ops.compiler_options import compiler_options

# Programs that are kept. One of a ResNet-18 takes some 7 MB of memory, and a data set
# may have a thousand sizes. Those that are dropped are read back from the compilation
# cache on disk, or compiled again.
_MOST_PROGRAMS = 400

# Of what counts need, what a program is compiled for.
_STATIC = ("metrics", "keeps", "ignore_index")


def _need_confidence(metrics: Sequence[Metric]) -> bool:
    return any(metric.needs_confidence for metric in metrics)


class Programs:
    """The jitted functions of a segmentor, each one program for every shape it meets.

    Attributes:
        compilations: how often `network` and `rest`, what follows it, were compiled.
        devices: where they run.
    """

    def __init__(
        self,
        model: Any,
        devices: Sequence[jax.Device],
        xla_flags: Mapping[str, Any] | None = None,
    ):
        """Prepares, without compiling anything.

        Args:
            model: the segmentor.
            devices: over which the images of a batch are split.
            xla_flags: flags of XLA for the network's programs.
        """
        self.compilations = {"network": 0, "rest": 0}
        self.devices = tuple(devices)
        self._model = model
        self._xla_flags = xla_flags
        self._dropped = 0
        mesh = Mesh(np.array(self.devices), ("batch",))
        self._split = NamedSharding(mesh, P("batch"))
        self._everywhere = NamedSharding(mesh, P())
        # Every device has images of its own from end to end. Its program is then the
        # same for any number of devices, and so are the bits of the result.
        self._alone = functools.partial(
            jax.shard_map, mesh=mesh, out_specs=P("batch"), check_vma=False
        )
        # How they are compiled depends on the model's parameters.
        self._network = self._masked = None
        self._finish = jax.jit(
            self._run_finish,
            static_argnames=("how", *_STATIC),
            donate_argnames="total",
        )
        self._classes = jax.jit(self._run_classes)
        self._mean = jax.jit(self._run_mean, donate_argnums=0)
        self._tally = jax.jit(
            self._run_tally, static_argnames=_STATIC, donate_argnames="total"
        )

    def put_variables(self, variables: Any) -> Any:
        """Params and batch_stats, or whatever all images share, on every device."""
        self._prepare(variables)
        return jax.device_put(variables, self._everywhere)

    def _prepare(self, variables):
        if self._network is None:
            options = compiler_options(variables, self.devices[0], self._xla_flags)
            network = self._alone(self._run_network, in_specs=(P(), P("batch")))
            self._network = jax.jit(network, compiler_options=options)
            self._masked = jax.jit(
                self._run_masked, static_argnums=0, compiler_options=options
            )

    def put(self, tree: Any) -> Any:
        """Arrays with a leading axis over the images, split over the devices."""
        return jax.device_put(tree, self._split)

    def network(self, variables: Any, images: np.ndarray) -> tuple[jax.Array, Any]:
        """The maps (N, h, w, C) of images (N, H, W, C) as loaded, and `per_image`.

        Both are those of `Segmentor.maps`.

        Raises:
            ConfigError: if the model does not take their size.
        """
        return self._network(variables, self.put(images))

    def abstract_network(
        self, variables: Any, shape: tuple[int, ...]
    ) -> tuple[Any, Any, jax.ShapeDtypeStruct]:
        """What `network` runs, by shapes and places alone, to be lowered and read.

        Args:
            variables: the variables of the model, or their shapes.
            shape: (N, H, W, C) of uint8 images.

        Returns:
            The jitted function, variables and images, for
            `function.lower(variables, images)`.
        """
        self._prepare(variables)

        def put(leaf, place):
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

        variables = jax.tree.map(lambda leaf: put(leaf, self._everywhere), variables)
        images = put(jax.ShapeDtypeStruct(shape, np.uint8), self._split)
        return self._network, variables, images

    def abstract_finish(
        self, maps: tuple[jax.ShapeDtypeStruct, Any], size: tuple[int, int]
    ) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """As `abstract_network`, of what makes label maps of its maps.

        Args:
            maps: what the network gives, by shapes.
            size: (height, width) of the images, and of their label maps.

        Returns:
            The jitted function, its arguments and options, for
            `function.lower(*arguments, **options)`.
        """
        logits, per_image = maps
        how = {"align_corners": self._model.align_corners, "dtype": logits.dtype}
        chains = [[logits.shape[1:3], size]] * logits.shape[0]
        rows = np.full(logits.shape[0], size[0], np.int32)
        source = {"logits": logits, "per_image": per_image}
        arguments = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, sharding=self._split
            ),
            (source, resize_stages(chains, [size], **how), rows),
        )
        return self._finish, arguments, {"total": None, "how": "classes"}

    def masked(
        self, network: MaskedNetwork, variables: Any, images: np.ndarray, arrays: Any
    ) -> tuple[jax.Array, Any]:
        """As `network`, of images padded to a bucket; `arrays` as of `network`."""
        return self._masked(network, variables, self.put(images), self.put(arrays))

    def finish(
        self,
        source: Any,
        stages: Any,
        rows: np.ndarray,
        total: Any,
        how: str,
        **count: Any,
    ) -> Any:
        """From logits to what is wanted at the original size (`finish.finish`).

        Args:
            source, stages, rows: as of `finish.finish`.
            total: what is added to, and used up: probabilities, the totals of
                metrics, or None.
            how: `classes`, `logits`, `probability` or `counts`.
            count: for `counts`, what `_counted` needs.

        Returns:
            (N, H, W, ...); for `counts` what `_counted` returns.
        """
        stages, rows = self.put((stages, rows))
        return self._finish(source, stages, rows, total=total, how=how, **count)

    def classes(self, values: jax.Array, versions: int | None = None) -> jax.Array:
        """The classes of logits, or of a sum of the probabilities of some versions."""
        return self._classes(values, versions)

    def mean(self, total: jax.Array, versions: int) -> jax.Array:
        """The mean probabilities of their sum, which is used up."""
        return self._mean(total, versions)

    def tally(
        self, total: Any, values: jax.Array, versions: int, **count: Any
    ) -> tuple[Any, jax.Array | None]:
        """Adds the classes of a sum of probabilities to the totals of metrics."""
        return self._tally(total, values, versions, **count)

    def drop_old(self) -> None:
        """Drops what is compiled where that is too much to keep."""
        compiled = sum(self.compilations.values())
        if compiled - self._dropped > _MOST_PROGRAMS:
            self._dropped = compiled
            for function in (
                self._network,
                self._masked,
                self._finish,
                self._classes,
                self._mean,
                self._tally,
            ):
                function.clear_cache()

    def apply(self, variables: Any, images: jax.Array) -> tuple[jax.Array, Any]:
        """The network in Python, for a trace: images as loaded -> `Segmentor.maps`."""
        images = self._model.data_preprocessor(images)
        return self._model.apply(variables, images, method="maps")

    def _run_network(self, variables, images):
        self._count("network")
        try:
            return self.apply(variables, images)
        except ModelSizeError as error:
            raise ConfigError(f"the model does not take the image: {error}") from error

    def _run_masked(self, network, variables, images, arrays):
        self._count("network")
        specs = (P(), P("batch"), P("batch"))
        return self._alone(network, in_specs=specs)(variables, images, arrays)

    def _run_finish(self, source, stages, rows, total, how, **count):
        self._count("rest")
        use = {"logits": lambda x: x, "probability": probabilities}
        if how == "counts" and _need_confidence(count["metrics"]):
            use["counts"] = self._pick_with_confidence
        run = functools.partial(finish, use.get(how, self._pick), self._model.scores)
        y = self._alone(run, in_specs=P("batch"))(source, stages, rows)
        if how == "counts":
            return self._counted(total, y, **count)
        return y if total is None else total + y

    def _run_classes(self, values, versions):
        """Logits, or the sum of the probabilities of some versions -> classes."""
        self._count("rest")
        if versions is None:
            return self._pick(values)
        return self._pick(values / versions, are_probabilities=True)

    def _run_mean(self, total, versions):
        self._count("rest")
        return total / versions

    def _run_tally(self, total, values, versions, **count):
        self._count("rest")
        needs = _need_confidence(count["metrics"])
        pick = self._pick_with_confidence if needs else self._pick
        return self._counted(total, pick(values / versions, True), **count)

    def _counted(self, totals, y, metrics, keeps, **count):
        """Adds label maps to the total of each metric that counts on the device.

        Args:
            totals: of those metrics.
            y: (N, H, W) classes; where a metric needs it, with their confidence.
            metrics: those metrics.
            keeps: whether the label maps are a result, too.
            count: the rest of what `Metric.update` takes.

        Returns:
            The new totals, and the label maps (N, H, W) or None.
        """
        pred, confidence = y if _need_confidence(metrics) else (y, None)
        totals = tuple(
            metric.update(total, pred, confidence=confidence, **count)
            for metric, total in zip(metrics, totals, strict=True)
        )
        return totals, pred if keeps else None

    def _pick_with_confidence(self, values, are_probabilities=False):
        """The class of each pixel, and the probability of it."""
        pred = self._pick(values, are_probabilities)
        return pred, confidence_of(values, pred, are_probabilities)

    def _pick(self, values, are_probabilities=False):
        return self._model.predicted(values, are_probabilities)

    def _count(self, program):
        """Called while a program is traced, which is once for every compilation."""
        self.compilations[program] += 1
