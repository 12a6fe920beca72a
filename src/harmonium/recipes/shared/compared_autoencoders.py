"""What is compared with a deep autoencoder, and how all of them are judged: squared errors of images, by codes of as many numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import predict
from harmonium.models import RBM
from harmonium.nets import Autoencoder, autoencoder
from harmonium.recipes.shared.deep_autoencoder import Learnt, Unrolled, squared_error, tune, values
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.logistic_pca import LogisticPCA, logistic_pca
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian

UNIT = "per image"  # of the sum over pixels of the squared error


class Baseline(NamedTuple):
    """What a simple model makes of the judged images."""

    metric: str
    """The beginning of its metric's name."""
    label: str
    """Its name, and the numbers in its code."""
    made: Tensor
    """(cases, pixels), from 0 to 1 of grey levels."""


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
    """PCA, and logistic PCA in two forms: with a linear encoder, and with the best code of each image.

    Parameters
    ----------
    run
        The folder of the run.
    cases
        The images, in bytes.
    sizes
        End of the metric's name -> numbers in a code.
    seed
        The seed of the linear encoder's weights and of the order of the cases.
    epochs
        Of the linear encoder.
    learnt_from, iterations
        How many images, the first ones, the best codes' decoder learns from, and its alternations.
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
