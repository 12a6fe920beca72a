"""Deep autoencoders of word counts (Hinton & Salakhutdinov 2006), whose codes are a few real numbers or bits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import torch
from scipy import sparse
from torch import Tensor

from harmonium.learning import Schedule, features, fine_tune
from harmonium.models import DBN, RBM
from harmonium.nets import Autoencoder, autoencoder
from harmonium.recipes.shared.deep_autoencoder import CodedLayers, Unrolled, layer, learn_layer
from harmonium.recipes.topics.machine_of_documents import Machine, dense, learn
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli


@dataclasses.dataclass(frozen=True)
class DeepCodes:
    """Layers of the autoencoder, and how they learn."""

    units: tuple[int, ...] = (500, 250, 125)
    """Below the code."""
    updates: int = 1000
    """Of the lowest layer, a replicated softmax, by CD-1."""
    epochs: int = 10
    """Of each further layer."""
    tuning: Unrolled = Unrolled(epochs=30, batch_size=100)

    def first(self) -> Machine:
        """The lowest layer."""
        return Machine(self.updates, self.units[0], steps=(1,))

    def layers(self, code: int) -> CodedLayers:
        """All layers."""
        return CodedLayers((*self.units, code), self.epochs)


def learn_layers(run: Run, counts: sparse.csr_array, how: DeepCodes, seed: int) -> list[RBM]:
    """The layers below the code, from the bottom.

    Parameters
    ----------
    run
        The folder of the run.
    counts
        (documents, words).
    how
        How they learn.
    seed
        Of the weights, the draws and the order of the documents.
    """
    stack = [learn(run, "layer 1", counts, how.first(), derive(seed, 0))]
    settings, data = how.layers(1), dense(counts)
    for index, above in enumerate(how.units[1:], 1):
        rbm = layer(Bernoulli(how.units[index - 1], values="probabilities"), above, settings, derive(seed, index))
        means = features(data, *stack)
        stack.append(learn_layer(run, f"layer {index + 1}", rbm, means, settings, settings.learning_rate, derive(seed, index)))
    return stack


def learn_codes(
    run: Run, counts: sparse.csr_array, stack: list[RBM], size: int, how: DeepCodes, seed: int, *, bits: bool = False
) -> Autoencoder:
    """The autoencoder with a code of `size` numbers or bits, fine-tuned by the cross-entropy of a document's words, in nats a word.

    Parameters
    ----------
    run, counts
        The folder of the run, and the documents, (documents, words).
    stack
        The layers below the code.
    size
        Of the code.
    how, seed
        How it learns, and the seed of its weights and orders.
    bits
        Whether the code is of binary units, whose inputs fine-tuning drives from zero, as in semantic hashing.
    """
    settings, data, name = how.layers(size), dense(counts), f"{size} {'bits' if bits else 'numbers'}"
    top = layer(Bernoulli(how.units[-1], values="probabilities"), size, settings, derive(seed, 10, size), linear=not bits)
    rate = settings.learning_rate if bits else settings.code_rate
    learn_layer(run, f"code of {name}", top, features(data, *stack), settings, rate, derive(seed, 10, size))
    net = autoencoder(DBN([*stack, top]))
    fine_tune(
        net,
        data,
        data,
        loss=nats_a_word(net),
        epochs=how.tuning.epochs,
        batch_size=how.tuning.batch_size,
        optimizer=partial(torch.optim.Adam, lr=how.tuning.learning_rate),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.tuning.epochs),
        precision=run.precision,
        seed=derive(seed, 11, size),
        callbacks=run.callbacks(f"backpropagation, {name}"),
        checkpoint=run.checkpoint(f"backpropagation {name}"),
        progress=False,
    )
    return net


def nats_a_word(net: Autoencoder) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of documents that count alike, however long they are: the multinomial cross-entropy by the number of words."""
    each = net.loss.each

    def loss(outputs: Tensor, counts: Tensor) -> Tensor:
        return (each(outputs, counts) / counts.sum(-1)).mean()

    return loss
