"""A deep autoencoder, step by step: a stack of RBMs with a linear code on top, unrolled and fine-tuned; and the same from random weights.

Each step keeps its own checkpoint and is a pure function of its arguments, so that a run resumes by being run again. Images in bytes are
grey levels, probabilities of binary units; those of real numbers, of mean 0 and variance 1 or so, are states of real-valued units.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import ContrastiveDivergence, MomentumSGD, Schedule, features, fine_tune, fit, predict
from harmonium.models import DBN, RBM
from harmonium.nets import Autoencoder, autoencoder
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.logistic_pca import LogisticPCA, logistic_pca
from harmonium.recipes.shared.random_weights import spread
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian, Unit

TUNED, FROM_RANDOM, MAP = "backpropagation", "backpropagation from random weights", "backpropagation of the map"  # the phases' names
UNIT = "per image"  # of the sum over pixels of the squared error


@dataclasses.dataclass(frozen=True)
class CodedLayers:
    """How the stack of an autoencoder is learnt, one RBM at a time, by CD-1."""

    units: tuple[int, ...]
    """Hidden units of each layer, from the bottom; the last are the numbers of the code, which are linear."""
    epochs: int
    """Over the training images, for each layer."""
    batch_size: int = 100
    learning_rate: float = 0.1
    first_rate: float | None = None
    """Learning rate of the lowest RBM, where it is another: that of real-valued pixels."""
    code_rate: float = 0.001
    """Learning rate of the RBM with linear hidden units."""
    weight_cost: float = 2e-4
    early_momentum: float = 0.5
    """In the first five epochs."""
    late_momentum: float = 0.9
    scale: float = 0.1
    """Standard deviation of the initial weights."""

    def __post_init__(self) -> None:
        if len(self.units) < 2 or min(self.units) < 1 or self.epochs < 1:
            raise ValueError(f"an autoencoder has two layers or more, of at least one unit, and learns for an epoch, found {self}")


@dataclasses.dataclass(frozen=True)
class Unrolled:
    """How backpropagation fine-tunes an unrolled stack, by Adam on the loss of its pixels: the cross-entropy, or the squared error."""

    epochs: int
    batch_size: int = 200
    learning_rate: float = 0.001
    """At first; it falls linearly to zero."""
    weight_cost: float = 0.0


class Learnt(NamedTuple):
    """All that a run learns."""

    unrolled: float
    """The judged squared error of the stack as it is unrolled, before fine-tuning."""
    tuned: Autoencoder
    random: Autoencoder | None
    """From random weights, by as many updates."""
    map: Autoencoder | None
    """With a code of two numbers."""


class Baseline(NamedTuple):
    """What a simple model makes of the judged images."""

    metric: str
    """The beginning of its metric's name."""
    label: str
    """Its name, and the numbers in its code."""
    made: Tensor
    """(cases, pixels), from 0 to 1 of grey levels."""


def learn_all(
    run: Run, cases: Split, layers: CodedLayers, tuning: Unrolled, seed: int, *, beside: bool = True, plane: bool = False
) -> Learnt:
    """Each phase from its checkpoint, where there is one. `beside`: the random start too. `plane`: also a code of two numbers."""
    images, held = cases.images, cases.test_images if cases.name == "validation" else None
    stack = learn_layers(run, images, layers, seed)
    net = learn_code(run, images, stack, layers, layers.units[-1], seed)
    unrolled = squared_error(net, cases.test_images)
    tune(run, TUNED, net, images, tuning, seed, held)
    random = two = None
    if beside:
        random = tune(run, FROM_RANDOM, random_start(images, layers.units, seed), images, tuning, seed, held)
    if plane:
        two = tune(run, MAP, learn_code(run, images, stack, layers, 2, seed), images, tuning, seed, held)
    return Learnt(unrolled, net, random, two)


def judge(cases: Split, learnt: Learnt, baselines: Sequence[Baseline]) -> list[Metric]:
    """The squared errors of all models on the judged images, and that of the autoencoder on as many training images."""
    judged, of = cases.test_images, cases.name
    errors = {
        f"{of}_squared_error": squared_error(learnt.tuned, judged),
        "training_squared_error": squared_error(learnt.tuned, cases.images[: len(judged)]),
        f"unrolled_{of}_squared_error": learnt.unrolled,
        **{f"{each.metric}_{of}_squared_error": error_of(each.made, judged) for each in baselines},
    }
    if learnt.random is not None:
        errors[f"random_start_{of}_squared_error"] = squared_error(learnt.random, judged)
    if learnt.map is not None:
        errors[f"map_{of}_squared_error"] = squared_error(learnt.map, judged)
        errors[f"map_pca_{of}_squared_error"] = error_of(pca(cases.images, judged, 2), judged)
    return [(name, error, UNIT) for name, error in errors.items()]


