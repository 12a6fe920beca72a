"""
Why mean-field logistic units cannot model real images
======================================================

Grey pixels of handwritten digits can be taken as probabilities: a grey pixel is one that was inked in some of the drawings. The same is
often done with photographs, where it fails. "In a real image, the intensity of a pixel is almost always almost exactly the average of the
neighbouring pixels. Mean-field logistic units cannot represent precise intermediate values" (G. Hinton, tutorial, IPAM 2012). Here that
sentence is measured: two machines of the same size learn the same patches, one with logistic visible units, one with Gaussian ones.
"""

import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.cbook import get_sample_data
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.optim.lr_scheduler import ExponentialLR

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
SIDE, HIDDEN, EPOCHS, TRAIN, TEST, STRIPE = 8, 64, 15, 10_000, 150, 32

# %%
# Real patches
# ------------
#
# Three photographs that come with scikit-learn and matplotlib are made grey: a temple, a flower and a portrait. Each is cut into upright
# stripes of 32 pixels, of which every third is held out. Levels are scaled to [0, 1] by (level + u) / 256 with u uniform in [0, 1):
# densities of rounded numbers could grow without bound.


def stripes() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Grey stripes, (height, width) uint8 each: those to learn from, and those held out."""
    portrait = plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False))
    colours = map(Image.fromarray, [*load_sample_images().images, portrait])
    greys = [np.asarray(colour.convert("L")) for colour in colours]
    cut = [np.split(grey, range(STRIPE, grey.shape[1], STRIPE), axis=1) for grey in greys]
    whole = [[stripe for stripe in each if stripe.shape[1] == STRIPE] for each in cut]
    learnt = [stripe for each in whole for place, stripe in enumerate(each) if place % 3 != 2]
    return learnt, [stripe for each in whole for stripe in each[2::3]]


def patches(scenes: list[np.ndarray], count: int, rng: np.random.Generator) -> torch.Tensor:
    """Square patches from anywhere in the stripes: (count, pixels) in (0, 1)."""
    cut = []
    for scene in rng.integers(len(scenes), size=count):
        top, left = (rng.integers(size - SIDE + 1) for size in scenes[scene].shape)
        cut.append(scenes[scene][top : top + SIDE, left : left + SIDE].ravel())
    return torch.tensor((np.array(cut) + rng.random((count, SIDE**2))) / 256, dtype=torch.float32).clamp(1e-4, 1 - 1e-4)


rng = np.random.default_rng(0)
train, test = (patches(scenes, count, rng) for scenes, count in zip(stripes(), (TRAIN, TEST), strict=True))

# %%
# Two machines
# ------------
#
# Nothing differs but the kind of the visible units. Both have 64 binary hidden units and learn by CD-1 for 15 epochs, each at a rate
# that suits it; reconstructions are the mean for the logistic machine, as is usual for mean-field units, and a sample for the Gaussian
# one. The Gaussian machine learns one variance for all pixels as well.

logistic = hm.RBM(hm.Bernoulli(SIDE**2, values="probabilities"), hm.Bernoulli(HIDDEN))
gaussian = hm.RBM(hm.Gaussian(SIDE**2, variance_shape=(1,), learn_variance=True), hm.Bernoulli(HIDDEN))
for rbm, rate, reconstruction in ((logistic, 0.1, "mean"), (gaussian, 0.06, "sample")):
    negative, optimizer = hm.ContrastiveDivergence(reconstruction=reconstruction), partial(hm.MomentumSGD, lr=rate, momentum=0.9)
    decay = partial(ExponentialLR, gamma=0.85)
    hm.fit(rbm, train, negative=negative, epochs=EPOCHS, optimizer=optimizer, schedule=decay, seed=0, progress=False)

# %%
# What is compared
# ----------------
#
# Take the logistic machine at its word: intensities are states v in [0, 1] of the same energy function, whose density is exp(-F(v)) / Z
# with the free energy F of the binary machine, only that Z is now an integral over the cube. Given the hidden units each pixel then has
# the density t eᵗᵛ / (eᵗ - 1) on [0, 1] with t its total input (a continuous Bernoulli). For the Gaussian machine the density is the
# usual one. So both give a pixel a *density of its intensity given the 63 other pixels of its patch*, p(vᵢ | v₋ᵢ) ∝ exp(-F(v)), which
# needs one integral over vᵢ and no Z. The figure to compare is its logarithm at the true intensity, on held-out patches, in nats per
# pixel. The integral runs over [0, 1] for the logistic machine and over the whole line for the Gaussian one, whose mass beyond [0, 1] is
# therefore lost to it.
#
# For the logistic machine no training is needed to see how that ends. As a function of one pixel -F(v) is bᵢvᵢ plus the hidden layer's
# log-partition of an input linear in vᵢ, and log-partitions are convex. The density of a pixel given its neighbours is thus log-convex:
# **whatever the weights and the hidden units, its peak is at black or at white and never at a grey between them.** And since a convex
# density is at a point at most its average over an interval around it, p(vᵢ | v₋ᵢ) ≤ 1 / (2 min(vᵢ, 1 - vᵢ)). That is a ceiling for all
# logistic machines: at mid-grey no more than the 0 nats of the uniform density.


@torch.no_grad()
def log_density(rbm: hm.RBM, v: torch.Tensor, pixel: int, grid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """log p(v_i | the other pixels): at the grid's intensities (cases, grid), and at the true ones (cases)."""
    points = v[:, None].repeat(1, len(grid) + 1, 1)
    points[:, :-1, pixel] = grid
    log_p = -rbm.free_energy(points)
    ends = torch.zeros(len(grid))
    ends[[0, -1]] = math.log(0.5)  # the trapezoidal rule
    log_p = log_p - torch.logsumexp(log_p[:, :-1] + ends, dim=1, keepdim=True) - torch.log(grid[1] - grid[0])
    return log_p[:, :-1], log_p[:, -1]


