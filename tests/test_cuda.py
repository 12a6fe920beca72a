"""The same on a GPU: units' moments and gradients, sampling, learning, resuming and likelihood, against the CPU."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning import placing, write_gradient
from harmonium.learning.placing import placed_rows
from tests.models.machines import EVERY, given, machine, samples

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that PyTorch sees"),
    pytest.mark.filterwarnings("ignore:in .* updates the weights were pulled back:RuntimeWarning"),
]
DEVICE = "cuda"
STEADY = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)  # the default rate depends on the length, and falls inside an epoch
KINDS = list(EVERY)


def both(kind: str) -> tuple[hm.Unit, hm.Unit, torch.Tensor]:
    """A layer with random parameters on either device, and inputs."""
    unit = machine(kind, "bernoulli").visible
    input = torch.randn(64, *unit.statistic_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.4
    other = machine(kind, "bernoulli").visible.to(DEVICE)
    if any(name == "exponential" for name in (kind, *kind.split("_"))):
        input = -input.abs()
    return unit, other, input


@pytest.mark.parametrize("kind", KINDS)
def test_moments_and_gradients_of_every_unit(kind: str) -> None:
    unit, other, input = both(kind)
    word = given(kind, 64)
    there = word.to(torch.device(DEVICE))
    for name in ("mean", "variance", "mode", "log_partition"):
        found = getattr(other, name)(input.to(DEVICE), there).cpu()
        torch.testing.assert_close(found, getattr(unit, name)(input, word), rtol=1e-9, atol=1e-9)
    expected = unit.mean_parameter_gradient(input, None, word)
    for name, value in other.mean_parameter_gradient(input.to(DEVICE), None, there).items():
        torch.testing.assert_close(value.cpu(), expected[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_every_unit_have_its_moments(kind: str) -> None:
    """Five standard errors over 20,000 draws."""
    _, other, input = both(kind)
    one, draws = input[:1].to(DEVICE), 20_000
    word = given(kind, draws)
    there = word.to(torch.device(DEVICE))
    single = None if there is None else there.map(lambda field: field[:1])
    x = other.sample(one.expand(draws, *one.shape[1:]), generator=torch.Generator(DEVICE).manual_seed(0), given=there)
    mean, variance = other.mean(one, single)[0], other.variance(one, single)[0]
    assert bool(((x.mean(0) - mean).abs() < 5 * (variance / draws).sqrt() + 1e-9).all())


@pytest.mark.parametrize(
    "rule", [hm.ContrastiveDivergence(2), hm.PersistentCD(20), hm.PersistentCD(20, sampler=hm.Tempering(4)), hm.FastPCD(20)]
)
@pytest.mark.parametrize("gradient", ["plain", "centred", "enhanced"])
def test_learning_resumes_to_the_same_bits(rule: hm.Rule, gradient: str, tmp_path: Path) -> None:
    rows = (torch.rand(300, 12, generator=torch.Generator().manual_seed(1)) < 0.3).float().to(DEVICE)

    def learn(epochs: int, path: Path | None) -> torch.nn.Module:
        rbm = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7), seed=2).to(DEVICE)
        settings = {"gradient": gradient, "optimizer": STEADY, "averaging": 0.2, "sparsity": hm.Sparsity(0.1), "progress": False}
        return hm.fit(rbm, rows, negative=rule, epochs=epochs, batch_size=50, checkpoint=path, **settings).averaged()

    whole = learn(6, None)
    learn(3, tmp_path / "state")
    resumed = learn(6, tmp_path / "state")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("visible", ["bernoulli", "learnt_gaussian", "softmax", "truncated", "poisson", "exponential", "replicated"])
@pytest.mark.parametrize("hidden", ["bernoulli", "learnt_gaussian", "stepped"])
def test_gradients_are_those_of_the_cpu(visible: str, hidden: str) -> None:
    """Given the same particles."""
    rbm, other = (machine(visible, hidden) for _ in range(2))
    other = other.to(DEVICE)
    v = torch.tensor(samples(rbm.visible, 20, 1))

    class Fixed(hm.Rule):
        def particles(self, model, positive, slots, *, generator):
            return v.flip(0).to(positive.phase.v)

        paired = True

    for model, rows, device in ((rbm, v, "cpu"), (other, v.to(DEVICE), DEVICE)):
        side = model.visible.given_by(rows)
        write_gradient(model, model.infer(rows, side), Fixed(), {}, given=side, generator=torch.Generator(device))
    for one, two in zip(rbm.parameters(), other.parameters(), strict=True):
        if one.requires_grad:
            torch.testing.assert_close(two.grad.cpu(), one.grad, rtol=1e-8, atol=1e-10)


def test_likelihoods_deep_machines_and_nets() -> None:
    rows = (torch.rand(200, 8, generator=torch.Generator().manual_seed(1)) < 0.4).float().to(DEVICE)
    rbm = hm.RBM(hm.Bernoulli(8), hm.Bernoulli(6), hm.Dense(8, 6, scale=0.8)).to(DEVICE)
    exact = hm.likelihood.exact_log_z(rbm)
    found = hm.likelihood.ais(rbm, betas=500, seed=0)
    assert abs(found.log_z - exact) < 5 * found.standard_error + 0.01
    estimated = hm.likelihood.evaluate(rbm, rows, training=rows, exact=False, betas=200, sweeps=100, raise_cases=50)
    assert abs(estimated.log_z - exact) < 0.3
    dbm = hm.DBM([hm.Bernoulli(8), hm.Bernoulli(6), hm.Bernoulli(5)]).to(DEVICE)
    hm.fit(dbm, rows, negative=hm.PersistentCD(20), epochs=2, batch_size=50, progress=False)
    assert np.isfinite(hm.likelihood.evaluate(dbm, rows, betas=100, sweeps=50, raise_cases=20).nats)
    layers = [hm.Bernoulli(size).to(DEVICE) for size in (8, 6, 5)]
    dbn = hm.greedy(rows, layers, epochs=2, progress=False)
    assert dbn.generate(4, steps=5, generator=torch.Generator(DEVICE).manual_seed(0)).shape == (4, 8)
    net = hm.nets.classifier(dbn, classes=2, dropout=0.2)
    labels = rows[:, 0].long()
    hm.fine_tune(net, rows, labels, epochs=3, head_epochs=1, validation=(rows, labels), progress=False)
    for optimizer in (hm.ConjugateGradients, partial(torch.optim.LBFGS, max_iter=3, line_search_fn="strong_wolfe")):
        settings = {"optimizer": optimizer, "max_norm": 2.0, "averaging": 0.5, "averaged": True}
        hm.fine_tune(net, rows, labels, epochs=2, head_epochs=1, validation=(rows, labels), progress=False, **settings)
    inputs = hm.nets.dbm_inputs(dbm, rows.cpu())
    assert hm.nets.classifier(dbm, classes=2)(inputs).device.type == DEVICE
    layers = [hm.Bernoulli(size).to(DEVICE) for size in (8, 6)]
    joint = hm.greedy(rows, layers, labels=labels.cpu(), classes=2, epochs=2, progress=False)
    hm.wake_sleep(dbn.untie(), rows, epochs=2, progress=False)
    assert hm.models.label_log_probability(joint, rows).argmax(1).shape == (200,)


@pytest.mark.parametrize(
    "pair", [(hm.Gaussian, hm.NoisyReLU), (partial(hm.Gaussian, learn_variance=True), hm.Bernoulli), (hm.Poisson, hm.Poisson)]
)
def test_real_valued_and_counting_units_learn(pair) -> None:
    visible, hidden = pair
    rows = torch.randn(400, 10, generator=torch.Generator().manual_seed(0)).abs().round().to(DEVICE)
    rbm = hm.RBM(visible(10), hidden(6)).to(DEVICE)
    hm.fit(rbm, rows, epochs=3, progress=False)
    assert all(bool(parameter.isfinite().all()) for parameter in rbm.parameters())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "replicated" not in kind])  # the number of their words shapes the draw
def test_a_step_waits_for_nothing_on_the_device(kind: str) -> None:
    rbm = machine(kind, "bernoulli").to(DEVICE)
    rows = torch.tensor(samples(rbm.visible, 40, 0)).to(DEVICE)
    rule, generator = hm.ContrastiveDivergence(), torch.Generator(DEVICE).manual_seed(0)
    write_gradient(rbm, rbm.infer(rows), rule, {}, generator=generator)
    torch.cuda.set_sync_debug_mode("error")
    try:
        write_gradient(rbm, rbm.infer(rows), rule, {}, generator=generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("rule", [hm.ContrastiveDivergence(), hm.PersistentCD(20)], ids=["cd", "pcd"])
def test_a_recorded_update_learns_the_same_bits(rule: hm.Rule, tmp_path: Path) -> None:
    """And so does a training that is resumed, whose generator has gone as far as the recorded draws."""
    rows = (torch.rand(300, 12, generator=torch.Generator().manual_seed(6)) < 0.3).float().to(DEVICE)

    def learnt(capture: bool, epochs: int = 4, path: Path | None = None) -> list[torch.Tensor]:
        rbm = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7), seed=2).to(DEVICE)
        settings = {"negative": rule, "optimizer": STEADY, "averaging": 0.5, "checkpoint": path, "capture": capture, "progress": False}
        state = hm.fit(rbm, rows, batch_size=40, epochs=epochs, **settings)
        return [*rbm.parameters(), state.generator.get_state()]

    learnt(True, 2, tmp_path / "state")
    plain = learnt(False)
    for found in (learnt(True), learnt(True, 4, tmp_path / "state")):
        assert all(torch.equal(one, other) for one, other in zip(plain, found, strict=True))


def test_a_machine_and_its_data_are_moved() -> None:
    rbm, rows = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7)), torch.zeros(40, 12)
    for _ in range(2):
        hm.fit(rbm, rows, device="cuda", epochs=1, progress=False)
        assert rbm.coupling.weight.device.type == "cuda"
    assert placed_rows(rows, rbm.coupling.weight.device, lambda given: given).data.device.type == "cuda"


@pytest.mark.parametrize("capture", [False, True])
def test_rows_that_stay_on_the_host_teach_the_same_bits(capture: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches come through pinned memory, whose blocks are used again and again while updates still run."""
    rows = torch.rand(5000, 784, generator=torch.Generator().manual_seed(7)) < 0.3

    def learnt() -> list[torch.Tensor]:
        rbm = hm.RBM(hm.Bernoulli(784), hm.Bernoulli(50), seed=2)
        hm.fit(rbm, rows.to(torch.uint8), optimizer=STEADY, device="cuda", capture=capture, epochs=3, progress=False)
        return list(rbm.parameters())

    resident = learnt()
    monkeypatch.setattr(placing.torch.cuda, "mem_get_info", lambda device: (0, 0))
    assert all(torch.equal(one, other) for one, other in zip(resident, learnt(), strict=True))


