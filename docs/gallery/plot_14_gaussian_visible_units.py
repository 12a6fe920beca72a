"""
Gaussian visible units: why variances are hard to learn
=======================================================

"Lots of people have failed to get these to work and it's extremely hard to learn tight variances for the visible units. [...] When sigma is
much less than 1, the bottom-up effects are too big and the top-down effects are too small." And the solution: "use as many hidden units as
it takes to provide big enough top-down effects using small weights. ReLUs do this automatically" (G. Hinton, tutorial, IPAM 2012). All
three sentences can be seen in machines small enough to know everything about.
"""

import math

import matplotlib.pyplot as plt
import torch

import harmonium as hm
from harmonium.units.gaussian import from_tutorial_form

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
PIXELS, NOISE = 8, 0.05

# %%
# A machine in the tutorial's form
# --------------------------------
#
# The tutorial's energy is E(v, h) = Σ (v - b)² / 2σ² - Σ c h - Σ (v / σ) W h. Given v, hidden unit j has the input Σ (v / σ) W, and given
# h the pixel has the mean b + σ Σ W h. So with weights of one size an intensity that moves by 1 moves a hidden unit's input by W / σ, which
# grows without end as σ falls, while a hidden unit that comes on moves the mean of a pixel by σ W, which vanishes.


def machine(hidden: hm.Unit, sigma: float, weight: float, biases: torch.Tensor) -> hm.RBM:
    """An RBM of Gaussian pixels with the tutorial's weights, all equal."""
    rbm = hm.RBM(hm.Gaussian(PIXELS, variance=sigma**2), hidden).double()
    with torch.no_grad():
        rbm.coupling.weight.copy_(from_tutorial_form(torch.full_like(rbm.coupling.weight, weight), sigma**2))
        hidden.bias.copy_(biases)
    return rbm


sigmas = torch.logspace(math.log10(0.02), math.log10(0.4), 27, dtype=torch.float64)
one_pixel, on = torch.eye(PIXELS, dtype=torch.float64)[:1], torch.ones(1, 1, dtype=torch.float64)
bottom_up, top_down = [], []
for sigma in sigmas.tolist():
    rbm = machine(hm.Bernoulli(1), sigma, 1.0, torch.zeros(1))
    with torch.no_grad():
        bottom_up.append((rbm.hidden_input(one_pixel) - rbm.hidden_input(0 * one_pixel)).item())
        top_down.append((rbm.visible_mean(on) - rbm.visible_mean(0 * on))[0, 0].item())
print(f"at σ = {sigmas[0]:.2f}, W = 1: bottom-up {bottom_up[0]:.0f}, top-down {top_down[0]:.2f}")

# %%
# Patches that share one grey
# ---------------------------
#
# Take patches of eight pixels that share one intensity, anything between 0 and 1, but for noise of standard deviation 0.05: the
# tutorial's "intensity of a pixel is almost exactly the average of the neighbouring pixels". Their density is known in closed form. A
# machine with tight variances has to say *which* grey through its hidden units.
#
# K binary units with equal weights can: each moves the pixels by 1/K, so W = 1 / (K σ), and their biases are offset, -8 W² (k - ½), so that
# they come on one after the other and all K + 1 levels of grey are as deep a valley of the free energy. That is the best that equal
# weights allow, for as σ falls the levels part: between them is nothing. Few units of large weights make a machine that knows two greys.
#
# A stepped sigmoid unit with the tutorial's weight 1 / √8 from each pixel does the same *for every σ*: its copies are offset by one, and as
# σ falls the same weights bring more of them on, √8 / σ of them at full intensity. It has eight weights and one bias. That is what
# rectified units do automatically; the count of units that would be needed is the unit's own state.


def binary(units: int, sigma: float) -> hm.RBM:
    """As many binary units as given, each of which moves the pixels by an equal share of the range."""
    weight = 1 / (units * sigma)
    return machine(hm.Bernoulli(units), sigma, weight, -PIXELS * weight**2 * (torch.arange(units) + 0.5))


def rectified(sigma: float) -> hm.RBM:
    """One stepped sigmoid unit whose weights do not depend on σ, of as many copies as the range of greys holds."""
    return machine(hm.SteppedSigmoid(1, copies=round(math.sqrt(PIXELS) / sigma)), sigma, 1 / math.sqrt(PIXELS), torch.zeros(1))


def true_log_density(v: torch.Tensor) -> torch.Tensor:
    """log p of patches, (cases, pixels): a uniform grey and Gaussian noise."""
    mean, error = v.mean(1), NOISE / math.sqrt(PIXELS)
    spread = (v - mean[:, None]).square().sum(1)
    across = -(PIXELS - 1) / 2 * math.log(2 * math.pi * NOISE**2) - spread / (2 * NOISE**2) - math.log(PIXELS) / 2
    return across + torch.log(torch.special.ndtr(mean / error) - torch.special.ndtr((mean - 1) / error))


