"""
A map of digits
===============

"They always looked like a really nice way to do non-linear dimensionality reduction" (G. Hinton, tutorial, IPAM 2012): deep autoencoders
squeeze an image through a layer of a few linear units and try to give it back. With two such units every image is a point in the plane.
Here a net is learnt layer by layer, unrolled and fine-tuned, and its map is compared with that of the first two principal components.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
UNITS, LAYER_EPOCHS, EPOCHS, RATE = (200, 100), 10, 80, 0.005
digits = hm.data.digits.load()
train, test = digits.train_images, digits.test_images
levels = {"train": train.numpy() / 255, "test": test.numpy() / 255}

# %%
# Layer by layer
# --------------
#
# The pixels' grey levels are probabilities of binary units. Two layers of binary features are learnt by CD-1, each on the means of the
# one below; on top come two *linear* units with Gaussian noise, the code. Labels are never used.

below = [hm.Bernoulli(64, values="probabilities"), *map(hm.Bernoulli, UNITS)]
negative = hm.ContrastiveDivergence(reconstruction="mean")
lower = hm.greedy(train, below, negative=negative, epochs=LAYER_EPOCHS, batch_size=50, seed=0, progress=False)
top = hm.RBM(lower.top.hidden.as_visible_layer(), hm.Gaussian(2), seed=0)
slowly = partial(hm.MomentumSGD, lr=0.001, momentum=0.9)  # linear units take a low rate
features = lower.top.hidden_mean(lower.up(torch.from_numpy(levels["train"]).float())).detach()
hm.fit(top, features, negative=negative, epochs=LAYER_EPOCHS, batch_size=50, optimizer=slowly, seed=0, progress=False)

# %%
# Unrolled
# --------
#
# The encoder takes the recognition weights and the decoder begins at their transposes. Backpropagation then minimises the cross-entropy
# of the pixels and their reconstructions, `net.loss`. (With Adam a net of this depth learns from random weights too. What pre-training
# adds is a matter of depth, and of other pages.)

net = hm.nets.autoencoder(hm.DBN([*lower.rbms, top]))
adam = partial(torch.optim.Adam, lr=RATE)
falling = partial(hm.Schedule, lr=lambda epoch: 1 - epoch / EPOCHS)
settings = {"epochs": EPOCHS, "batch_size": 50, "optimizer": adam, "schedule": falling, "seed": 0, "progress": False}
unrolled = net.squared_error(hm.predict(net, test), test).item()
hm.fine_tune(net, train, train, loss=net.loss, **settings)

# %%
# What two numbers keep
# ---------------------
#
# The squared error of a test image, summed over its 64 pixels; and how often the class of a test image is that of most of its five nearest
# training images *on the map*. Neither map has seen a label.

errors = {"stack, unrolled": unrolled, "autoencoder": net.squared_error(hm.predict(net, test), test).item()}
maps = {"autoencoder": {"train": hm.predict(net.encoder, train).numpy(), "test": hm.predict(net.encoder, test).numpy()}}
rows = {"image": levels["test"], "autoencoder, 2": net.reconstruct(test).detach().numpy()}
for components in (2, 5):
    pca = PCA(components).fit(levels["train"])
    rows[f"PCA, {components}"] = pca.inverse_transform(pca.transform(levels["test"]))
    errors[f"PCA, {components} numbers"] = ((rows[f"PCA, {components}"] - levels["test"]) ** 2).sum(1).mean()
    if components == 2:
        maps["PCA"] = {part: pca.transform(x) for part, x in levels.items()}
agreement = {}
for name, codes in maps.items():
    neighbours = KNeighborsClassifier(5).fit(codes["train"], digits.train_labels)
    agreement[name] = neighbours.score(codes["test"], digits.test_labels)
for name, error in errors.items():
    print(f"{name:15} squared error of a test image {error:.2f}")
for name, share in agreement.items():
    print(f"{name:15} {share:.0%} of the test images have the class of their neighbours on the map")

# %%
# Two numbers of the autoencoder give an image back better than five principal components do, and on its map the classes lie apart.
# Above: every training image as a point in the colour of its class, a digit at the median of each class. Below: test images, and
# what each model makes of its few numbers.

figure = plt.figure("map_of_digits", figsize=(9, 6.6), layout="constrained")
upper, under = figure.subfigures(2, 1, height_ratios=(3.4, 2))
for axes, (name, codes) in zip(upper.subplots(1, 2), maps.items(), strict=True):
    for label in range(10):
        own = codes["train"][digits.train_labels == label]
        axes.scatter(*own.T, s=5, color=plt.cm.tab10(label), linewidths=0)
    for label in range(10):
        middle = np.median(codes["train"][digits.train_labels == label], axis=0)
        box = {"facecolor": "white", "edgecolor": plt.cm.tab10(label), "boxstyle": "round,pad=0.2"}
        axes.text(*middle, str(label), ha="center", va="center", fontsize=9, bbox=box)
    axes.set_title(f"{name}: {agreement[name]:.0%} of test images agree with their neighbours")

axis, shown = under.subplots(), 20
sheet = np.full((len(rows) * 9 + 1, shown * 9 + 1), np.nan)
for row, images in enumerate(rows.values()):
    for column, image in enumerate(images[:shown].reshape(-1, 8, 8)):
        sheet[row * 9 + 1 : row * 9 + 9, column * 9 + 1 : column * 9 + 9] = image
axis.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
axis.set_yticks([row * 9 + 4.5 for row in range(len(rows))], rows)
axis.tick_params(labelcolor="#1f2933", labelsize=9)
axis.set_xticks([])
axis.grid(False)
axis.spines[:].set_visible(False)

# %%
# What would falsify it
# ---------------------
#
# A squared error above that of five principal components; a map whose neighbours agree no more often than PCA's; a stack that is better
# before fine-tuning than after it.

plt.show()
