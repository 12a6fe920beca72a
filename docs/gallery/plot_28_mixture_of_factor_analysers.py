"""
An RBM against a mixture of factor analysers
============================================

A mixture picks one of its components for each case. An RBM is a product: each hidden unit has a say in every case. Which of them fits data
better is a matter of what the data are made of, and in two dimensions it can be seen. Here an RBM with real-valued visible units and a
mixture of factor analysers (Ghahramani & Hinton 1996) of almost equally many parameters learn the same two sets of points. Both
likelihoods are exact.
"""

import math

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
CASES, HIDDEN, COMPONENTS, STARTS = 1000, 8, 4, 6

# %%
# Two sets of points
# ------------------
#
# *Arms* are four long clusters, each in a direction of its own. A *grid* is nine round clusters: the two coordinates are independent of
# each other, and each has three places.

generator = torch.Generator().manual_seed(0)


def normal() -> torch.Tensor:
    return torch.randn(CASES, 2, generator=generator, dtype=torch.float64)


def arms() -> torch.Tensor:
    angle = torch.randint(0, 4, (CASES,), generator=generator) * math.pi / 2 + 0.4
    along, across = (normal() * torch.tensor([0.7, 0.12]) + torch.tensor([2.0, 0.0])).T
    return torch.stack([along * angle.cos() - across * angle.sin(), along * angle.sin() + across * angle.cos()], dim=1)


def grid() -> torch.Tensor:
    return torch.randint(-1, 2, (CASES, 2), generator=generator) * 1.8 + 0.25 * normal()


data = {"arms": (arms(), arms()), "grid": (grid(), grid())}

# %%
# Both by maximum likelihood
# --------------------------
#
# With its hidden states listed, an RBM of Gaussian and binary units is a mixture too: one Gaussian for each hidden state, whose mean is a
# sum of weights, and all with the same two variances along the axes. So few weights place many Gaussians, but not anywhere, and none has
# a direction of its own. The RBM's log Z is a sum over the hidden states, and L-BFGS climbs the exact likelihood. EM does so for the
# mixture of factor analysers, whose components are free in their places, directions and sizes. Both have several starts, of which the best
# on the training cases counts.


def log_density(rbm: hm.RBM, v: torch.Tensor) -> torch.Tensor:
    """log p(v) by listing the hidden states: (cases,)."""
    h = rbm.hidden.states(torch.arange(2**HIDDEN))
    log_z = (rbm.visible.log_partition(rbm.coupling.to_visible(h)) - rbm.hidden.energy(h)).logsumexp(0)
    return -rbm.free_energy(v) - log_z


def learn_rbm(v: torch.Tensor, seed: int) -> hm.RBM:
    rbm = hm.RBM(hm.Gaussian(2), HIDDEN).double()
    rbm.visible.init_from(v)
    with torch.no_grad():
        rbm.coupling.weight.normal_(generator=torch.Generator().manual_seed(seed))
        rbm.visible.log_variance -= math.log(4)
    ascent = torch.optim.LBFGS(rbm.parameters(), max_iter=250, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        ascent.zero_grad()
        value = -log_density(rbm, v).mean()
        value.backward()
        return value

    ascent.step(loss)
    return rbm


def learn_analysers(v: torch.Tensor, seed: int) -> hm.MixtureOfFactorAnalysers:
    analysers = hm.MixtureOfFactorAnalysers(2, COMPONENTS, 1)
    analysers.fit(v, seed=seed)
    return analysers


learnt, found, scores = {}, {}, {}
for name, (train, test) in data.items():
    rbms = [learn_rbm(train, seed) for seed in range(STARTS)]
    mixtures = [learn_analysers(train, seed) for seed in range(STARTS)]
    rbm = max(rbms, key=lambda each: log_density(each, train).mean().item())
    analysers = max(mixtures, key=lambda each: each.log_likelihood(train).mean().item())
    learnt[name] = {"RBM": rbm, "factor analysers": analysers}
    found[name] = {"RBM": lambda v, rbm=rbm: log_density(rbm, v).detach()}
    found[name]["factor analysers"] = lambda v, analysers=analysers: analysers.log_likelihood(v).detach()
    scores[name] = {model: log_p(test).mean().item() for model, log_p in found[name].items()}
    for model, nats in scores[name].items():
        print(f"{name}, {model}: {nats:.3f} nats per held-out case")
sizes = {
    "RBM": sum(parameter.numel() for parameter in rbm.parameters()),
    "factor analysers": sum(parameter.numel() for parameter in analysers.parameters()) - 1,  # proportions add up to one
}
for model, size in sizes.items():
    print(f"{model}: {size} parameters")

# %%
# Left: the training cases. Middle and right: the densities that each model learnt, the darker the higher, with the held-out
# log-likelihood above.
#
# On the arms the mixture of factor analysers is far ahead, with one component for each. The RBM's Gaussians all have one shape, nearly
# round, with which it must cover the arms. On the grid it is the other way round. Some hidden units of the RBM place a case from left to
# right and others from bottom to top. Their combinations are all nine places, which the RBM never had to learn one by one. The mixture has
# too few components for nine places, and lays long ones over several.

LIMIT = 4.2
side = torch.linspace(-LIMIT, LIMIT, 201, dtype=torch.float64)
plane = torch.cartesian_prod(side, side)
figure, rows = plt.subplots(2, 3, figsize=(9, 6.2), num="mixture_of_factor_analysers", layout="constrained")
for (name, (train, _)), (left, *others) in zip(data.items(), rows, strict=True):
    left.scatter(*train.T, s=3, color="C0", linewidths=0)
    left.set_title(f"{name}: {CASES} cases")
    for axis, (model, log_p) in zip(others, found[name].items(), strict=True):
        density = log_p(plane).exp().reshape(201, 201).T
        axis.imshow(density.sqrt().numpy(), origin="lower", extent=(-LIMIT, LIMIT, -LIMIT, LIMIT), cmap="Blues", interpolation="bilinear")
        axis.set_title(f"{model}, {sizes[model]} parameters: {scores[name][model]:.2f} nats")
    for axis in (left, *others):
        axis.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), aspect="equal", xticks=[], yticks=[])
        axis.grid(False)

# %%
# What would falsify it
# ---------------------
#
# An RBM of this size that is as good on the arms, or a mixture of this size that is as good on the grid, from any start.

plt.show()
