"""
Explaining away
===============

A house jumps. It may have been hit by a truck, or there may have been an earthquake; the two are rare and have nothing to do with each
other. "Even if two hidden causes are independent, they can become dependent when we observe an effect that they can both influence"
(G. Hinton, tutorial, IPAM 2012, after Judea Pearl): once we hear of an earthquake, the truck is no longer needed. The slide gives the
posterior of the two causes as .0001, .4999, .4999 and .0001. Here it is exactly, with what it does to sampling and to factorial guesses.
"""

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
CHAINS, SWEEPS = 4000, 200

# %%
# The slide's net
# ---------------
#
# Each cause has a bias of -10: it is on with probability σ(-10) = 0.000045. The house has a bias of -20, and 20 from each cause: with one
# cause it jumps as often as not, with none it hardly ever does.

house, causes = hm.Bernoulli(1), hm.Bernoulli(2)
net = hm.SigmoidBeliefNet([house, causes]).double()
with torch.no_grad():
    causes.bias.fill_(-10.0)
    house.bias.fill_(-20.0)
    net.directed()[0].coupling.weight.fill_(20.0)

jumped = torch.ones(1, 1, dtype=torch.float64)
posterior = net.posterior(jumped)
p = {(int(truck), int(quake)): value.item() for (truck, quake), value in zip(posterior.states[0], posterior.probability[0], strict=True)}
slide = {(1, 1): 0.0001, (1, 0): 0.4999, (0, 1): 0.4999, (0, 0): 0.0001}
for causes_on, value in slide.items():
    print(f"p{causes_on} given that the house jumped: {p[causes_on]:.7f}, on the slide {value}")

# %%
# Both causes or neither are equally improbable, 0.000045 each, which the slide shows as .0001. What we believe of the truck
# follows: rare before anything is seen, even odds once the house has jumped, and next to nothing when there was an earthquake too.

truck = {
    "before": torch.sigmoid(causes.bias[0]).item(),
    "the house\njumped": p[1, 1] + p[1, 0],
    "and there was\nan earthquake": p[1, 1] / (p[1, 1] + p[0, 1]),
}
for known, value in truck.items():
    print(f"a truck, {known.replace(chr(10), ' ')}: {value:.3g}")

# %%
# Why this is bad news for learning
# ---------------------------------
#
# A factorial distribution cannot say "one or the other". The best that mean field finds settles on one of the causes. Its bound on
# log p(v) is short by 0.693 nats, almost log 2, which is what it costs to be sure of a thing that has even odds.

found = net.mean_field(jumped)
lost = (posterior.log_likelihood - found.bound).item()
print(f"mean field: truck {found.means[0][0, 0]:.5f}, earthquake {found.means[0][0, 1]:.5f}, its bound {lost:.5f} nats below log p(v)")

# %%
# Gibbs sampling has the right distribution in the end, but it changes one cause at a time, and the way from one explanation to the other
# leads through both or neither. Of 4,000 chains that begin with the truck fewer than one in twenty is at the earthquake after two hundred
# sweeps.

generator = torch.Generator().manual_seed(0)
states = [torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(CHAINS, 2)]
moved = [0.0]
for _ in range(SWEEPS):
    states = net.gibbs(jumped.expand(CHAINS, 1), states, generator=generator)
    moved.append(states[0][:, 1].mean().item())
share = f"{moved[-1]:.4f}, {10_000 * moved[-1] / SWEEPS:.1f} in 10,000 more at each"
print(f"share of the chains at the earthquake after {SWEEPS} sweeps: {share}; there should be {p[0, 1] + p[1, 1]:.2f}")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.1), num="explaining_away", width_ratios=[1, 1.25, 1])
for name, (x, y, bias) in {"truck hits\nhouse": (0, 1, -10), "earth-\nquake": (1, 1, -10), "house\njumps": (0.5, 0, -20)}.items():
    left.text(x, y, name, ha="center", va="center", bbox={"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "C0"})
    left.text(x, y + 0.33 if y else -0.33, f"bias {bias}", ha="center", va="center")
    if y:
        left.annotate("", (0.5 + 0.22 * (x - 0.5), 0.25), (x, 0.75), arrowprops={"arrowstyle": "-|>", "color": "C0"})
        left.text(x + 0.05 * (2 * x - 1), 0.45, "20", ha="center")
left.set(xlim=(-0.4, 1.4), ylim=(-0.5, 1.5), title="the net")
left.set_axis_off()
places = torch.arange(4)
middle.bar(places - 0.18, [p[c] for c in slide], 0.36, color="C0", label="exact")
middle.bar(places + 0.18, slide.values(), 0.36, color="C4", label="on the slide")
for place, causes_on in enumerate(slide):
    middle.text(place, p[causes_on] + 0.012, f"{p[causes_on]:.6f}", ha="center")
middle.set_xticks(places, ["both", "truck", "earthquake", "neither"])
middle.set_ylim(0, 0.65)
middle.set_title("what made the house jump?")
middle.legend(loc="upper left", fontsize=7)
right.bar(range(3), truck.values(), 0.5, color="C1")
right.set_yscale("log")
right.set_ylim(1e-5, 5)
right.set_xticks(range(3), truck)
for place, value in enumerate(truck.values()):
    right.text(place, value * 1.3, f"{value:.2g}", ha="center")
right.set_title("probability of a truck")

# %%
# What was found
# --------------
#
# The exact posterior is 0.0000454 for both and for neither and 0.4999546 for each cause alone. A truck has probability 0.000045 before,
# 0.5 once the house has jumped and 0.000091 when there was an earthquake too. Mean field settles on one cause and loses 0.693 nats; of the
# Gibbs chains about 1.9 in 10,000 change their mind in a sweep.
#
# What would falsify it
# ---------------------
#
# Hidden causes that stay independent given the effect: then p(1,1) p(0,0) would equal p(1,0) p(0,1), the earthquake would tell nothing of
# the truck, mean field would lose nothing and the chains would mix at once.

plt.show()
