"""
From one binary unit to the rectified line
==========================================

A binary unit says one bit. A unit that says *how much* can be had without any new mathematics: take many binary units that share their
weights. This is how Nair & Hinton (2010) and the tutorial come to the rectified linear unit, and here every step of it is drawn: the mean
and the spread of 2,000 samples for each input, with the closed form beside them.
"""

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import softplus

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
SAMPLES = 2000
generator = torch.Generator().manual_seed(0)

# %%
# One unit for each of 81 inputs, and five kinds of it:
#
# - *binary*: on with probability σ(x).
# - *copies*: ten binary units with the same weights and biases, that is a binomial unit. Its mean is 10 σ(x): it counts up to ten, but
#   around zero its variance, 10 σ(x) σ(-x), is largest exactly where it should decide.
# - *offset copies*: infinitely many copies whose biases are lower by ½, 1½, 2½, ... Ever more of them are on as the input grows, so
#   that the unit never saturates, and only those near their threshold are noisy. This is the stepped sigmoid unit.
# - *noisy rectified linear*: max(0, x + noise) with the noise's variance σ(x), which is fast to draw and stands in for the offset copies.
# - *truncated Gaussian*: energy h²/2 on h >= 0, which is the exact rectified unit: unlike the noisy one it has a joint energy, and so a
#   free energy and a likelihood.

x = torch.linspace(-6, 10, 81)
units = {
    "binary": hm.Bernoulli(81),
    "10 equal copies": hm.Binomial(81, copies=10),
    "offset copies": hm.SteppedSigmoid(81),
    "noisy rectified linear": hm.NoisyReLU(81),
    "truncated Gaussian": hm.TruncatedGaussian(81),
}
samples, means, variances = {}, {}, {}
for name, unit in units.items():
    samples[name] = unit.sample(x.expand(SAMPLES, 81), generator=generator)
    means[name], variances[name] = unit.mean(x).detach(), unit.variance(x).detach()

# %%
# The upper row shows the mean of the samples (dots) and one standard deviation on either side of it (band); the line is the closed form.
# The lower row shows the variance. Dotted: log(1 + eˣ) and σ(x), which infinitely many offset copies approximate closely.

figure, axes = plt.subplots(2, 5, figsize=(9, 4.2), num="from_binary_to_rectified", sharex=True)
for column, (name, drawn) in enumerate(samples.items()):
    colour = f"C{column}"
    mean, spread = drawn.mean(0), drawn.std(0)
    upper, lower = axes[:, column]
    upper.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    upper.plot(x, means[name], color=colour)
    upper.plot(x[::4], mean[::4], "o", color=colour)
    lower.plot(x, variances[name], color=colour)
    lower.plot(x[::4], spread[::4].square(), "o", color=colour)
    if column >= 2:
        upper.plot(x, softplus(x), ":", color="black", linewidth=1)
        lower.plot(x, x.sigmoid(), ":", color="black", linewidth=1)
        upper.set_ylim(-0.8, 11.5)
        lower.set_ylim(-0.08, 1.2)
    upper.set_title(name)
    lower.set_xlabel("input x")
axes[0, 0].set_ylabel("mean ± deviation")
axes[1, 0].set_ylabel("variance")

# %%
# How good is the approximation?
# ------------------------------
#
# The mean of the offset copies is Σ σ(x - n + ½). Its largest distance from log(1 + eˣ) on [-10, 10] is 0.0106, at x = 0, and its
# variance is nowhere further than 0.0041 from σ(x). The slide's "≈" is a good one. The noisy rectified unit, which is meant to have that
# mean and that variance, has them only where rectifying changes nothing: for x above 3. Around zero half of its noise is cut off, so that
# its mean there is 0.28 and not 0.69. The truncated Gaussian is another unit again: its mean at zero is √(2/π) = 0.80, and towards
# negative inputs it falls off like -1/x, far more slowly than eˣ.

wide = torch.linspace(-10, 10, 401, dtype=torch.float64)
curves = {name: units[name].__class__(401).double().mean(wide).detach() for name in list(units)[2:]}
line = softplus(wide)
gap = (curves["offset copies"] - line).abs().max().item()
variance_gap = (hm.SteppedSigmoid(401).double().variance(wide) - wide.sigmoid()).abs().max().item()
noisy_gaps = (curves["noisy rectified linear"] - line).abs()
noisy_at_zero, line_at_zero = curves["noisy rectified linear"][200].item(), line[200].item()
noisy_gap, noisy_worst = noisy_gaps.max().item(), wide[noisy_gaps.argmax()].item()
noisy_gap_far = noisy_gaps[wide.abs() >= 3].max().item()
print(f"offset copies: mean within {gap:.4f} of log(1 + eˣ), variance within {variance_gap:.4f} of σ(x)")
print(f"noisy ReLU at 0: {noisy_at_zero:.3f} against {line_at_zero:.3f}; furthest, {noisy_gap:.3f}, at x = {noisy_worst:.2f}")
print(f"truncated Gaussian at 0: {curves['truncated Gaussian'][200]:.3f}")
print(f"noisy ReLU where |x| is 3 or more: within {noisy_gap_far:.3f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), num="rectified_against_copies")
near = wide.abs() <= 4
left.plot(wide[near], line[near], ":", color="black", label="log(1 + eˣ)")
for number, (name, curve) in enumerate(curves.items(), start=2):
    left.plot(wide[near], curve[near], color=f"C{number}", label=name)
    right.semilogy(wide, (curve - line).abs(), color=f"C{number}", label=name)
for height, place in ((noisy_at_zero, (8, -8)), (line_at_zero, (-30, 3))):
    left.annotate(f"{height:.2f}", (0, height), place, textcoords="offset points", fontsize=9)
    left.plot(0, height, "o", color="black", markersize=4)
left.set_title("mean")
left.legend()
right.set_title("distance of the mean from log(1 + eˣ)")
right.set_ylim(1e-6, 2)
for axis in (left, right):
    axis.set_xlabel("input x")

# %%
# What would falsify it
# ---------------------
#
# Sample means or variances more than a few standard errors from the closed forms; offset copies whose mean leaves log(1 + eˣ) by more than
# 0.0106 anywhere or whose variance leaves σ(x) by more than 0.0041; a noisy rectified unit that comes close to the copies around zero as
# well, where this page says it does not.

plt.show()