def simple_models(
    run: Run, cases: Split, sizes: Mapping[str, int], seed: int, *, epochs: int, learnt_from: int, iterations: int = 30
) -> list[Baseline]:
    """PCA, and logistic PCA in two forms: with a linear encoder, of so many `epochs`, and with the best code of each image.

    The latter learns from the first `learnt_from` images. `sizes`: end of the metric's name -> numbers in a code.
    """
    found, judged = [], cases.test_images
    for end, size in sizes.items():
        linear = learn_linear_code(run, cases.images, size, Unrolled(epochs, learning_rate=0.003), seed)
        free = learn_free_codes(run, cases.images, size, cases=learnt_from, iterations=iterations)
        codes = free.codes(judged.cpu().float() / 255)
        found += [
            Baseline(f"logistic_pca_free_codes{end}", f"logistic PCA, {size}, best codes", free.means(codes)),
            Baseline(f"logistic_pca{end}", f"logistic PCA, {size}", predict(linear, judged).sigmoid()),
            principal(cases, size, end),
        ]
    return found


def principal(cases: Split, size: int, end: str = "") -> Baseline:
    """PCA of the images to learn from, with so many components. `end`: of the metric's name."""
    return Baseline(f"pca{end}", f"PCA, {size}", pca(cases.images, cases.test_images, size))


def linear_code(images: Tensor, size: int, seed: int) -> Autoencoder:
    """A linear code and logistic pixels, pixels-size-pixels: small random weights, and the biases of the pixels' mean grey levels."""
    pixels = images.shape[1]
    rbm = RBM(Bernoulli(pixels, values="probabilities"), Gaussian(size), Dense(pixels, size, scale=0.05, seed=derive(seed, 40, size)))
    rbm.visible.init_from(images.cpu().float() / 255)
    return autoencoder(rbm).to(images.device)


def learn_linear_code(run: Run, images: Tensor, size: int, how: Unrolled, seed: int) -> Autoencoder:
    """Logistic PCA whose codes are linear in the image, by backpropagation."""
    return tune(run, f"logistic PCA {size}", linear_code(images, size, seed), images, how, derive(seed, 40))


def values(images: Tensor) -> Tensor:
    """Images as the numbers that errors are measured in, on the CPU: grey levels from 0 to 1, or real numbers as they are."""
    return images.cpu().float() / 255 if images.dtype == torch.uint8 else images.cpu()


def pixels(images: Tensor) -> Unit:
    """The visible units of images, (cases, pixels): binary for grey levels, real-valued for real numbers."""
    count = images.shape[1]
    return Gaussian(count, variance=1.0) if images.is_floating_point() else Bernoulli(count, values="probabilities")


def layer(visible: Unit, above: int, layers: CodedLayers, seed: int, *, linear: bool = False) -> RBM:
    """An untrained machine of a stack; its hidden units are linear for a code."""
    coupling = Dense(visible.shape[0], above, scale=layers.scale, seed=seed)
    return RBM(visible, Gaussian(above) if linear else Bernoulli(above), coupling)


