"""
Why greedy learning works
=========================

"Each time we add another layer of features we improve a variational lower bound on the log probability of the training data": this claim
of the tutorial (G. Hinton, IPAM 2012) is a theorem of Hinton, Osindero & Teh (2006). The higher layer learns a better prior for the first
hidden layer, and the bound's gain is more than what inference loses by no longer being exact. Here ten nets are small enough to sum
over every state of every layer, so that each part of the claim can be seen as it is, and also where it ends.
"""

from functools import partial

import matplotlib.pyplot as plt
import torch

import harmonium as hm
from harmonium.likelihood import exact_dbn, exact_log_z, log_likelihood
from harmonium.models import swap_layers

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
MACHINES, STEPS = 10, 100
PIXELS, HIDDEN = 6, 4

# %%
# Before the second layer
# -----------------------
#
# Each machine has six pixels and four hidden units and its own six random training cases. It begins at large random weights and takes five
# exact steps of maximum likelihood, so that something is left to be gained. Given a case v its hidden units are independent, Q(h | v), and
# for the RBM itself that is the exact posterior: the bound
#
# .. math:: \log p(v) \ge \sum_h Q(h | v) \, [\log p(v | h) + \log p(h) - \log Q(h | v)]
#
# is no bound but an equation. From here on p(v | h) and Q are frozen, and only the prior p(h) changes.

firsts, cases, old = [], [], []
exactly = {"negative": hm.ExactGradient(), "progress": False}
for seed in range(MACHINES):
    cases.append((torch.rand(6, PIXELS, generator=torch.Generator().manual_seed(seed)) < 0.5).double())
    first = hm.RBM(hm.Bernoulli(PIXELS), hm.Bernoulli(HIDDEN), hm.Dense(PIXELS, HIDDEN, scale=1.5, seed=seed)).double()
    hm.fit(first, cases[-1], epochs=5, batch_size=6, optimizer=partial(torch.optim.SGD, lr=0.5), **exactly)
    firsts.append(first)
    old.append(log_likelihood(first, cases[-1], log_z=exact_log_z(first)).mean().item())

# %%
# With a second layer, and as it learns
# -------------------------------------
#
# Three second layers are put on each machine: the machine itself upside down (``swap_layers``: W2 = W1', six units), one of the same size
# with random weights, and one of two units with small weights. In the parts of the bound that a second layer changes stands nothing but
# E_Q log p(h), averaged over the training cases: the log-likelihood of a machine whose data are the states of the hidden layer, each
# weighted by how often Q visits it. ``hm.ExactGradient`` on these weighted states is its exact gradient.


class Watch(hm.Callback):
    """log p and its bound of a net before the first step and after each, means over the training cases."""

    def __init__(self, net: hm.DBN, v: torch.Tensor) -> None:
        self.net, self.v, self.curve = net, v, [tuple(part.mean() for part in exact_dbn(net, v))]

    def on_epoch(self, state: hm.TrainingState) -> None:
        self.curve.append(tuple(part.mean() for part in exact_dbn(self.net, self.v)))


nets, curves = {}, {}
for number, (first, v) in enumerate(zip(firsts, cases, strict=True)):
    h = first.hidden.states(torch.arange(2**HIDDEN))
    visits = first.hidden.log_probability(h[:, None], first.hidden_input(v)).exp().mean(1)
    seconds = {
        "tied": swap_layers(first),
        "random": hm.RBM(hm.Bernoulli(HIDDEN), hm.Bernoulli(PIXELS), hm.Dense(HIDDEN, PIXELS, scale=1.0, seed=number)),
        "two units": hm.RBM(hm.Bernoulli(HIDDEN), hm.Bernoulli(2), hm.Dense(HIDDEN, 2, scale=0.1, seed=number)),
    }
    for start, second in seconds.items():
        nets[start, number] = hm.DBN([first, second.double()])
        watch = Watch(nets[start, number], v)
        descent = partial(torch.optim.SGD, lr=0.3)
        hm.fit(second, h, sample_weight=visits, epochs=STEPS, batch_size=len(h), optimizer=descent, callbacks=[watch], **exactly)
        curves[start, number] = torch.tensor(watch.curve).T

