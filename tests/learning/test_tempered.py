"""Tempered contrastive divergence: the chains are a tempering sampler's, adapt, resume to the same bits, and learn what has modes."""

import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import harmonium as hm
from harmonium.learning.loop.progress import sentence
from harmonium.learning.loop.state import TrainingState
from harmonium.report import learning_curves
from harmonium.sampling import tempering
from tests import oracle
from tests.learning.signal import begun, contrastive_gradient
from tests.models.machines import close, plain


def modes(cases: int = 400, seed: int = 0) -> torch.Tensor:
    """A picture of sixteen pixels in seven of ten cases, its negative in the others, two in a hundred pixels flipped."""
    draw = np.random.default_rng(seed)
    picture = draw.integers(2, size=16)
    shown = np.stack([picture, 1 - picture])[draw.choice(2, cases, p=[0.7, 0.3])]
    return torch.tensor(np.where(draw.random(shown.shape) < 0.02, 1 - shown, shown)).float()


def learn(negative: hm.learning.Rule, *, epochs: int = 6, seed: int = 5, **settings: object) -> TrainingState:
    rbm = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(4), seed=seed)
    optimizer = partial(torch.optim.SGD, lr=0.1)
    return hm.fit(rbm, modes(), negative=negative, epochs=epochs, optimizer=optimizer, seed=seed, progress=False, **settings)


def updated(state: TrainingState, negative: hm.PersistentCD, v: torch.Tensor, updates: int) -> None:
    for _ in range(updates):
        contrastive_gradient(state.model, v, None, negative, state)
        state.step += 1
        negative.between(state.model, state.slots["rule"], state.step)


def ladder_of(state: TrainingState, negative: hm.PersistentCD) -> tempering.TemperingState:
    """The slots as the state of a tempering sampler."""
    return negative.sampler.state(state.slots["rule"])


def test_the_chains_are_those_of_a_tempering_sampler() -> None:
    """Who stands where, the round trips and the figures too, over five updates at fixed temperatures."""
    rbm = hm.RBM(hm.Bernoulli((3, 4)), hm.Bernoulli(6), seed=1)
    negative = hm.PersistentCD(chains=7, steps=2, sampler=hm.Tempering(betas=[0, 0.5, 1]))
    rbm.coupling.weight.data *= 100
    training, v = begun(rbm, negative), torch.ones(2, 3, 4)
    assert training.chains.shape == (3, 7, 3, 4)
    generator, accepted = torch.Generator().manual_seed(0), []
    state = tempering.init(rbm, 7, [0, 0.5, 1], generator=generator)
    same(ladder_of(training, negative), state)
    for _ in range(5):
        updated(training, negative, v, 1)
        for _ in range(2):
            state, info = tempering.step(rbm, state, generator=generator)
            accepted.append(info.acceptance.mean(1))
        same(ladder_of(training, negative), state)
    rates, figures = torch.stack(accepted).mean(0), negative.metrics(training.slots["rule"])
    assert rates.min() < rates.mean() - 0.01
    close(
        torch.tensor([figures["swap_rate"], figures["least_swap_rate"], figures["round_trips"]]),
        [rates.mean(), rates.min(), state.round_trips.sum() / 7],
    )
    assert figures["round_trips"] > 0


