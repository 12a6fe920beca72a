"""What is measured: filters of patches, and the accuracy of dense and of convolutional nets from learnt and from random layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor, nn

from harmonium.data import Whitening, patches, whiten
from harmonium.models import RBM
from harmonium.recipes.cifar.colour_layers import Layer, Start, dense, everywhere, learn, noiseless, of_patches, of_tiles, on_maxima
from harmonium.recipes.cifar.detectors import detectors
from harmonium.recipes.cifar.labelled_nets import Backpropagation, convolutional_net, dense_net, tune
from harmonium.recipes.cifar.whitened_photographs import as_planes, local_whitening
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import error_percent
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.seeds import derive

STARTS: tuple[Start, ...] = ("learnt", "random")
Found = tuple[list[Metric], dict[str, Tensor]]  # metrics, and weights for the report: (pixels, units)
DRAWN = 200  # units of whole images that are kept for the report, the first ones
DENSE, CONVOLUTIONAL = "permutation_invariant", "convolutional"


@dataclasses.dataclass(frozen=True)
class OfPatches:
    """Patches of the training images, whitened, and a rectified layer on them."""

    layer: Layer = Layer(units=256, epochs=40, learning_rate=0.01)
    side: int = 8
    count: int = 100_000
    gain: float = 2.0
    """By which white patches are multiplied. The visible units' variance is 1."""


@dataclasses.dataclass(frozen=True)
class OfWholeImages:
    """Whole images by their principal components, in which no pixel has a neighbour, and two dense layers."""

    rectified: Layer = Layer(units=4000, epochs=20, learning_rate=0.003)
    binary: Layer = Layer(units=1000, epochs=10, learning_rate=0.01, reconstruction="mean")
    components: int = 800
    fitted_on: int = 20_000
    """Training images that the components are those of."""
    regularisation: float = 1.0
    """Of the whitening: so many times the mean variance is added to that of each component."""
    gain: float = 2.0
    """By which white components are multiplied. The visible units' variance is 1."""
    tuning: Backpropagation = Backpropagation(epochs=60, learning_rate=0.01, random_rate=0.01, dropout=0.4, input_dropout=0.1)


@dataclasses.dataclass(frozen=True)
class OfMaps:
    """Whole images whitened by one small convolution, and two convolutional layers."""

    rectified: Layer = Layer(units=64, epochs=20, learning_rate=0.03, batch_size=20)
    binary: Layer = Layer(units=96, epochs=5, learning_rate=0.05, batch_size=50, reconstruction="mean")
    kernels: tuple[int, int] = (5, 3)
    """Pixels of a side, of the rectified and of the binary layer."""
    stride: int = 3
    """Pixels between the kernels while the rectified layer is learnt without labels."""
    learnt_from: int = 5_000
    """Images that the layers are learnt from without labels, the first ones."""
    gain: float = 2.0
    tuning: Backpropagation = Backpropagation(epochs=24, learning_rate=0.01, random_rate=0.004, batch_size=50, dropout=0.2, shift=2)


def filters_of_patches(run: Run, how: OfPatches, cases: Split, device: str, seed: int) -> Found:
    """How many filters of a rectified layer on patches are localised detectors, after learning and before it.

    Parameters
    ----------
    run
        The folder of the run.
    how
        How this part learns.
    cases
        The images to learn from and those to be judged on.
    device
        Where it learns.
    seed
        Of the weights, the draws and the order of the cases.
    """
    white, _ = whiten(patches(as_planes(cases.images), how.side, how.count, seed=derive(seed, 0)))
    rbm = of_patches(how.side, how.layer.units, derive(seed, 1))
    before = filters_of(rbm)
    learn(run, "patches", rbm, (how.gain * white).to(device), how.layer, derive(seed, 2))
    found, random = (detectors(weight, how.side) for weight in (filters_of(rbm), before))
    metrics: list[Metric] = [
        ("localised_filters_percent", found.percent, "%"),
        ("localised_filters_percent_random", random.percent, "%"),
        ("explained_percent_median", 100 * found.explained.median().item(), "%"),
        *((f"{kind}_filters", count, "filters") for kind, count in found.by_kind().items()),
    ]
    return metrics, {"patches": filters_of(rbm), "explained": found.explained, "explained random": random.explained}


