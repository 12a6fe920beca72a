"""Machines and stacks trained as replicas learn as they would alone, given the same draws."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas
import pytest
import torch
from torch import Tensor

import harmonium as hm
from harmonium.learning.replicas.greedy_replicas import features_of
from harmonium.learning.replicas.stacking import UNITS

REPLICAS, CASES, BATCH = 3, 22, 10
ROWS = (torch.rand(CASES, 6, generator=torch.Generator().manual_seed(0)) < 0.4).float()
SEEDS, RATES, COSTS = [3, 11, 5], [0.05, 0.2, 0.01], [0.0, 0.01, 0.1]
EACH = partial(hm.ReplicaSGD, lr=RATES, momentum=0.5)


class Draws:
    """Numbers that depend on the replica and on the place of the draw alone, in the place of random ones."""

    def __init__(self, replica: int | None) -> None:
        self.replica, self.count = replica, 0

    def __call__(self, make: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        self.count += 1

        def of(replica: int, size: tuple[int, ...]) -> Tensor:
            return make(size, generator=torch.Generator().manual_seed(1000 * replica + self.count))

        if self.replica is None:
            return torch.stack([of(replica, tuple(shape[1:])) for replica in range(shape[0])])
        return of(self.replica, tuple(shape))


@pytest.fixture
def same_draws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int | None], None]]:
    current: list[Draws] = []
    rand, randn = torch.rand, torch.randn

    def use(replica: int | None) -> None:
        current[:] = [Draws(replica)]

    def normal(*shape: Any, **settings: Any) -> Tensor:
        return current[0](randn, shape[0]) if isinstance(shape[0], torch.Size) else randn(*shape, **settings)

    monkeypatch.setattr("harmonium.units.bernoulli.uniform", lambda shape, like, generator: current[0](rand, shape))
    monkeypatch.setattr("harmonium.units.spin.uniform", lambda shape, like, generator: current[0](rand, shape), raising=False)
    monkeypatch.setattr("harmonium.units.gaussian.torch.randn", normal)
    yield use
    monkeypatch.undo()


def close(found: torch.nn.Module, expected: torch.nn.Module, tolerance: float = 1e-5) -> None:
    for (name, one), (_, two) in zip(found.named_parameters(), expected.named_parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=tolerance, rtol=tolerance, msg=lambda text, name=name: f"{name}: {text}")


def machine(kind: str, seed: int) -> hm.RBM:
    visible = {"binary": hm.Bernoulli(6), "spin": hm.Spin(6), "real": hm.Gaussian(6, variance=0.5)}[kind]
    return hm.RBM(visible, hm.Bernoulli(4), seed=seed)


def data(kind: str) -> Tensor:
    noise = torch.randn(CASES, 6, generator=torch.Generator().manual_seed(1))
    return {"binary": ROWS, "spin": 2 * ROWS - 1, "real": ROWS + noise}[kind]


RULES = {
    "cd": hm.ContrastiveDivergence(2),
    "cd of means": hm.ContrastiveDivergence(reconstruction="mean"),
    "pcd": hm.PersistentCD(chains=7, steps=2),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["binary", "spin", "real"])
def test_each_replica_learns_as_alone_given_the_same_draws(kind: str, rule: str, same_draws: Callable[[int | None], None]) -> None:
    """Two updates of 10 of its own cases, and a short one of one; then the same again."""
    rows = torch.stack([torch.randperm(CASES, generator=torch.Generator().manual_seed(r))[:21] for r in range(REPLICAS)])
    common: dict[str, Any] = {"negative": RULES[rule], "epochs": 1, "batch_size": BATCH, "standardise": False, "progress": False}
    same_draws(None)
    many = hm.Replicas([machine(kind, seed) for seed in SEEDS], rows=rows)
    hm.fit(many, data(kind), optimizer=EACH, weight_cost=COSTS, seed=SEEDS, **common)
    for r, seed in enumerate(SEEDS):
        same_draws(r)
        alone = machine(kind, seed)
        sgd = partial(hm.MomentumSGD, lr=RATES[r], momentum=0.5)
        hm.fit(alone, data(kind)[rows[r]], optimizer=sgd, weight_cost=COSTS[r], seed=seed, **common)
        close(many.take(r), alone)


def test_rates_and_weight_costs_that_nobody_names_are_those_of_a_machine_alone() -> None:
    many = hm.Replicas([machine("binary", seed) for seed in SEEDS])
    rule = hm.ContrastiveDivergence()
    alone, *together = (
        hm.fit(model, ROWS, negative=rule, epochs=2, progress=False, **named).optimizer.param_groups
        for model, named in ((machine("binary", 0), {}), (many, {}), (many, {"weight_cost": 0.0}))
    )
    named = [[(group["weight_decay"], group["lr"]) for group in groups] for groups in together]
    assert named[0] == [(group["weight_decay"], group["lr"]) for group in alone]
    assert [groups[0][0] for groups in named] == [0.001, 0]


@pytest.mark.parametrize("rule", ["cd of means", "pcd"])
def test_in_bfloat16_each_replica_learns_as_alone_in_bfloat16(rule: str, same_draws: Callable[[int | None], None]) -> None:
    """Two updates, which rounding moves by far more than the tolerance."""
    common: dict[str, Any] = {"negative": RULES[rule], "epochs": 1, "batch_size": BATCH, "progress": False}
    found: dict[str, list[Tensor]] = {}
    for precision in ("float32", "bfloat16"):
        same_draws(None)
        many = hm.Replicas([machine("binary", seed) for seed in SEEDS])
        hm.fit(many, ROWS[:20], optimizer=EACH, weight_cost=COSTS, seed=SEEDS, precision=precision, **common)
        found[precision] = [many.take(r).coupling.weight.detach() for r in range(REPLICAS)]
    for r, seed in enumerate(SEEDS):
        same_draws(r)
        alone = machine("binary", seed)
        sgd = partial(hm.MomentumSGD, lr=RATES[r], momentum=0.5)
        hm.fit(alone, ROWS[:20], optimizer=sgd, weight_cost=COSTS[r], seed=seed, precision="bfloat16", **common)
        torch.testing.assert_close(found["bfloat16"][r], alone.coupling.weight.detach(), atol=1e-6, rtol=1e-5)
        assert (found["bfloat16"][r] - found["float32"][r]).abs().max() > 1e-5


def test_features_of_replicas_are_by_products_of_the_precision_that_is_asked_for() -> None:
    learned = [hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0, seed=seed)) for seed in SEEDS])]
    numbers, draws = torch.arange(CASES).repeat(REPLICAS), torch.Generator()
    whole, short = (features_of(ROWS, learned, word).rows(numbers, draws).reshape(REPLICAS, CASES, 4) for word in ("float32", "bfloat16"))
    for r in range(REPLICAS):
        rbm = learned[0].take(r)
        rounded = (ROWS @ rbm.coupling.weight.detach().bfloat16().float()).bfloat16().float()
        torch.testing.assert_close(whole[r], rbm.hidden_mean(ROWS).detach())
        torch.testing.assert_close(short[r], torch.sigmoid(rounded + rbm.hidden.bias.detach()), atol=4e-3, rtol=0)
    assert not torch.equal(whole, short)


@pytest.mark.parametrize("unit", UNITS)
def test_every_kind_of_unit_learns(unit: type[hm.Unit]) -> None:
    """The gradient of a replica is that of its machine alone on the same states."""
    settings = {"copies": 3} if unit in (hm.Binomial, hm.SteppedSigmoid) else {}
    machines = [hm.RBM(hm.Bernoulli(6), unit(4, **settings), seed=seed) for seed in SEEDS]
    for rbm in machines:
        torch.nn.init.normal_(rbm.hidden.bias, generator=torch.Generator().manual_seed(7))
    many = hm.Replicas(machines)
    many.stacked.accumulate_gradient(many.stacked.infer(ROWS.expand(REPLICAS, *ROWS.shape)), scale=0.5)
    drawn = many.stacked.gibbs(ROWS.expand(REPLICAS, *ROWS.shape), generator=torch.Generator().manual_seed(0))
    assert drawn.shape == (REPLICAS, CASES, 6)
    for r, rbm in enumerate(machines):
        rbm.accumulate_gradient(rbm.infer(ROWS), scale=0.5)
        for name, parameter in rbm.named_parameters():
            found = many.stacked.get_parameter(name).grad[r].reshape(parameter.shape)
            torch.testing.assert_close(found, parameter.grad, atol=1e-5, rtol=1e-5)


def test_replicas_draw_for_themselves() -> None:
    """Equal machines with equal orders still draw their own states, and so become different machines."""
    many = hm.Replicas([machine("binary", 0) for _ in range(2)])
    state = hm.fit(many, ROWS, seed=[0, 0], negative=hm.PersistentCD(chains=50), epochs=3, progress=False)
    assert state.chains.shape == (2, 50, 6)
    assert not torch.equal(state.chains[0], state.chains[1])
    assert not torch.equal(many.take(0).coupling.weight, many.take(1).coupling.weight)


def test_replicas_learn_the_likelihood_that_machines_alone_learn() -> None:
    """Of 20 machines of either kind, the exact mean log-likelihood is the same within three standard errors."""
    count = 20
    patterns = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]).repeat(20, 1)
    settings: dict[str, Any] = {"negative": hm.PersistentCD(chains=20), "epochs": 20, "batch_size": 10, "progress": False}
    many = hm.Replicas([machine("binary", seed) for seed in range(count)])
    hm.fit(many, patterns, optimizer=partial(hm.ReplicaSGD, lr=0.1), seed=0, **settings)
    alone = [machine("binary", 100 + seed) for seed in range(count)]
    for seed, rbm in enumerate(alone):
        hm.fit(rbm, patterns, optimizer=partial(hm.MomentumSGD, lr=0.1), seed=100 + seed, **settings)

    def nats(machines: Any) -> Tensor:
        return torch.stack([hm.likelihood.log_likelihood(m, patterns[:2], log_z=hm.likelihood.exact_log_z(m)).mean() for m in machines])

    found, expected = nats(many), nats(alone)
    error = ((found.var() + expected.var()) / count).sqrt()
    assert abs(found.mean() - expected.mean()) < 3 * error


def test_a_checkpoint_resumes_and_a_machine_is_saved_and_goes_on_alone(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"negative": hm.PersistentCD(chains=7), "batch_size": BATCH, "progress": False, "seed": SEEDS}
    settings |= {"optimizer": EACH, "weight_cost": COSTS}

    def make() -> hm.Replicas[hm.RBM]:
        return hm.Replicas([machine("binary", seed) for seed in SEEDS])

    whole, half, resumed = make(), make(), make()
    hm.fit(whole, ROWS, epochs=4, **settings)
    state = hm.fit(half, ROWS, epochs=2, checkpoint=tmp_path / "many", **settings)
    hm.fit(resumed, ROWS, epochs=4, checkpoint=tmp_path / "many", **settings)
    close(resumed, whole, 0.0)
    hm.save(half.take(1), tmp_path / "rbm")
    close(hm.load(tmp_path / "rbm"), half.take(1), 0.0)
    alone = state.take(1)
    assert torch.equal(alone.chains, state.chains[1])
    hm.fit(alone.model, ROWS, epochs=3, state=alone, **{**settings, "seed": SEEDS[1], "optimizer": None, "weight_cost": 0.01})
    assert alone.epoch == 3
    some = state.chosen([2, 0])
    assert torch.equal(some.chains[0], state.chains[2])
    hm.fit(some.model, ROWS, epochs=3, state=some, **{**settings, "seed": some.seeds, "optimizer": None, "weight_cost": [0.1, 0.0]})
    assert len(some.history) == 3


def test_metrics_are_of_each_replica_and_their_mean() -> None:
    many = hm.Replicas([machine("binary", seed) for seed in SEEDS])
    state = hm.fit(many, ROWS, validation=ROWS[:5], epochs=1, progress=False)
    row = state.history[-1]
    each = [row[f"reconstruction_error.{r}"] for r in range(REPLICAS)]
    assert row["reconstruction_error"] == pytest.approx(sum(each) / REPLICAS)
    assert "free_energy_gap.2" in row


def test_stacks_learn_layer_by_layer_as_alone(same_draws: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The draws of a layer are those of `Draws`, so each layer begins with new ones."""

    def layers() -> list[hm.Unit]:
        return [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)]

    settings: dict[str, Any] = {"epochs": 2, "batch_size": BATCH, "progress": False, "validation": ROWS[:7]}
    monkeypatch.setattr("harmonium.learning.replicas.fit_replicas.rbm_metrics", lambda *_, **__: {"none": 0.0})
    monkeypatch.setattr("harmonium.learning.contrast.rbm_metrics", lambda *_, **__: {"none": 0.0})
    same_draws(None)
    many = hm.greedy(ROWS, layers(), replicas=REPLICAS, seed=SEEDS, optimizer=partial(hm.ReplicaSGD, lr=RATES), **settings)
    assert len(many) == REPLICAS
    for r, seed in enumerate(SEEDS):
        same_draws(r)
        alone = hm.greedy(ROWS, layers(), seed=seed, optimizer=partial(hm.MomentumSGD, lr=RATES[r]), **settings)
        close(many[r], alone)
    nets = hm.Replicas([hm.nets.classifier(dbn, classes=2) for dbn in many])
    hm.fine_tune(nets, ROWS, ROWS[:, 0].long(), epochs=1, progress=False)


