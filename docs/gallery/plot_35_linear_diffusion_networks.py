"""
Linear diffusion networks are factor analysers
==============================================

The units of a *diffusion network* have real-valued states that run down an energy and are shaken by noise. With symmetric connections the
net comes to rest in the Boltzmann distribution of that energy. Marks & Movellan (2001) asked what linear ones can represent, and found an
old friend: visible and hidden linear units, which are a product of linear experts, or an RBM of Gaussian units, are factor analysis. Here
the two are turned into each other in closed form, and the net is left to run.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_wine
from sklearn.decomposition import FactorAnalysis

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
FACTORS, UPDATES, RATE = 3, 4000, 0.01
NETS, STEP, STEPS = 2000, 0.02, 6000

# %%
# A factor analyser as an RBM
# ---------------------------
#
# Factor analysis with loadings L and noise variances Ψ has the covariance L L' + Ψ. The energy of the RBM, for data with a mean of zero,
#
#     E(v, h) = v' Ψ⁻¹ v / 2 + h'h / 2 - v' Ψ⁻¹ W h,
#
# gives v the precision Ψ⁻¹ - Ψ⁻¹ W W' Ψ⁻¹ once h is integrated out. By Woodbury's identity both are one for W = L (1 + L' Ψ⁻¹ L)^(-1/2).
# Then W' Ψ⁻¹ W is below the identity, as it must be for a partition function to exist. The data are 13 measurements of wines, less their
# means, in standard deviations.

wine = load_wine().data
data = (wine - wine.mean(0)) / wine.std(0)
analysis = FactorAnalysis(FACTORS, tol=1e-8, max_iter=20_000).fit(data)
loadings, noise = analysis.components_.T, analysis.noise_variance_
values, vectors = np.linalg.eigh(np.eye(FACTORS) + loadings.T @ (loadings / noise[:, None]))
weight = loadings @ vectors @ np.diag(values**-0.5) @ vectors.T

rbm = hm.RBM(hm.Gaussian(13), hm.Gaussian(FACTORS)).double()
with torch.no_grad():
    rbm.coupling.weight.copy_(torch.tensor(weight))
    rbm.visible.log_variance.copy_(torch.tensor(noise).log())
rbm.check_normalisable()

precision = np.block([[np.diag(1 / noise), -weight / noise[:, None]], [-(weight / noise[:, None]).T, np.eye(FACTORS)]])
of_rbm = np.linalg.inv(precision)[:13, :13]
of_analysis = loadings @ loadings.T + np.diag(noise)
print(f"the covariances differ by at most {np.abs(of_rbm - of_analysis).max():.1e}")
log_z = hm.likelihood.exact_log_z(rbm)
nats = {"factor analysis": analysis.score(data), "RBM": hm.likelihood.log_likelihood(rbm, torch.tensor(data), log_z=log_z).mean().item()}
for name, value in nats.items():
    print(f"{name}: {value:.6f} nats a wine")

# %%
# Learning comes to the same place
# --------------------------------
#
# From small random weights, climbing the RBM's exact likelihood ends where the EM of factor analysis ended.

learner = hm.RBM(hm.Gaussian(13), hm.Gaussian(FACTORS)).double()
covariance = torch.tensor(data.T @ data / len(data))
with torch.no_grad():
    learner.coupling.weight.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
learnt = [learner.coupling.weight, learner.visible.log_variance]
ascent = torch.optim.Adam(learnt, lr=RATE)
for update in range(UPDATES):
    inverse = torch.exp(-learner.visible.log_variance)
    scaled = inverse[:, None] * learner.coupling.weight
    of_visible = torch.diag(inverse) - scaled @ scaled.T
    log_determinant = 2 * torch.linalg.cholesky(of_visible).diagonal().log().sum()
    surprise = 0.5 * (13 * np.log(2 * np.pi) - log_determinant + (of_visible * covariance).sum())
    for parameter, gradient in zip(learnt, torch.autograd.grad(surprise, learnt), strict=True):
        parameter.grad = gradient
    ascent.param_groups[0]["lr"] = RATE * (1 - update / UPDATES)
    ascent.step()
learner.check_normalisable()
nats["RBM that learnt"] = -surprise.item()
print(f"RBM that learnt: {nats['RBM that learnt']:.6f} nats a wine")

# %%
# The diffusion network
# ---------------------
#
# Each unit x obeys dx = -τ ∂E/∂x dt + √(2τ) dB, with τ = ψ for visible and 1 for hidden units, so that none is much faster than others. Two
# thousand nets start at zero, and the covariance of their visible states comes to that of the factor analyser. What remains is about the
# error of so many samples.

draw, pace = np.random.default_rng(0), np.concatenate([noise, np.ones(FACTORS)])
states = np.zeros((NETS, 13 + FACTORS))
errors, times, one = [], [], []
for step in range(1, STEPS + 1):
    states += -STEP * pace * (states @ precision) + np.sqrt(2 * STEP * pace) * draw.standard_normal(states.shape)
    one.append(states[0, :3].copy())
    if step % 100 == 0:
        times.append(step * STEP)
        errors.append(np.abs(np.cov(states[:, :13].T) - of_analysis).mean())
of_nets = np.cov(states[:, :13].T)
sampled = np.sqrt(np.mean(of_analysis**2 + np.outer(np.diag(of_analysis), np.diag(of_analysis))) / NETS) * np.sqrt(2 / np.pi)
print(f"mean error of a covariance: {errors[0]:.3f} at first, {errors[-1]:.3f} at the end; by sampling alone it is about {sampled:.3f}")

figure = plt.figure("linear_diffusion_networks", figsize=(9, 4.8), layout="constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=[1.3, 1])
matrices = {"factor analysis": of_analysis, "RBM": of_rbm, "diffusion networks": of_nets, "the data": np.cov(data.T, bias=True)}
axes = upper.subplots(1, 4)
for axis, (name, matrix) in zip(axes, matrices.items(), strict=True):
    drawn = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axis.set(title=name, xticks=[], yticks=[])
    axis.grid(False)
upper.colorbar(drawn, ax=axes, shrink=0.7, label="covariance")
left, right = lower.subplots(1, 2)
left.plot(STEP * np.arange(1, STEPS + 1), one, linewidth=0.7)
left.set(title="three visible units of one net", xlabel="time")
right.plot(times, errors, label="mean error of a covariance")
right.axhline(sampled, color="black", linestyle=":", linewidth=1, label="by sampling alone")
right.set(title=f"{NETS:,} nets come to the factor analyser", xlabel="time", yscale="log")
right.legend(fontsize=7)

# %%
# What would falsify it
# ---------------------
#
# A factor analyser whose covariance no RBM of Gaussian units has; such an RBM with a higher likelihood than factor analysis; nets that come
# to rest in another distribution.

plt.show()
