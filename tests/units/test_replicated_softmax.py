"""Documents against a list of every sequence of words."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests.models.machines import close

WORDS, HIDDEN = 3, 2


def length(*values):
    return Given(length=torch.tensor(values))


def unit(size=WORDS, seed=0):
    found = hm.ReplicatedSoftmax(size).double()
    found.bias.data = torch.tensor(np.random.default_rng(seed).normal(size=size))
    return found


def machine(seed=0, hidden=None):
    rbm = hm.RBM(hm.ReplicatedSoftmax(WORDS), hm.Bernoulli(HIDDEN) if hidden is None else hidden).double()
    draw = np.random.default_rng(seed)
    rbm.visible.bias.data = torch.tensor(draw.normal(size=WORDS))
    rbm.coupling.weight.data = torch.tensor(0.8 * draw.normal(size=rbm.coupling.weight.shape))
    return rbm


def sequences(words, D):
    """Every sequence of D words, as the counts of each: (words^D, words)."""
    return np.array([np.bincount(sequence, minlength=words) for sequence in itertools.product(range(words), repeat=D)])


def joint(rbm, D):
    """exp(-E) of every word sequence with every hidden state, by the sums of Salakhutdinov & Hinton: D scales the hidden biases."""
    b, W = rbm.visible.bias.detach().numpy(), rbm.coupling.weight.detach().numpy()
    n, h = sequences(WORDS, D), np.array(list(itertools.product((0, 1), repeat=HIDDEN)))
    energy = -(n @ b)[:, None] - n @ W[:-1] @ h.T - D * (h @ W[-1])[None, :]
    return n, h, np.exp(-energy)


@pytest.mark.parametrize("D", [1, 2, 5])
def test_one_layer_given_the_other_and_the_partition_function(D):
    rbm = machine()
    n, h, p = joint(rbm, D)
    assert hm.likelihood.exact_log_z(rbm, given=Given(length=torch.tensor(D))) == pytest.approx(np.log(p.sum()), abs=1e-10)
    states = torch.tensor(n, dtype=torch.float64)
    close(rbm.free_energy(states), -np.log(p.sum(1)), 1e-10)
    close(rbm.hidden_mean(states), (p / p.sum(1, keepdims=True)) @ h, 1e-10)
    down, given = torch.tensor(h, dtype=torch.float64), Given(length=torch.full((len(h),), D))
    conditional = (p / p.sum(0)).T
    mean = conditional @ n
    close(rbm.hidden_free_energy(down, given), -np.log(p.sum(0)), 1e-10)
    close(rbm.visible_mean(down, given), mean, 1e-10)
    close(rbm.visible.variance(rbm.visible_input(down), given), conditional @ n**2 - mean**2, 1e-10)
    found = hm.likelihood.log_likelihood(rbm, states, log_z=float(np.log(p.sum())))
    close(found.exp().sum(), 1.0, 1e-10)


def test_there_is_one_partition_function_for_each_length():
    """A collection of documents: each case is divided by the sum over the sequences of its own length."""
    rbm, total = machine(), 0.0
    for D in (1, 2, 3, 4):
        n, _, p = joint(rbm, D)
        case = torch.tensor(n[-2:], dtype=torch.float64)
        log_z = hm.likelihood.exact_log_z(rbm, given=Given(length=torch.tensor(D)))
        close(hm.likelihood.log_likelihood(rbm, case, log_z=log_z), np.log(p.sum(1) / p.sum())[-2:], 1e-10)
        total += log_z
    with pytest.raises(ValueError, match="length of each document"):
        hm.likelihood.exact_log_z(rbm)


def test_a_document_of_one_word_is_a_softmax():
    """The coupling's last row is then the hidden biases: the same energies, conditionals, gradients and log Z."""
    rbm = machine()
    plain = hm.RBM(hm.Softmax(1, categories=WORDS), hm.Bernoulli(HIDDEN)).double()
    plain.visible.bias.data = rbm.visible.bias.data.clone()
    plain.coupling.weight.data, plain.hidden.bias.data = rbm.coupling.weight.data[:-1].clone(), rbm.coupling.weight.data[-1].clone()
    v, h = torch.eye(WORDS).double(), torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]).double()
    given = length(1, 1, 1)
    close(rbm.energy(v, h), plain.energy(v, h).detach().numpy(), 1e-12)
    close(rbm.free_energy(v), plain.free_energy(v).detach().numpy(), 1e-12)
    close(rbm.visible_mean(h, given), plain.visible_mean(h).detach().numpy(), 1e-12)
    close(rbm.hidden_free_energy(h, given), plain.hidden_free_energy(h).detach().numpy(), 1e-12)
    log_z = hm.likelihood.exact_log_z(rbm, given=Given(length=torch.tensor(1)))
    assert log_z == pytest.approx(hm.likelihood.exact_log_z(plain), abs=1e-12)
    rbm.accumulate_gradient(rbm.infer(v), given=given)
    plain.accumulate_gradient(plain.infer(v))
    close(rbm.visible.bias.grad, plain.visible.bias.grad.numpy(), 1e-12)
    close(rbm.coupling.weight.grad, torch.cat([plain.coupling.weight.grad, plain.hidden.bias.grad[None]]).numpy(), 1e-12)


