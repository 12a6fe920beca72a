"""
Why unsupervised pre-training makes sense
=========================================

Two stories of where images and their labels come from (G. Hinton, tutorial, IPAM 2012). In one, stuff in the world makes the image, and
the label is computed from the image: "it would make sense to try to go straight from images to labels. For example, do the pixels have
even parity?" In the other, the same stuff makes the image by a pathway of high bandwidth and the label by one of low bandwidth: then "it
makes sense to first learn to recover the stuff that caused the image by inverting the high bandwidth pathway". Here both stories are
true of the same images, and only the labels differ: pre-training should help with the labels of the second story, and not with the first.
"""

from functools import partial

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
NETS, CASES, TEST, UNITS = 20, 500, 2000, 50
PRETRAINING, EPOCHS = 20, 30
NOISE, ON = 0.1, 0.25

# %%
# Stuff and images
# ----------------
#
# The stuff is sixteen bars, one for each row and each column of an image of 8 x 8 pixels, each there or not on its own. A pixel is inked
# where a bar is, and one in ten is then changed, wherever it is: what a single pixel says is not all stuff.


def draw(cases: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Bars, (cases, 16), and images, (cases, 64): bool."""
    bars = torch.rand(cases, 16, generator=generator) < ON
    ink = bars[:, :8, None] | bars[:, None, 8:]
    return bars, (ink ^ (torch.rand(cases, 8, 8, generator=generator) < NOISE)).flatten(1)


def parity(bits: torch.Tensor) -> torch.Tensor:
    """Whether the number of ones is odd, 0 or 1: (cases)."""
    return bits.sum(1) % 2


tasks = {
    "parity of three bars": lambda bars, image: parity(bars[:, [0, 9, 3]]),
    "one pixel": lambda bars, image: image[:, 9].long(),
    "parity of all pixels": lambda bars, image: parity(image),
}
generator = torch.Generator().manual_seed(0)
bars, images = draw(CASES, generator)
test_bars, test_images = draw(TEST, generator)

# %%
# With and without
# ----------------
#
# Nets of two layers of sigmoid units learn each kind of label from the same 500 images, by plain stochastic gradient descent. Of every
# net there is one that begins at weights from U(-1/√k, 1/√k), k the number of a layer's inputs, and one that begins at the features of
# two RBMs, which CD-1 has learnt from these images without a label: they are the same for all tasks.

layers = [hm.Bernoulli(64), hm.Bernoulli(UNITS), hm.Bernoulli(UNITS)]
sgd = partial(hm.ReplicaSGD, lr=0.05, momentum=0.5)
stacks = hm.greedy(images, layers, replicas=NETS, seed=0, epochs=PRETRAINING, batch_size=10, optimizer=sgd, progress=False)


@torch.no_grad()
def net(stack: hm.DBN, seed: int, pretrained: bool) -> torch.nn.Sequential:
    """A net of the stack's shape, whose output layer is always random."""
    made, generator = hm.nets.classifier(stack, classes=2), torch.Generator().manual_seed(seed)
    linear = [module for module in made if isinstance(module, torch.nn.Linear)]
    for layer in linear if not pretrained else linear[-1:]:
        reach = layer.in_features**-0.5
        layer.weight.uniform_(-reach, reach, generator=generator)
        layer.bias.zero_()
    return made


descent = {"head_epochs": 0, "batch_size": 10, "optimizer": partial(hm.ReplicaSGD, lr=1.0)}
errors = {}
for task, label in tasks.items():
    for kind, pretrained in (("without", False), ("with", True)):
        nets = hm.Replicas([net(stack, seed, pretrained) for seed, stack in enumerate(stacks)])
        hm.fine_tune(nets, images, label(bars, images), epochs=EPOCHS, seed=100, progress=False, **descent)
        with torch.no_grad():
            found = nets(test_images.float().expand(NETS, -1, -1)).argmax(-1)
        errors[task, kind] = 100 * (found != label(test_bars, test_images)).double().mean(1)
    share = label(test_bars, test_images).double().mean().item()
    medians = " and ".join(f"{errors[task, kind].median():.1f} % {kind}" for kind in ("without", "with"))
    print(f"{task}: test error {medians} pre-training (medians of {NETS}); {100 * min(share, 1 - share):.1f} % by the more frequent label")

# %%
# What is found
# -------------
#
# *A label that the bars decide*, by a channel of a single bit: pre-trained nets err little more than half as often. Nothing in the
# images says which bars will matter, but that there are bars is in every image, and it is learnt without a label.
#
# *A label that is a pixel*: to go straight from image to label is best. Pre-training had better things to model than one pixel
# under noise, and does not help.
#
# *The parity of all pixels*, the slide's example: no net learns it from 500 cases, and pre-training cannot help, because whatever it
# finds out about the bars, noise on one pixel turns the label.

figure, axes = plt.subplots(1, 4, figsize=(9, 2.9), num="why_pretraining_makes_sense", width_ratios=(1.25, 1, 1, 1))
sheet = torch.nn.functional.pad(images[:16].double().reshape(4, 4, 8, 8), (1, 1, 1, 1), value=torch.nan)
axes[0].imshow(sheet.permute(0, 2, 1, 3).flatten(0, 1).flatten(1).numpy(), cmap="Greys", interpolation="nearest")
axes[0].set_title("sixteen images")
axes[0].set_xticks([])
axes[0].set_yticks([])
axes[0].grid(False)
axes[0].spines[:].set_visible(False)
for axis, task in zip(axes[1:], tasks, strict=True):
    for place, (kind, colour) in enumerate((("without", "C1"), ("with", "C0"))):
        style = {part: {"color": colour, "linewidth": 1.4} for part in ("boxprops", "medianprops", "whiskerprops", "capprops")}
        axis.boxplot(errors[task, kind].numpy(), positions=[place], whis=(0, 100), widths=0.5, manage_ticks=False, **style)
    axis.set_xlim(-0.6, 1.6)
    axis.set_xticks([0, 1], ["without\npre-training", "with"])
    axis.set_ylim(bottom=0)
    axis.set_title(task)
axes[1].set_ylabel("test error (%)")

# %%
# What would falsify it
# ---------------------
#
# Pre-training that does not help where the bars decide the label, or that helps as much where a pixel does; a net of either kind that
# tells the parity of 64 noisy pixels better than chance.

plt.show()
