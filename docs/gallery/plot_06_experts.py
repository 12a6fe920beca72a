"""
Mixture, product and composition of experts
===========================================

The tutorial names three ways to combine models of the same data. A *mixture* averages their distributions: "it can never be sharper than
the individual distributions. It's a very weak way to combine models." A *product* multiplies them at each point and normalises, which "is
exponentially more powerful than a mixture". A *composition* makes the hidden states of one model the data of the next (G. Hinton,
tutorial, IPAM 2012). Here are all three on data small enough for every probability to be exact, and with the first two a proof.
"""

import math
from functools import partial

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
STARTS, EPOCHS = 3, 80

# %%
# Sharpness
# ---------
#
# Two experts on where something is, on a scale of 81 places: one says about -1, the other about +1, and both are vague. Each is a layer of
# one softmax unit whose biases are its log-probabilities.

scale = torch.linspace(-5, 5, 81, dtype=torch.float64)
vague = [hm.Softmax(1, categories=81).double() for _ in range(2)]
with torch.no_grad():
    for expert, place in zip(vague, (-1, 1), strict=True):
        expert.bias.view(-1).copy_(-((scale - place) ** 2) / 4)
everywhere = torch.eye(81, dtype=torch.float64)
models = {
    "expert 1": hm.Mixture(vague[:1]),
    "expert 2": hm.Mixture(vague[1:]),
    "mixture": hm.Mixture(vague),
    "product": hm.ProductOfExperts(vague),
}
curves = {name: model.log_probability(everywhere).exp().detach() for name, model in models.items()}
entropy = {name: -(p * p.log()).sum().item() for name, p in curves.items()}
for name, p in curves.items():
    print(f"{name}: entropy {entropy[name]:.3f} nats, highest probability {p.max():.4f}")

# %%
# Entropy is concave, so that a mixture's is at least the mean of its experts'; and no average of numbers is above all of them. A product
# has no such limit.
#
# How many experts does it take?
# ------------------------------
#
# Four bars of two pixels each are on or off, all sixteen pictures equally often. The experts of the mixture are layers of independent
# pixels. Those of the product are the hidden units of an RBM. Both learn by exact gradients (L-BFGS), three times from different starts,
# and the best counts.
#
# What a mixture of k layers can reach is known. Let a_k(x) and b_k(x) be an expert's probabilities that the first and the second pixels of
# the bars are x, so that p(x, x) = Σ_k π_k a_k(x) b_k(x). Roots are subadditive, and Cauchy and Schwarz say that Σ_x √(a_k b_k) ≤ 1 and
# Σ_k √π_k ≤ √k. So Σ_x √p(x, x) ≤ √k, and with Jensen's inequality **at least log(16 / k) nats are missing**: k must double for each bar.
# A hidden unit of the RBM can take over a whole bar, so that k of them need to miss no more than (4 - k) log 2.


