"""
Edges of photographs by rectified units
=======================================

Cells of the visual cortex answer to edges at a place of their own, and so do the hidden units of an RBM that has learnt small patches of
photographs, if three things are seen to. The patches are white, so that nothing is left to learn of the correlation of neighbours. The
weights begin long: of white data, what is there to be learnt is beyond correlations, and short weights hardly feel it. And units are seldom
on. Here the visible units are Gaussian, with one variance that is learnt, and the hidden ones are rectified, as sums of stepped binary
copies (Nair & Hinton 2010), which have a partition function. The photographs are the two that come with scikit-learn.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_sample_images

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
SIDE, COMPONENTS, UNITS, UPDATES = 8, 40, 64, 2400

# %%
# White patches
# -------------
#
# The mean of each patch is subtracted. Of the 63 directions that are left, the 40 of largest variance are kept, each divided by its
# standard deviation. Grey levels are the means of three colours, and uniform noise within a level is added, so that a density makes sense.

generator = torch.Generator().manual_seed(0)
photographs = [torch.from_numpy(image.astype(np.float32)).mean(2) for image in load_sample_images().images]
cut = hm.data.patches(photographs, SIDE, 24_000, seed=0)
grey = hm.data.without_mean(cut + torch.rand(cut.shape, generator=generator))
white, whitening = hm.data.whiten(grey[:20_000], kind="pca", components=COMPONENTS, regularisation=0.0)
held_out = whitening(grey[20_000:])

# %%
# Learning
# --------
#
# The rate is high for real-valued data. The gradient of each unit's weights is cut at a largest norm, so that a patch of strong contrast
# does no harm.


def learn(singular: float) -> hm.RBM:
    rbm = hm.RBM(hm.Gaussian(COMPONENTS, variance_shape=(1,)), hm.SteppedSigmoid(UNITS))
    with torch.no_grad():
        left, _, right = torch.linalg.svd(rbm.coupling.weight, full_matrices=False)
        rbm.coupling.weight.copy_(singular * left @ right)
        rbm.hidden.bias.fill_(-2.0)
    epochs = UPDATES // 200
    hm.fit(
        rbm,
        white,
        epochs=epochs,
        optimizer=partial(hm.MomentumSGD, lr=0.2),
        schedule=partial(hm.Schedule, lr=lambda epoch: 1 - epoch / epochs),
        transforms=[hm.learning.RestrictedGradient(0.3)],
        standardise=False,
        progress=False,
    )
    return rbm


rbm = learn(0.95)