def with_dropout(capture: bool) -> list[torch.Tensor]:
    parts = torch.nn.Linear(12, 7), torch.nn.Sigmoid(), hm.nets.Dropout(0.4), torch.nn.Linear(7, 2)
    net = torch.nn.Sequential(*parts)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    hm.fine_tune(net, ROWS, LABELS, epochs=7, batch_size=50, optimizer=STEADY, device=DEVICE, capture=capture, progress=False)
    return list(net.parameters())


def by_adam(capture: bool) -> list[torch.Tensor]:
    net = hm.nets.classifier(stack(), classes=2).to(DEVICE)
    adam = partial(torch.optim.Adam, lr=0.01, fused=True, capturable=True)
    settings = {"precision": "bfloat16", "averaging": 0.5, "averaged": True, "max_norm": 1.0}
    hm.fine_tune(net, ROWS, LABELS, epochs=7, batch_size=50, optimizer=adam, capture=capture, progress=False, **settings)
    return list(net.parameters())


def stack() -> hm.DBN:
    pairs = [(hm.Bernoulli(12), hm.Bernoulli(7)), (hm.Bernoulli(7), hm.Bernoulli(5))]
    return hm.DBN([hm.RBM(*pair, seed=seed) for seed, pair in enumerate(pairs)])


def awake(capture: bool) -> list[torch.Tensor]:
    net = stack().untie().to(DEVICE)
    hm.wake_sleep(net, ROWS, epochs=3, batch_size=50, optimizer=STEADY, precision="bfloat16", capture=capture, progress=False)
    return list(net.parameters())


