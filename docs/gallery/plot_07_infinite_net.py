"""
A restricted Boltzmann machine is an infinite directed net
==========================================================

"There is an unexpected equivalence between RBMs and directed networks with many layers that all use the same weights": an infinite sigmoid
belief net with replicated weights "defines the same distribution as an RBM", inference in it is trivial because "the model above h0
implements a complementary prior", and contrastive divergence "is equivalent to ignoring the small derivatives contributed by the tied
weights between deeper layers" (G. Hinton, tutorial, IPAM 2012; Hinton, Osindero & Teh 2006). Machines of 6 visible and 4 hidden units,
on which all of this can be computed without drawing anything.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch

import harmonium as hm
from harmonium.likelihood import Distribution, exact_distribution, exact_moments, exact_transition, total_correlation

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
SCALES = (0.8, 1.2, 1.6)
DEPTHS = torch.arange(2, 62, 2)
LAYERS = 12

# %%
# Three machines, whose weights are drawn from N(0, 0.8²) to N(0, 1.6²), their biases such that units are on half of the time. And data:
# some distribution over the 64 visible states that none of the machines has.

rbms = {scale: hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=scale, seed=2)).double() for scale in SCALES}
for rbm in rbms.values():
    weight = rbm.coupling.weight.detach()
    rbm.visible.bias.data, rbm.hidden.bias.data = -weight.sum(1) / 2, -weight.sum(0) / 2
data = torch.softmax(2 * torch.randn(64, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 0)

# %%
# The distance between the distributions, against depth
# -----------------------------------------------------
#
# ``hm.infinite_net(rbm, depth)`` is the net cut off above ``depth`` directed layers, with independent units on top. Two layers are one
# sweep of Gibbs sampling, and the second largest eigenvalue λ of a sweep says how fast the chain forgets where it began. So the distance
# must fall by the factor λ every two layers, and so must the gap in the log-likelihood of data; but of data that are the machine's own the
# first order cancels: KL(p || net) falls by λ². Dots: the nets. Lines: λ, from the eighth sweep on. The rates fitted to the dots are 0.339,
# 0.587 and 0.772, and 0.115, 0.345 and 0.595 on the right: λ and λ² to four digits.


def fitted_rate(curve: torch.Tensor) -> float:
    """The factor by which a curve falls from point to point, where it is neither far from its end nor rounded."""
    points = np.flatnonzero((curve < 1e-3) & (curve > 1e-10))
    return math.exp(np.polyfit(points, curve[points].log(), 1)[0])


curves, rates, second = {}, {}, {}
for scale, rbm in rbms.items():
    p = exact_distribution(rbm).p.detach()
    nets = torch.stack([exact_distribution(hm.infinite_net(rbm, int(depth))).p.detach() for depth in DEPTHS])
    gaps = p.log() - nets.log()
    curves[scale] = (0.5 * (nets - p).abs().sum(1), (gaps @ data).abs(), (gaps @ p).abs())
    rates[scale] = [fitted_rate(curve) for curve in curves[scale]]
    second[scale] = torch.linalg.eigvals(exact_transition(rbm).matrix.detach()).abs().sort().values[-2].item()
    print(f"weights {scale}: λ = {second[scale]:.4f}, λ² = {second[scale] ** 2:.4f}; rates", *(f"{rate:.4f}" for rate in rates[scale]))

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), num="infinite_net_depth", sharey=True)
titles = ("distance in total variation", "gap in log-likelihood: some data", "gap in log-likelihood: its own data")
for place, (axis, title) in enumerate(zip(axes, titles, strict=True)):
    for number, scale in enumerate(SCALES):
        curve = curves[scale][place]
        line = curve[7] * second[scale] ** ((2 if place == 2 else 1) * (DEPTHS - DEPTHS[7]) / 2)
        axis.semilogy(DEPTHS[7:], line[7:], color=f"C{number}", linewidth=1)
        axis.semilogy(DEPTHS, curve, "o", color=f"C{number}", label=f"weights {scale}: λ = {second[scale]:.3f}")
    axis.set(title=title, xlabel="directed layers", ylim=(1e-13, 2))
axes[0].legend(loc="lower left")

# %%
# The derivative telescopes
# -------------------------
#
# Where all layers share one matrix its derivative is the sum of what the learning rule of a sigmoid belief net asks of each layer,
#
# <h₀(v₀ - v₁)> + <v₁(h₀ - h₁)> + <h₁(v₁ - v₂)> + ... = <v₀h₀> - <v∞h∞>.
#
# Here twelve directed layers stand below a top machine of the same weights, which sums up all that lies above them. ``untie`` gives each
# layer tensors of its own, so that going back through the net's exact distribution gives each a derivative of its own. Their sum is the
# maximum likelihood derivative of the one machine, to rounding, and the first 2k of them are the expected update of CD-k. What
# CD-1 leaves out is no trifle in this machine, a third of the derivative; CD-6 leaves out 2.6 %.

rbm = rbms[SCALES[1]]
stack = [rbm]
for _ in range(LAYERS):
    stack.append(hm.models.swap_layers(stack[-1]))
net = hm.DBN(stack).untie()
v, p = exact_distribution(net)
(p.log() @ data).backward()
slopes = [layer.coupling.weight.grad for layer in (*net.generative, net.top)]
slopes = torch.stack([slope if level % 2 == 0 else slope.T for level, slope in enumerate(slopes)])
partial = slopes.cumsum(0)
likelihood = (data[:, None] * v).T @ rbm.hidden_mean(v).detach() - exact_moments(rbm).product
telescoped = (partial[-1] - likelihood).abs().max().item()
left_out = ((likelihood - partial[:-1]).flatten(1).norm(dim=1) / likelihood.norm()).tolist()
print(f"all layers' derivatives add up to the likelihood's to {telescoped:.0e}")
print(f"CD-1 leaves out {left_out[1]:.0%} of it, CD-6 {left_out[11]:.1%}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), num="telescoping_derivative")
left.semilogy(slopes[:-1].flatten(1).norm(dim=1) / likelihood.norm(), "o-", label="derivative of this layer")
left.semilogy(left_out, "o-", label="sum of all those above it")
left.set(title="size, in parts of the likelihood's derivative", xlabel="directed layer, from the data upwards")
left.legend()
for number, (i, j) in enumerate(((0, 0), (1, 2), (3, 1), (4, 3), (5, 0))):
    right.plot(partial[:-1, i, j], "o-", color=f"C{number}")
    right.axhline(likelihood[i, j], color=f"C{number}", linestyle=":", linewidth=1)
right.set(title="five weights: sum up to a layer; dotted: the likelihood's", xlabel="directed layer")

# %%
# The complementary prior
# -----------------------
#
# Explaining away makes the causes h₀ of a directed layer p(v₀ | h₀) dependent given v₀. What lies above gives the prior p(h₀), and as long
# as its weights are the same its dependences are exactly the opposite ones: the posterior is factorial, and one pass upwards finds it. Here
# the upper weights are t times the tied ones. At t = 0 the causes are independent and their posterior is not factorial; at t = 1 it is; and
# beyond it, it is not again. A net that is cut off comes the closer to it the deeper it is: its mean total correlation is 0.024 nats for
# one layer, 0.0006 for four and 5·10⁻⁷ for sixteen.


def posterior(net: hm.DBN) -> Distribution:
    """p(h0 | v0) of every v0, (64, 16), by Bayes' rule over all states of h0."""
    h, prior = exact_distribution(net, layer=1)
    return Distribution(h, (net.generative[0].log_probability(v[:, None], h) + prior.log()).softmax(-1).detach())