grids = {"logistic": torch.linspace(0, 1, 101), "Gaussian": torch.linspace(-0.5, 1.5, 201)}
machines = {"logistic": logistic, "Gaussian": gaussian}
true = {
    name: torch.stack([log_density(rbm, test, pixel, grids[name])[1] for pixel in range(SIDE**2)], dim=1) for name, rbm in machines.items()
}
ceiling = -torch.log(2 * torch.minimum(test, 1 - test))
between, ends = (test > 1 / 4) & (test < 3 / 4), (test < 1 / 16) | (test > 15 / 16)
nats = {name: values.mean().item() for name, values in true.items()}
nats_between, nats_ends = ({name: values[where].mean().item() for name, values in true.items()} for where in (between, ends))
ceiling_between = ceiling[between].mean().item()
share = between.float().mean()
print(f"{share:.0%} of the pixels lie between 1/4 and 3/4, where no logistic machine can have more than {ceiling_between:.2f} nats")
print("nats per pixel given the others     all  between 1/4 and 3/4  within 1/16 of black or white")
for name in machines:
    print(f"{name:30} {nats[name]:8.2f} {nats_between[name]:20.2f} {nats_ends[name]:30.2f}")

# %%
# Reconstructions
# ---------------
#
# A patch, its reconstruction E[v | E[h | v]], and one draw of v given the same hidden units. The logistic *means* look like a patch. But
# a mean of 1/2 is all that such a unit can say: its precision is tied to its mean, so that a draw of the intensity is close to uniform
# there. The Gaussian machine's draw stays far nearer to the patch.


