"""
An implicit mixture of RBMs
===========================

A mixture of restricted Boltzmann machines has a hidden softmax unit that chooses one of them for each case, and one partition function for
all (Nair & Hinton, NIPS 2008). Nobody can say beforehand how large a component's share is, because nobody knows its partition function; but
which component accounts for a given case follows from the free energies alone. So the mixture clusters data, and each cluster has features
of its own. Here it finds ten clusters among the handwritten digits that come with scikit-learn, beside k-means.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
COMPONENTS, UNITS = 10, 20

# %%
# Learning without labels
# -----------------------
#
# Each of ten components has twenty hidden units. The responsibilities begin soft, at a temperature that the data suggest, and the biases of
# the components are moved until all of them account for equally many images. Without that, whichever component is ahead takes ever more.

digits = hm.data.digits.load()
images, labels = digits.train_images.reshape(-1, 64) / 255, digits.train_labels.numpy()
mixture = hm.MixtureOfRBMs(hm.Bernoulli(64, values="probabilities"), UNITS, COMPONENTS)
hm.fit(mixture, images, updates=1500, progress=False)

found = {
    "mixture of RBMs": mixture.cluster(images).numpy(),
    "k-means": KMeans(COMPONENTS, n_init=10, random_state=0).fit_predict(images.numpy()),
}

# %%
# Clusters beside classes
# -----------------------
#
# The purity of a clustering is the share of images whose class is the most frequent one of their cluster. The mutual information of
# clusters and classes is given as a share of the mean of their entropies.

tables = {name: np.array([np.bincount(labels[each == k], minlength=10) for k in range(COMPONENTS)]) for name, each in found.items()}
for name, table in tables.items():
    information = normalized_mutual_info_score(labels, found[name])
    print(f"{name}: purity {table.max(1).sum() / len(labels):.3f}, normalised mutual information {information:.3f}")

# %%
# Rows of the tables are clusters in the order of their commonest digit. Below are, for each component, the mean of its images, what its
# machine dreams after 200 sweeps of Gibbs sampling, and the first of its features. A feature serves the images of its own component alone,
# so it need not be of use for any other digit.

order = tables["mixture of RBMs"].argmax(1).argsort(kind="stable")
generator = torch.Generator().manual_seed(0)
shares = mixture.responsibilities(images)
means = (shares.T @ images) / shares.sum(0)[:, None]
rows: list[torch.Tensor] = []
for k in order:
    machine = mixture.components[k]
    dream = machine.gibbs(means[k].expand(3, -1), steps=200, generator=generator)
    dreams = machine.visible_mean(machine.sample_hidden(dream, generator=generator)).detach()
    features = machine.coupling.weight.detach().T[:6]
    features = 0.5 + 0.5 * features / features.abs().amax(1, keepdim=True)
    rows.append(torch.cat([means[k][None], dreams, features]))
sheet = torch.nn.functional.pad(torch.stack(rows).reshape(COMPONENTS, -1, 8, 8), (1, 1, 1, 1), value=float("nan"))

figure = plt.figure("implicit_mixture", figsize=(9, 3.3))
upper = figure.subplots(1, 3, width_ratios=[1, 1, 1.15])
for axis, (name, table) in zip(upper, tables.items(), strict=False):
    placed = table[table.argmax(1).argsort(kind="stable")]
    axis.imshow(placed, cmap="Blues")
    axis.set(title=name, xlabel="digit", ylabel="cluster", xticks=range(10), yticks=[])
    for place in zip(*placed.nonzero(), strict=True):
        axis.text(*place[::-1], placed[place], ha="center", va="center", fontsize=6, color="w" if placed[place] > 80 else "k")
upper[2].imshow(sheet.permute(0, 2, 1, 3).reshape(COMPONENTS * 10, -1).numpy(), cmap="gray", vmin=0, vmax=1)
upper[2].set(title="mean, three dreams, six features", xticks=[], yticks=[])
for axis in upper:
    axis.grid(False)

# %%
# What would falsify it
# ---------------------
#
# A mixture whose clusters tell less of the classes than those of k-means, by either figure.

plt.show()