def log_density(rbm: hm.RBM, v: torch.Tensor) -> torch.Tensor:
    return hm.likelihood.log_likelihood(rbm, v, log_z=hm.likelihood.exact_log_z(rbm)).detach()


generator = torch.Generator().manual_seed(0)
greys = torch.rand(1000, 1, generator=generator, dtype=torch.float64)
patches = greys + NOISE * torch.randn(1000, PIXELS, generator=generator, dtype=torch.float64)
best = true_log_density(patches).mean()
lost = {f"{units} binary": [(best - log_density(binary(units, s), patches).mean()).item() for s in sigmas.tolist()] for units in (1, 3, 10)}
lost["1 stepped sigmoid"] = [(best - log_density(rectified(s), patches).mean()).item() for s in sigmas.tolist()]
tightest = {name: (sigmas[int(torch.tensor(values).argmin())].item(), min(values)) for name, values in lost.items()}
for name, (sigma, nats) in tightest.items():
    there = lost[name][int((sigmas / NOISE).log().abs().argmin())]
    print(f"{name}: best at σ = {sigma:.3f}, {nats:.3f} nats a patch short of the data's own density; {there:.3f} short at σ = {NOISE}")

# %%
# Left: the two effects of a weight of 1. Middle: the density of patches of one grey throughout, at the data's own σ = 0.05. Right: what
# each machine loses against the true density, in nats a patch. With one binary unit σ = 0.05 costs 129 nats a patch: its
# likelihood is highest at σ = 0.28, where most of the variation passes for noise. With three units it is highest at 0.10, with ten at
# 0.056, and the stepped sigmoid unit alone has its best at the data's own 0.05, where it is 0.005 nats short of the truth. So while a
# machine has few hidden units, or units that have learnt little, the likelihood itself drives the variances away from where they should
# end. That, and the gradient's own scale, 1 / σ² (see the page on Gaussian variances), is what makes them hard to learn.

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.2), num="gaussian_visible_units")
left.loglog(sigmas, bottom_up, color="C0")
left.loglog(sigmas, top_down, color="C1")
left.text(0.05, 26, "bottom-up: W / σ", color="C0")
left.text(0.05, 0.026, "top-down: σ W", color="C1")
left.set_title("effect of one unit on another, W = 1")
grey = torch.linspace(-0.2, 1.2, 281, dtype=torch.float64)
flat = grey[:, None].expand(-1, PIXELS)
for number, (name, rbm) in enumerate(
    {**{f"{k} binary": binary(k, NOISE) for k in (1, 3, 10)}, "1 stepped sigmoid": rectified(NOISE)}.items()
):
    density = (log_density(rbm, flat) - log_density(rbm, flat).max()).exp()
    middle.plot(grey, density + 1.15 * (3 - number), color=f"C{number}")
    right.loglog(sigmas, lost[name], color=f"C{number}", label=name)
    right.plot(*tightest[name], "o", color=f"C{number}", markersize=5)
    middle.text(-0.95, 1.15 * (3 - number) + 0.08, name, color=f"C{number}")
middle.set_title("density of flat patches, σ = 0.05")
middle.set_yticks([])
middle.set_xlim(-1, 1.2)
middle.set_xticks([0, 0.5, 1])
middle.set_xlabel("grey")
right.axvline(NOISE, color="black", linestyle=":", linewidth=1)
right.set_title("nats a patch short of the truth")
right.set_ylim(5e-4, 2e3)
right.legend(loc="lower right")
for axis in (left, right):
    axis.set_xlabel("σ")
    axis.set_xticks([0.02, 0.05, 0.1, 0.2, 0.4], ["0.02", "0.05", "0.1", "0.2", "0.4"])
    axis.minorticks_off()

# %%
# More units come on
# ------------------
#
# How many copies are on at full intensity, against σ: √8 / σ, while a binary unit stays one. Times σ W this is the reach of the top-down
# effect, which stays what the data ask for.

full = torch.ones(1, PIXELS, dtype=torch.float64)
with torch.no_grad():
    come_on = [rectified(s).hidden_mean(full).item() for s in sigmas.tolist()]
    reach = [rectified(s).visible_mean(rectified(s).hidden_mean(full))[0, 0].item() for s in sigmas.tolist()]
print(f"copies on at full intensity: {come_on[-1]:.1f} at σ = {sigmas[-1]:.2f}, {come_on[0]:.1f} at σ = {sigmas[0]:.2f}")
print(f"mean of a pixel given those: {reach[-1]:.3f} and {reach[0]:.3f}")

# %%
# What would falsify it
# ---------------------
#
# Effects that do not follow W / σ and σ W; a machine of few binary units, with any weights, that comes as close to these patches at σ =
# 0.05 as the stepped sigmoid unit does; a stepped sigmoid unit that needs other weights at another σ.

plt.show()