def nets_of_whole_images(run: Run, how: OfWholeImages, cases: Split, device: str, seed: int) -> Found:
    """The accuracy of two dense layers on principal components.

    Parameters
    ----------
    run, how, cases, device, seed
        As for `filters_of_patches`.
    """
    whitening = principal_components(run, how, cases.images[: how.fitted_on])
    white, pixels = whitened(cases, lambda images: how.gain * whitening(images), device), whitening.directions.float()
    units = how.rectified.units, how.binary.units
    stacks = {start: dense(how.components, *units, start, derive(seed, place)) for place, start in enumerate(STARTS)}
    rectified, binary = stacks["learnt"]
    learn(run, "whole layer 1", rectified, white.images, how.rectified, derive(seed, 2, 0))
    learn(run, "whole layer 2", binary, noiseless(rectified, white.images), how.binary, derive(seed, 2, 1))
    nets = {start: dense_net(stack, how.tuning, derive(seed, 3)) for start, stack in stacks.items()}
    metrics, shown = accuracies(run, "whole", nets, white, how.tuning, DENSE, derive(seed, 4))
    return metrics, {name: pixels @ weight[:, :DRAWN] for name, weight in shown.items()}


def convolutional_nets(run: Run, how: OfMaps, cases: Split, device: str, seed: int) -> Found:
    """The accuracy of two convolutional layers on images whitened by a small convolution.

    Parameters
    ----------
    run, how, cases, device, seed
        As for `filters_of_patches`.
    """
    white = whitened(cases, local_whitening(cases.images, how.gain, derive(seed, 5)), device)
    maps, above, (kernel, second) = how.rectified.units, how.binary.units, how.kernels
    few = white.images[: how.learnt_from]
    tiles = learn(run, "tiles", of_tiles(maps, kernel, how.stride, derive(seed, 0)), few, how.rectified, derive(seed, 2, 0))
    rectified = everywhere(maps, kernel, derive(seed, 1), tiles).to(device)
    binary = on_maxima(maps, above, second, "learnt", derive(seed, 0, 1))
    learn(run, "maps", binary, noiseless(rectified, few), how.binary, derive(seed, 2, 1))
    stacks: dict[Start, list[RBM]] = {
        "learnt": [rectified, binary],
        "random": [everywhere(maps, kernel, derive(seed, 1)), on_maxima(maps, above, second, "random", derive(seed, 1, 1))],
    }
    nets = {start: convolutional_net(stack, how.tuning, derive(seed, 3)) for start, stack in stacks.items()}
    return accuracies(run, "convolutional", nets, white, how.tuning, CONVOLUTIONAL, derive(seed, 4))


def principal_components(run: Run, how: OfWholeImages, images: Tensor) -> Whitening:
    """Read from the run where they are there: they take a minute.

    Parameters
    ----------
    run
        The folder of the run, which keeps them.
    how
        How many components are kept, and their regularisation.
    images
        (cases, 3072), as floats.
    """
    path = run.checkpoint("components")
    if not path.exists():
        whiten(images, kind="pca", components=how.components, regularisation=how.regularisation)[1].save(path)
    return Whitening.load(path)


def whitened(cases: Split, whitening: Callable[[Tensor], Tensor], device: str) -> Split:
    """The cases as a net sees them: floats, on the device. Labels that are judged by stay where they are.

    Parameters
    ----------
    cases
        Images, (cases, 3072) of bytes, and labels, of either part.
    whitening, device
        What maps rows to white ones, and where the net is.
    """
    images, test_images = (whitening(each.float()).to(device) for each in (cases.images, cases.test_images))
    return Split(images, cases.labels.to(device), test_images, cases.test_labels, cases.name)


def accuracies(run: Run, name: str, nets: dict[Start, nn.Sequential], cases: Split, how: Backpropagation, kind: str, seed: int) -> Found:
    """The share of the judged cases that nets from learnt and from random layers get right; the filters of both, before and after.

    Parameters
    ----------
    run, name
        The folder of the run, and what the phases' names begin with.
    nets
        By where they begin.
    cases
        What they learn from and are judged on.
    how
        How they are fine-tuned.
    kind
        What the metrics' names end with.
    seed
        The seed of the draws and of the order of the cases.
    """
    metrics: list[Metric] = []
    shown: dict[str, Tensor] = {}
    for start, net in nets.items():
        shown[f"{name} {start} before"] = first_layer(net)
        tune(run, f"{name} net {start}", net, cases.images, cases.labels, how, seed, learnt=start == "learnt")
        shown[f"{name} {start} after"] = first_layer(net)
        right = 100 - error_percent(net, cases.test_images, cases.test_labels)
        metrics.append((f"{cases.name}_accuracy_percent_{kind}" + ("" if start == "learnt" else "_random"), right, "%"))
    return metrics, shown


def filters_of(rbm: RBM) -> Tensor:
    """The weights of a dense machine: (pixels, units)."""
    return rbm.coupling.get_parameter("weight").detach().cpu().clone()


def first_layer(net: nn.Module) -> Tensor:
    """The weights of a net's first layer: (pixels, units), or the kernels of a convolution, (pixels of a kernel, maps)."""
    weight = next(each for each in net.parameters() if each.dim() > 1)
    return weight.detach().cpu().flatten(1).T.clone()
