"""
Energies, probabilities and the partition function
==================================================

"Each possible joint configuration of the visible and hidden units has an energy", and its probability depends on that energy "compared with
the energy of all other joint configurations" (G. Hinton, tutorial, IPAM 2012). A restricted Boltzmann machine of three visible and two
hidden units has 32 joint configurations: few enough to put every one of them into a picture.
"""

import math

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
CHAINS, SWEEPS = 5000, 20

# %%
# A machine made by hand
# ----------------------
#
# E(v, h) = -b·v - c·h - v·W h. The first hidden unit says "the first two visible units are on together", the second "the third is on and
# the first is not".

rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2)).double().requires_grad_(False)
rbm.visible.bias[:] = torch.tensor([-1.0, -1.0, -0.5])
rbm.hidden.bias[:] = torch.tensor([-2.0, -1.0])
rbm.coupling.weight[:] = torch.tensor([[2.5, -2.0], [2.5, 0.0], [0.0, 2.5]])

# %%
# From energies to probabilities
# ------------------------------
#
# Left to right: the energy of all 32 configurations; e to the power of minus the energy, whose sum is the partition function Z; and that
# divided by Z, which is p(v, h). In the margins p(v), "the sum of the probabilities of all the joint configurations that contain it", and
# p(h).

v, h = rbm.visible.states(torch.arange(8)), rbm.hidden.states(torch.arange(4))
energy = rbm.energy(v[:, None], h)
terms = torch.exp(-energy)
joint = terms / terms.sum()
names_v, names_h = (["".join(str(int(unit)) for unit in state) for state in states] for states in (v, h))


def show(axis: plt.Axes, table: torch.Tensor, digits: int, **words: str) -> None:
    """A table of numbers, those that raise the probability on a darker ground."""
    axis.imshow((-table if digits == 1 else table.sqrt()).numpy(), cmap="Blues", aspect="auto", alpha=0.6)
    for row, column in torch.cartesian_prod(torch.arange(table.shape[0]), torch.arange(table.shape[1])).tolist():
        axis.text(column, row, f"{table[row, column]:.{digits}f}", ha="center", va="center", fontsize=8)
    axis.set(**words)
    axis.grid(False)


figure, axes = plt.subplots(2, 4, figsize=(9, 4.1), num="energies_and_probabilities", width_ratios=(4, 4, 4, 1), height_ratios=(8, 1))
show(axes[0, 0], energy, 1, title="energy E(v, h)", xlabel="h", ylabel="v")
show(axes[0, 1], terms, 2, title=f"exp(-E); they add up to Z = {terms.sum():.2f}", xlabel="h")
show(axes[0, 2], joint, 3, title="p(v, h) = exp(-E) / Z")
show(axes[0, 3], joint.sum(1, keepdim=True), 3, title="p(v)")
show(axes[1, 2], joint.sum(0, keepdim=True), 3)
for axis in axes[0, :3]:
    axis.set_xticks(range(4), names_h)
    axis.set_yticks(range(8), names_v)
axes[0, 3].set(xticks=[], yticks=[])
axes[1, 2].set_xticks([])
axes[1, 2].set_yticks([0], ["p(h)"])
for axis in axes[1, [0, 1, 3]]:
    axis.set_axis_off()

# %%
# The same without listing everything
# -----------------------------------
#
# Given v the hidden units are independent, so that their sum is a product in closed form: -F(v) = b·v + Σ log(1 + exp(c + v·W)), and
# p(v) = exp(-F(v)) / Z. The same works from the other side. So Z takes 4 terms in place of 32, one for each state of the *smaller* layer,
# and log Z is 2.870683 either way. It is these terms that double with every unit added, so that only a machine with one small layer can be
# seen whole.

log_z = hm.likelihood.exact_log_z(rbm)
p_v, p_h = (hm.likelihood.exact_distribution(rbm, layer=layer).p for layer in (0, 1))
log_p = hm.likelihood.log_likelihood(rbm, v, log_z=log_z)
print(f"log Z = {log_z:.6f} from the 4 states of h, {terms.sum().log():.6f} from all 32 configurations")
print(f"the most probable v is {names_v[p_v.argmax()]}: {p_v.max():.3f}; log p(v) = {log_p.max():.3f} nats")

