"""
The wake-sleep passes
=====================

"After learning many layers of features, we can fine-tune the features to improve generation. Do a stochastic bottom-up pass: adjust the
top-down weights to be good at reconstructing the feature activities in the layer below. Do a few iterations of sampling in the top level
RBM: adjust the weights in the top-level RBM. Do a stochastic top-down pass: adjust the bottom-up weights to be good at reconstructing the
feature activities in the layer above" (G. Hinton, tutorial, IPAM 2012). The net here is so small that its likelihood is a sum over all its
states, so that one can see what no large net shows: whether generation improves.
"""

import math
from functools import partial

import matplotlib.pyplot as plt
import torch

import harmonium as hm
from harmonium.likelihood import exact_dbn

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
EPOCHS = 160

# %%
# The world, and a greedy net
# ---------------------------
#
# All 30 images of 4 x 4 pixels that consist of bars, whole rows or whole columns, never both. A net that knew them would give each -log 30
# nats. Two RBMs of 8 hidden units each are learnt one after the other by CD-1. Then ``untie`` gives the layer above the pixels two
# sets of weights in place of one: recognition weights, which go up, and generative weights, which go down. So far they are equal.

on = torch.arange(16)[:, None] >> torch.arange(4) & 1
images = torch.cat([on.repeat_interleave(4, dim=1), on[1:-1].repeat(1, 4)]).float()
cases = images.repeat(10, 1)
layers, rate = [hm.Bernoulli(16), hm.Bernoulli(8), hm.Bernoulli(8)], partial(hm.MomentumSGD, lr=0.1, momentum=0.9)
dbn = hm.greedy(cases, layers, epochs=30, batch_size=30, optimizer=rate, progress=False).untie()
start = exact_dbn(dbn, images)
before = dbn.recognition[0].coupling.weight.detach().clone()

# %%
# Awake and asleep
# ----------------
#
# Awake, the recognition weights say what the hidden states are, and the generative weights learn, by the delta rule, to predict the pixels
# from them. In the top RBM the persistent chains make three sweeps. Asleep, the net dreams from those chains, and the recognition
# weights learn to recover the hidden states that made each dream. Neither pass computes how probable an image is.


class Watch(hm.Callback):
    """log p of the images and its bound, exactly, as learning goes."""

    def __init__(self) -> None:
        self.epochs, self.log_p, self.bound = [0], [start.log_likelihood.mean().item()], [start.bound.mean().item()]

    def on_epoch(self, state: hm.TrainingState) -> None:
        if state.epoch % 4 == 0:
            found = exact_dbn(dbn, images)
            self.epochs.append(state.epoch)
            self.log_p.append(found.log_likelihood.mean().item())
            self.bound.append(found.bound.mean().item())


watch, slower = Watch(), partial(hm.MomentumSGD, lr=0.03, momentum=0.9)
dreams = hm.PersistentCD(chains=30, steps=3)
state = hm.wake_sleep(
    dbn, cases, negative=dreams, pixels="sample", epochs=EPOCHS, batch_size=30, optimizer=slower, callbacks=[watch], progress=False
)
wake, sleep = ([row[f"{name}_error"] for row in state.history] for name in ("wake", "sleep"))

# %%
# What is found
# -------------
#
# The images become more probable, by more than a nat each, and are still short of perfect; and inference loses less than before, although
# neither pass sees that loss. The errors of both passes fall. The two sets of weights, equal at first, end far apart: the generative
# weights grew sharp, the recognition weights kept their size. The curves are not smooth and need not be: no pass follows the gradient of
# log p, or of its bound.

up, down = (layer.coupling.weight.detach() for layer in (dbn.recognition[0], dbn.generative[0]))
apart = ((up - down).norm() / before.norm()).item()
perfect = -math.log(len(images))
print(f"log p of an image: {watch.log_p[0]:.2f} nats after greedy learning, {watch.log_p[-1]:.2f} after wake-sleep; perfect: {perfect:.2f}")
print(
    f"what inference loses, log p less its bound: {watch.log_p[0] - watch.bound[0]:.3f} nats, then {watch.log_p[-1] - watch.bound[-1]:.3f}"
)
print(f"wake error: {wake[0]:.2f} in the first epoch, {wake[-1]:.2f} in the last; sleep error: {sleep[0]:.2f}, {sleep[-1]:.2f}")
print(f"recognition and generative weights have parted by {apart:.2f} of the size that both began with;", end=" ")
print("their sizes are now", ", ".join(f"{name} {(each.norm() / before.norm()).item():.2f}" for name, each in (("up", up), ("down", down))))

figure = plt.figure(figsize=(9, 3.6), num="wake_sleep")
left, middle, right = figure.subfigures(1, 3, width_ratios=[1, 1, 1.15])
axis = left.subplots()
axis.plot(watch.epochs, watch.log_p, color="C0", label="log p")
axis.plot(watch.epochs, watch.bound, color="C1", label="its bound")
axis.axhline(perfect, linestyle=":", color="black", linewidth=1, label="perfect")
axis.set_title("an image's log-probability (nats)")
axis.legend()
errors = middle.subplots()
errors.plot(range(1, EPOCHS + 1), wake, color="C2", label="wake: generating what was seen")
errors.plot(range(1, EPOCHS + 1), sleep, color="C3", label="sleep: recognising what was dreamt")
errors.set_ylim(0, 0.8)
errors.set_title("squared error a case")
errors.legend()
for each in (axis, errors):
    each.set_xlabel("epoch of wake-sleep")
largest = max(up.abs().max(), down.abs().max()).item()
rows = right.subplots(3, 1)
for tile, (name, weights) in zip(rows, (("greedy", before), ("recognition", up), ("generative", down)), strict=True):
    framed = torch.nn.functional.pad(weights.T.reshape(8, 4, 4), (1, 1, 1, 1))
    tile.imshow(framed.permute(1, 0, 2).flatten(1).numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest)
    tile.set_title(f"{name} weights, a unit each")
    tile.set_axis_off()

# %%
# What would falsify it
# ---------------------
#
# The exact log p of the images at the end no higher than after greedy learning; errors that do not fall; or an update whose change of the
# weights is not the slope of log p(pixels | hidden states) awake, or of log Q(hidden states | pixels) asleep, at the states it drew.

plt.show()
