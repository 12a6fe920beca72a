"""
Generating from a three-layer net
=================================

"To generate data: get an equilibrium sample from the top-level RBM by performing alternating Gibbs sampling for a long time; perform a
top-down pass to get states for all the other layers. So the lower level bottom-up connections are not part of the generative model. They
are just used for inference" (G. Hinton, tutorial, IPAM 2012). Here a net of three hidden layers learns the training digits that come with
scikit-learn, greedily and in a few seconds, with ten label units beside the top RBM's features. Then a label is clamped, and the net
says what it takes that digit to be.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
UNITS, EPOCHS, TOP_EPOCHS = (200, 100, 300), 20, 60
CHAINS, FRAMES, SWEEPS = 10, 7, 40

# %%
# Learning, one layer at a time
# -----------------------------
#
# The lower two machines learn by CD-1, whose features are good. The top one must do more: what it believes most probable is what will be
# generated. So it learns by persistent CD, whose chains visit whatever the machine likes, and with a rate that falls to zero, so that the
# chains keep up. The grey levels of the pixels count as probabilities of ink.

digits = hm.data.digits.load()


def train(rbm: hm.RBM, data: torch.Tensor, index: int) -> hm.TrainingState:
    """Layer by layer: CD-1 below, persistent CD at the top."""
    settings = {"batch_size": 30, "weight_cost": 2e-4, "seed": index, "progress": False}
    if index < len(UNITS) - 1:
        below = partial(hm.MomentumSGD, lr=0.1, momentum=0.9)
        return hm.fit(rbm, data, negative=hm.ContrastiveDivergence(reconstruction="mean"), epochs=EPOCHS, optimizer=below, **settings)
    top, falling = partial(hm.MomentumSGD, lr=0.3), partial(hm.Schedule, lr=lambda epoch: 1 - epoch / TOP_EPOCHS)
    return hm.fit(rbm, data, negative=hm.PersistentCD(chains=50), epochs=TOP_EPOCHS, optimizer=top, schedule=falling, **settings)


layers = [hm.Bernoulli(64, values="probabilities"), *(hm.Bernoulli(units) for units in UNITS)]
dbn = hm.greedy(digits.train_images, layers, labels=digits.train_labels, classes=10, train=train)

# %%
# Every class on demand
# ---------------------
#
# Ten chains for each class begin at random states of the top RBM with that label clamped. ``hm.sampling.film`` alternates between its two
# layers; each frame is one top-down pass, the pixels shown as probabilities.

generator = torch.Generator().manual_seed(0)
classes = torch.arange(10).repeat_interleave(CHAINS)
film = hm.sampling.film(dbn, len(classes), frames=FRAMES, steps=SWEEPS, generator=generator, labels=classes)
fantasies = film[:, -1]


def tiles(images: torch.Tensor) -> np.ndarray:
    """(rows, columns, 64) as one picture, a ground pixel around each image."""
    framed = torch.nn.functional.pad(images.unflatten(-1, (8, 8)), (1, 1, 1, 1))
    return framed.permute(0, 2, 1, 3).flatten(0, 1).flatten(1).numpy()


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 5.2), num="generating", gridspec_kw={"width_ratios": [CHAINS, FRAMES]})
left.imshow(tiles(fantasies.unflatten(0, (10, CHAINS))), cmap="Greys", vmin=0, vmax=1)
right.imshow(tiles(film[::CHAINS]), cmap="Greys", vmin=0, vmax=1)
left.set_title(f"ten chains of each class after {FRAMES * SWEEPS} sweeps")
right.set_title(f"the first chain of each class, every {SWEEPS} sweeps")
left.set_yticks([10 * n + 4.5 for n in range(10)], [f"{n}" for n in range(10)])
right.set_yticks([])
for axis in (left, right):
    axis.set_xticks([])
    axis.grid(False)

# %%
# Are they what they should be?
# -----------------------------
#
# One judge is the net itself: given only the pixels, does it find the label under which they were made? Nobody should be the judge in his
# own cause, so a second one is the nearest real training digit: does it have the clamped class? Most fantasies are what was asked for by
# both, but not all. They are not copies: they lie no nearer to the training digits than real test digits do, and the chains of a class
# differ from one another.

own = hm.models.label_log_probability(dbn, fantasies).argmax(1)
train_pixels, test_pixels = digits.train_images / 255, digits.test_images / 255
distance, nearest = torch.cdist(fantasies, train_pixels).min(1)
own_share = (own == classes).double().mean().item()
nearest_share = (digits.train_labels[nearest] == classes).double().mean().item()
real_distance = torch.cdist(test_pixels, train_pixels).min(1).values.mean().item()
by_class = fantasies.unflatten(0, (10, CHAINS))
spread = (torch.cdist(by_class, by_class).sum() / (10 * CHAINS * (CHAINS - 1))).item()
print(f"the net reads the clamped label from {own_share:.0%} of its fantasies; the nearest real digit has it for {nearest_share:.0%}")
print(f"distance to the nearest training digit: {distance.mean():.2f}, of real test digits {real_distance:.2f}")
print(f"distance between two fantasies of a class: {spread:.2f}")

# %%
# What would falsify it
# ---------------------
#
# A classifier that has learnt from real digits alone takes no more of the fantasies than one in ten for the class that was clamped; all
# chains of a class end at one image; or all fantasies lie at training digits, which a table could have given back as well.

plt.show()
