"""Nothing in the package draws from, seeds or changes what belongs to the whole program."""

import random

import numpy as np
import pytest
import torch

import harmonium as hm

DATA = (np.random.default_rng(0).random((40, 5)) < 0.4).astype(np.float32)
LABELS = torch.arange(40) % 2
RBM = lambda: hm.RBM(hm.Bernoulli(5), hm.Bernoulli(4))  # noqa: E731
SETTINGS = {"epochs": 2, "batch_size": 7, "progress": False}


def stack():
    return hm.DBN([RBM(), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))])


def generator():
    return torch.Generator().manual_seed(0)


WORK = {
    "construction": lambda: [
        RBM(),
        hm.RBM(hm.Gaussian(3, learn_variance=True), hm.Softmax(2, categories=2)),
        hm.RBM(hm.Groups(hm.Bernoulli(2), hm.Softmax(1, categories=3)), hm.Gaussian(2)),
        stack(),
    ],
    "contrastive divergence": lambda: hm.fit(RBM(), DATA, validation=DATA, sparsity=hm.Sparsity(0.1), **SETTINGS),
    "persistent chains": lambda: hm.fit(RBM(), DATA, negative=hm.PersistentCD(chains=3), sample_weight=np.ones(40), **SETTINGS),
    "a resampled source": lambda: hm.fit(RBM(), hm.data.binarise(DATA, "resampled"), **SETTINGS),
    "a stream": lambda: hm.fit(RBM(), [DATA[:10], DATA[10:]], **SETTINGS),
    "a stack": lambda: hm.greedy(DATA, [hm.Bernoulli(5), hm.Bernoulli(4), hm.Gaussian(3)], **SETTINGS),
    "a classifier": lambda: hm.nets.classifier(stack(), 2, dropout=0.5),
    "fine-tuning with dropout": lambda: hm.fine_tune(
        hm.nets.classifier(stack(), 2, dropout=0.5, input_dropout=0.1),
        torch.tensor(DATA),
        LABELS,
        validation=(torch.tensor(DATA), LABELS),
        epochs=3,
        head_epochs=1,
        progress=False,
    ),
    "importance sampling": lambda: hm.likelihood.ais(RBM(), chains=10, betas=10),
    "exact likelihood": lambda: hm.likelihood.log_likelihood(RBM(), DATA, log_z=hm.likelihood.exact_log_z(RBM())),
    "pseudo-likelihood": lambda: hm.likelihood.pseudo_likelihood(RBM(), torch.tensor(DATA), generator=generator()),
    "fantasies": lambda: stack().generate(5, steps=3, generator=generator()),
    "Gibbs sampling": lambda: hm.sampling.gibbs.step(RBM(), hm.sampling.gibbs.init(RBM(), 5, generator=generator()), generator=generator()),
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_the_programs_own_state_is_as_it_was(work):
    def state():
        return (
            torch.random.get_rng_state().tolist(),
            [str(part) for part in np.random.get_state()],  # noqa: NPY002 (the very thing that must not move)
            random.getstate(),
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.is_grad_enabled(),
            torch.get_num_threads(),
        )

    before = state()
    work()
    assert state() == before


@pytest.mark.parametrize("name", ["contrastive divergence", "persistent chains", "a resampled source", "a stack", "importance sampling"])
def test_the_same_seed_gives_the_same_bits_whatever_the_programs_own(name):
    results = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            results.append(WORK[name]())
    first, second = ([result.log_weights] if name == "importance sampling" else bits(result) for result in results)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def bits(result):
    """The tensors of a model, or of the model that a training state holds."""
    return list((result.model if isinstance(result, hm.TrainingState) else result).state_dict().values())