def test_the_hidden_layers_own_biases_stay_at_zero():
    rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Groups(hm.Bernoulli(2), hm.Gaussian(1)))
    assert [name for name, p in rbm.hidden.named_parameters() if p.requires_grad] == []
    data = np.random.default_rng(0).multinomial(6, [0.1, 0.2, 0.3, 0.4], size=40)
    hm.fit(rbm, data, epochs=2, batch_size=10, progress=False)
    assert all(not p.any() for p in rbm.hidden.parameters())


def test_samples_are_multinomial_and_of_the_length_asked_for():
    found, cases = unit(5), 20000
    input = torch.tensor(np.random.default_rng(1).normal(size=(3, 6)))
    lengths = torch.tensor([1, 4, 300])
    p = np.exp(input[:, :-1].numpy() + found.bias.detach().numpy())
    p /= p.sum(1, keepdims=True)
    x = found.sample(input.expand(cases, 3, 6), generator=torch.Generator().manual_seed(1), given=Given(length=lengths))
    assert x.shape == (cases, 3, 5)
    assert torch.equal(x.sum(-1), lengths.expand(cases, 3).double())
    found.check(x)
    x = x.numpy()
    for n, D in enumerate(lengths.tolist()):
        variance = D * p[n] * (1 - p[n])
        assert (np.abs(x[:, n].mean(0) - D * p[n]) < 4 * np.sqrt(variance / cases)).all()
        spread = np.cov(x[:, n].T)
        expected = D * (np.diag(p[n]) - np.outer(p[n], p[n]))
        assert (np.abs(spread - expected) < 6 * np.sqrt((expected**2 + np.outer(variance, variance)) / cases) + 0.02 * D / cases**0.5).all()
    again = found.sample(input, generator=torch.Generator().manual_seed(1), given=Given(length=lengths))
    other = found.sample(input, generator=torch.Generator().manual_seed(2), given=Given(length=lengths))
    assert torch.equal(again, found.sample(input, generator=torch.Generator().manual_seed(1), given=Given(length=lengths)))
    assert not torch.equal(again, other)


def test_thousands_of_words_in_documents_of_hundreds():
    found = hm.ReplicatedSoftmax(2000)
    found.bias.data[1000:] = -np.log(30)
    p = torch.softmax(found.bias.detach().double(), 0)
    lengths = torch.randint(100, 900, (100,), generator=torch.Generator().manual_seed(0))
    total, given = torch.zeros(2000, dtype=torch.float64), Given(length=lengths)
    for seed in range(5):
        x = found.sample(found.zero_input(100), generator=torch.Generator().manual_seed(seed), given=given)
        assert torch.equal(x.sum(-1), lengths.float())
        total += x.sum(0).double()
    expected = 5 * int(lengths.sum()) * p
    chi = ((total - expected) ** 2 / expected).sum().item()
    assert abs(chi - 2000) < 5 * np.sqrt(2 * 2000)


def test_the_rarest_words_are_drawn_too():
    """Words of one in a hundred million each, in a document of three million words."""
    found, words = hm.ReplicatedSoftmax(2000), 3_000_000
    found.bias.data[1000:] = np.log(1e-5)
    x = found.sample(found.zero_input(), generator=torch.Generator().manual_seed(0), given=Given(length=torch.tensor(words)))
    assert x.sum().item() == words
    rare = x[1000:].sum().item()
    assert abs(rare - 1e-5 * words) < 4 * np.sqrt(1e-5 * words)


