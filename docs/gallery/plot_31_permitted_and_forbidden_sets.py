"""
Permitted and forbidden sets
============================

Nair & Hinton (2010) cite an analysis of networks of rectified units with symmetric connections (Hahnloser, Seung & Slotine, Neural
Computation 2003). A set of units is *permitted* if some input makes exactly these units active at a stable steady state, and *forbidden* if
no input does. Which sets are permitted depends on the connections alone, and every subset of a permitted set is permitted. Here all sets of
a small net are listed, the claim is checked, and it is asked which sets an RBM of rectified units forbids.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
UNITS = 8

# %%
# All sets of a net
# -----------------
#
# The states obey dx/dt = -x + max(0, b + A x) with a symmetric A. While a set of units is active the net is linear, and its steady state is
# stable if the largest eigenvalue of A, cut down to the set, is below 1. A larger set has a larger eigenvalue (Cauchy's interlacing), so
# that what is added to a forbidden set does not make it permitted. Here units inhibit one another by random amounts.

sets = [each for size in range(1, UNITS + 1) for each in itertools.combinations(range(UNITS), size)]


def permitted(lateral: np.ndarray) -> set[tuple[int, ...]]:
    """The sets whose steady states are stable."""
    return {each for each in sets if np.linalg.eigvalsh(lateral[np.ix_(each, each)])[-1] < 1}


draw = np.random.default_rng(0)
inhibition = -np.triu(draw.uniform(0, 2, (UNITS, UNITS)), 1)
inhibition += inhibition.T
allowed = permitted(inhibition)
broken = [(each, one) for each in allowed for one in sets if set(one) < set(each) and one not in allowed]
print(f"{len(allowed)} of {len(sets)} sets are permitted; {len(broken)} subsets of permitted sets are forbidden")

# %%
# An input for every set
# ----------------------
#
# To each set belongs an input that has a steady state with these units at 1 and all others off: b = x - A x inside, and less than -A x
# outside. From a start beside it the net comes back if the set is permitted. If it is forbidden, the net goes on to another set, which is
# permitted.


state = np.array([np.isin(np.arange(UNITS), each) for each in sets], dtype=float)  # (sets, units)
drive = np.where(state > 0, state, -0.5) - state @ inhibition
state = np.maximum(0, state + draw.normal(0, 0.01, state.shape) * state)
for _ in range(20_000):
    state += 0.05 * (np.maximum(0, drive + state @ inhibition) - state)
ended = {each: tuple(np.flatnonzero(row > 1e-6).tolist()) for each, row in zip(sets, state, strict=True)}
stayed = {each for each in sets if ended[each] == each}
print(f"the net stays at {len(allowed & stayed)} permitted and at {len(stayed - allowed)} forbidden sets")
print(f"{sum(end in allowed for end in ended.values())} of {len(sets)} runs end at a permitted set")

# %%
# An RBM of rectified units
# -------------------------
#
# Gaussian visible units of variance 1 and rectified hidden units (truncated Gaussians) have no connections within a layer. But once each
# visible unit is put at its mean, the most probable hidden states obey h = max(0, c + W'b + W'W h): a symmetric net with A = W'W. A
# spectral norm of W below 1 is enough for the machine to have a partition function, and then every eigenvalue is below 1 and every set is
# permitted: any features may be active together, and each input has one best state. Which of them are active is left to the data.

rbm = hm.RBM(hm.Gaussian(20, variance=1.0), hm.TruncatedGaussian(UNITS), seed=0)
with torch.no_grad():
    rbm.coupling.weight.normal_(generator=torch.Generator().manual_seed(0))
    rbm.coupling.weight.mul_(0.95 / torch.linalg.matrix_norm(rbm.coupling.weight, 2))
rbm.check_normalisable()
weight = rbm.coupling.weight.detach().double().numpy()
print(f"the RBM permits {len(permitted(weight.T @ weight))} of {len(sets)} sets")

# %%
# Features that exclude each other
# --------------------------------
#
# Two opposite features w and -w with a = ‖w‖² have A = [[a, -a], [-a, a]], whose eigenvalues are 2a and 0. Each is permitted alone for a
# below 1, both together only for a below 1/2. Between these the pair is forbidden, although the energy still rises in every direction in
# which both states are positive, so that there is a partition function: the spectral norm is a sufficient condition only. For an input
# that asks for both alike, the energy has then two minima, each with one feature on, and a saddle between them.

SQUARE = 0.8
opposed = np.zeros((UNITS, UNITS))
for first in range(0, UNITS, 2):
    opposed[first : first + 2, first : first + 2] = [[SQUARE, -SQUARE], [-SQUARE, SQUARE]]
exclusive = permitted(opposed)
print(f"four pairs of opposite features permit {len(exclusive)} of {len(sets)} sets, the largest of {max(map(len, exclusive))} units")


def landscape(square: float, side: np.ndarray) -> np.ndarray:
    """The energy of two opposite features, visible units at their means, for an input of 1 to each: (second state, first state)."""
    one, other = np.meshgrid(side, side)
    return 0.5 * ((1 - square) * (one**2 + other**2) + 2 * square * one * other) - one - other


figure = plt.figure("permitted_sets", figsize=(9, 2.9))
left, *energies = figure.subplots(1, 3, width_ratios=[1.2, 1, 1])
sizes = np.arange(1, UNITS + 1)
every = np.array([sum(len(each) == size for each in sets) for size in sizes])
for shift, (name, found) in enumerate({"inhibition": allowed, "opposite pairs": exclusive}.items()):
    left.bar(sizes + 0.3 * shift - 0.3, [sum(len(each) == size for each in found) for size in sizes], 0.3, label=name)
left.bar(sizes + 0.3, every, 0.3, label="RBM with a norm below 1: all")
left.set(title="permitted sets", xlabel="units in the set", ylabel="sets", xticks=sizes, ylim=(0, 100))
left.legend(fontsize=7)
side = np.linspace(0, 6, 200)
for axis, square in zip(energies, (0.3, SQUARE), strict=True):
    energy = landscape(square, side)
    axis.contourf(side, side, energy, levels=np.linspace(energy.min(), energy.min() + 6, 25), extend="max", cmap="Blues_r")
    low = energy == energy.min()
    axis.plot(*side[np.argwhere(low | low.T).T[::-1]], "o", color="C1", markersize=5, clip_on=False)
    axis.set(title=f"opposite features, a = {square}", xlabel="first", ylabel="second", aspect="equal")
    axis.grid(False)

# %%
# What would falsify it
# ---------------------
#
# A permitted set with a forbidden subset, a net that comes to rest at a forbidden set, or an RBM with a spectral norm below 1 and a
# forbidden set.

plt.show()