def same(found: tempering.TemperingState, expected: tempering.TemperingState) -> None:
    for name in ("v", "betas", "identity", "heading", "round_trips"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


class Coldest(hm.Rule):
    """What learning at fixed temperatures comes to: data minus the mean over the sampler's coldest replicas."""

    def init(self, model: hm.RBM, generator: torch.Generator) -> hm.learning.Slots:
        self.sampler = tempering.init(model, 13, (0.1, 0.5, 1), generator=generator)
        return {}

    def particles(self, model, positive, slots, *, generator):
        self.sampler, _ = tempering.step(model, self.sampler, generator=generator)
        return self.sampler.v[-1]


@pytest.mark.parametrize("settings", [{}, {"gradient": "enhanced"}, {"sample_weight": (torch.arange(400) % 4 + 0.5).float()}])
def test_at_fixed_temperatures_the_update_is_the_plain_contrast(settings) -> None:
    """To the bit."""
    found = learn(hm.PersistentCD(chains=13, sampler=hm.Tempering(betas=(0.1, 0.5, 1))), **settings).model.state_dict()
    expected = learn(Coldest(), **settings).model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def planted() -> hm.RBM:
    """Eight spins that agree, up in 0.69 of all cases: a bottleneck between temperatures, where the spins decide."""
    rbm = hm.RBM(hm.Spin(8), hm.Spin(2)).double()
    rbm.coupling.weight.data.fill_(1.2)
    rbm.visible.bias.data.fill_(0.05)
    return rbm


def test_adapted_temperatures_swap_evenly() -> None:
    """At six even ones the rates of the first epoch are apart; after three adaptations they are not, and the figures say both."""
    rows = torch.ones(50, 8, dtype=torch.float64)
    learning = partial(hm.fit, epochs=4, batch_size=1, optimizer=partial(torch.optim.SGD, lr=0.0), progress=False)
    fixed, adapted = (
        hm.PersistentCD(chains=100, sampler=hm.Tempering(betas=6)),
        hm.PersistentCD(chains=100, sampler=hm.Tempering(betas=6, adapt=50)),
    )
    before, after = (learning(planted(), rows, negative=negative) for negative in (fixed, adapted))
    figures = ("swap_rate", "least_swap_rate", "round_trips")
    assert {name: after.history[0][name] for name in figures} == {name: before.history[0][name] for name in figures}
    assert after.history[0]["swap_rate"] - after.history[0]["least_swap_rate"] > 0.2
    assert after.history[3]["swap_rate"] - after.history[3]["least_swap_rate"] < 0.05
    assert after.history[3]["round_trips"] > 1.1 * before.history[3]["round_trips"] > 0
    assert torch.equal(ladder_of(before, fixed).betas, tempering.ladder(6))
    betas = ladder_of(after, adapted).betas
    assert torch.equal(tempering.ladder(betas), betas)
    assert (len(betas), betas[0], betas[-1]) == (6, 0, 1)


def test_an_adaptation_by_hand() -> None:
    """From the swaps of three updates, all made at the temperatures that were before, and of no others."""
    rbm, negative, v = planted(), hm.PersistentCD(chains=20, sampler=hm.Tempering(betas=4, adapt=3)), torch.ones(1, 8, dtype=torch.float64)
    training, generator = begun(rbm, negative), torch.Generator().manual_seed(0)
    state = tempering.init(rbm, 20, 4, generator=generator)
    for _ in range(2):
        accepted = []
        for _ in range(3):
            assert torch.equal(ladder_of(training, negative).betas, state.betas)
            updated(training, negative, v, 1)
            state, info = tempering.step(rbm, state, generator=generator)
            accepted.append(info.acceptance.mean(1))
        state = replace(state, betas=tempering.adapt(state.betas, torch.stack(accepted).mean(0)))
        close(ladder_of(training, negative).betas, state.betas, 1e-12)
        state = replace(state, betas=ladder_of(training, negative).betas.clone())
    same(ladder_of(training, negative), state)


def test_with_adapted_temperatures_the_chains_and_the_signal_are_the_exact_models() -> None:
    """After 200 updates and ten adaptations: the table of four spins by chi-squared, the gradient in its exact standard errors."""
    rbm, chains = hm.RBM(hm.Spin(4), hm.Spin(2)).double(), 4000
    rbm.coupling.weight.data = torch.tensor([[1.3, 0.2], [1.1, -0.6], [1.2, 0.9], [-1.0, 0.4]], dtype=torch.float64)
    rbm.visible.bias.data = torch.tensor([0.1, -0.2, 0.0, 0.1], dtype=torch.float64)
    negative = hm.PersistentCD(chains=chains, sampler=hm.Tempering(betas=4, adapt=20))
    data = torch.tensor([[1.0, 1, -1, 1], [1, -1, -1, -1]], dtype=torch.float64)
    training = begun(rbm, negative)
    updated(training, negative, data, 200)
    assert (ladder_of(training, negative).betas - tempering.ladder(4)).abs().max() > 0.03

    v, p = oracle.visible_distribution(plain(rbm))
    p = p / p.sum()
    counts = np.array([(training.chains[-1].numpy() == row).all(1).sum() for row in v])
    assert counts.sum() == chains
    assert stats.chisquare(counts, chains * p).pvalue > 1e-3

    def products(rows: np.ndarray) -> np.ndarray:
        hidden = np.tanh(rows @ rbm.coupling.weight.detach().numpy() + rbm.hidden.bias.detach().numpy())
        return np.einsum("ni,nj->nij", rows, hidden)

    mean = np.einsum("n,nij->ij", p, products(v))
    error = np.sqrt((np.einsum("n,nij->ij", p, products(v) ** 2) - mean**2) / chains)
    found = rbm.coupling.weight.grad.numpy()  # of the mean energy: minus the data's products, plus the model's
    expected = mean - products(data.numpy()).mean(0)
    assert (np.abs(found - expected) < 4 * error).all(), np.abs(found - expected) / error


def test_the_figures_of_each_epoch_are_kept_and_shown() -> None:
    """Without weights all swaps are made and three walkers go round: two round trips in the first four steps, then one a step."""
    rbm, rows = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(4)), modes()
    rbm.coupling.weight.data.zero_()
    negative, still = hm.PersistentCD(chains=5, sampler=hm.Tempering(betas=3)), partial(torch.optim.SGD, lr=0.0)

    class Stream:
        def __iter__(self):
            return iter(rows.split(100))

    for data in (rows, Stream()):
        history = hm.fit(rbm, data, negative=negative, epochs=3, optimizer=still, progress=False).history
        assert [row["round_trips"] for row in history] == [2, 4, 4]
        assert {row[name] for row in history for name in ("swap_rate", "least_swap_rate")} == {1.0}
    assert "swaps 100%  at least 100%  round trips 4.0" in sentence(history[-1])
    figure = learning_curves({"learning": history})
    assert "round trips (per chain and epoch)" in {axes.get_ylabel() for axes in figure.axes}
    below = " ".join(text.get_text() for text in figure.texts)
    assert "swaps accepted (share, all pairs) 1" in below  # constant, and so named and not drawn
    assert "swaps accepted (share, worst pair) 1" in below


