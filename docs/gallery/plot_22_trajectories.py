"""
Learning trajectories in function space
=======================================

"Each point is a model in function space. Colour = epoch. Without pre-training each trajectory converges to a different local minimum.
With pre-training: no overlap!" (G. Hinton, tutorial, IPAM 2012, on a picture of Erhan et al., AISTATS 2009). A net's weights say little:
hidden units can be exchanged, and the net is still the same function. So a net is taken as what it says, its outputs on a set of
images, one after another in one long vector, and becomes a trajectory of such points while it learns. The picture is a map of them; that
they do not overlap is measured in the space itself.
"""

from functools import partial

import matplotlib.pyplot as plt
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, Isomap

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
NETS, CASES, UNITS = 20, 500, 50
PRETRAINING, EPOCHS = 20, 30

# %%
# Forty nets that learn
# ---------------------
#
# The nets are those of :doc:`the effect of pre-training <plot_20_effect_of_pretraining>`: 64 pixels, two layers of sigmoid units, ten
# outputs, and 500 digits to learn from by plain stochastic gradient descent. Twenty begin at random weights, twenty at the features of
# two RBMs.

digits = hm.data.digits.load()
images, labels = digits.train_images[:CASES] / 255, digits.train_labels[:CASES]
test_images = digits.test_images / 255

layers = [hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(UNITS), hm.Bernoulli(UNITS)]
cd = {"negative": hm.ContrastiveDivergence(reconstruction="mean"), "optimizer": partial(hm.ReplicaSGD, lr=0.1, momentum=0.5)}
stacks = hm.greedy(images, layers, replicas=NETS, seed=0, epochs=PRETRAINING, batch_size=10, progress=False, **cd)


@torch.no_grad()
def net(stack: hm.DBN, seed: int, pretrained: bool) -> torch.nn.Sequential:
    """A net of the stack's shape, whose output layer is always random."""
    made, generator = hm.nets.classifier(stack, classes=10), torch.Generator().manual_seed(seed)
    linear = [module for module in made if isinstance(module, torch.nn.Linear)]
    for layer in linear if not pretrained else linear[-1:]:
        reach = layer.in_features**-0.5
        layer.weight.uniform_(-reach, reach, generator=generator)
        layer.bias.zero_()
    return made


class Trajectory(hm.Callback):
    """What every net says of the test images after each epoch: (nets, images, classes) probabilities."""

    def __init__(self) -> None:
        self.points: list[torch.Tensor] = []

    @torch.no_grad()
    def on_epoch(self, state: hm.TrainingState) -> None:
        self.points.append(state.model(test_images.expand(NETS, -1, -1)).softmax(-1))


descent = {"head_epochs": 0, "batch_size": 10, "optimizer": partial(hm.ReplicaSGD, lr=1.0)}
paths = []
for pretrained in (False, True):
    nets = hm.Replicas([net(stack, seed, pretrained) for seed, stack in enumerate(stacks)])
    path = Trajectory()
    hm.fine_tune(nets, images, labels, epochs=EPOCHS, seed=100, callbacks=[path], progress=False, **descent)
    paths.append(torch.stack(path.points))
points = torch.stack(paths).double() / len(test_images) ** 0.5  # (kinds, epochs, nets, images, classes): distances are root mean squares

# %%
# Do they overlap?
# ----------------
#
# For every net after every epoch, the nearest point that belongs to another net: is it of the same kind? If the two kinds were
# alike, it would be of the other kind about half of the time.

kind, epoch, number = (each.flatten() for each in torch.meshgrid(torch.arange(2), torch.arange(EPOCHS), torch.arange(NETS), indexing="ij"))
functions = points.flatten(3).flatten(0, 2)


def share_beside_others(places: torch.Tensor) -> float:
    """The share of points whose nearest neighbour among the other nets' points is of the other kind."""
    distance = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    distance[(kind[:, None] == kind) & (number[:, None] == number)] = torch.inf
    return (kind[distance.argmin(1)] != kind).double().mean().item()


ends = torch.cdist(functions[epoch == EPOCHS - 1], functions[epoch == EPOCHS - 1])
same, others = kind[epoch == EPOCHS - 1], ~torch.eye(2 * NETS, dtype=torch.bool)
within = [ends[(same[:, None] == k) & (same == k) & others].mean().item() for k in (0, 1)]
between = ends[same[:, None] != same].mean().item()
overlap = {"function space": share_beside_others(functions)}

# %%
# Two maps
# --------
#
# One joint map of all points by t-SNE, which keeps near points near, and one by Isomap, which keeps distances along the cloud, so that
# there the size of a region means something. Both are made of the first 50 principal components.

components = PCA(50, random_state=0).fit_transform(functions.numpy())
maps = {
    "t-SNE": TSNE(2, init="pca", random_state=0).fit_transform(components),
    "Isomap": Isomap(n_neighbors=2 * EPOCHS, n_components=2).fit_transform(components),
}
for name, plane in maps.items():
    overlap[name] = share_beside_others(torch.from_numpy(plane).double())
for name, share in overlap.items():
    print(f"{name}: {share:.1%} of the points lie beside a net of the other kind")
print(f"distance of two nets at the end: {within[0]:.3f} without pre-training, {within[1]:.3f} with, {between:.3f} for one of each")

figure, axes = plt.subplots(2, 2, figsize=(9, 7.4), num="trajectories")
for row, (name, plane) in zip(axes, maps.items(), strict=True):
    for axis, own, words in zip(row, (0, 1), ("without pre-training", "with pre-training"), strict=True):
        axis.scatter(*plane[kind != own].T, s=5, color="#dfe3e7", linewidths=0)
        shown = axis.scatter(*plane[kind == own].T, s=6, c=epoch[kind == own] + 1, cmap="viridis", linewidths=0)
        axis.set_title(f"{name}, {words}")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
figure.colorbar(shown, ax=axes, label="epoch", shrink=0.5)

# %%
# What would falsify it
# ---------------------
#
# Nets with and without pre-training among each other's nearest neighbours about half of the time; nets without it that end as near to one
# another as those with it, which would mean one and the same minimum.

plt.show()