# %%
# What is found
# -------------
#
# *Tied*: at the start log p and the bound are both that of the first machine, to rounding. Every exact step raises the bound, on all
# ten machines, by 0.012 to 0.233 nats in 100 steps, and log p stays above it: log p(new) >= bound(new) >= log p(old), as was promised.
#
# *Of random start, or of another size*: the net begins with another p(h), so that its bound is below log p(old) on every machine, by 0.2
# to 2.9 nats. The steps do raise it, past log p(old) on eight machines of ten each, but on the way nothing is promised, and log p can fall
# while the bound rises, because a bound also rises where it only becomes tighter: here on five of ten machines of random start, and on four
# with two units.

tightness, gains = 0.0, torch.zeros(MACHINES, 2, dtype=torch.float64)
for number in range(MACHINES):
    tightness = max(tightness, (curves["tied", number][:, 0] - old[number]).abs().max().item())
    gains[number] = curves["tied", number][:, -1] - old[number]
falls = {key: int(((log_p.diff() < -1e-9) & (bound.diff() > 0)).sum()) for key, (log_p, bound) in curves.items()}
print(f"tied: at the start log p and the bound are within {tightness:.1e} nats of log p(old)")
print(f"tied: after {STEPS} steps the bound has gained {gains[:, 1].min():.3f} to {gains[:, 1].max():.3f} nats, log p a bit more")
for start in ("tied", "random", "two units"):
    below = [abs(old[n] - curves[start, n][1, 0].item()) for n in range(MACHINES)]
    reached = sum(curves[start, n][1, -1].item() > old[n] for n in range(MACHINES))
    falling = [n for n in range(MACHINES) if falls[start, n]]
    print(
        f"{start}: bound starts {min(below):.2f} to {max(below):.2f} nats below log p(old), ends above it on {reached} machines;", end=" "
    )
    print(f"log p falls while the bound rises on machines {falling}")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.3), num="why_greedy_learning_works")
for axis, key in ((left, ("tied", 4)), (right, ("random", 5))):
    log_p, bound = curves[key]
    axis.plot(log_p, color="C0", label="log p(new)")
    axis.plot(bound, color="C1", label="its bound")
    axis.axhline(old[key[1]], linestyle=":", color="black", linewidth=1, label="log p(old)")
    axis.set_xlabel("exact step of the second layer")
    axis.set_title(f"machine {key[1]}, {key[0]} start")
left.set_ylabel("nats a case")
left.legend(loc="center right")
right.set_ylim(old[5] - 0.25, old[5] + 0.22)
fall = curves["random", 5][0].diff().argmin().item()  # where it is steepest
place = (fall, curves["random", 5][0, fall])
right.annotate("log p falls,\nthe bound rises", place, (30, old[5] + 0.14), arrowprops={"arrowstyle": "-"})
order = gains[:, 1].argsort()
middle.hlines(range(MACHINES), gains[order, 1], gains[order, 0], color="#66717c", linewidth=1)
middle.plot(gains[order, 0], range(MACHINES), "o", color="C0", markersize=5, label="log p(new)")
middle.plot(gains[order, 1], range(MACHINES), "o", color="C1", markersize=5, label="its bound")
middle.set_xscale("log")
middle.set_yticks(range(MACHINES), [f"machine {number}" for number in order.tolist()])
middle.set_xlabel("nats above log p(old)")
middle.set_title("ten machines, tied start, at the end")

# %%
# What would falsify it
# ---------------------
#
# A gap at the tied start between log p(old) and the new net's log p or bound of more than rounding; an exact step, small enough to raise
# E_Q log p(h), after which the mean bound has fallen, or is below log p(old), or above log p; and, for the end of the guarantee, a random
# second layer whose bound is never below log p(old). None of these would be a matter of luck: all sums here are over every state.

plt.show()
