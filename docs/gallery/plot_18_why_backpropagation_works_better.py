"""
Why backpropagation works better after greedy learning
======================================================

The tutorial (G. Hinton, IPAM 2012) gives two views. Optimisation: "We do not start backpropagation until we already have sensible feature
detectors that should already be very helpful for the discrimination task. So the initial gradients are sensible and backprop only needs to
perform a local search from a sensible starting point." Overfitting: "Most of the information in the final weights comes from modeling the
distribution of input vectors. [...] This type of backpropagation works well even if most of the training data is unlabeled." Here both are
measured on nets of three sigmoid layers and small scans of handwritten digits: one net begins at a stack of RBMs, one at random weights.
"""

import math
from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
NETS = 3
HIDDEN = (100, 100, 100)
PRETRAINING, HEAD, EPOCHS = 15, 5, 35
LABELS = (20, 100, 300, 750)
ALONE = 100  # labels
UPDATES = 300

# %%
# Three stacks, and three random starts
# -------------------------------------
#
# The images are the 8 x 8 pixels of scikit-learn's digits; one in six is only judged on. Three stacks, each with a seed of its own, learn
# from all others, layer by layer and without a label. The random starts have weights from N(0, 1/n) for n inputs, the customary size. What
# follows is the same for both, the softmax layer's first weights and the order of the cases too, but for the learning rate of
# backpropagation: of 0.1 and 0.2 each start gets the one that suits it.

digits = hm.data.digits.load()
images, labels = digits.train_images, digits.train_labels
test = digits.test_images / 255, digits.test_labels
sizes = (64, *HIDDEN)
rates = {"pre-trained": 0.1, "random": 0.2, "pre-trained on the labelled images alone": 0.1}


