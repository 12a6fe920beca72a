"""What `fit` does where it is told nothing: its rate, its length, and what it learns for many pairs of units."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning.defaults import (
    COST,
    COUNTED,
    EARLY,
    ENDLESS,
    FOLLOWED,
    HIGHEST,
    LASTING,
    LONG,
    NOISIEST,
    REAL,
    RENEWAL,
    SEEING,
    SHORT,
    VISITS,
    defaults_of,
    rule_of,
)
from harmonium.learning.length import Length
from harmonium.learning.loop.settings import described

GENERATOR = torch.Generator().manual_seed(0)
PATTERNS = (torch.rand(6, 12, generator=GENERATOR) < 0.5).float()
NOISE = torch.rand(1500, 12, generator=GENERATOR) < 0.08
BITS = (PATTERNS[torch.randint(6, (1500,), generator=GENERATOR)] + NOISE) % 2
REALS = 40 + 7 * (BITS[:, :8] + 0.3 * torch.randn(1500, 8, generator=GENERATOR))
STEEP = REALS[:, :1] + 0.1 * REALS.repeat(1, 3)  # whose largest variance bounds the rate
COUNTS = torch.poisson(1 + 4 * BITS[:, :8], generator=GENERATOR)
real = partial(hm.Gaussian, 8, learn_variance=True)
PAIRS: dict[str, tuple[torch.Tensor, Callable[[], hm.RBM]]] = {
    "binary": (BITS, lambda: hm.RBM(12, 8)),
    "spins": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.Spin(8))),
    "softmax": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.Softmax(2, categories=4))),
    "binomial": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.Binomial(6, copies=4))),
    "Gaussian hidden": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.Gaussian(5))),
    "rectified hidden": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.TruncatedGaussian(6))),
    "counting hidden": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.Poisson(6))),
    "stepped hidden": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.SteppedSigmoid(6))),
    "exponential hidden": (BITS, lambda: hm.RBM(hm.Bernoulli(12), hm.Exponential(6))),
    "real": (REALS, lambda: hm.RBM(real(), hm.Bernoulli(8))),
    "real and softmax": (REALS, lambda: hm.RBM(real(), hm.Softmax(1, categories=8))),
    "counts": (COUNTS, lambda: hm.RBM(hm.Poisson(8), hm.Bernoulli(8))),
    "binomial counts": (COUNTS.clamp_max(12), lambda: hm.RBM(hm.Binomial(8, copies=12), hm.Bernoulli(8))),
}
RATES = (0.01, 0.03, 0.1)


def nats(rbm: hm.RBM, rows: torch.Tensor) -> float:
    return float(hm.likelihood.log_likelihood(rbm, rows, log_z=hm.likelihood.exact_log_z(rbm)).mean())


@pytest.mark.filterwarnings("ignore:of . hidden units")
@pytest.mark.filterwarnings("ignore:after 300 updates no hidden")
@pytest.mark.filterwarnings("ignore:in .* updates the weights were pulled back:RuntimeWarning")
@pytest.mark.parametrize("name", PAIRS)
def test_every_pair_learns_most_of_what_the_best_of_a_search_learns(name: str) -> None:
    """At least 75 % of the gain over base rates, on cases that were held out, in 300 updates."""
    rows, make = PAIRS[name]
    learn, held = rows[:1000], rows[1000:]
    base = make()
    hm.fit(base, learn, epochs=0, progress=False)
    for parameter in base.coupling.parameters():
        parameter.detach().zero_()
    ours = make()
    hm.fit(ours, learn, updates=300, progress=False)
    found = []
    for rate in RATES:
        rbm = make()
        try:
            hm.fit(rbm, learn, updates=300, optimizer=partial(hm.MomentumSGD, lr=rate, momentum=0.9), progress=False)
        except FloatingPointError:
            continue
        found.append(nats(rbm, held))
    start = nats(base, held)
    best = max(value for value in found if math.isfinite(value))
    assert best > start + 0.2
    assert nats(ours, held) - start > 0.75 * (best - start)


def test_the_rate_is_a_constant_over_the_largest_variance() -> None:
    wide = (3 * BITS[:, :8]).clamp_max(12)
    for rbm, rows, constant in (
        (hm.RBM(12, 8), BITS, COUNTED),
        (hm.RBM(hm.Binomial(8, copies=12), hm.Bernoulli(8)), wide, COUNTED),
        (hm.RBM(hm.Bernoulli(12), hm.TruncatedGaussian(8)), BITS, ENDLESS),
        (hm.RBM(real(), hm.Bernoulli(8)), REALS, REAL),
    ):
        numbers = rows.double().numpy()
        x = numbers / numbers.std(0) if constant == REAL else numbers
        largest = np.linalg.eigvalsh(np.cov(x, rowvar=False, bias=True))[-1]
        for updates, share in ((100, 1.0), (300, 1.0), (30_000, 0.01)):
            rate = defaults_of(rbm, (rows, None), Length(updates), True, hm.ContrastiveDivergence()).rate
            steepest = constant / largest
            assert rate == pytest.approx(
                min(steepest, NOISIEST / largest**0.5 * share) if constant == REAL else min(steepest, HIGHEST) * share**0.5, rel=0.02
            )


def test_a_weight_counts_as_repeated_rows_and_chains_take_a_quarter() -> None:
    weights = torch.arange(1500) % 3
    rbm, plain = hm.RBM(hm.Binomial(8, copies=12), hm.Bernoulli(8)), hm.ContrastiveDivergence()
    counts = COUNTS.clamp_max(12)
    weighted = defaults_of(rbm, (counts, weights.float()), Length(300), True, plain).rate
    repeated = defaults_of(rbm, (counts.repeat_interleave(weights, 0), None), Length(300), True, plain).rate
    assert weighted == pytest.approx(repeated, rel=1e-6)
    assert weighted != pytest.approx(defaults_of(rbm, (counts, None), Length(300), True, plain).rate, rel=1e-6)
    assert defaults_of(rbm, (counts, weights.float()), Length(300), True, hm.PersistentCD(10)).rate == pytest.approx(weighted / 4)


def test_the_rate_of_binary_machines_with_persistent_chains_falls_late_where_the_data_vary_much() -> None:
    rbm, rule, counted = hm.RBM(24, 8), hm.PersistentCD(10), hm.RBM(hm.Binomial(24, copies=1), hm.Bernoulli(8))
    rows = BITS[:, :1].expand(-1, 24)  # all units on or off together: λ is 24 p (1 - p)
    shared = float(BITS[:, 0].mean())
    quarter = COUNTED / 4 / (24 * shared * (1 - shared))
    assert quarter < LASTING
    for updates in (300, 1000, 30_000):
        falling = (300 / updates) ** 0.5
        found = defaults_of(rbm, (rows, None), Length(updates), True, rule).rate
        assert found == pytest.approx(min(quarter, LASTING * falling), rel=0.02)
        assert defaults_of(counted, (rows, None), Length(updates), True, rule).rate == pytest.approx(quarter * falling, rel=0.02)
    even = COUNTED / 4 / np.linalg.eigvalsh(np.cov(BITS[:, :2].T.numpy().astype(float), bias=True))[-1]
    assert even > LASTING
    found = defaults_of(hm.RBM(2, 8), (BITS[:, :2], None), Length(30_000), True, rule).rate
    assert found == pytest.approx(min(even, HIGHEST) / 10, rel=0.02)


def test_a_deep_machine_of_binary_units_takes_half_of_the_rate_of_an_rbm_and_learns_what_one_learns() -> None:
    """Half with contrastive divergence; as much with chains that have to follow the machine."""
    deep, rbm = hm.DBM([hm.Bernoulli(units) for units in (12, 6, 4)]), hm.RBM(12, 6)
    rows = BITS[:, :1].expand(-1, 12)  # of a large variance, so that the rate is below the highest
    for rule, share in ((hm.ContrastiveDivergence(), 0.5), (hm.PersistentCD(10), 1.0)):
        found, known = (defaults_of(model, (rows, None), Length(300), True, rule) for model in (deep, rbm))
        assert (found.rate, found.gradient, found.falls) == (pytest.approx(known.rate * share), "centred", True)
        shallow = hm.DBM([hm.Bernoulli(12), hm.Bernoulli(6)])  # with one coupling it is an RBM
        alike = defaults_of(shallow, (rows, None), Length(300), True, rule)
        assert alike.rate == pytest.approx(known.rate)
    hm.fit(rbm, BITS[:1000], updates=300, progress=False)
    hm.fit(deep, BITS[:1000], updates=300, progress=False)
    held = BITS[1000:]
    bound = hm.likelihood.dbm_bound(deep, held, log_z=hm.likelihood.exact_log_z(deep.joint)).mean
    independent = float((held.mean(0).logit() * held - torch.nn.functional.softplus(held.mean(0).logit())).sum(1).mean())
    assert bound - independent > 0.75 * (nats(rbm, held) - independent) > 0.5


@pytest.mark.parametrize(
    "layers", [[hm.Bernoulli(12), hm.Bernoulli(6), hm.Gaussian(4)], [hm.Bernoulli(12), hm.Poisson(6), hm.Bernoulli(4)]]
)
def test_a_deep_machine_with_an_endless_layer_keeps_a_low_rate(layers: list[hm.Unit]) -> None:
    found = defaults_of(hm.DBM(layers), (BITS, None), Length(300), True, hm.PersistentCD(10))
    assert (found.rate <= 1e-3, found.gradient, found.falls) == (True, "plain", False)


def test_chains_see_more_the_longer_the_training_is() -> None:
    """Not those of units without a bound, of other couplings, with gaps, of streams, or of whoever chooses an optimiser."""
    nearby, early, seeing, lasting = hm.ContrastiveDivergence(), *(hm.PersistentCD(renewal=share) for share in (EARLY, RENEWAL, 0.0))

    def found(model: hm.RBM | hm.DBM) -> list[hm.Rule]:
        return [rule_of(model, hm.Given(), Length(updates), False, None) for updates in (0, SEEING - 1, SEEING, LONG - 1, LONG)]

    def bits(units: int) -> hm.Bernoulli:
        return hm.Bernoulli(units)

    rbm, deep = hm.RBM(12, 4), hm.DBM([bits(12), bits(6), bits(4)])
    assert found(rbm) == [nearby, nearby, seeing, seeing, lasting]
    assert found(deep) == [nearby, early, seeing, seeing, lasting]
    for model in (rbm, deep):
        gaps = hm.Given(missing=torch.zeros(1, 12))
        assert rule_of(model, hm.Given(), Length(LONG), True, None) == rule_of(model, gaps, Length(LONG), False, None) == nearby
    for rule in (nearby, early, seeing, lasting):
        gone_on = (rule_of(rbm, hm.Given(), Length(updates), chosen, described(rule)) for updates, chosen in ((LONG, False), (1, True)))
        assert list(gone_on) == [rule, rule]
    for visible in (hm.Softmax(4, categories=3), hm.Binomial(12, copies=3)):
        assert found(hm.RBM(visible, 4)) == [nearby, early, seeing, seeing, seeing]
    assert found(hm.RBM(hm.Spin(12), 4)) == [nearby, nearby, seeing, seeing, seeing]
    for bounded in (hm.Softmax(1, categories=4), hm.Spin(4), hm.Binomial(4, copies=2)):
        for model in (hm.RBM(bits(12), bounded), hm.DBM([bits(12), bits(6), bounded])):
            assert found(model) == [nearby, nearby, seeing, seeing, seeing]
    for visible in (real(), hm.Groups(real(), bits(1)), hm.Poisson(12)):
        assert found(hm.RBM(visible, 4)) == [nearby, early, seeing, seeing, seeing]
        assert found(hm.RBM(visible, hm.Spin(4))) == [nearby, nearby, seeing, seeing, seeing]
        for hidden in (hm.Gaussian(4), hm.SteppedSigmoid(4)):
            assert set(found(hm.RBM(visible, hidden))) == {nearby}
    others = [hm.RBM(visible, 4) for visible in (hm.ReplicatedSoftmax(12), hm.Exponential(12), hm.NoisyReLU(12), hm.TruncatedGaussian(12))]
    others += [hm.DBM([real(), bits(6), bits(4)]), hm.RBM(real(), bits(int(FOLLOWED) * LONG))]
    others += [hm.RBM(bits(12), hidden) for hidden in (hm.Gaussian(4), hm.Poisson(4), hm.NoisyReLU(4), hm.SteppedSigmoid(4))]
    for model in (hm.MixtureOfRBMs(12, 4, components=2), hm.RBM(12, 4, hm.LowRank(12, 4, rank=2)), *others):
        assert set(found(model)) == {nearby}


@pytest.mark.parametrize(("updates", "few"), [(SHORT, 10), (1000, 33), (3000, 100)])
def test_chains_of_real_valued_data_keep_up_with_few_hidden_units(updates: int, few: int) -> None:
    """The fewer, the higher the rate, which many cases keep high. In their own form real-valued units have another rate."""

    def found(units: int, epoch: int = 1, **settings: bool) -> hm.Rule:
        return rule_of(hm.RBM(real(), units), hm.Given(), Length(updates, epoch), False, None, **settings)

    assert found(few) != found(few + 1) == found(few, standardise=False) == hm.ContrastiveDivergence()
    assert found(10, updates) != found(11, updates) == hm.ContrastiveDivergence()


def test_many_real_valued_cases_keep_the_rate_high() -> None:
    """Ten visits of each, by bounded hidden units alone."""
    plain = hm.ContrastiveDivergence()

    def rates(rbm: hm.RBM, rows: torch.Tensor) -> list[float]:
        lengths = (Length(SHORT), *(Length(10 * SHORT, epoch) for epoch in (1, SHORT // VISITS, SHORT, 100 * SHORT)))
        return [defaults_of(rbm, (rows, None), length, True, plain).rate for length in lengths]

    short, *longer = rates(hm.RBM(real(), 8), REALS)
    assert longer == pytest.approx([short / 10, short / 10, short, short])
    found = [Length.of(3, 500, size) for size in (10, 100, 1000)]
    assert found == [Length(1500, 50, 5000), Length(1500, 500, 50_000), Length(1500, 500, 500_000)]
    short, *longer = rates(hm.RBM(real(), hm.Gaussian(4)), REALS)
    assert max(longer) == min(longer) < short
    short, *longer = rates(hm.RBM(12, 8), BITS)
    assert longer == pytest.approx([short / 10**0.5] * 4)


def test_weights_between_bounded_units_cost_what_a_normal_prior_makes_them_cost() -> None:
    for name, (rows, make) in PAIRS.items():
        machine, rule = make(), hm.ContrastiveDivergence()
        bounded = name in ("binary", "spins", "softmax", "binomial", "binomial counts")
        for cases, expected in ((0, 0.0), (20, COST), (1000, 0.001), (50_000, 2e-5)):
            length = Length(3000, 10, cases)
            assert defaults_of(machine, (rows, None), length, True, rule).cost == pytest.approx(expected if bounded else 0.0)
            assert defaults_of(machine, (rows, None), length, True, rule, chosen=True).cost == 0
    means = (hm.Bernoulli(12, values="probabilities"), hm.Spin(12, values="means"))
    length, rule = Length(3000, 15, 1500), hm.ContrastiveDivergence()
    assert [defaults_of(hm.RBM(visible, 8), (BITS, None), length, True, rule).cost for visible in means] == [0, 0]
    for asked, cost in (({}, 1 / 1500), ({"weight_cost": 0.0}, 0.0), ({"schedule": partial(hm.Schedule, lr=lambda epoch: 1.0)}, 0.0)):
        state = hm.fit(hm.RBM(12, 2), BITS, epochs=1, progress=False, **asked)
        assert [group["weight_decay"] for group in state.optimizer.param_groups] == pytest.approx([cost, 0.0])


def test_few_cases_leave_chains_that_move_between_them() -> None:
    """All bars of 3 x 3 pixels: 14 images, -2.64 nats at best. Without the cost, weights grow until no chain goes from one to another."""
    sides = np.array(list(np.ndindex(2, 2, 2)))[:, None, :].repeat(3, 1)
    images = torch.tensor(np.unique(np.concatenate([sides, sides.swapaxes(1, 2)]).reshape(-1, 9), axis=0)).float()
    assert len(images) == 14
    found = []
    for settings in ({}, {"weight_cost": 0.0}):
        rbm = hm.RBM(9, 9, seed=0)
        hm.fit(rbm, images, progress=False, **settings)
        found.append(nats(rbm, images))
    assert found[0] > -3.3 > -4.5 > found[1]


@pytest.mark.parametrize(
    ("rbm", "rows"),
    [
        (hm.RBM(hm.Gaussian(24, learn_variance=True), 11), STEEP),  # too many hidden units
        (hm.RBM(hm.Binomial(8, copies=12), 4), COUNTS),
    ],
)
def test_the_rate_is_lower_the_longer_chains_are(rbm: hm.RBM, rows: torch.Tensor) -> None:
    plain = defaults_of(rbm, (rows, None), Length(300), True, hm.ContrastiveDivergence()).rate
    rates = [defaults_of(rbm, (rows, None), Length(300), True, hm.PersistentCD(renewal=share)).rate for share in (EARLY, RENEWAL, 0.0)]
    assert rates == pytest.approx([plain / 2, plain / 4, plain / 4])


def test_chains_that_keep_up_cost_real_valued_data_no_rate() -> None:
    """At a quarter of it most of 16 hidden units of raw faces end as copies."""
    rbm = hm.RBM(hm.Gaussian(24, learn_variance=True), 10)
    rules = [hm.ContrastiveDivergence(), *(hm.PersistentCD(renewal=share) for share in (EARLY, RENEWAL, 0.0))]
    rates = [defaults_of(rbm, (STEEP, None), Length(SHORT), True, rule).rate for rule in rules]
    assert rates == pytest.approx(rates[:1] * 4)


@pytest.mark.parametrize("units", [33, 200])  # with chains that begin anew at times, and without
def test_hidden_units_of_real_valued_data_do_not_run_away(units: int) -> None:
    """As many do with chains that persist or begin anew, at the rates above: all units end at one."""
    draws = torch.Generator().manual_seed(0)
    found = torch.randn(1000, 5, generator=draws) @ torch.randn(5, 100, generator=draws) + torch.randn(1000, 100, generator=draws)
    rows = (found - found.mean(0)) / found.std(0)
    rbm = hm.RBM(hm.Gaussian(100, variance=1.0), units, seed=0)
    hm.fit(rbm, rows, updates=SEEING, seed=0, progress=False)
    assert 0.3 < rbm.hidden_mean(rows).mean() < 0.7


@pytest.mark.filterwarnings("ignore:of . hidden units")
def test_persistent_chains_weigh_clusters_that_contrastive_divergence_does_not() -> None:
    """Two blocs of cases, far apart, four to one. No step of CD-1 crosses between them, and it ends below independent columns."""
    draws = torch.Generator().manual_seed(0)
    bloc = (torch.rand(10_000, 1, generator=draws) < 0.8).float()
    rows = (bloc + (torch.rand(10_000, 30, generator=draws) < 0.05)) % 2
    learnt = []
    for rule in (None, hm.ContrastiveDivergence()):
        rbm = hm.RBM(30, 4)
        hm.fit(rbm, rows, updates=LONG, negative=rule, progress=False)
        learnt.append(nats(rbm, rows))
    mean = rows.double().mean(0)
    independent = float((torch.xlogy(mean, mean) + torch.xlogy(1 - mean, 1 - mean)).sum())
    assert learnt[1] < independent < learnt[0] - 3


def test_a_longer_training_keeps_its_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmonium.learning.defaults.SEEING", 15)
    monkeypatch.setattr("harmonium.learning.defaults.LONG", 20)
    rows, quiet, rules = (
        BITS[:100],
        {"progress": False},
        {10: hm.ContrastiveDivergence(), 15: hm.PersistentCD(renewal=0.1), 20: hm.PersistentCD()},
    )
    for updates, rule in rules.items():
        path = tmp_path / str(updates)
        for length in (updates, 30):
            state = hm.fit(hm.RBM(12, 4), rows, updates=length, checkpoint=path, **quiet)
            assert (state.step, state.settings["negative"]) == (length, described(rule))
        assert hm.fit(state.model, rows, updates=35, state=state, **quiet).chains is state.chains
    named = hm.fit(hm.RBM(12, 4), rows, updates=20, negative=hm.ContrastiveDivergence(), **quiet)
    assert named.chains is None


def test_the_unit_of_real_valued_data_does_not_matter() -> None:
    rule = hm.ContrastiveDivergence()
    rates = [defaults_of(hm.RBM(real(), 6), (REALS * unit, None), Length(300), True, rule).rate for unit in (0.001, 1.0, 1000.0)]
    assert rates == pytest.approx([rates[0]] * 3, rel=1e-4)


@pytest.mark.parametrize("rows", [REALS[:1], REALS[:1].repeat(50, 1)])
def test_data_that_do_not_vary_leave_the_rate_low(rows: torch.Tensor) -> None:
    assert defaults_of(hm.RBM(real(), 6), (rows, None), Length(300), True, hm.ContrastiveDivergence()).rate <= NOISIEST
    hm.fit(hm.RBM(real(), 6), rows, updates=20, progress=False)


def test_the_length_is_a_number_of_updates() -> None:
    for given, epochs in (({}, 300), ({"updates": 21}, 3), ({"epochs": 2}, 2), ({"updates": 0}, 0)):
        assert hm.fit(hm.RBM(12, 2), BITS[:1000], progress=False, **given).epoch == epochs
    assert hm.fit(hm.RBM(12, 2), [BITS[:50]], progress=False).epoch == 10
    assert hm.fit(hm.RBM(12, 2), iter([BITS[:50]]), progress=False).epoch == 1
    with pytest.raises(ValueError, match="either epochs or updates"):
        hm.fit(hm.RBM(12, 2), BITS, epochs=1, updates=1)
    with pytest.raises(ValueError, match="unknown number of updates"):
        hm.fit(hm.RBM(12, 2), [BITS[:50]], updates=1)
    with pytest.raises(ValueError, match="zero or more, found -1"):
        hm.fit(hm.RBM(12, 2), BITS, updates=-1)


class Watch(hm.Callback):
    def __init__(self, stop: int | None = None) -> None:
        self.rates: list[float] = []
        self.stop = stop

    def on_step(self, state: hm.TrainingState) -> None:
        self.rates.append(state.optimizer.param_groups[0]["lr"])
        if state.step == self.stop:
            raise KeyboardInterrupt


def test_the_rate_falls_to_zero_and_an_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, watch = hm.RBM(12, 4, seed=1), Watch()
    hm.fit(whole, BITS[:1000], epochs=5, callbacks=[watch], progress=False)
    assert watch.rates == pytest.approx([watch.rates[0] / 49 * (49 - step) for step in range(50)])
    cut = hm.RBM(12, 4, seed=1)
    with pytest.raises(KeyboardInterrupt):
        hm.fit(cut, BITS[:1000], epochs=5, callbacks=[Watch(24)], checkpoint=tmp_path / "cut", progress=False)
    cut = hm.RBM(12, 4)
    state = hm.fit(cut, BITS[:1000], epochs=5, checkpoint=tmp_path / "cut", progress=False)
    assert all(torch.equal(a, b) for a, b in zip(cut.parameters(), whole.parameters(), strict=True))
    hm.fit(cut, BITS[:1000], epochs=6, state=state, progress=False)
    assert state.epoch == 6
    hm.fit(hm.RBM(12, 4), BITS[:1000], epochs=7, checkpoint=tmp_path / "cut", progress=False)


def test_who_names_an_optimiser_or_a_schedule_has_a_plain_gradient() -> None:
    optimizer = partial(hm.MomentumSGD, lr=0.01)
    for own in ({"optimizer": optimizer}, {"schedule": partial(hm.Schedule, lr=lambda epoch: 1.0)}):
        watch = Watch()
        state = hm.fit(hm.RBM(12, 4), BITS[:200], epochs=2, callbacks=[watch], progress=False, **own)
        assert state.settings["gradient"] == "plain"
        assert len(set(watch.rates)) == 1
    on = hm.fit(state.model, BITS[:200], epochs=3, state=state, callbacks=[watch], progress=False)
    assert on.settings["gradient"] == "plain"
    assert len(set(watch.rates)) == 1
    assert hm.fit(hm.RBM(12, 4), BITS[:200], epochs=1, progress=False).settings["gradient"] == "centred"


def documents(cases: int, generator: torch.Generator) -> torch.Tensor:
    """Counts of 30 words in documents of one of three topics, most of them short and one in fifty a hundred times as long."""
    topics = torch.softmax(2 * torch.randn(3, 30, generator=torch.Generator().manual_seed(1)), dim=1)
    lengths = torch.where(torch.arange(cases) % 50 == 0, 2000, torch.randint(5, 35, (cases,), generator=generator)).tolist()
    shares = topics[torch.randint(3, (cases,), generator=generator)]
    rows = zip(shares, lengths, strict=True)
    return torch.stack([torch.multinomial(p, n, True, generator=generator).bincount(minlength=30) for p, n in rows]).float()


def test_documents_of_many_lengths_learn() -> None:
    """A rate of SGD that the longest bear teaches the others little; the default reaches 75 % of the gain of good rates, of Adam too."""
    generator = torch.Generator().manual_seed(0)
    learn, held = documents(500, generator), documents(60, generator)[1:50]
    unigram = ((learn.sum(0) + 1) / (learn.sum() + 30)).log()
    base = float((held @ unigram).mean())

    def reached(**settings: Any) -> float:
        rbm = hm.RBM(hm.ReplicatedSoftmax(30), hm.Bernoulli(3))
        hm.fit(rbm, learn, updates=200, batch_size=50, progress=False, **settings)
        return hm.likelihood.evaluate(rbm, held, exact=True).nats

    best = max(reached(optimizer=partial(make, lr=rate)) for make, rate in ((hm.MomentumSGD, 1e-3), (torch.optim.Adam, 1e-2)))
    assert best > base + 5
    assert reached() - base > 0.75 * (best - base)


def test_long_documents_take_a_lower_rate() -> None:
    rule, rbm = hm.ContrastiveDivergence(), hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(2))
    rows, weights = torch.tensor([[100.0, 200.0, 0.0], [500.0, 0.0, 0.0]]), torch.tensor([3.0, 1.0])
    assert defaults_of(rbm, (rows, None), Length(300), True, rule).rate == pytest.approx(4 / 400)
    assert defaults_of(rbm, (rows, weights), Length(300), True, rule).rate == pytest.approx(4 / 350)
    assert defaults_of(rbm, (rows / 100, None), Length(1200), True, rule).rate == pytest.approx(0.02 / 2)
    mixed = hm.RBM(hm.Groups(hm.ReplicatedSoftmax(3), hm.Bernoulli(1)), hm.Bernoulli(2))
    assert defaults_of(mixed, (torch.cat([rows, torch.ones(2, 1)], 1), None), Length(300), True, rule).rate == pytest.approx(4 / 400)


def test_nets_are_fine_tuned_with_momentum() -> None:
    """A rate of 0.05 and momentum 0.9, one net or many."""

    def tuned(**settings: object) -> torch.Tensor:
        net = hm.nets.classifier(hm.DBN([hm.RBM(12, 8)]), classes=2)
        hm.fine_tune(net, BITS[:200], BITS[:200, 0].long(), epochs=8, progress=False, **settings)
        return net[-1].weight.detach()

    usual = tuned()
    assert torch.equal(usual, tuned(optimizer=partial(hm.MomentumSGD, lr=0.05, momentum=0.9)))
    many = hm.Replicas([hm.nets.classifier(hm.DBN([hm.RBM(12, 8)]), classes=2)])
    hm.fine_tune(many, BITS[:200], BITS[:200, 0].long(), epochs=8, progress=False)
    torch.testing.assert_close(many.take(0)[-1].weight.detach(), usual, atol=1e-5, rtol=1e-4)
