"""
How wide should the layers be?
==============================

"Results are fairly robust against changes in the size of a layer, but the top layer should be big" (G. Hinton, tutorial, IPAM 2012). Here
six nets of three hidden layers share out the same number of weights in different ways: evenly, most at the bottom, in the middle, or at
the top. Each is pre-trained on small scans of handwritten digits without labels, fine-tuned with few labels and with all, and judged.
"""

from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
NETS, LABELS = 4, 300
PRETRAINING, EPOCHS = 20, 60
SHAPES = {
    "even": (83, 83, 83),
    "wide bottom": (160, 50, 25),
    "wide middle": (60, 130, 60),
    "wide top": (60, 60, 180),
    "narrow top": (110, 104, 15),
    "very narrow top": (120, 102, 5),
}

# %%
# Equal cost
# ----------
#
# The number of weights, which is also that of multiplications for a case, is the same for all but for a few per cent: 64 pixels, three
# layers, ten classes.


def weights(shape: tuple[int, ...]) -> int:
    """The weights of a net of these layers."""
    sizes = (64, *shape, 10)
    return sum(below * above for below, above in pairwise(sizes))


print("; ".join(f"{name} {'-'.join(map(str, shape))}: {weights(shape):,} weights" for name, shape in SHAPES.items()))

# %%
# Four nets of each shape, with seeds and labelled cases of their own, which are the same for all shapes: so each shape is compared with
# *even* net by net. The stacks learn from all training images, the backpropagation from 300 labelled ones, and again from all.

digits = hm.data.digits.load()
images, labels = digits.train_images, digits.train_labels
test = digits.test_images / 255
draws = [torch.Generator().manual_seed(seed) for seed in range(NETS)]
rows = torch.stack([torch.randperm(len(labels), generator=draw)[:LABELS] for draw in draws])


def learnt_stack(shape: tuple[int, ...], seed: int) -> hm.DBN:
    """Three layers learnt one after the other, by CD-1 from weights of N(0, 0.1²)."""
    units = [hm.Bernoulli(64, values="probabilities"), *(hm.Bernoulli(size) for size in shape)]
    couplings = [hm.Dense(n, m, scale=0.1, seed=1000 * seed + layer) for layer, (n, m) in enumerate(pairwise((64, *shape)))]
    rule, sgd = hm.ContrastiveDivergence(reconstruction="mean"), partial(hm.MomentumSGD, lr=0.2, momentum=0.9)
    how = {"negative": rule, "optimizer": sgd, "epochs": PRETRAINING, "batch_size": 50, "seed": seed, "progress": False}
    return hm.greedy(images, units, couplings=couplings, **how)


def tuned(stacks: list[hm.DBN], rows: torch.Tensor | None, epochs: int) -> torch.Tensor:
    """Test errors of nets that begin at these stacks, in percent: (nets)."""
    nets = hm.Replicas([hm.nets.classifier(stack, 10, seed=seed) for seed, stack in enumerate(stacks)], rows=rows)
    sgd, falling = partial(hm.ReplicaSGD, lr=0.1, momentum=0.9), partial(hm.Schedule, lr=lambda epoch: 1 - epoch / epochs)
    hm.fine_tune(nets, images, labels, epochs=epochs, batch_size=50, optimizer=sgd, schedule=falling, progress=False)
    with torch.no_grad():
        return 100 * (nets(test.expand(NETS, -1, -1)).argmax(-1) != digits.test_labels).double().mean(1)


few, all_labels = {}, {}
for name, shape in SHAPES.items():
    stacks = [learnt_stack(shape, seed) for seed in range(NETS)]
    few[name] = tuned(stacks, rows, EPOCHS)
    all_labels[name] = tuned(stacks, None, EPOCHS // 3)

# %%
# What is found
# -------------

found = {f"{LABELS} labels": few, f"all {len(labels):,} labels": all_labels}
more = {cases: {name: error - errors["even"] for name, error in errors.items()} for cases, errors in found.items()}
for cases, errors in found.items():
    print(f"{cases}, test error in percent and what it is above that of the even net, with its standard error:")
    for name, error in errors.items():
        above = more[cases][name]
        print(f"  {name}: {error.mean():.2f}, {above.mean():+.2f} ± {above.std() / NETS**0.5:.2f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), num="layer_sizes", sharey=True, layout="constrained")
for axis, (cases, errors) in zip(axes, found.items(), strict=True):
    for place, (name, error) in enumerate(errors.items()):
        axis.barh(
            place, error.mean().item(), color="C0" if "top" not in name else "C1" if "wide" in name else "C3", alpha=0.55, height=0.65
        )
        axis.plot(error, [place] * NETS, "o", color="#1f2933", markersize=3)
    axis.set_title(cases)
    axis.set_xlabel("test error (%); a dot is a net")
axes[0].set_yticks(range(len(SHAPES)), [f"{name}  {'-'.join(map(str, shape))}" for name, shape in SHAPES.items()])
axes[0].invert_yaxis()

# %%
# A top layer that is too narrow for the classes' differences is the one shape that ruins a net. The others lie close together, and none
# beats the even one: at equal cost a wide top takes its weights from the layers below it, which shows where labels are few. So "the top
# layer should be big" holds here as "it must not be small"; the slide's nets had a top layer beyond what the others shared out.
#
# What would falsify it
# ---------------------
#
# Shapes without a narrow top that differ by as much as a very narrow one does; a very narrow top that does not harm.

plt.show()
