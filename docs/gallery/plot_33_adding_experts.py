"""
Learning by adding experts
==========================

Freund & Haussler (NIPS 1991) took the restricted Boltzmann machine as a model of binary vectors, and gave two ways to learn it: to climb
the likelihood in all weights at once, and "a greedy method that creates the hidden units and computes their weights one at a time", a kind
of projection pursuit. Each new hidden unit fits what the others left of the data. Here both learn pictures of lines, and handwritten
digits. All likelihoods are exact.
"""

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
UNITS, STARTS, FEATURES = 8, 3, 6


def log_probability(rbm: hm.RBM, v: torch.Tensor) -> torch.Tensor:
    """log p(v) in nats, by listing the hidden states: (cases,)."""
    h = rbm.hidden.states(torch.arange(int(rbm.hidden.count)))
    return -rbm.free_energy(v) - (-rbm.hidden_free_energy(h)).logsumexp(0)


def nats(rbm: hm.RBM, v: torch.Tensor) -> float:
    """The mean over cases."""
    with torch.no_grad():
        return log_probability(rbm, v).mean().item()


def one_by_one(layer: hm.Unit, v: torch.Tensor, units: int, *, refit: bool = False) -> list[hm.RBM]:
    """The machines of 1, 2, ... units."""
    found = [hm.projection_pursuit(layer, v, refit=refit)]
    while len(found) < units:
        found.append(hm.projection_pursuit(found[-1], v, refit=refit))
    return found


def together(layer: hm.Unit, v: torch.Tensor, units: int) -> hm.RBM:
    """The best of machines whose units all learn at once, from random weights, by the exact gradient and L-BFGS."""
    found = []
    for seed in range(STARTS):
        rbm = hm.RBM(type(layer)(v.shape[1]), units, hm.Dense(v.shape[1], units, scale=0.3, seed=seed)).double()
        rbm.visible.init_from(v)
        ascent = torch.optim.LBFGS(rbm.parameters(), max_iter=150, line_search_fn="strong_wolfe")

        def loss(rbm: hm.RBM = rbm, ascent: torch.optim.LBFGS = ascent) -> torch.Tensor:
            ascent.zero_grad()
            value = -log_probability(rbm, v).mean()
            value.backward()
            return value

        ascent.step(loss)
        found.append(rbm)
    return max(found, key=lambda each: nats(each, v))


# %%
# Lines
# -----
#
# A picture of 4 x 4 spins has either level or upright lines, each of them on or off, all such pictures equally often. A new unit is added
# by `hm.projection_pursuit`: it sets out in the direction in which the data vary most beyond the machine, and climbs the likelihood over
# its own weights and the visible biases, with the weights of the earlier units fixed. With `refit=True` all weights then climb together.

which = hm.Bernoulli(4).states(torch.arange(16)).double()
lines = 2 * torch.cat([which.repeat_interleave(4, dim=1), which.repeat(1, 4)]) - 1
_, times = lines.unique(dim=0, return_counts=True)
share = times.double() / len(lines)
best = (share * share.log()).sum().item()
spins = hm.Spin(16).double()
sizes = range(1, UNITS + 1)
learnt = {
    "one by one": one_by_one(spins, lines, UNITS),
    "one by one, all refitted": one_by_one(spins, lines, UNITS, refit=True),
    "all at once": [together(spins, lines, units) for units in sizes],
}
curves = {name: [nats(rbm, lines) for rbm in rbms] for name, rbms in learnt.items()}
print(f"no model of the lines has more than {best:.2f} nats")
for name, curve in curves.items():
    print(f"{name}: " + ", ".join(f"{each:.2f}" for each in curve))

# %%
# No unit lowers the likelihood, because one of weight zero would leave it as it is. But fixed weights are a burden: what the first units
# learnt for want of others stays. With all weights refitted, the greedy machine comes to the lines' own distribution with as many units as
# the best of three that learnt all at once. On the way the latter are ahead at first, because a start that is best for one unit need not be
# best for three.
#
# Digits
# ------
#
# The images of 8 x 8 pixels that come with scikit-learn, black and white. Six units are added, without refitting.

digits = hm.data.digits.load()
train, test = (hm.data.binarise(each, "threshold").reshape(-1, 64).double() for each in (digits.train_images[:600], digits.test_images))
pixels = hm.Bernoulli(64).double()
added = one_by_one(pixels, train, FEATURES)
at_once = together(pixels, train, FEATURES)
alone = hm.Bernoulli(64).double()
alone.init_from(train)
independent = alone.log_probability(test, alone.zero_input()).mean().item()
scores = [independent, *(nats(rbm, test) for rbm in added)]
print("one by one, nats a test image: " + ", ".join(f"{each:.2f}" for each in scores))
print(f"all at once: {nats(at_once, test):.2f}")

figure = plt.figure("adding_experts", figsize=(9, 4.8), layout="constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=[1.6, 1])
left, right = upper.subplots(1, 2)
for name, marker in zip(curves, "os^", strict=True):
    left.plot(sizes, curves[name], marker=marker, markersize=4, label=name)
left.axhline(best, color="black", linestyle=":", linewidth=1, label="the lines' own distribution")
left.set(title="lines: nats a picture", xlabel="hidden units", xticks=sizes)
left.legend(fontsize=7)
right.plot(range(FEATURES + 1), scores, marker="o", markersize=4, label="one by one")
right.plot([FEATURES], [nats(at_once, test)], "^", color="C2", label="all at once")
right.set(title="digits: nats a test image", xlabel="hidden units")
right.legend(fontsize=7)
for number, (axis, weight) in enumerate(zip(lower.subplots(1, FEATURES), added[-1].coupling.weight.detach().T, strict=True), start=1):
    limit = weight.abs().max().item()
    axis.imshow(weight.reshape(8, 8).numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.set_title(f"unit {number}")
    axis.set_axis_off()

# %%
# Below are the weights in the order of the units' arrival, red where they are positive. On unseen digits, too, each unit adds something,
# and the greedy machine comes near the one that learnt all at once.
#
# What would falsify it
# ---------------------
#
# A new unit that lowers the likelihood of the data; refitted units that have less of it than units without refitting; a machine of more
# units that is no better on unseen digits.

plt.show()
