"""
Backpropagation is slow in deep nets of sigmoid units
=====================================================

"What is wrong with back-propagation? [...] The learning time does not scale well. It is very slow in networks with multiple hidden layers"
(G. Hinton, tutorial, IPAM 2012). The reason can be read off the gradient. On its way down an error signal is multiplied, layer by layer,
by the weights and by the slope of the sigmoid, which is 1/4 at most. Here nets of one to eight layers show what is left of it at the
bottom: begun at random weights, and begun at a stack of RBMs.
"""

from functools import partial

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
SEEDS, SIZE, DEEPEST = 3, 64, 8
PRETRAINING, EPOCHS = 20, 20
LEARNT_DEPTHS = (1, 2, 4, 8)

# %%
# Three starts
# ------------
#
# All layers have 64 units, as many as the images of handwritten digits have pixels. *Random*: weights from N(0, 1/64), which was the
# customary size. *Pre-trained*: the same number of layers of a stack of eight RBMs, which knows no labels. *Random, four times larger*: a
# remedy that came later (Glorot & Bengio 2010), which makes up for the slope of 1/4 by the weights. The softmax layer on top is the same
# for all.

digits = hm.data.digits.load()
images, labels = digits.train_images, digits.train_labels


def couplings(scale: float, seed: int) -> list[hm.Dense]:
    """Those of all layers, with weights from N(0, scale²)."""
    return [hm.Dense(SIZE, SIZE, scale=scale, seed=1000 * seed + index) for index in range(DEEPEST)]


def learnt_stack(seed: int) -> hm.DBN:
    """Eight layers learnt one after the other, by CD-1 from weights of N(0, 0.1²)."""
    units = [hm.Bernoulli(SIZE, values="probabilities"), *(hm.Bernoulli(SIZE) for _ in range(DEEPEST))]
    rule, sgd = hm.ContrastiveDivergence(reconstruction="mean"), partial(hm.MomentumSGD, lr=0.2, momentum=0.9)
    how = {"negative": rule, "optimizer": sgd, "epochs": PRETRAINING, "batch_size": 20, "seed": seed, "progress": False}
    return hm.greedy(images, units, couplings=couplings(0.1, seed), **how)


def random_stack(scale: float, seed: int) -> hm.DBN:
    """A stack of the same shape that has learnt nothing."""
    pixels = [hm.Bernoulli(SIZE, values="probabilities") for _ in range(DEEPEST)]
    return hm.DBN([hm.RBM(each, hm.Bernoulli(SIZE), one) for each, one in zip(pixels, couplings(scale, seed), strict=True)])


sgd = partial(hm.ReplicaSGD, lr=0.1, momentum=0.9)
stacks = {
    "random": [random_stack(SIZE**-0.5, seed) for seed in range(SEEDS)],
    "pre-trained": [learnt_stack(seed) for seed in range(SEEDS)],
    "random, four times larger": [random_stack(4 * SIZE**-0.5, seed) for seed in range(SEEDS)],
}


def net_of(stack: hm.DBN, depth: int, seed: int) -> torch.nn.Sequential:
    """A classifier from the lowest layers of a stack."""
    return hm.nets.classifier(hm.DBN(stack.rbms[:depth]), 10, seed=seed)


# %%
# The gradient before the first step
# ----------------------------------
#
# The error signal of a layer is the gradient of a case's cross-entropy with respect to the layer's inputs; its size is the root mean square
# over the cases of its norm. The gradient of a layer's weights is that of the mean over all cases, which is what learning sees.


def slopes(net: torch.nn.Sequential) -> tuple[torch.Tensor, torch.Tensor]:
    """Sizes of the error signals and of the weights' gradients, layer by layer from the bottom, the softmax layer last."""
    x, inputs = images / 255, []
    linear = [module for module in net if isinstance(module, torch.nn.Linear)]
    for module in net:
        x = module(x)
        if module in linear:
            x.retain_grad()
            inputs.append(x)
    cross_entropy(x, labels).backward()
    signals = [len(images) * each.grad.norm(dim=1).square().mean().sqrt() for each in inputs]
    return torch.stack(signals), torch.stack([module.weight.grad.norm() for module in linear])