def learnt_stack(seed: int, cases: torch.Tensor) -> hm.DBN:
    """Three layers learnt one after the other by CD-1 from weights of N(0, 0.1²). However few the cases are, the updates are as many."""
    units = [hm.Bernoulli(64, values="probabilities"), *(hm.Bernoulli(size) for size in HIDDEN)]
    couplings = [hm.Dense(n, m, scale=0.1, seed=1000 * seed + layer) for layer, (n, m) in enumerate(pairwise(sizes))]
    rule, sgd = hm.ContrastiveDivergence(reconstruction="mean"), partial(hm.MomentumSGD, lr=0.2, momentum=0.9)
    how = {"negative": rule, "optimizer": sgd, "epochs": PRETRAINING, "batch_size": 20, "seed": seed, "progress": False}
    return hm.greedy(cases.repeat(len(images) // len(cases), 1), units, couplings=couplings, **how)


def random_stack(seed: int, larger: float = 1.0) -> hm.DBN:
    """Three layers that have learnt nothing, with weights so many times larger than N(0, 1/n)."""
    couplings = [hm.Dense(n, m, scale=larger * n**-0.5, seed=1000 * seed + layer) for layer, (n, m) in enumerate(pairwise(sizes))]
    return hm.DBN([hm.RBM(hm.Bernoulli(each.visible, values="probabilities"), hm.Bernoulli(each.hidden), each) for each in couplings])


starts = {
    "pre-trained": [learnt_stack(seed, images) for seed in range(NETS)],
    "random": [random_stack(seed) for seed in range(NETS)],
}


def nets_of(stacks: list[hm.DBN], rows: torch.Tensor | None = None) -> hm.Replicas:
    """A net for each stack. `rows`: the cases that each learns from, (nets, cases)."""
    return hm.Replicas([hm.nets.classifier(stack, 10, seed=seed) for seed, stack in enumerate(stacks)], rows=rows)


@torch.no_grad()
def errors(nets: hm.Replicas, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The share of wrong cases of each net, in percent: (nets)."""
    return 100 * (nets(x.expand(len(nets), -1, -1)).argmax(-1) != y).double().mean(1)


def hidden_weights(nets: hm.Replicas) -> list[torch.Tensor]:
    """The weights of each hidden layer: (nets, units, inputs) each."""
    each = [[module.weight.detach() for module in net if isinstance(module, torch.nn.Linear)][:-1] for net in nets]
    return [torch.stack(layer) for layer in zip(*each, strict=True)]


class Watch(hm.Callback):
    """The test errors after each epoch, and the weights after some."""

    def __init__(self) -> None:
        self.errors: list[torch.Tensor] = []

    def on_epoch(self, state: hm.TrainingState) -> None:
        self.errors.append(errors(state.model, *test))


# %%
# The optimisation view
# ---------------------
#
# For five epochs the softmax layer learns alone: how far one gets tells how helpful the features are as they are. Then all weights learn.
# "A local search" is taken literally: how far do the weights go, relative to the size that they began with, and does a unit still look for
# the same thing at the end, as the cosine of its incoming weights with those at the start? (A test curve is looked at here, and nothing is
# chosen by it: all nets are judged after the last epoch.)

curves, before, after, moved, cosines = {}, {}, {}, {}, {}
for name, stacks in starts.items():
    nets, watch = nets_of(stacks), Watch()
    before[name] = hidden_weights(nets)
    sgd = partial(hm.ReplicaSGD, lr=rates[name], momentum=0.9)
    tuning = {"epochs": EPOCHS, "head_epochs": HEAD, "batch_size": 25, "optimizer": sgd, "progress": False}
    hm.fine_tune(nets, images, labels, callbacks=[watch], **tuning)
    after[name] = hidden_weights(nets)
    curves[name] = torch.stack(watch.errors)
    pairs = list(zip(before[name], after[name], strict=True))
    moved[name] = torch.stack([(end - start).flatten(1).norm(dim=1) / start.flatten(1).norm(dim=1) for start, end in pairs])
    cosines[name] = torch.stack([torch.cosine_similarity(start, end, dim=2).mean(1) for start, end in pairs])

for name, curve in curves.items():
    at = {f"{epoch - HEAD} epochs": curve[epoch - 1].mean() for epoch in (HEAD + 1, HEAD + 5, EPOCHS)}
    told = ", ".join(f"after {epoch} {error:.2f} %" for epoch, error in at.items())
    print(f"{name}: test error with the softmax layer alone {curve[HEAD - 1].mean():.2f} %, with all weights {told}")
    print(f"  weights moved by {', '.join(f'{x:.2f}' for x in moved[name].mean(1))} of their size, layer by layer;", end=" ")
    print(f"cosine of a unit's weights with its start {', '.join(f'{x:.2f}' for x in cosines[name].mean(1))}")

figure = plt.figure(figsize=(9, 3.4), num="optimisation_view")
left, middle, right = figure.subfigures(1, 3, width_ratios=[1.15, 1, 1.1])
axis = left.subplots()
for colour, (name, curve) in enumerate(curves.items()):
    epochs = range(1, EPOCHS + 1)
    axis.fill_between(epochs, curve.min(1).values.numpy(), curve.max(1).values.numpy(), color=f"C{colour}", alpha=0.2, linewidth=0)
    axis.plot(epochs, curve.mean(1), color=f"C{colour}", label=name)
axis.axvline(HEAD, color="#66717c", linestyle=":", linewidth=1)
axis.annotate("from here on\nall weights learn", (11, 45), (0, 0), textcoords="offset points", fontsize=8, color="#66717c")
axis.set_xscale("log")
axis.set_yscale("log")
axis.set_xticks([1, 5, 10, EPOCHS], ["1", "5", "10", str(EPOCHS)])
axis.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
axis.minorticks_off()
axis.set_xlabel("epoch")
axis.set_title("test error (%)")
axis.legend(loc="lower left")
axis = middle.subplots()
for colour, name in enumerate(starts):
    places = np.arange(len(HIDDEN)) + 0.36 * (colour - 0.5)
    axis.bar(places, moved[name].mean(1).numpy(), width=0.34, color=f"C{colour}", label=name)
axis.set_xticks(range(len(HIDDEN)), [f"layer {layer + 1}" for layer in range(len(HIDDEN))])
axis.set_title("how far the weights moved\n(in units of their size at the start)")
rows = right.subplots(4, 1)
shown = [(name, when, weights[name][0][0, :12]) for name in starts for when, weights in (("start", before), ("end", after))]
for tile, (name, when, weights) in zip(rows, shown, strict=True):
    framed = torch.nn.functional.pad((weights / weights.norm(dim=1, keepdim=True)).reshape(-1, 8, 8), (1, 1, 1, 1))
    tile.imshow(framed.permute(1, 0, 2).flatten(1).numpy(), cmap="RdBu_r", vmin=-0.4, vmax=0.4)
    tile.set_title(f"{name}, {when}")
    tile.set_axis_off()

# %%
# The overfitting view
# --------------------
#
# A label of ten classes says at most log 10 nats. An image says far more, even if its grey levels are coded pixel by pixel. So few
# labels say little, and whatever the weights know beyond that has to come from the images. Now only a few cases have labels, as many of
# each class, other ones for each net; the images of all others were used by the stacks, without their labels. Of 100 labels a third start
# shows what the unlabelled images are good for: stacks that learnt from the labelled images alone, with as many updates. Every net gets
# about 300 updates. In so few a random start as above does not begin to learn, which would say nothing of overfitting: here its weights are
# four times larger, with which it does (the page on slow backpropagation has the reason).

shares = [torch.bincount(levels.long(), minlength=256).double() / len(images) for levels in images.T]
image_nats = sum(float(-(share[share > 0] * share[share > 0].log()).sum()) for share in shares)
print(f"a label says at most {math.log(10):.2f} nats; the grey levels of an image, pixel by pixel, {image_nats:.0f}")


def some_of_each(count: int, seed: int) -> torch.Tensor:
    """The numbers of `count` cases, as many of each class: (count)."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return torch.cat([order[labels[order] == digit][: count // 10] for digit in range(10)])


def tuned(name: str, stacks: list[hm.DBN], rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Errors on the labelled cases and on the test cases, (nets) each."""
    count, epochs = rows.shape[1], 10
    size = min(25, count)
    passes = max(1, UPDATES * size // (count * epochs))
    nets = nets_of(stacks, rows.repeat(1, passes))  # an epoch goes through few cases many times
    sgd = partial(hm.ReplicaSGD, lr=rates[name], momentum=0.9)
    hm.fine_tune(nets, images, labels, epochs=epochs, head_epochs=1, batch_size=size, optimizer=sgd, progress=False)
    own = torch.stack([errors(nets, images[row] / 255, labels[row])[net] for net, row in enumerate(rows)])
    return own, errors(nets, *test)


found: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {name: [] for name in rates}
counts = {name: LABELS if name in starts else (ALONE,) for name in rates}
few_starts = {"pre-trained": starts["pre-trained"], "random": [random_stack(seed, larger=4.0) for seed in range(NETS)]}
for count in LABELS:
    rows = torch.stack([some_of_each(count, seed) for seed in range(NETS)])
    for name, stacks in few_starts.items():
        found[name].append(tuned(name, stacks, rows))
    if count == ALONE:
        name = "pre-trained on the labelled images alone"
        found[name].append(tuned(name, [learnt_stack(seed, images[row]) for seed, row in enumerate(rows)], rows))

for name, each in found.items():
    told = (f"{count} labels {own.mean():.1f} and {new.mean():.1f} %" for count, (own, new) in zip(counts[name], each, strict=True))
    print(f"{name}, error on labelled and on test cases: {'; '.join(told)}")
gains = [random[1] - taught[1] for taught, random in zip(found["pre-trained"], found["random"], strict=True)]
told = (f"{gain.mean():.1f} ± {gain.std() / NETS**0.5:.1f}" for gain in gains)
print(f"gain of pre-training in percentage points, pair by pair, with its standard error: {'; '.join(told)}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), num="overfitting_view")
for colour, (name, each) in enumerate(found.items()):
    new = torch.stack([new for _, new in each])
    left.plot(counts[name], new.mean(1), "o-" if name in starts else "s", color=f"C{colour}", label=name)
    left.fill_between(
        counts[name], new.min(1).values.numpy(), new.max(1).values.numpy(), color=f"C{colour}", alpha=0.2 * (name in starts), linewidth=0
    )
left.set_yscale("log")
left.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
left.set_title("test error (%)")
left.legend(loc="lower left")
right.errorbar(LABELS, [gain.mean().item() for gain in gains], [gain.std().item() / NETS**0.5 for gain in gains], fmt="o-", color="C2")
right.axhline(0, color="#66717c", linewidth=1)
right.set_title("gain of pre-training (percentage points)")
for axis in (left, right):
    axis.set_xscale("log")
    axis.set_xticks(LABELS, [f"{count:,}" for count in LABELS])
    axis.minorticks_off()
    axis.set_xlabel("labelled cases")

# %%
# What would falsify it
# ---------------------
#
# A softmax layer that reads random features as well as learnt ones; weights that go as far from a pre-trained start as from a random one,
# or features that fine-tuning turns into others; a gain of pre-training that does not shrink as labels become many; stacks of the labelled
# images alone that are as good as those of all images, for then the unlabelled ones would have been of no use.

plt.show()