def learn(model: hm.Mixture | hm.ProductOfExperts, states: torch.Tensor, share: torch.Tensor) -> float:
    """KL(share || model) in nats, after maximum likelihood."""
    ascent = torch.optim.LBFGS(model.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        model.accumulate_gradient(states, weights=share, fresh=True)
        return -(share * model.log_probability(states)).sum()

    ascent.step(loss)
    return (share * (share.log() - model.log_probability(states))).sum().item()


pictures = hm.Bernoulli(4).states(torch.arange(16)).repeat_interleave(2, dim=1)
share = torch.full((16,), 1 / 16, dtype=torch.float64)
missing = {"mixture": dict.fromkeys((1, 2, 4, 8, 16), math.inf), "product": dict.fromkeys((1, 2, 3, 4), math.inf)}
for start in range(STARTS):
    generator = torch.Generator().manual_seed(start)
    for experts in missing["mixture"]:
        mixture = hm.Mixture([hm.Bernoulli(8) for _ in range(experts)]).double()
        with torch.no_grad():  # each begins near a picture of its own
            for expert, picture in zip(mixture.each(), pictures[torch.randperm(16, generator=generator)], strict=False):
                expert.bias.copy_(3 * (picture - 0.5) + 0.1 * torch.randn(8, generator=generator))
        missing["mixture"][experts] = min(missing["mixture"][experts], learn(mixture, pictures, share))
    for experts in missing["product"]:
        rbm = hm.RBM(hm.Bernoulli(8), hm.Bernoulli(experts), hm.Dense(8, experts, scale=2, seed=start)).double()
        missing["product"][experts] = min(missing["product"][experts], learn(hm.ProductOfExperts([rbm]), pictures, share))
for name, found in missing.items():
    print(f"{name}, nats missing: " + ", ".join(f"{nats:.3f} of {experts}" for experts, nats in found.items()))

# %%
# Composition
# -----------
#
# An RBM of six hidden units learns pictures of bars that are all upright or all level, by CD-1 for 80 epochs. Its hidden states, with the
# probabilities that it gives them, are the data of a second RBM, which begins as the first one turned upside down: that leaves log p as it
# is, and the bound on it is tight. Together they are a deep belief net, whose bound and log p are sums over the 64 hidden states here.

one_way = hm.Bernoulli(3).states(torch.arange(8))
rows = torch.cat([one_way.repeat(1, 3), one_way.repeat_interleave(3, dim=1)])
first = hm.RBM(hm.Bernoulli(9), hm.Bernoulli(6), hm.Dense(9, 6, scale=0.1))
sgd = partial(torch.optim.SGD, lr=0.1)
hm.fit(first, rows.repeat(125, 1), epochs=EPOCHS, batch_size=50, optimizer=sgd, seed=0, progress=False)
bars, times = rows.double().unique(dim=0, return_counts=True)
frequency = times.double() / times.sum()
dbn = hm.DBN([first.double(), hm.models.swap_layers(first)])
second, hidden = hm.ProductOfExperts([dbn.top]), dbn.top.visible.states(torch.arange(64))
with torch.no_grad():
    q = dbn.recognition[0].log_probability(hidden, bars[:, None]).exp()

short = []
for moment in ("with the second at its start", "once the second has learnt"):
    if short:
        learn(second, hidden, frequency @ q)
    found = hm.likelihood.exact_dbn(dbn, bars)
    short.append([(frequency * (frequency.log() - values)).sum().item() for values in (found.bound, found.log_likelihood)])
    print(f"{moment} the net misses {short[-1][1]:.3f} nats, and the bound says {short[-1][0]:.3f}")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.1), num="experts", width_ratios=[1, 1.2, 0.9])
for (name, p), style in zip(curves.items(), (":", "--", "-", "-"), strict=True):
    left.plot(scale, p, style, label=name)
left.set(title="sharpness: two vague experts combined", xlabel="place", ylabel="probability")
left.legend(fontsize=7)
ends = torch.tensor([1.0, 16.0])
middle.plot(ends, torch.log(16 / ends), color="black", linewidth=1, label="least that a mixture can miss")
for (name, each), marker in zip(missing.items(), "os", strict=True):
    middle.plot(list(each), list(each.values()), marker, markersize=5, color=f"C{2 if name == 'mixture' else 3}", label=name)
middle.plot(range(1, 5), [(4 - k) * math.log(2) for k in range(1, 5)], ":", color="C3", label="a bar for each hidden unit")
middle.set_xscale("log", base=2)
middle.set(title="nats missing, by the number of experts", xlabel="experts", xticks=[1, 2, 4, 8, 16], xticklabels=[1, 2, 4, 8, 16])
middle.legend(fontsize=7)
right.bar(["one RBM", "two: bound", "two: log p"], [short[0][1], *short[1]], 0.5, color=["C0", "C4", "C1"])
right.set_title("composition: nats missing")

# %%
# What was found
# --------------
#
# The mixture is flatter than either expert, the product sharper: in entropy and by its peak.
#
# Mixtures of 1, 2, 4 and 16 layers come to the least that they can miss; of 8 the best that was found is near it. The RBM misses nothing
# once it has a hidden unit for each bar. So four experts in a product do what takes sixteen in a mixture, and n of them what takes
# 2ⁿ.
#
# The second RBM of the composition brings the net's log p nearer to the data than the first alone is, and the bound, which has come off
# log p, vouches for most of that gain.
#
# What would falsify it
# ---------------------
#
# A mixture of lower entropy than the mean of its experts', or with a higher peak than all of them; a mixture of k layers that misses less
# than log(16 / k) nats; an RBM of four hidden units that cannot learn the four bars; a second RBM that learns from the first one's hidden
# states by exact gradients and yet lowers the bound.

plt.show()
