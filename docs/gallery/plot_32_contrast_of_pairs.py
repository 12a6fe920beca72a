"""
Pairs of images, whatever their contrast
========================================

Nair & Hinton (2010) ask of two photographs whether they show one person, by the cosine between rectified features without biases. R(ax) =
a R(x), so that the cosine, and with it the probability of "the same", does not change when one of the two images is made brighter or
darker. Faces that are free to copy do not come with this package; here the question is whether two handwritten digits are the same digit.
Three siamese nets learn it at one contrast, and are asked at others.
"""

import warnings
from functools import partial

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
UNITS, PAIRS = 60, 8000
FACTORS = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]

# %%
# Pairs of digits
# ---------------
#
# Images have mean 0 and mean square 1, which fixes their contrast. Half of the pairs show the same digit.

digits = hm.data.digits.load()


def standard(images: torch.Tensor) -> torch.Tensor:
    """Of mean 0 and mean square 1: (images, 64)."""
    flat = images.reshape(-1, 64).float()
    centred = flat - flat.mean(1, keepdim=True)
    return centred / centred.square().mean(1, keepdim=True).sqrt()


def pairs_of(images: torch.Tensor, labels: torch.Tensor, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of images, (count, 2, 64), and whether they show the same digit, half and half."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(labels), (20 * count, 2), generator=generator)
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    same = labels[drawn[:, 0]] == labels[drawn[:, 1]]
    chosen = torch.cat([drawn[same][: count // 2], drawn[~same][: count // 2]])
    return standard(images)[chosen], torch.tensor([1, 0]).repeat_interleave(count // 2)


learnt_from, same = pairs_of(digits.train_images, digits.train_labels, PAIRS, seed=0)
judged, truth = pairs_of(digits.test_images, digits.test_labels, 2000, seed=1)

# %%
# Three nets
# ----------
#
# Each begins at the features of an RBM that learnt from the images alone, and is tuned by backpropagation on the pairs: rectified features
# without biases, rectified features with biases, and binary ones with biases.


def net_of(hidden: hm.Unit, rate: float, biases: bool) -> torch.nn.Sequential:
    """A siamese net that has learnt."""
    rbm = hm.RBM(hm.Gaussian(64, variance=1.0), hidden, seed=0)
    if not biases:
        rbm.hidden.bias.requires_grad_(False)
    with warnings.catch_warnings():  # rectified units learn at the edge of where they can be sampled, to which each update moves them back
        warnings.filterwarnings("ignore", "in .* updates the weights were pulled back", RuntimeWarning)
        hm.fit(rbm, standard(digits.train_images), updates=500, seed=0, progress=False)
    net = hm.nets.siamese(rbm, biases=biases)
    optimizer = partial(hm.MomentumSGD, lr=rate, momentum=0.9)
    hm.fine_tune(net, learnt_from, same, epochs=6, head_epochs=1, optimizer=optimizer, seed=0, progress=False)
    return net


nets = {
    "rectified, no biases": net_of(hm.NoisyReLU(UNITS), 0.02, biases=False),
    "rectified, biases": net_of(hm.NoisyReLU(UNITS), 0.02, biases=True),
    "binary, biases": net_of(hm.Bernoulli(UNITS), 0.2, biases=True),
}

# %%
# Other contrasts
# ---------------
#
# One image of each pair is multiplied by a factor. The first net says the same of every pair whatever the factor is. The others learnt at
# one contrast and know one contrast: a faint image leaves the biases alone, and a strong one drives binary units to 0 and 1.


def asked(net: torch.nn.Sequential, factor: float) -> torch.Tensor:
    """The probability that each pair shows the same digit, the second image multiplied by a factor."""
    return hm.predict(net, judged * torch.tensor([[1.0], [factor]])).softmax(1)[:, 1]


said = {name: torch.stack([asked(net, factor) for factor in FACTORS]) for name, net in nets.items()}
right = {name: 100 * ((each > 0.5) == truth.bool()).double().mean(1) for name, each in said.items()}
moved = {name: (each - each[FACTORS.index(1.0)]).abs().max().item() for name, each in said.items()}
for name in nets:
    accuracies = ", ".join(f"{value:.1f}" for value in right[name].tolist())
    print(f"{name}: {accuracies} % right at factors {FACTORS}; a probability moves by at most {moved[name]:.1g}")

figure = plt.figure("contrast_of_pairs", figsize=(8, 2.9))
left, axis = figure.subplots(1, 2, width_ratios=[1, 1.4])
shown = [judged[pair][:, None] * torch.tensor([[1.0], [factor]])[:, None] for pair, factor in ((0, 0.2), (1, 1.0), (2, 5.0))]
sheet = torch.cat([torch.nn.functional.pad(each.reshape(2, 8, 8), (1, 1, 1, 1), value=float("nan")) for each in shown], dim=2)
left.imshow(torch.cat([*sheet]).numpy(), cmap="gray", vmin=-2.5, vmax=2.5)
left.set(title="below: times 0.2, 1 and 5", xticks=[], yticks=[])
left.grid(False)
for number, (name, values) in enumerate(right.items()):
    axis.semilogx(FACTORS, values, "o-", color=f"C{number}", markersize=4, label=name)
axis.axhline(50, color="black", linestyle=":", linewidth=1)
axis.set(title="pairs right (%)", xlabel="contrast of the second image", xticks=FACTORS, xticklabels=[f"{each:g}" for each in FACTORS])
axis.minorticks_off()
axis.legend(fontsize=8)

# %%
# What would falsify it
# ---------------------
#
# A probability of the net without biases that moves by more than rounding; nets with biases that lose nothing at other contrasts.

plt.show()