def deep(capture: bool) -> list[torch.Tensor]:
    machine = hm.DBM([hm.Bernoulli(12), hm.Bernoulli(7), hm.Bernoulli(5)])
    rule = hm.PersistentCD(20, sampler=hm.Gibbs(restarts=0.1))
    settings = {"optimizer": STEADY, "gradient": "centred", "averaging": 0.5, "sweeps": 10, "device": DEVICE, "progress": False}
    hm.fit(machine, ROWS, negative=rule, epochs=3, batch_size=50, capture=capture, **settings)
    return list(machine.parameters())


def many_machines(capture: bool) -> list[torch.Tensor]:
    layers = [hm.Bernoulli(12).to(DEVICE), hm.Bernoulli(7).to(DEVICE), hm.Bernoulli(5).to(DEVICE)]
    steady = partial(hm.ReplicaSGD, lr=0.01, momentum=0.9)
    nets = hm.greedy(ROWS, layers, replicas=3, epochs=3, batch_size=50, optimizer=steady, capture=capture, progress=False)
    return [parameter for net in nets for parameter in net.parameters()]


def many_nets(capture: bool) -> list[torch.Tensor]:
    nets = [torch.nn.Sequential(torch.nn.Linear(12, 7), torch.nn.Sigmoid(), torch.nn.Linear(7, 2)) for _ in range(3)]
    with torch.no_grad():
        for net in nets:
            for parameter in net.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    many = hm.Replicas(nets).to(DEVICE)
    rates = partial(hm.ReplicaSGD, lr=[0.1, 0.2, 0.3], momentum=0.9)
    hm.fine_tune(many, ROWS, LABELS, epochs=7, batch_size=50, optimizer=rates, weight_cost=0.01, capture=capture, progress=False)
    return list(many.parameters())


ROWS = (torch.rand(310, 12, generator=torch.Generator().manual_seed(6)) < 0.3).float()
LABELS = torch.arange(310) % 2


@pytest.mark.parametrize("learnt", [with_dropout, by_adam, awake, deep, many_machines, many_nets])
def test_every_kind_of_recorded_update_learns_the_same_bits(learnt: Callable[[bool], list[torch.Tensor]]) -> None:
    """With labels on the host, and a short batch at the end of each epoch."""
    for plain, recorded in zip(learnt(False), learnt(True), strict=True):
        assert torch.equal(plain, recorded)
