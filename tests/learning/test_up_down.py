"""One up-down update is the exact gradient of its wake and sleep objectives, given the same sampled states."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import harmonium as hm
from harmonium.learning import Positive, UpDown
from harmonium.learning.loop.step import allocate_gradients
from harmonium.units import NOTHING
from tests.learning.signal import contrastive_gradient
from tests.models.machines import close, machine, samples

K, CASES = 3, 8


def net(*kinds, labels=True, size=0.7):
    """An untied net whose parameters all differ, with labels beside the top layer."""
    layers = [machine(a, b, seed=n, size=size) for n, (a, b) in enumerate(itertools.pairwise(kinds))]
    if labels:
        top = layers.pop()
        layers.append(machine(hm.Groups(type(top.visible)(**top.visible.arguments()), hm.Softmax(1, categories=K)), kinds[-1], size=size))
    dbn = hm.DBN(layers, labels=labels).untie()
    draw = torch.Generator().manual_seed(3)
    for layer in dbn.generative:
        for parameter in layer.coupling.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    return dbn


def ready(dbn, negative, seed=0):
    state = hm.TrainingState(dbn, torch.optim.SGD(dbn.parameters(), lr=0.1), torch.Generator().manual_seed(seed), {})
    state.slots["rule"] = negative.init(dbn.top, torch.Generator().manual_seed(9))
    allocate_gradients(dbn)
    return state


def up_down_gradient(dbn, v, y, negative, state, pixels="mean"):
    UpDown(state, lambda epoch: negative, pixels).gradient(v, y)


def gradients(dbn):
    found = {name: None if p.grad is None else p.grad.clone() for name, p in dbn.named_parameters()}
    dbn.zero_grad(set_to_none=True)
    return found


def sampled(dbn, v, y, negative, state, pixels):
    """The states of one update, drawn again with the same numbers."""
    generator, given = state.generator, dbn.visible.given_by(v)
    awake = [v]
    for level, layer in enumerate(dbn.recognition):
        awake.append(layer(awake[-1], generator, NOTHING if level else given))
    joint = awake[-1] if y is None else torch.cat([awake[-1], F.one_hot(y, K).to(v)], dim=1)
    positive = Positive(dbn.top.infer(joint), 1 / len(v), 1.0, NOTHING)
    particles = negative.particles(dbn.top, positive, state.slots["rule"], generator=generator).detach().clone()
    asleep = [dbn.part(particles)]
    for level in reversed(range(len(dbn.generative))):
        known = NOTHING if level else given.rows(torch.arange(len(particles)) % len(v))
        mean = level == 0 and pixels == "mean"
        asleep.insert(0, dbn.generative[level](asleep[0], None if mean else generator, known))
    return [x.detach() for x in awake], joint.detach(), particles, [x.detach() for x in asleep]


STACKS = [
    (("bernoulli", "bernoulli", "bernoulli", "bernoulli"), True),
    (("softmax", "bernoulli", "spin"), True),
    (("learnt_gaussian", "bernoulli", "gaussian"), False),
    (("replicated", "bernoulli", "bernoulli", "bernoulli"), False),
    (("gaussian_bernoulli", "binomial", "softmax"), False),
]
NEGATIVES = [hm.ContrastiveDivergence(2), hm.ContrastiveDivergence(3, reconstruction="mean"), hm.PersistentCD(chains=5)]


@pytest.mark.parametrize("pixels", ["mean", "sample"])
@pytest.mark.parametrize("negative", NEGATIVES, ids=repr)
@pytest.mark.parametrize(("kinds", "labels"), STACKS)
def test_the_update_is_the_gradient_of_its_objectives(kinds, labels, negative, pixels):
    dbn = net(*kinds, labels=labels)
    v = torch.tensor(samples(dbn.visible, CASES, 1))
    y = torch.arange(CASES) % K if labels else None
    awake, joint, particles, asleep = sampled(dbn, v, y, negative, ready(dbn, negative), pixels)
    expected = {}
    for level, (up, down) in enumerate(zip(dbn.recognition, dbn.generative, strict=True)):
        wake = -down.log_probability(awake[level], awake[level + 1]).mean()
        asleep_here = up.unit.log_probability(asleep[level + 1], up.input(asleep[level]))
        for layer, objective in ((down, wake), (up, -asleep_here.mean())):
            own = [p for module in (layer.unit, layer.coupling) for p in module.parameters() if p.requires_grad]
            expected |= dict(zip(own, torch.autograd.grad(objective, own, allow_unused=True), strict=True))
    top = dbn.top.free_energy(joint).mean() - dbn.top.free_energy(particles).mean()
    expected |= dict(zip(dbn.top.parameters(), torch.autograd.grad(top, list(dbn.top.parameters())), strict=True))
    state = ready(dbn, negative)
    up_down_gradient(dbn, v, y, negative, state, pixels=pixels)
    for name, parameter in dbn.named_parameters():
        if parameter.requires_grad:
            close(parameter.grad, expected[parameter], 1e-8)
            assert parameter.grad.abs().max() > 1e-6, name
    wake = sum(
        (down(awake[level + 1], None, dbn.visible.given_by(v) if level == 0 else NOTHING) - awake[level]).square().sum()
        for level, down in enumerate(dbn.generative)
    )
    sleep = sum((up.unit.mean(up.input(asleep[level])) - asleep[level + 1]).square().sum() for level, up in enumerate(dbn.recognition))
    assert state.totals["wake_error"].item() == pytest.approx(wake.item())
    assert state.totals["sleep_error"].item() == pytest.approx(sleep.item())
    assert state.totals["dreams"].item() == len(particles)


def test_a_binary_net_by_cross_entropies_written_out():
    """The same without the package's probabilities: 3-3-(3+3)-3 with grey pixels."""
    dbn, negative = net("bernoulli", "bernoulli", "bernoulli"), hm.ContrastiveDivergence(2)
    v, y = torch.rand(CASES, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), torch.arange(CASES) % K
    (_, h), joint, particles, (dream, dreamt) = sampled(dbn, v, y, negative, ready(dbn, negative), "mean")
    up, down, top = dbn.recognition[0], dbn.generative[0], dbn.top

    def entropy(weight, bias, x, target):
        return F.binary_cross_entropy_with_logits(x @ weight + bias, target, reduction="sum") / len(x)

    def free_energy(x):
        bias = torch.cat([part.bias for part in top.visible.parts])
        return (-(x @ bias) - F.softplus(x @ top.coupling.weight + top.hidden.bias).sum(1)).mean()

    objective = entropy(down.coupling.weight.T, down.unit.bias, h, v) + entropy(up.coupling.weight, up.unit.bias, dream, dreamt)
    (objective + free_energy(joint) - free_energy(particles)).backward()
    expected = gradients(dbn)
    up_down_gradient(dbn, v, y, negative, ready(dbn, negative))
    for name, gradient in gradients(dbn).items():
        close(gradient, expected[name], 1e-10)