class Interrupt(hm.Callback):
    """Ctrl-C in the middle of an epoch."""

    def on_step(self, state: TrainingState) -> None:
        if state.step == 10:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("adapt", [None, 7])
def test_resuming_gives_the_same_bits(adapt: int | None, tmp_path: Path) -> None:
    """From files at the end and in the middle of an epoch, where some swaps wait for the next adaptation, and from a state at hand."""
    negative = hm.PersistentCD(chains=9, steps=2, sampler=hm.Tempering(betas=(0.1, 0.4, 1), adapt=adapt))
    path = tmp_path / "state.safetensors"
    whole = learn(negative)
    learn(negative, epochs=2, checkpoint=path)
    assert learn(negative, epochs=2, checkpoint=path).chains.shape == (3, 9, 16)
    with pytest.raises(KeyboardInterrupt):
        learn(negative, checkpoint=path, callbacks=[Interrupt()])
    resumed = learn(negative, checkpoint=path)
    half = learn(negative, epochs=3)
    on = hm.fit(half.model, modes(), negative=negative, epochs=6, seed=5, progress=False, state=half)
    assert torch.equal(ladder_of(whole, negative).betas, tempering.ladder((0.1, 0.4, 1))) == (adapt is None)
    for other in (resumed, on):
        assert other.step == whole.step == 24
        assert torch.equal(other.chains, whole.chains)
        assert all(torch.equal(other.slots["rule"][name], slot) for name, slot in whole.slots["rule"].items())
        for name, tensor in whole.model.state_dict().items():
            assert torch.equal(other.model.state_dict()[name], tensor), name
        for row, expected in zip(other.history, whole.history, strict=True):
            assert {**row, "seconds": 0} == {**expected, "seconds": 0}
    with pytest.raises(ValueError, match=r"PersistentCD\(chains=9, steps=2, sampler=Tempering\(betas=\(0.1, 0.4, 1.0\)"):
        learn(hm.PersistentCD(chains=9, steps=2, sampler=hm.Tempering(betas=(0.1, 0.4, 1), adapt=8)), checkpoint=path)


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_it_learns_modes_whose_weights_persistent_chains_miss() -> None:
    """The exact mean log-likelihood after 600 updates, three seeds: each time better than PCD's with as many chains; once adapted too."""
    schedule = partial(hm.Schedule, lr=lambda epoch: 1 - epoch / 150)
    for seed in range(3):
        found = []
        adapted = [hm.PersistentCD(chains=100, sampler=hm.Tempering(betas=6, adapt=50))] if seed == 0 else []
        for negative in (hm.PersistentCD(chains=100), hm.PersistentCD(chains=100, sampler=hm.Tempering(betas=6)), *adapted):
            model = learn(negative, epochs=150, seed=seed, schedule=schedule).model
            found.append(oracle.log_likelihood(plain(model), modes().double().numpy()).mean())
        assert min(found[1:]) > found[0] + 0.2