def learn_layer(run: Run, phase: str, rbm: RBM, data: Tensor, layers: CodedLayers, rate: float, seed: int) -> RBM:
    """One machine of the stack by CD-1, from `data`, (cases, units), the means of the layer below."""
    fit(
        rbm.to(data.device),
        data,
        negative=ContrastiveDivergence(reconstruction="mean"),
        epochs=layers.epochs,
        batch_size=layers.batch_size,
        optimizer=partial(MomentumSGD, lr=rate, momentum=layers.early_momentum),
        schedule=partial(Schedule, momentum=lambda epoch: layers.early_momentum if epoch < 5 else layers.late_momentum),
        weight_cost=layers.weight_cost,
        precision=run.precision,
        seed=seed,
        callbacks=run.callbacks(phase),
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
    return rbm


def learn_layers(run: Run, images: Tensor, layers: CodedLayers, seed: int) -> list[RBM]:
    """All layers below the code, bottom to top. `images`: (cases, pixels)."""
    stack: list[RBM] = []
    for index, above in enumerate(layers.units[:-1]):
        visible = Bernoulli(layers.units[index - 1], values="probabilities") if stack else pixels(images)
        data = features(images, *stack) if stack else images
        rate = layers.learning_rate if stack or layers.first_rate is None else layers.first_rate
        rbm = layer(visible, above, layers, derive(seed, index))
        stack.append(learn_layer(run, f"layer {index + 1}", rbm, data, layers, rate, derive(seed, index)))
    return stack


def learn_code(run: Run, images: Tensor, stack: Sequence[RBM], layers: CodedLayers, size: int, seed: int) -> Autoencoder:
    """A machine with `size` linear hidden units on top of learnt layers, and all of it unrolled."""
    below = Bernoulli(layers.units[-2], values="probabilities")
    top = layer(below, size, layers, derive(seed, 20, size), linear=True)
    learn_layer(run, f"code of {size}", top, features(images, *stack), layers, layers.code_rate, derive(seed, 20, size))
    return autoencoder(DBN([*stack, top]))


def random_start(images: Tensor, units: Sequence[int], seed: int) -> Autoencoder:
    """An autoencoder of the same shape with random weights, as deep sigmoid nets should begin (Glorot & Bengio 2010).

    Weights are normal with variance 2 / (inputs + outputs), 16 times as much into sigmoid units; the pixels' biases are those of their
    means. Nothing of the decoder is the encoder's.
    """
    sizes, halves = [images.shape[1], *units], []
    for half in range(2):
        rbms = []
        for index, (below, above) in enumerate(pairwise(sizes)):
            top, real = index == len(units) - 1, index == 0 and images.is_floating_point()
            scale = spread(below, above, linear=top if half == 0 else real)
            coupling = Dense(below, above, scale=scale, seed=derive(seed, 30, half, index))
            visible = Bernoulli(below, values="probabilities") if index else pixels(images)
            rbms.append(RBM(visible, Gaussian(above) if top else Bernoulli(above), coupling))
        rbms[0].visible.init_from(values(images))
        halves.append(autoencoder(DBN(rbms)))
    return Autoencoder(halves[0].encoder, halves[1].decoder).to(images.device)


def tune(run: Run, phase: str, net: Autoencoder, images: Tensor, how: Unrolled, seed: int, held: Tensor | None = None) -> Autoencoder:
    """Backpropagation of the net's loss of images, (cases, pixels), and what comes back.

    With `held`, images that are held out, the net ends with the weights of the epoch that reconstructs them best.
    """
    fine_tune(
        net,
        images,
        images,
        loss=net.loss,
        validation=None if held is None else (held, held),
        epochs=how.epochs,
        batch_size=how.batch_size,
        optimizer=partial(torch.optim.Adam, lr=how.learning_rate, fused=True),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        weight_cost=how.weight_cost,
        precision=run.precision,
        seed=derive(seed, 21),
        callbacks=run.callbacks(phase),
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
    return net


@torch.no_grad()
def squared_error(net: Autoencoder, images: Tensor) -> float:
    """Σ over pixels of (x - reconstruction)², the mean over images; grey levels are x from 0 to 1."""
    return net.squared_error(predict(net, images), images.cpu()).item()


def error_of(reconstructed: Tensor, images: Tensor) -> float:
    """The same of reconstructions, (cases, pixels)."""
    return (reconstructed.double().cpu() - values(images).double()).square().sum(1).mean().item()


def pca(images: Tensor, judged: Tensor, components: int) -> Tensor:
    """What PCA of images makes of the judged ones, (cases, pixels) each: (cases, pixels)."""
    with np.errstate(invalid="ignore"):  # shares of a variance of zero, which images all alike have
        fitted = PCA(components, svd_solver="covariance_eigh").fit(values(images).numpy())
    codes = fitted.transform(values(judged).numpy())
    return torch.from_numpy(fitted.inverse_transform(codes))


def learn_free_codes(run: Run, images: Tensor, components: int, *, cases: int, iterations: int) -> LogisticPCA:
    """Logistic PCA with free codes of the first `cases` images, kept in the run's folder."""
    path = run.checkpoint(f"free codes {components}")
    if not path.exists():
        found = logistic_pca(images[:cases].cpu().float() / 255, components, iterations=iterations)
        write_tensors(path, {"loadings": found.loadings, "bias": found.bias}, {"ridge": found.ridge})
    tensors, header = read_tensors(path)
    return LogisticPCA(tensors["loadings"], tensors["bias"], header["ridge"])