signals, gradients, lowest = {}, {}, {}
for name, each in stacks.items():
    deep = [slopes(net_of(stack, DEEPEST, seed)) for seed, stack in enumerate(each)]
    signals[name], gradients[name] = (torch.stack(part) for part in zip(*deep, strict=True))
    depths = range(1, DEEPEST + 1)
    lowest[name] = torch.tensor([[slopes(net_of(stack, depth, seed))[1][0] for depth in depths] for seed, stack in enumerate(each)])

# %%
# From layer to layer a random start keeps about 1/4 of the error signal, as it must: random weights of this size neither stretch nor shrink
# it on average, and the sigmoid's slope takes the rest. A pre-trained layer's weights are larger, and though its units are nearer to their
# ends, where the sigmoid is flat, most of the signal gets through. Weights four times larger keep more than half, without any learning.

for name in stacks:
    kept = signals[name][:, :-2] / signals[name][:, 1:-1]  # between hidden layers
    weakest = gradients[name][:, 0].mean()
    print(f"{name}: a hidden layer passes on {kept.min():.3f} to {kept.max():.3f} of the error signal, mean {kept.log().mean().exp():.3f};")
    print(
        f"  gradient of the lowest weights {lowest[name][:, 0].mean():.1e} in a net of one layer, {weakest:.1e} in one of {DEEPEST};",
        f"of the softmax layer's {gradients[name][:, -1].mean():.1e}",
    )

# %%
# What it does to learning
# ------------------------
#
# All weights learn from the first epoch on, by the same rate, for 20 epochs. Random starts of four and eight layers have not begun to learn
# by then: their loss is log 10 or hardly below, as if they knew nothing but how many classes there are. The stacks learn the faster the
# deeper they are. The larger random weights learn too, but eight layers more slowly than four: so it was the size of the gradient that
# mattered, and pre-training is one way to a start at which it is sensible. What else it does is the matter of the page on its two views.

losses = {}
for name, each in stacks.items():
    for depth in LEARNT_DEPTHS:
        nets = hm.Replicas([net_of(stack, depth, seed) for seed, stack in enumerate(each)])
        tuning = {"epochs": EPOCHS, "head_epochs": 0, "batch_size": 50, "optimizer": sgd, "progress": False}
        history = hm.fine_tune(nets, images, labels, **tuning).history
        losses[name, depth] = torch.tensor([[row[f"train_loss.{seed}"] for seed in range(SEEDS)] for row in history])
    told = ", ".join(f"{depth}: {losses[name, depth][-1].mean():.3f}" for depth in LEARNT_DEPTHS)
    print(f"{name}: training loss in epoch {EPOCHS} by number of layers: {told} nats")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.5), num="slow_backpropagation")
for colour, name in enumerate(stacks):
    style = {"color": f"C{colour}", "label": name, "marker": "o", "markersize": 3.5}
    left.plot(range(1, DEEPEST + 1), signals[name][:, :-1].log().mean(0).exp(), **style)
    middle.plot(range(1, DEEPEST + 1), lowest[name].log().mean(0).exp(), **style)
    for depth, line in zip(LEARNT_DEPTHS, ("-", "--", "-.", ":"), strict=False):
        right.plot(range(1, EPOCHS + 1), losses[name, depth].mean(1), line, color=f"C{colour}")
for depth, line in zip(LEARNT_DEPTHS, ("-", "--", "-.", ":"), strict=False):
    right.plot([], [], line, color="#66717c", label=f"{depth} layer{'s' if depth > 1 else ''}")
left.set_yscale("log")
left.set_title("error signal, by layer\nof a net of eight")
left.set_xlabel("layer, from the bottom")
left.legend(loc="lower right")
middle.set_yscale("log")
middle.set_title("gradient of the lowest weights")
middle.set_xlabel("number of hidden layers")
right.set_yscale("log")
right.set_title("training loss (nats)")
right.set_xlabel("epoch")
right.legend(loc="lower left")

# %%
# What would falsify it
# ---------------------
#
# An error signal that random weights of this size pass on by more than 1/4 from layer to layer, by more than chance; a gradient of the
# lowest weights that does not fall with depth; a random start of eight layers that learns as fast as one of one or two; or, for what is
# said of the size of the gradient, larger random weights that learn no better.

plt.show()
