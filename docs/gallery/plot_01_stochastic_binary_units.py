"""
Stochastic binary units
=======================

The tutorial's nets are "composed of layers of stochastic binary variables with weighted connections". A unit is on or off, and the
probability that it is on is a smooth function of what it hears: σ(b + Σ s_j w_j) with σ(x) = 1 / (1 + e⁻ˣ). From such units a net can be
built that *generates*: "it is easy to generate an unbiased example at the leaf nodes, so we can see what kinds of data the network
believes in" (G. Hinton, tutorial, IPAM 2012). Both sentences are put to the test here.
"""

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
DRAWS, FANTASIES = 2000, 20_000
generator = torch.Generator().manual_seed(0)

# %%
# One unit
# --------
#
# Three other units send to it, with weights 3, -2 and 1; its bias is -0.5. For each of their eight joint states it is drawn 2,000 times.

parents, unit = hm.Bernoulli(3), hm.Bernoulli(1)
one = hm.SigmoidBeliefNet([unit, parents])
with torch.no_grad():
    one.directed()[0].coupling.weight.copy_(torch.tensor([[3.0, -2.0, 1.0]]))
    unit.bias.fill_(-0.5)
heard = parents.states(torch.arange(8))
total = (one.directed()[0].input(heard) + unit.bias).detach()[:, 0]
drawn = one.directed()[0](heard.expand(DRAWS, 8, 3), generator)[..., 0]
share = drawn.mean(0)
error = (share * (1 - share) / DRAWS).sqrt()
away = ((share - total.sigmoid()) / error).abs().max().item()
print(f"largest distance from σ(input): {(share - total.sigmoid()).abs().max():.4f}, that is {away:.1f} standard errors")

# %%
# The same unit is a threshold that hears noise: σ is the distribution function of logistic noise, so that a unit which is on whenever
# its input plus such noise exceeds zero is on with probability σ(input). Without the noise it would be a step.

noise = torch.logit(torch.rand(DRAWS, 8, generator=generator))
noisy = (total + noise > 0).float().mean(0)
noisy_away = ((noisy - total.sigmoid()) / (noisy * (1 - noisy) / DRAWS).sqrt()).abs().max().item()
print(f"the threshold with noise: at most {noisy_away:.1f} standard errors")

# %%
# A net of them, and what it believes in
# --------------------------------------
#
# One unit on top decides between upright and level bars, eight below it are a bar each, and sixteen pixels are inked where a bar that is
# on covers them. A sample of the pixels takes one pass downwards: every layer is drawn given the layer above it. Nothing is approximate.

pixels, bars, top = hm.Bernoulli(16), hm.Bernoulli(8), hm.Bernoulli(1)
net = hm.SigmoidBeliefNet([pixels, bars, top])
grid = torch.eye(4)
upright, level = grid.repeat(4, 1), grid.repeat_interleave(4, dim=0)
with torch.no_grad():
    net.directed()[0].coupling.weight.copy_(8 * torch.cat([upright, level], dim=1))
    pixels.bias.fill_(-4.0)
    net.directed()[1].coupling.weight[:4], net.directed()[1].coupling.weight[4:] = 6.0, -6.0
    bars.bias.copy_(torch.linspace(-1.5, 1.5, 4).repeat(2) - 6 * (torch.arange(8) < 4))
fantasies = net.sample(FANTASIES, generator=generator)[0]

# %%
# Unbiased means that every pattern comes as often as the net's own distribution has it. That distribution is known here, by adding up
# all 2⁹ states of the hidden units: each pattern that is to be expected ten times or more has its share compared with p(v).

patterns, counts = fantasies.unique(dim=0, return_counts=True)
p = net.log_probability(patterns).exp()
often = p >= 10 / FANTASIES
p, shares = p[often], counts[often] / FANTASIES
apart = (shares - p) / (p * (1 - p) / FANTASIES).sqrt()
print(f"{len(p)} patterns, {shares.sum():.2f} of all fantasies: root mean square of (share - p) / error {apart.square().mean().sqrt():.2f}")

figure = plt.figure(figsize=(9, 3.2), num="stochastic_binary_units")
left, middle, right = figure.subplots(1, 3, width_ratios=[1.1, 1, 1.1])
x = torch.linspace(-4, 6, 201)
left.plot(x, x.sigmoid(), color="black", linewidth=1, label="σ(x)")
left.errorbar(total, share, 2 * error, fmt="o", color="C0", markersize=4, label="share of draws, ± 2 errors")
left.plot(total, noisy, "x", color="C1", markersize=6, label="threshold with logistic noise")
left.set_title("one unit")
left.set_xlabel("total input x")
left.set_ylabel("probability of being on")
left.legend(loc="lower right", fontsize=7)
tiles = torch.nn.functional.pad(fantasies[:30].reshape(6, 5, 4, 4), (0, 1, 0, 1), value=0.3)
middle.imshow(tiles.permute(0, 2, 1, 3).reshape(30, 25)[:-1, :-1].numpy(), cmap="Greys")
middle.set_axis_off()
middle.set_title("thirty fantasies of a net of bars")
right.errorbar(p, shares, 2 * (p * (1 - p) / FANTASIES).sqrt(), fmt="o", color="C2", markersize=3, elinewidth=0.6)
right.set(xscale="log", yscale="log")
right.plot(p.sort().values, p.sort().values, color="black", linewidth=1)
right.set_title("how often each pattern comes")
right.set_xlabel("exact probability")
right.set_ylabel("share of 20,000 fantasies")

# %%
# What was found
# --------------
#
# The eight shares lie on σ(x), none further away than 1.9 standard errors; of the eight of the noisy threshold the furthest is 3.0 away.
# The 163 commonest patterns of the net, 89 % of all fantasies, come as often as p(v) says: (share - p) / error has a root mean square of
# 1.01 where unbiased samples have about 1.
#
# What would falsify it
# ---------------------
#
# Shares that stand off the curve by more than a few standard errors, in either of the two ways to draw; or patterns whose shares differ
# from p(v) by more than chance, so that the root mean square is well above 1.

plt.show()
