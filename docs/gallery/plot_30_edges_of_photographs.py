"""
Edges of photographs by rectified units
=======================================

Cells of the visual cortex answer to edges, and so do the hidden units of an RBM that has learnt small patches of photographs, if three
things are seen to. The patches are white, so that nothing is left to learn of the correlation of neighbours. The weights begin long: of
white data, what is there to be learnt is beyond correlations, and short weights hardly feel it. And units are seldom on. Here the visible
units are Gaussian, with one variance that is learnt. The hidden ones are rectified: sums of stepped binary copies (Nair & Hinton 2010),
with which the machine has a partition function. The photographs are the two that come with scikit-learn.
"""

import warnings
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_sample_images

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
SIDE, COMPONENTS, UNITS, UPDATES = 8, 40, 64, 3000

# %%
# White patches
# -------------
#
# Patches of almost one grey are left out. The mean of each of the others is subtracted and what is left divided by its standard deviation,
# so that they differ in what they show and not in their contrast. Of the directions that are left, the 40 of largest variance are kept,
# each divided by its standard deviation. Grey levels are means of three colours.

photographs = [torch.from_numpy(image.astype(np.float32)).mean(2) for image in load_sample_images().images]
grey = hm.data.without_mean(hm.data.patches(photographs, SIDE, 80_000, seed=0))
contrast = grey.std(1, keepdim=True)
grey = (grey / contrast)[contrast[:, 0] > 10][:20_000]
white, whitening = hm.data.whiten(grey, kind="pca", components=COMPONENTS, regularisation=0.0)

# %%
# Learning
# --------
#
# The rate is high for real-valued data. The gradient of each unit's weights is shortened to a largest norm, so that no patch does harm.

rbm = hm.RBM(hm.Gaussian(COMPONENTS, variance_shape=(1,)), hm.SteppedSigmoid(UNITS))
with torch.no_grad():
    left, _, right = torch.linalg.svd(rbm.coupling.weight, full_matrices=False)
    rbm.coupling.weight.copy_(0.95 * left @ right)  # with a singular value of one or more there would be no partition function
    rbm.hidden.bias.fill_(-2.0)
start = rbm.coupling.weight.detach().clone()
EPOCHS = UPDATES // 200
with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # of the updates after which weights were moved back into that region
    hm.fit(
        rbm,
        white,
        epochs=EPOCHS,
        optimizer=partial(hm.MomentumSGD, lr=0.3),
        schedule=partial(hm.Schedule, lr=lambda epoch: 1 - epoch / EPOCHS),
        transforms=[hm.learning.RestrictedGradient(1.0)],
        standardise=False,
        progress=False,
    )

# %%
# What was learnt
# ---------------
#
# A Gabor function, a wave under a Gaussian envelope, is fitted to each receptive field. A field is an edge or a bar if the function
# explains most of it, and if it is selective for an orientation. It may be as long as the patch.

fields = {"before": whitening.directions.float() @ start, "after": whitening.directions.float() @ rbm.coupling.weight.detach()}
edges = {when: hm.analysis.gabor_fit(weight, (SIDE, SIDE)).edges(area=1.0).mean() for when, weight in fields.items()}
for when, share in edges.items():
    print(f"{when} learning: {share:.0%} of the fields are edges or bars")
print(f"mean state of a unit: {rbm.hidden_mean(white).mean():.2f}")

# %%
# Each tile is one unit's weights, turned back to pixels, with white for zero.

order = fields["after"].norm(dim=0).argsort(descending=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.7), num="edges_of_photographs", layout="constrained")
for axis, (when, weight) in zip(axes, fields.items(), strict=True):
    tiles = (weight / weight.abs().amax(0)).T[order].reshape(-1, SIDE, SIDE)
    sheet = torch.nn.functional.pad(tiles, (1, 1, 1, 1), value=float("nan")).reshape(8, 8, SIDE + 2, SIDE + 2)
    axis.imshow(sheet.permute(0, 2, 1, 3).reshape(8 * (SIDE + 2), -1).numpy(), cmap="RdBu", vmin=-1, vmax=1)
    axis.set(title=f"{when} learning: {edges[when]:.0%} edges or bars", xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set_visible(False)

# %%
# What would falsify it
# ---------------------
#
# Fields that stay as they began, or that become blobs without an orientation.

plt.show()
