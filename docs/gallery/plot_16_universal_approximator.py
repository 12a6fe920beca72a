"""
Enough narrow layers can model any distribution
===============================================

"With enough narrow layers we can model any distribution over binary vectors (Sutskever & Hinton, 2007)" (G. Hinton, tutorial, IPAM 2012).
Their proof says how: probability is handed on from vector to vector, along a path that visits all of them and changes one bit at a time,
and large weights make each step as sure as one likes. Here such a net is built for four bits, by hand and without any learning, and its
distribution is computed exactly, layer by layer.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import harmonium as hm
from harmonium.likelihood import exact_distribution

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
BITS, WEIGHT, TARGETS = 4, 40.0, 20

# %%
# The path, and the net
# ---------------------
#
# A Gray code visits the 2⁴ vectors a₁, a₂, ... so that neighbours differ in one bit. Every layer but the data's has five units: a vector
# and a *flag*, which says "the path has come as far as this vector, and shall go on". A layer copies the vector of the layer above; but
# where the flag there is on it changes the one bit that leads from aᵢ to aᵢ₊₁. Its own flag can be on only if that one was, and then it is
# with the probability P(beyond aᵢ₊₁) / P(aᵢ₊₁ or beyond). So what stays behind at each vector is just its share.
#
# The construction of the paper, as it is usually quoted, takes 3·2ⁿ layers. Here the flag itself is handed on, and with it the knowledge of
# how far the path has come, so that one layer a step is enough: 15 of them. Later ones (Le Roux & Bengio 2010; Montúfar & Ay 2011) change
# several vectors at once and need fewer still.

path = torch.arange(2**BITS) ^ (torch.arange(2**BITS) >> 1)
vectors = hm.Bernoulli(BITS).states(path).double()


def narrow_net(target: torch.Tensor, weight: float = WEIGHT, steps: int = 2**BITS - 1) -> hm.DBN:
    """A net of `steps` directed layers that hands probability along the path as `target` says, (vectors,) in the path's order."""
    beyond = target.flip(0).cumsum(0).flip(0)  # P(a_i or beyond)
    log_odds = torch.logit(beyond[1:] / beyond[:-1].clamp_min(1e-300), eps=1e-16).clamp(-weight, weight)
    top = hm.RBM(hm.Bernoulli(BITS + 1), hm.Bernoulli(1), hm.Dense(BITS + 1, 1, scale=0.0)).double()
    top.visible.bias.data = torch.cat([weight * (2 * vectors[0] - 1), log_odds[:1]])
    rbms = [top]
    for step in range(1, steps + 1):
        last = step == steps
        rbm = hm.RBM(hm.Bernoulli(BITS + (not last)), hm.Bernoulli(BITS + 1)).double()
        copy = torch.eye(BITS + 1, dtype=torch.float64) * 2 * weight
        copy[:BITS, BITS] = 2 * weight * (vectors[step] - vectors[step - 1])  # the bit that the flag changes
        bias = torch.full((BITS + 1,), -weight, dtype=torch.float64)
        if not last:
            bias[BITS] = log_odds[step] - 2 * weight
        rbm.coupling.weight.data, rbm.visible.bias.data = copy[: rbm.visible.shape[0]], bias[: rbm.visible.shape[0]]
        rbms.insert(0, rbm)
    return hm.DBN(rbms).requires_grad_(False)


def along_path(net: hm.DBN, layer: int = 0) -> torch.Tensor:
    """The distribution of a layer's vector, whatever its flag, in the path's order: (vectors)."""
    return exact_distribution(net, layer).p.reshape(-1, 2**BITS).sum(0)[path]


def distance(p: torch.Tensor, q: torch.Tensor) -> float:
    """In total variation."""
    return 0.5 * (p - q).abs().sum().item()


# %%
# Probability on its way
# ----------------------
#
# Three targets: one drawn uniformly from all distributions over the vectors, a sparse one, and even parity, which no weights between
# pairs of visible units can express. Each row of a picture is the exact distribution of one layer's vector, from the top, where all
# probability is at a₁, down to the data.