def test_one_machine_with_labels_learns_by_contrastive_divergence():
    rbm = machine(hm.Groups(hm.Bernoulli(3), hm.Softmax(1, categories=K)), "bernoulli")
    dbn, negative = hm.DBN([rbm], labels=True), hm.ContrastiveDivergence(2)
    v, y = torch.tensor(samples(hm.Bernoulli(3), CASES, 1)), torch.arange(CASES) % K
    contrastive_gradient(rbm, torch.cat([v, F.one_hot(y, K)], 1), None, negative, ready(dbn, negative))
    expected = gradients(dbn)
    up_down_gradient(dbn, v, y, negative, ready(dbn, negative))
    for name, gradient in gradients(dbn).items():
        assert torch.equal(gradient, expected[name])


def test_no_product_is_computed_twice(monkeypatch):
    """A net of L directed layers: 2 L up, 2 L down, 2 L gradients; in the top RBM 1 up, 2 k sweeps and 2 gradients."""
    dbn, negative = net("bernoulli", "bernoulli", "bernoulli", "bernoulli"), hm.ContrastiveDivergence(3)
    counts = {"to_hidden": 0, "to_visible": 0, "accumulate_gradient": 0}
    for name in counts:
        real = getattr(hm.Dense, name)

        def counted(*arguments, name=name, real=real, **settings):
            counts[name] += 1
            return real(*arguments, **settings)

        monkeypatch.setattr(hm.Dense, name, counted)
    v, y = torch.tensor(samples(dbn.visible, CASES, 1)), torch.arange(CASES) % K
    up_down_gradient(dbn, v, y, negative, ready(dbn, negative))
    assert counts == {"to_hidden": 2 * 2 + 1 + 3, "to_visible": 2 * 2 + 3, "accumulate_gradient": 2 * 2 + 2}


def test_float32_and_short_batches():
    dbn, negative = net("bernoulli", "bernoulli", "bernoulli").float(), hm.ContrastiveDivergence(1)
    up_down_gradient(dbn, torch.ones(1, 3), torch.tensor([2]), negative, ready(dbn, negative))
    assert all(p.grad.dtype == torch.float32 and bool(torch.isfinite(p.grad).all()) for p in dbn.parameters())
    assert np.isfinite(sum(p.grad.sum().item() for p in dbn.parameters()))