@torch.no_grad()
def reconstruct(rbm: hm.RBM, v: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the visible units given the hidden means, and a draw of intensities: (cases, pixels) each."""
    input = rbm.visible_input(rbm.hidden_mean(v))
    if isinstance(rbm.visible, hm.Gaussian):
        return rbm.visible.mean(input), rbm.visible.sample(input, generator=generator)
    t, u = (input + rbm.visible.bias).double(), torch.rand(v.shape, generator=generator).double()
    return rbm.visible.mean(input), (torch.log1p(u * torch.expm1(t)) / t).to(v.dtype)  # the inverse of the distribution function


generator = torch.Generator().manual_seed(0)
rows, errors, draw_errors = [test[:14]], {}, {}
for name, rbm in machines.items():
    mean, draw = reconstruct(rbm, test, generator)
    errors[name], draw_errors[name] = ((made - test).square().mean().sqrt().item() for made in (mean, draw))
    rows += [mean[:14], draw[:14]]
    print(f"{name}: root mean square error {errors[name]:.3f} of the reconstruction, {draw_errors[name]:.3f} of a draw")

# %%
# Above: the patches, their reconstructions and the draws. Below: the density of the middle pixel given its neighbours, for three patches
# in which it is dark, grey and bright (dotted: the intensity that it has); and the mean log-density against the true intensity, with the
# ceiling of all logistic machines, which the Gaussian machine is above between 1/4 and 3/4. At black and white there is hardly a ceiling,
# and the logistic machine is about as good as the Gaussian one, which has one variance for all pixels: digits are another matter.

figure = plt.figure("logistic_against_gaussian", figsize=(9, 6.9))
top, bottom = figure.subfigures(2, 1, height_ratios=(3.3, 3))
axis = top.subplots()
sheet = np.full((5 * (SIDE + 1) + 2, 14 * (SIDE + 1)), np.nan)
for row, images in enumerate(rows):
    for column, image in enumerate(images.reshape(-1, SIDE, SIDE)):
        y, x = row * (SIDE + 1) + (row + 1) // 2, column * (SIDE + 1)
        sheet[y : y + SIDE, x : x + SIDE] = image
axis.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
names = ("patch", "logistic: mean", "a draw", "Gaussian: mean", "a draw")
axis.set_yticks([row * (SIDE + 1) + (row + 1) // 2 + SIDE / 2 - 0.5 for row in range(5)], names)
axis.tick_params(labelcolor="#1f2933", labelsize=9)
axis.set_xticks([])
axis.grid(False)
axis.spines[:].set_visible(False)

left, right = bottom.subplots(1, 2, width_ratios=(1.25, 1))
middle = SIDE * SIDE // 2 + SIDE // 2
for number, wanted in enumerate((0.2, 0.5, 0.7)):
    case = int((test[:, middle] - wanted).abs().argmin())
    for name, rbm in machines.items():
        curve, _ = log_density(rbm, test[case : case + 1], middle, grids[name])
        left.plot(grids[name], curve[0].exp(), "--" if name == "logistic" else "-", color=f"C{number}")
    left.axvline(test[case, middle].item(), color=f"C{number}", linestyle=":", linewidth=1)
left.plot([], [], "-", color="#66717c", label="Gaussian")
left.plot([], [], "--", color="#66717c", label="logistic")
left.set_xlim(0, 1)
left.set_ylim(0)
left.set_title("density of a pixel given the 63 others")
left.set_xlabel("intensity")
left.legend(loc="upper right")

edges = torch.linspace(0, 1, 17)
bins = torch.bucketize(test.flatten(), edges) - 1
counts = torch.bincount(bins, minlength=16)
centres = (edges[1:] + edges[:-1]) / 2
for name, colour in (("Gaussian", "C0"), ("logistic", "C1")):
    sums = torch.zeros(16).index_add_(0, bins, true[name].flatten())
    right.plot(centres[counts >= 20], (sums / counts)[counts >= 20], "o-", color=colour, label=name, markersize=3.5)
fine = torch.linspace(0.01, 0.99, 197)
right.plot(fine, -torch.log(2 * torch.minimum(fine, 1 - fine)), ":", color="black", label="ceiling of all logistic machines")
right.set_ylim(-2.2, 3)
right.set_title("mean log-density of held-out pixels (nats)")
right.set_xlabel("true intensity")
right.legend()

# %%
# What would falsify it
# ---------------------
#
# One held-out pixel, of any machine with logistic visible units, above the ceiling by more than the integral's error; a conditional density
# of such a machine with its peak at a grey; Gaussian units that stay below the ceiling between 1/4 and 3/4.

plt.show()