def test_gradients_equal_autograd():
    found, input = unit(), torch.tensor(np.random.default_rng(2).normal(size=(4, WORDS + 1)))
    x = torch.tensor(sequences(WORDS, 3)[[0, 4, 9, 17]], dtype=torch.float64)
    given = found.given_by(x)
    assert given.length.tolist() == [3, 3, 3, 3]
    for weights in (None, torch.tensor([0.2, 0.0, 1.0, 3.0], dtype=torch.float64)):
        each = torch.ones(4, dtype=torch.float64) if weights is None else weights
        for value, gradient in (
            ((each * found.energy(x)).sum(), found.parameter_gradient(x, None, weights, given)),
            (-(each * found.log_partition(input, given)).sum(), found.mean_parameter_gradient(input, weights, given)),
        ):
            close(gradient["bias"], torch.autograd.grad(value, found.bias)[0].numpy(), 1e-10)


def test_the_mode_is_a_document_of_the_likeliest_word():
    found = unit()
    found.bias.data = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)
    input = torch.tensor([[0.0, 0.0, 0.0, 9.0], [2.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert found.mode(input, length(3, 2)).tolist() == [[0, 3, 0], [2, 0, 0]]


@pytest.mark.parametrize("function", ["log_partition", "mean", "variance", "mode"])
def test_a_length_is_needed(function):
    found = unit()
    with pytest.raises(ValueError, match=r"length of each document.*Given\(length"):
        getattr(found, function)(found.zero_input(2))
    with pytest.raises(ValueError, match="length"):
        found.sample(found.zero_input(2), generator=torch.Generator())


def test_counts_have_no_gaps():
    found, x = unit(), torch.tensor([[1.0, 0.0, 2.0]], dtype=torch.float64)
    for gap in (Given(present=x > 0), Given(missing=x > 0)):
        with pytest.raises(ValueError, match="no gaps"):
            found.statistic(x, gap)
    assert found.statistic(x, Given(present=x > -1)).tolist() == [[1, 0, 2, 3]]


def test_the_largest_input_it_can_send():
    found, weights = unit(), torch.tensor(np.random.default_rng(3).normal(size=(WORDS + 1, 6)))
    for D in (1, 4):
        n = np.concatenate([sequences(WORDS, D), np.full((WORDS**D, 1), D)], axis=1)
        close(found.max_interaction(weights, Given(length=torch.tensor(D))), (n @ weights.numpy()).max(0), 1e-12)
    most = weights[:-1].amax(0) + weights[-1]
    assert found.max_interaction(weights).tolist() == [0.0 if w <= 0 else np.inf for w in most.tolist()]
    several = found.max_interaction(weights, length(1, 4))
    close(several, np.maximum(most.numpy(), 4 * most.numpy()), 1e-12)


def test_biases_start_at_the_shares_of_the_words():
    data = np.random.default_rng(0).multinomial(50, [0.5, 0.3, 0.2, 0.0], size=30).astype(float)
    found = hm.ReplicatedSoftmax(4).double()
    found.init_from(torch.tensor(data))
    shares = (data.sum(0) + 1) / (data.sum() + 4)
    close(found.mean(found.zero_input(), Given(length=torch.tensor(10))), 10 * shares, 1e-9)
    found.init_from(torch.tensor(data), torch.tensor([1.0, 0.0] * 15, dtype=torch.float64))
    close(found.bias.softmax(0), (data[::2].sum(0) + 1) / (data[::2].sum() + 4), 1e-9)
    mean = torch.tensor([5.0, 3.0, 2.0, 0.0], dtype=torch.float64)
    base = found.base_input(mean)
    assert base.shape == (5,)
    assert base[-1] == 0
    close(found.mean(base, Given(length=torch.tensor(10))), mean.numpy(), 3e-3)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([[1.0, 0.5, 0.0]], "word counts.*found 0.5"),
        ([[1, -2, 0]], "found -2"),
        ([[1, 0, 2], [0, 0, 0]], "at least one word.*found 1 without"),
        ([[1.0, np.inf, 0.0]], "finite"),
        ([[1, 2]], r"\(\.\.\., 3\)"),
    ],
)
def test_states_are_checked(states, message):
    with pytest.raises(ValueError, match=message):
        unit().check(torch.tensor(states))
    unit().check(torch.tensor([[0, 255, 3]], dtype=torch.uint8))
    with pytest.raises(ValueError, match="two categories"):
        hm.ReplicatedSoftmax(1)


def corpus(cases=150):
    """Two topics of three words each, documents of one to seven words."""
    draw = np.random.default_rng(0)
    topics = np.array([[0.32, 0.32, 0.32, 0.02, 0.01, 0.01], [0.01, 0.01, 0.02, 0.32, 0.32, 0.32]])
    return np.stack([draw.multinomial(draw.integers(1, 8), topics[draw.integers(2)]) for _ in range(cases)])


def test_contrastive_divergence_raises_the_exact_likelihood():
    data = torch.tensor(corpus(), dtype=torch.float32)
    rbm = hm.RBM(hm.ReplicatedSoftmax(6), hm.Bernoulli(3), seed=1)
    rbm.visible.init_from(data)

    def likelihood():
        of = {D: hm.likelihood.exact_log_z(rbm, given=Given(length=torch.tensor(D))) for D in range(1, 8)}
        log_z = np.array([of[int(D)] for D in data.sum(1)])
        return (hm.likelihood.log_likelihood(rbm, data, log_z=0.0).numpy() - log_z).mean()

    before = likelihood()
    make = lambda groups: hm.MomentumSGD(groups, lr=0.02, momentum=0.9)  # noqa: E731
    state = hm.fit(rbm, data.numpy().astype(np.uint8), epochs=30, batch_size=30, optimizer=make, validation=data[:40], progress=False)
    assert likelihood() > before + 0.5
    assert "free_energy_gap" not in state.history[-1]  # Z differs from length to length
    assert np.isfinite(state.history[-1]["reconstruction_error"])


def test_persistent_chains_have_no_length():
    with pytest.raises(ValueError, match="length"):
        hm.fit(hm.RBM(hm.ReplicatedSoftmax(6), hm.Bernoulli(3)), corpus(), negative=hm.PersistentCD(chains=5), epochs=1, progress=False)


def test_a_document_beside_other_units():
    """A label beside the words: log Z of a length against every sequence with every label."""
    rbm = hm.RBM(hm.Groups(hm.ReplicatedSoftmax(2), hm.Bernoulli(1)), hm.Bernoulli(2)).double()
    draw = np.random.default_rng(4)
    for part in rbm.visible.parts:
        part.bias.data = torch.tensor(draw.normal(size=part.bias.shape))
    W = draw.normal(size=(4, 2))
    rbm.coupling.weight.data = torch.tensor(W)
    b, c = (part.bias.detach().numpy() for part in rbm.visible.parts)
    for D in (1, 3):
        total = 0.0
        for n, y, h in itertools.product(sequences(2, D), (0, 1), itertools.product((0, 1), repeat=2)):
            total += np.exp(n @ b + c[0] * y + np.r_[n, D, y] @ W @ np.array(h))
        assert hm.likelihood.exact_log_z(rbm, given=Given(length=torch.tensor(D))) == pytest.approx(np.log(total), abs=1e-10)


def test_saved_with_its_frozen_biases(tmp_path):
    rbm = machine()
    hm.save(rbm, tmp_path / "model")
    found = hm.load(tmp_path / "model")
    assert not found.hidden.bias.requires_grad
    v = torch.tensor([[2.0, 0.0, 1.0]], dtype=torch.float64)
    assert torch.equal(found.free_energy(v), rbm.free_energy(v))


def test_gibbs_sampling_keeps_each_documents_length():
    counts = torch.tensor([[3.0, 0.0, 1.0], [0.0, 5.0, 4.0]])
    rbm = hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(2))
    drawn = rbm.gibbs(counts, steps=3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn.sum(1), counts.sum(1))


def test_persistent_chains_of_documents_are_refused_before_anything_changes():
    rbm = hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(2))
    for negative in (hm.PersistentCD(4), hm.PersistentCD(chains=4, sampler=hm.Tempering())):
        with pytest.raises(ValueError, match="persistent chains belong to no case"):
            hm.fit(rbm, torch.tensor([[3.0, 0.0, 1.0], [0.0, 5.0, 4.0]]), negative=negative)
        assert not rbm.visible.bias.any()