strengths = torch.linspace(0, 2, 41, dtype=torch.float64)
tables = {}
for strength in strengths.tolist():
    upper = hm.models.swap_layers(rbm)
    upper.coupling.weight.data *= strength
    tables[strength] = posterior(hm.DBN([rbm, upper]))
correlations = torch.stack([total_correlation(table) for table in tables.values()])
tied = tables[1.0]
recognised = rbm.hidden.log_probability(tied.states, rbm.hidden_input(v)[:, None]).exp().detach()
factorial_gap = (tied.p - recognised).abs().max().item()
cut = [total_correlation(posterior(hm.infinite_net(rbm, depth))).mean().item() for depth in (1, 2, 4, 8, 16)]
print(f"tied: the posterior is the up-pass to {factorial_gap:.0e}, total correlation {correlations[20].max():.0e} nats at most")
print(f"upper weights zero: {correlations[0].mean():.3f} nats on the average; cut off: " + ", ".join(f"{c:.1e}" for c in cut))

case = int(correlations[-1].argmax())
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), num="complementary_prior", width_ratios=(1, 1, 1.2))
for axis, p, title in ((axes[0], tied.p[case], "p(h₀ | v₀), tied"), (axes[1], tables[2.0].p[case], "p(h₀ | v₀), upper weights doubled")):
    ons = p @ tied.states
    axis.bar(range(16), p.numpy(), color="#c3cad1")
    axis.plot((tied.states * ons + (1 - tied.states) * (1 - ons)).prod(1), "o", color="C1", markersize=4, label="product of the marginals")
    axis.set(title=title, xlabel="state of h₀", ylim=(0, 0.35), xticks=range(0, 16, 5))
axes[1].legend()
axes[2].plot(strengths, correlations.mean(1), label="mean over v₀")
axes[2].fill_between(strengths, correlations.amin(1), correlations.amax(1), alpha=0.2, linewidth=0, label="range")
axes[2].set(title="total correlation of p(h₀ | v₀) (nats)", xlabel="upper weights / tied weights")
axes[2].legend(loc="upper left")

# %%
# What would falsify it
# ---------------------
#
# Distances that level off, or fall at another rate than λ; a sum of derivatives other than the likelihood's by more than rounding; a tied
# posterior with a total correlation above rounding, or untied ones without any. The tests compute the Gibbs kernel, its eigenvalues, each
# layer's expectation and the posteriors by enumeration in NumPy.

plt.show()
