"""
The effect of depth
===================

Without pre-training, deep nets of sigmoid units were hard to learn: the more layers, the worse the result and the more it depended
on luck. "With pre-training" the tutorial's slide (G. Hinton, IPAM 2012, after Erhan et al., AISTATS 2009) shows the same nets better
at every depth, and depth no longer as a danger. Here nets of one to four layers, with and without, learn the digits that come with
scikit-learn by the stochastic gradient descent of that time. The slide's boxes depend on that: with rectified units, careful initial
weights and modern optimisers such nets can be learnt without pre-training as well.
"""

from functools import partial

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
NETS, CASES, UNITS, DEPTHS = 8, 500, 50, 4
PRETRAINING, EPOCHS = 20, 60

# %%
# One stack for every depth
# -------------------------
#
# For each seed one stack of four RBMs is learnt from 500 images without their labels. A net of d layers begins at its lower d machines,
# or at weights from U(-1/√k, 1/√k), k the number of a layer's inputs.

digits = hm.data.digits.load()
images, labels = digits.train_images[:CASES] / 255, digits.train_labels[:CASES]
test_images = torch.cat([digits.train_images[CASES:], digits.test_images]) / 255
test_labels = torch.cat([digits.train_labels[CASES:], digits.test_labels])

layers = [hm.Bernoulli(64, values="probabilities"), *(hm.Bernoulli(UNITS) for _ in range(DEPTHS))]
cd = {"negative": hm.ContrastiveDivergence(reconstruction="mean"), "optimizer": partial(hm.ReplicaSGD, lr=0.1, momentum=0.5)}
stacks = hm.greedy(images, layers, replicas=NETS, seed=0, epochs=PRETRAINING, batch_size=10, progress=False, **cd)


@torch.no_grad()
def net(stack: hm.DBN, depth: int, seed: int, pretrained: bool) -> torch.nn.Sequential:
    """A net of a stack's lower layers, whose output layer is always random."""
    made, generator = hm.nets.classifier(hm.DBN([*stack.rbms[:depth]]), classes=10), torch.Generator().manual_seed(seed)
    linear = [module for module in made if isinstance(module, torch.nn.Linear)]
    for layer in linear if not pretrained else linear[-1:]:
        reach = layer.in_features**-0.5
        layer.weight.uniform_(-reach, reach, generator=generator)
        layer.bias.zero_()
    return made


# %%
# Learning the labels
# -------------------
#
# Plain stochastic gradient descent for all: ten cases at a time, rate 1, no momentum, no weight cost, no early stopping.

descent = {"head_epochs": 0, "batch_size": 10, "optimizer": partial(hm.ReplicaSGD, lr=1.0)}
errors, losses = {}, {}
for depth in range(1, DEPTHS + 1):
    for kind, pretrained in (("without", False), ("with", True)):
        nets = hm.Replicas([net(stack, depth, seed, pretrained) for seed, stack in enumerate(stacks)])
        state = hm.fine_tune(nets, images, labels, epochs=EPOCHS, seed=100, progress=False, **descent)
        with torch.no_grad():
            found = nets(test_images.expand(NETS, -1, -1)).argmax(-1)
        errors[kind, depth] = 100 * (found != test_labels).double().mean(1)
        losses[kind, depth] = torch.tensor([state.history[-1][f"train_loss.{r}"] for r in range(NETS)])
        low, middle, high = errors[kind, depth].quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist()
        print(f"{depth} layers, {kind} pre-training: test error {middle:.1f} % (quartiles {low:.1f} and {high:.1f}),", end=" ")
        print(f"training loss {losses[kind, depth].median():.3f} nats")

# %%
# What is found
# -------------
#
# Without pre-training two layers do no better than one. With three, sixty epochs are enough for some nets and not for others, so that the
# result is a matter of luck; with four, none has left the place where all outputs are the same for every image, and nine in ten digits
# are wrong. With pre-training four layers are as good as one, and as sure.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), num="effect_of_depth", sharey=True)
for axis, (kind, colour) in zip(axes, (("without", "C1"), ("with", "C0")), strict=True):
    style = {part: {"color": colour, "linewidth": 1.4} for part in ("boxprops", "medianprops", "whiskerprops", "capprops")}
    axis.boxplot([errors[kind, depth].numpy() for depth in range(1, DEPTHS + 1)], whis=(0, 100), widths=0.5, **style)
    axis.set_title(f"{kind} pre-training")
    axis.set_xlabel("hidden layers")
axes[0].set_yscale("log")
axes[0].set_yticks([3, 5, 10, 20, 50, 90], ["3", "5", "10", "20", "50", "90"])
axes[0].set_yticks([], minor=True)
axes[0].set_ylabel("test error (%)")

# %%
# What would falsify it
# ---------------------
#
# Pre-trained nets that err as much as the others at any depth; without pre-training, four layers that reach what two reach, at the same
# descent and in the same number of epochs.

plt.show()