# %%
# One weight moves a quarter of the energies and all of the probabilities
# -----------------------------------------------------------------------
#
# The weight between the first visible and the first hidden unit goes from -3 to 6. Only the 8 configurations in which both are on have
# another energy for it, and they fall along one slope. But Z changes, and with it the probability of *every* configuration: whatever
# gains, the others pay for. That is why the likelihood's derivative has two halves: log Z grows at the rate p(v₁ = 1, h₁ = 1), which is
# the model's own expectation <v₁h₁>. The green line on the right is that slope, and the dots are the expectation.

weights = torch.linspace(-3, 6, 37, dtype=torch.float64)
energies, log_zs, slopes = [], [], []
for weight in weights:
    rbm.coupling.weight[0, 0] = weight
    energies.append(rbm.energy(v[:, None], h).flatten())
    log_zs.append(hm.likelihood.exact_log_z(rbm))
    slopes.append(hm.likelihood.exact_moments(rbm).product[0, 0])
rbm.coupling.weight[0, 0] = 2.5
swept, log_zs, slopes = torch.stack(energies), torch.tensor(log_zs, dtype=torch.float64), torch.stack(slopes)
log_joint = -swept - log_zs[:, None]
both_on = ((v[:, None, 0] == 1) & (h[:, 0] == 1)).flatten()
moved = [int((lines.std(0) > 1e-9).sum()) for lines in (swept, log_joint)]
print(f"where the weight changes {moved[0]} of 32 configurations have another energy, {moved[1]} another probability")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3), num="one_weight_moves_all")
for axis, lines in ((left, swept), (middle, log_joint / math.log(10))):
    axis.plot(weights, lines[:, ~both_on], color="C0", linewidth=0.8)
    axis.plot(weights, lines[:, both_on], color="C1", linewidth=0.8)
left.set_title("energy of each configuration")
middle.set_title("log₁₀ of its probability")
middle.plot([], [], color="C1", label="both units on")
middle.plot([], [], color="C0", label="not both")
middle.legend()
right.plot(weights, log_zs, color="black", label="log Z")
right.plot(weights, torch.gradient(log_zs, spacing=(weights,))[0], color="C2", label="its slope")
right.plot(weights[::3], slopes[::3], "o", color="C2", label="<v₁h₁>", markersize=4)
right.set_title("log Z and its slope")
right.legend()
for axis in (left, middle, right):
    axis.set_xlabel("weight w₁₁")

# %%
# Sampling never needs Z
# ----------------------
#
# Gibbs sampling, all hidden units and then all visible ones, uses differences of energies alone, and yet settles to these probabilities:
# 5,000 chains of 20 sweeps. The bars are two standard errors of a share.

generator = torch.Generator().manual_seed(0)
start = hm.sampling.gibbs.init(rbm, CHAINS, generator=generator).v
chains = rbm.gibbs(start, steps=SWEEPS, generator=generator)
shares = (chains[:, None] == v).all(-1).double().mean(0)
errors = (p_v * (1 - p_v) / CHAINS).sqrt()
print(f"the largest distance of a share from p(v): {((shares - p_v).abs() / errors).max():.1f} standard errors")
figure, axis = plt.subplots(figsize=(9, 2.6), num="gibbs_shares")
axis.bar(range(8), p_v.numpy(), color="#dfe3e7", label="p(v)")
axis.errorbar(range(8), shares.numpy(), 2 * errors.numpy(), fmt="o", color="C1", markersize=4, label="share of the chains")
axis.set_xticks(range(8), names_v)
axis.set_xlabel("v")
axis.legend(loc="upper left")

# %%
# What would falsify it
# ---------------------
#
# A log Z from one layer that differs from that of all configurations; a probability that stays where it is while Z moves; a slope of log Z
# other than <v₁h₁>; chains whose shares are more than a few standard errors from p(v). The tests hold the tables, log Z and its slope
# against loops over the 32 configurations that share no code with the library.

plt.show()