def test_frames_and_lists_are_data() -> None:
    for form in (pandas.DataFrame(ROWS.numpy()), ROWS.tolist()):
        found, expected = hm.Replicas([machine("binary", 0)]), hm.Replicas([machine("binary", 0)])
        hm.fit(found, form, updates=3, progress=False)
        hm.fit(expected, ROWS, updates=3, progress=False)
        assert torch.equal(found.take(0).coupling.weight, expected.take(0).coupling.weight)


def test_what_replicas_do_not_learn_is_refused_by_a_sentence() -> None:
    binary = hm.Replicas([machine("binary", 0)])
    with pytest.raises(TypeError, match="only parameter is a bias"):
        hm.Replicas([hm.RBM(hm.Gaussian(6, learn_variance=True), hm.Bernoulli(4))])
    with pytest.raises(TypeError, match="dense couplings, found LowRank"):
        hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.LowRank(6, 4, rank=2))])
    with pytest.raises(ValueError, match="standardise=False"):
        hm.fit(hm.Replicas([machine("real", 0)]), data("real"))
    with pytest.raises(ValueError, match="found ExactGradient"):
        hm.fit(binary, ROWS, negative=hm.ExactGradient())
    with pytest.raises(ValueError, match="takes no sparsity="):
        hm.fit(binary, ROWS, sparsity=hm.Sparsity(target=0.1))
    with pytest.raises(ValueError, match="indexed by case number"):
        hm.fit(binary, iter([ROWS]))
    with pytest.raises(ValueError, match="may lose its partition function"):
        hm.fit(hm.Replicas([hm.RBM(hm.Gaussian(6, learn_variance=False), hm.Gaussian(4))]), data("real"), standardise=False)
    with pytest.raises(TypeError, match="fine_tune trains nets"):
        hm.fit(hm.Replicas([torch.nn.Sequential(torch.nn.Linear(6, 4))]), ROWS)
    with pytest.raises(TypeError, match="fit trains these"):
        hm.fine_tune(binary, ROWS, ROWS[:, 0].long())
    with pytest.raises(ValueError, match="takes no labels="):
        hm.greedy(ROWS, [hm.Bernoulli(6), hm.Bernoulli(4)], replicas=2, labels=ROWS[:, 0], progress=False)


def test_a_hurried_call_is_sent_to_replicas_or_answered_in_one_sentence(tmp_path: Path) -> None:
    many, rows = hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed) for seed in range(2)]), torch.eye(6)
    assert hm.fit(model=many, data=rows, epochs=1, progress=False).epoch == 1
    with pytest.raises(TypeError, match=r"^hm.fit has no argument epoch=$"):
        hm.fit(many, rows, epoch=1)
    with pytest.raises(ValueError, match=r'^precision is "float32", "bfloat16" or "auto", found 16$'):
        hm.fit(many, rows, precision=16, progress=False)
    with pytest.raises(TypeError, match=r"found Replicas: .* take\(\)"):
        hm.save(many, tmp_path / "many")
    assert not (tmp_path / "many").exists()
