"""
The effect of unsupervised pre-training
=======================================

"The precious information in the labels is only used for the final fine-tuning. The fine-tuning only modifies the features slightly to get
the category boundaries right. It does not need to discover features" (G. Hinton, tutorial, IPAM 2012). The tutorial shows this with work
of Y. Bengio's group (Erhan et al., AISTATS 2009): hundreds of nets of one shape learn by the same backpropagation, and differ only in
where it begins. Here are twenty nets of each kind on the digits that come with scikit-learn. Those that were pre-trained err less, and do
so even where both fit the training cases equally well: pre-training is more than help for the optimiser, it is a regulariser.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
NETS, CASES, UNITS = 20, 500, 50
PRETRAINING, EPOCHS = 20, 40

# %%
# Two places to begin
# -------------------
#
# The nets have 64 pixels, two layers of sigmoid units and ten outputs, and 500 images with labels to learn from. Half of them begin at
# weights from U(-1/√k, 1/√k), k the number of a layer's inputs, as was usual at the time; the others at the features of two RBMs, each
# learnt by CD-1 from the same 500 images without a label. All of them are learnt together, as replicas.

digits = hm.data.digits.load()
images, labels = digits.train_images[:CASES] / 255, digits.train_labels[:CASES]
test_images = torch.cat([digits.train_images[CASES:], digits.test_images]) / 255
test_labels = torch.cat([digits.train_labels[CASES:], digits.test_labels])

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


class Watch(hm.Callback):
    """Each net's loss on the training cases and its loss and error on the test cases, after each epoch: (epochs, 3, nets)."""

    def __init__(self) -> None:
        self.rows: list[torch.Tensor] = []

    @torch.no_grad()
    def on_epoch(self, state: hm.TrainingState) -> None:
        nets, row = state.model, []
        for x, y in ((images, labels), (test_images, test_labels)):
            outputs = nets(x.expand(len(nets), -1, -1))
            row.append(-outputs.log_softmax(-1)[:, torch.arange(len(y)), y].mean(1))
        row.append(100 * (outputs.argmax(-1) != y).float().mean(1))
        self.rows.append(torch.stack(row))


# %%
# One and the same descent
# ------------------------
#
# Plain stochastic gradient descent, ten cases at a time, at a rate of 1, without momentum, weight cost or early stopping. Net number r sees
# the cases in the same order with pre-training as without.

descent = {"head_epochs": 0, "batch_size": 10, "optimizer": partial(hm.ReplicaSGD, lr=1.0)}
curves, nets = {}, {}
for kind, pretrained in (("without", False), ("with", True)):
    nets[kind] = hm.Replicas([net(stack, seed, pretrained) for seed, stack in enumerate(stacks)])
    watch = Watch()
    hm.fine_tune(nets[kind], images, labels, epochs=EPOCHS, seed=100, callbacks=[watch], progress=False, **descent)
    curves[kind] = torch.stack(watch.rows)

# %%
# What is found
# -------------
#
# The digits that were not learnt from are the test. At the end most pre-trained nets err less than the median of the others. And on the
# way, where both kinds have the same loss on the training cases, the pre-trained ones still err less on the test cases: the others are
# not stuck, they fit what they have seen, and it tells them less of what they have not.


def error_at(kind: str, level: float) -> torch.Tensor:
    """Each net's test error at the first epoch at which its training loss is at most this: (nets)."""
    loss, _, error = curves[kind].unbind(1)
    below = loss <= level
    assert below.any(0).all()
    return error.gather(0, below.int().argmax(0, keepdim=True))[0]


level = max(curves[kind][-1, 0].max().item() for kind in curves)
final = {kind: each[-1, 2] for kind, each in curves.items()}
equal = {kind: error_at(kind, level) for kind in curves}
for kind in curves:
    low, middle, high = final[kind].quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    print(f"{kind} pre-training: test error {middle:.1f} % (median; quartiles {low:.1f} and {high:.1f}),", end=" ")
    print(f"training loss {curves[kind][-1, 0].median():.4f} nats, test loss {curves[kind][-1, 1].median():.3f} nats")
    print(f"   at a training loss of {level:.4f} nats: test error {equal[kind].median():.1f} %")

# %%
# Below is the first layer of one net of each kind before and after fine-tuning. Pre-trained features are still the same features
# afterwards. Without pre-training the labels had to make features out of noise, and the weights change by several times their first norm.

figure = plt.figure("effect_of_pretraining", figsize=(9, 5.6))
upper, lower = figure.subfigures(2, 1, height_ratios=(3, 2.6))
left, right = upper.subplots(1, 2)
every = torch.cat([*final.values()])
edges = np.linspace(every.min().item() - 0.2, every.max().item() + 0.2, 25)
for kind, colour in (("without", "C1"), ("with", "C0")):
    left.hist(final[kind].numpy(), edges, color=colour, alpha=0.75, label=f"{kind} pre-training")
    loss, _, error = curves[kind].median(2).values.T
    right.plot(loss, error, ".-", color=colour, markersize=4, label=f"{kind} pre-training")
left.set_title(f"test error of {NETS} nets of each kind")
left.set_xlabel("test error (%)")
left.set_ylabel("nets")
left.legend()
right.set_xscale("log")
right.set_yscale("log")
right.set_yticks([3, 5, 10, 20, 50], ["3", "5", "10", "20", "50"])
right.set_yticks([], minor=True)
right.set_ylim(top=90)
right.set_title("medians after each epoch, from right to left")
right.set_xlabel("training loss (nats)")
right.set_ylabel("test error (%)")
right.legend()


def sheet(weight: torch.Tensor) -> np.ndarray:
    """(pixels, units) as a row of images, each scaled by its own largest weight."""
    tiles = (weight / weight.abs().amax(0)).T.reshape(-1, 8, 8)
    framed = torch.nn.functional.pad(tiles, (0, 1, 0, 1), value=np.nan)
    return framed.permute(1, 0, 2).flatten(1).numpy()


begins = {"without": net(stacks[0], 0, False)[1], "with": net(stacks[0], 0, True)[1]}
axes = lower.subplots(4, 1)
rows = [(kind, when) for kind in ("without", "with") for when in ("before", "after")]
for axis, (kind, when) in zip(axes, rows, strict=True):
    layer = begins[kind] if when == "before" else nets[kind].take(0)[1]
    axis.imshow(sheet(layer.weight.detach()[:18].T), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axis.set_ylabel(f"{kind},\n{when}", rotation=0, ha="right", va="center")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.spines[:].set_visible(False)
changes = {}
for kind in begins:
    before, after = begins[kind].weight.detach(), nets[kind].take(0)[1].weight.detach()
    changes[kind] = ((after - before).norm() / before.norm()).item()
    print(f"{kind} pre-training: fine-tuning changes the first layer's weights by {changes[kind]:.0%} of their norm")

# %%
# What would falsify it
# ---------------------
#
# Medians that do not differ by more than their spread; or a difference that is gone at equal training loss, which would make pre-training a
# better optimiser and no more.

plt.show()
