"""
A hierarchical community of experts
===================================

A factor analyser has linear units that all take part in every case. A mixture of them picks one for each case. In a *community of experts*
(Hinton, Sallans & Ghahramani 1998) every linear unit has a binary unit that switches it on or off, so that a case is accounted for by the
few experts that it needs, each by as much as it likes. The binary units are a belief net, which learns which experts go together. Here a
community learns pictures of bars of varying intensity, by brief Gibbs sampling and the delta rule.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from sklearn.decomposition import FactorAnalysis

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
SIDE, SEEDS, EPOCHS, LONG = 6, 3, 100, 300

# %%
# Noisy bars
# ----------
#
# A picture has upright bars or level bars, never both. Each of the six is there with probability 0.3, and has an intensity of its own
# between 1 and 5. Noise with a standard deviation of 0.3 is added to every pixel.


def pictures(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures, (count, pixels), and whether their bars are upright."""
    generator = torch.Generator().manual_seed(seed)
    upright = torch.rand(count, 1, 1, generator=generator) < 0.5
    bars = (torch.rand(count, SIDE, generator=generator) < 0.3) * (1 + 4 * torch.rand(count, SIDE, generator=generator))
    bars = torch.where(upright, bars[:, None, :], bars[:, :, None])
    noise = 0.3 * torch.randn(count, SIDE, SIDE, generator=generator)
    return (bars + noise).reshape(count, -1), upright.flatten()


train, _ = pictures(500, seed=0)
test, upright = pictures(500, seed=1)

# %%
# One layer of twelve experts
# ---------------------------
#
# Given its gates the net is a Gaussian, so that with twelve gates the likelihood is a sum over 2¹² of them, and exact. Learning ends at a
# local maximum, where some bars may share an expert. So it begins from three seeds, and the highest likelihood of training pictures counts.

nets = [hm.CommunityOfExperts(SIDE**2, [2 * SIDE], seed=seed) for seed in range(SEEDS)]
for seed, each in enumerate(nets):
    each.fit(train, epochs=EPOCHS, seed=seed)
with torch.no_grad():
    reached = [each.log_probability(train[:200]).mean().item() for each in nets]
net = nets[int(np.argmax(reached))]


def bar_shares(model: hm.CommunityOfExperts) -> torch.Tensor:
    """Which share of each expert's squared weights is in an even bar: (experts, bars), the upright ones first."""
    weight = model.experts[0].coupling.weight.detach().T.reshape(-1, SIDE, SIDE)
    even = torch.cat([weight.sum(1), weight.sum(2)], 1).square() / SIDE
    return even / weight.square().sum((1, 2))[:, None]


found = [int((bar_shares(each).amax(0) > 0.95).sum()) for each in nets]
for seed in range(SEEDS):
    print(f"seed {seed}: {found[seed]} of 12 bars have an expert, {reached[seed]:.2f} nats a training picture")
probability = net.top_gates.mean(net.top_gates.zero_input()).detach()
noise = net.visible.log_variance.detach().exp().mean().sqrt().item()
print(f"the best: gates are on with probabilities {probability.min():.2f} to {probability.max():.2f}, and the noise is {noise:.2f}")

# %%
# A factor analyser of as many factors, and a Gaussian of any covariance, can have bars that cancel each other out but not bars that are
# absent. The community's gates can.

with torch.no_grad():
    scores = {"community of experts": net.log_probability(test).mean().item()}
scores["factor analyser"] = FactorAnalysis(2 * SIDE, random_state=0).fit(train.numpy()).score(test.numpy())
gaussian = stats.multivariate_normal(train.mean(0).double().numpy(), np.cov(train.T.double().numpy()))
scores["Gaussian"] = gaussian.logpdf(test.double().numpy()).mean()
for name, score in scores.items():
    print(f"{name}: {score:.2f} nats a test picture")

# %%
# What the experts make of a picture
# ----------------------------------
#
# Gibbs sampling draws each expert exactly given all others. The experts that are on explain a picture without its noise. An expert whose
# weights are negative makes bright bars as well: its state is negative then.

generator = torch.Generator().manual_seed(0)
hidden = net.gibbs(test[:12], steps=50, generator=generator)
outputs = hidden.gates[0] * hidden.linear[0]
with torch.no_grad():
    explained = net.linear_layers()[0](outputs)

# %%
# A second layer
# --------------
#
# Nothing in one layer says that upright and level bars exclude each other. One expert above can: its gate raises the odds of the gates of
# one orientation and lowers those of the other. It learns that while it is told nothing of orientations.

deep = hm.CommunityOfExperts(SIDE**2, [2 * SIDE, 1])
deep.fit(train, epochs=LONG)
shares = bar_shares(deep)
is_upright = shares.argmax(1) < SIDE
influence = deep.selection[0].coupling.weight.detach()[:, 0]
top = torch.stack([deep.gibbs(test, steps=20, generator=generator).gates[1][:, 0] for _ in range(5)]).mean(0)
some = test.amax(1) > 2  # pictures with a bar
guess = (top > 0.5) == (influence[is_upright].mean() > influence[~is_upright].mean())
right = (guess == upright)[some].float().mean().item()
print(f"the top gate tells the orientation of {100 * right:.1f} % of the test pictures that have a bar")
dreams, _ = deep.sample(6, generator=generator)

figure = plt.figure("community_of_experts", figsize=(9, 5), layout="constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=[1.15, 1])


def row(axis: plt.Axes, images: torch.Tensor, title: str, low: float, high: float) -> None:
    """Pictures side by side, in frames."""
    sheet = torch.nn.functional.pad(images.reshape(-1, SIDE, SIDE), (0, 1, 0, 0), value=float("nan"))
    axis.imshow(torch.cat(list(sheet), dim=1)[:, :-1].numpy(), cmap="gray", vmin=low, vmax=high)
    for number in range(len(sheet)):
        axis.add_patch(
            plt.Rectangle(((SIDE + 1) * number - 0.5, -0.5), SIDE, SIDE, fill=False, edgecolor="0.5", linewidth=1, clip_on=False)
        )
    axis.set_title(title)
    axis.set_axis_off()


order = bar_shares(net).argmax(1).argsort()
weights = net.experts[0].coupling.weight.detach().T[order]
first, second, third = upper.subplots(3, 1)
row(first, weights / weights.abs().amax(1, keepdim=True), "the weights of the twelve experts: positive is white, negative black", -1, 1)
row(second, test[:12], "test pictures", -0.5, 5)
row(third, explained, "what the experts that are on make of them", -0.5, 5)
left, right_axis = lower.subplots(1, 2, width_ratios=[1, 1.3])
arranged = shares.argmax(1).argsort(stable=True)
left.bar(range(2 * SIDE), influence[arranged].numpy(), color=["C0" if is_upright[each] else "C1" for each in arranged])
left.bar([0], [0], color="C0", label="upright bar")
left.bar([0], [0], color="C1", label="level bar")
left.axhline(0, color="black", linewidth=0.8)
left.set(title="the top gate's weight to each gate below", xlabel="expert", xticks=[])
left.legend(fontsize=7)
row(right_axis, dreams, "pictures that the net of two layers dreams", -0.5, 5)

# %%
# What would falsify it
# ---------------------
#
# Experts of which none has a bar for itself; a factor analyser that gives unseen pictures a higher density; a top gate that says no more of
# the orientation than chance.

plt.show()