def test_what_persistent_chains_cannot_carry_is_refused_and_missing_values_are_not() -> None:
    rbm, negative, v = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(6)), hm.PersistentCD(chains=5, sampler=hm.Tempering(betas=3)), modes(20)
    mask = torch.rand(20, 16, generator=torch.Generator().manual_seed(0)) < 0.3
    with pytest.raises(ValueError, match=r"given\.present changes the partition function"):
        hm.fit(rbm, v, negative=negative, given=hm.Given(present=~mask), progress=False)
    with pytest.raises(ValueError, match=r"given\.present changes the partition function"):
        contrastive_gradient(rbm, v, None, negative, begun(rbm, negative), given=hm.Given(present=~mask))
    conditional = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(6), hm.Conditional(hm.Dense(16, 6), 2))
    with pytest.raises(ValueError, match=r"given\.context changes the partition function"):
        hm.fit(conditional, v, negative=negative, given=hm.Given(context=torch.ones(20, 2)), progress=False)
    state = hm.fit(rbm, v, negative=negative, given=hm.Given(missing=mask), epochs=2, progress=False)
    assert state.chains.shape == (3, 5, 16)


def test_settings_are_checked() -> None:
    for settings in ({"chains": 0}, {"steps": 0}):
        with pytest.raises(ValueError, match="at least one chain and one step"):
            hm.PersistentCD(**settings, sampler=hm.Tempering())
    with pytest.raises(ValueError, match="number of updates between adaptations"):
        hm.PersistentCD(sampler=hm.Tempering(adapt=0))
    for betas in (1, [0, 0.5], [0.5, 0.2, 1]):
        with pytest.raises(ValueError, match="at least two inverse temperatures"):
            hm.PersistentCD(sampler=hm.Tempering(betas=betas))
    assert hm.PersistentCD(sampler=hm.Tempering(betas=[0, 1])) == hm.PersistentCD(sampler=hm.Tempering(betas=(0.0, 1.0)))
    with pytest.raises(TypeError, match="a tempered distribution"):
        hm.fit(
            hm.RBM(hm.Bernoulli(16), hm.NoisyReLU(2)), modes(20), negative=hm.PersistentCD(chains=5, sampler=hm.Tempering()), progress=False
        )