rng = np.random.default_rng(0)
ones = vectors.sum(1)
targets = {
    "drawn from all distributions": torch.from_numpy(rng.dirichlet(np.ones(2**BITS))),
    "sparse": torch.from_numpy(rng.dirichlet(np.full(2**BITS, 0.2))),
    "even parity": (ones % 2 == 0).double() / 2 ** (BITS - 1),
}
names = ["".join(str(int(bit)) for bit in vector) for vector in vectors]
figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), num="probability_on_its_way", height_ratios=(2.2, 1), sharex="col")
for (upper, lower), (name, target) in zip(axes.T, targets.items(), strict=True):
    net = narrow_net(target)
    layers = torch.stack([along_path(net, layer) for layer in range(2**BITS - 1, -1, -1)])
    upper.imshow(layers.sqrt().numpy(), cmap="Blues", aspect="auto")
    lower.bar(range(2**BITS), target.numpy(), color="#c3cad1", label="target")
    lower.plot(layers[-1], "o", color="C1", markersize=4, label="the net's data layer")
    upper.set(title=f"target: {name}", yticks=(0, 5, 10, 15), yticklabels=("top", 10, 5, "data"))
    upper.grid(False)
    lower.set_xticks(range(2**BITS), names, rotation=90, fontsize=7)
    print(f"{name}: distance of the net from its target {distance(layers[-1], target):.0e}")
axes[0, 0].set_ylabel("layer")
axes[1, 1].legend(loc="upper left")

# %%
# How deep, and how sure
# ----------------------
#
# A net of fewer layers has to keep at its last vector all that should go beyond: its distance from the target is the probability of the
# vectors that are not reached, and nothing else. With all 15 layers it is zero but for rounding, for each of 20 targets drawn uniformly. A
# net falls short by its weights, with which no unit is certain: each of 15 layers can err on four bits and a flag, each with a probability
# below e⁻ʷ, so that the distance is below 75 e⁻ʷ, but for rounding, which is all that is left at
# weights of 40.

many = torch.from_numpy(rng.dirichlet(np.ones(2**BITS), size=TARGETS))
depths, weights = range(1, 2**BITS), (2, 3, 4, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40)
by_depth = np.array([[distance(along_path(narrow_net(target, steps=steps)), target) for steps in depths] for target in many])
by_weight = np.array([[distance(along_path(narrow_net(target, float(weight))), target) for weight in weights] for target in many])
ahead = many.flip(1).cumsum(1).flip(1)[:, 2:]  # the vectors that so many steps do not reach
print(f"15 layers, weights {WEIGHT:.0f}: a distance of {by_depth[:, -1].max():.0e} at most over {TARGETS} targets")
print("weights", ", ".join(f"{weight}: {value:.0e}" for weight, value in zip(weights, by_weight.mean(0), strict=True)))

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), num="layers_and_weights")
left.plot(depths, by_depth.T, color="C0", linewidth=0.7, alpha=0.6)
left.plot(depths[:-1], ahead.T, "o", color="C1", markersize=2)
left.plot([], [], color="C0", label="distance of the net, each of 20 targets")
left.plot([], [], "o", color="C1", label="probability of the vectors not reached")
left.set(title="distance from the target (total variation)", xlabel="directed layers", ylim=(0, 1))
left.legend()
right.semilogy(weights, by_weight.T, color="C0", linewidth=0.7, alpha=0.6)
right.semilogy(weights, 75 * np.exp(-np.array(weights)), ":", color="black", label="75 e⁻ʷ")
right.set(title="distance with all 15 layers", xlabel="size of the weights w", ylim=(1e-17, 2))
right.legend()

# %%
# What would falsify it
# ---------------------
#
# One target that the net misses by more than 75 e⁻ʷ and rounding; a distance after fewer layers other than the probability not yet handed
# on. The tests compute the nets' distributions once more in NumPy, by sums over all states of every layer. What the picture does not say: a
# narrow net pays in depth, which doubles with every bit, and that it *can* have a distribution is no promise that learning will find it;
# these weights were written down.

plt.show()
