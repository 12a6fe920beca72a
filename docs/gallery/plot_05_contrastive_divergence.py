"""
Maximum likelihood and contrastive divergence
=============================================

Stopping the Markov chain after one sweep "is not following the gradient of the log likelihood. But it works well. It is approximately
following the gradient of another objective function" (G. Hinton, tutorial, IPAM 2012; Carreira-Perpiñán & Hinton 2005). How well, and how
approximately? On machines of 8 visible and 4 hidden units nothing has to be drawn: the distribution p_k that k sweeps of Gibbs sampling
make of the data p₀ is a product of matrices, and so is the update that CD-k makes on the average. Where does it rest?
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import cosine_similarity

import harmonium as hm
from harmonium.analysis import EnumeratedRBMs, asymmetry, find_fixed_point, minimise_contrast

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
EACH, PCD_UPDATES, UPDATES = 5, 200, 200
generator = torch.Generator().manual_seed(0)

# %%
# Ten distributions, and where each rule rests
# --------------------------------------------
#
# Five distributions over the 256 visible states are drawn uniformly from all that there are; five are sparse, with most of the probability
# in a few states. None is one that four hidden units can have: for such a one every rule rests in the same place. A weight cost of 0.0001
# in every rule keeps the optima finite.
#
# ``find_fixed_point`` follows a rule's mean update to where it is zero. A rule's *gap* is KL(p₀ || model) there, less that of the optimum
# to which maximum likelihood leads on from there. Persistent CD must draw: 1,000 chains for 200 updates, the rate falling to
# zero, from CD-1's fixed point.

rng = np.random.default_rng(0)
p = torch.from_numpy(np.concatenate([rng.dirichlet(np.full(256, alpha), size=EACH) for alpha in (1.0, 0.1)]))
machines = EnumeratedRBMs(8, 4, weight_cost=1e-4)
start = machines.draw(len(p), 0.1, generator)
rests = {f"CD-{steps}": find_fixed_point(machines, start, p, steps).theta for steps in (1, 10)}

optimizer, schedule = partial(hm.MomentumSGD, lr=0.1), partial(hm.Schedule, lr=lambda epoch: 1 - epoch / 10)
pcd = partial(hm.fit, negative=hm.PersistentCD(1000), optimizer=optimizer, schedule=schedule, weight_cost=1e-4, epochs=10, progress=False)
learnt = [machines.rbm(theta) for theta in rests["CD-1"]]
for seed, (rbm, q) in enumerate(zip(learnt, p, strict=True)):
    pcd(rbm, [(machines.v, q)] * (PCD_UPDATES // 10), seed=seed)
rests["PCD"] = torch.stack([machines.row(rbm) for rbm in learnt])

best = {rule: find_fixed_point(machines, theta, p, None).theta for rule, theta in rests.items()}
gaps = {rule: machines.kl(theta, p) - machines.kl(best[rule], p) for rule, theta in rests.items()}
print(f"KL(p0 || model) at maximum likelihood: {machines.kl(best['CD-1'], p).mean():.3f} nats on the average")
print("gap (nats)     mean  any distribution   sparse    median  largest")
for rule, gap in gaps.items():
    print(f"{rule:9} {gap.mean():9.5f} {gap[:EACH].mean():17.5f} {gap[EACH:].mean():8.5f} {gap.median():9.6f} {gap.max():8.4f}")

# %%
# CD-1's mean gap is small beside KL(p₀ || model), and nearly all of it comes from the sparse distributions. Ten sweeps take away almost all
# of it. PCD has left CD-1's rest and gone on towards maximum likelihood where CD-1's gap is large; where it is small, the noise of PCD's
# draws, and what so few updates have not reached, leave it further away than CD-1. The recipe ``harmonium run cd-bias`` takes more
# distributions, of other families too.
#
# The gradient of no function
# ---------------------------
#
# The derivative J of a gradient is symmetric. That of CD-1's update is not, as ``|J - J'| / |J|`` shows at machines with weights from
# N(0, 1). So there is no objective that CD-1 follows *exactly* (Sutskever & Tieleman 2010). With more sweeps there comes to be one, the
# likelihood, for which that share is zero to rounding (dotted).

random = machines.draw(len(p), 1.0, generator)
sweeps = (1, 2, 3, 5, 10)
odd = {steps: asymmetry(machines.mean_update(random, p, steps).jacobian) for steps in (*sweeps, None)}
print("asymmetry, by sweeps:", ", ".join(f"{steps}: {odd[steps].mean():.0e}" for steps in sweeps), f"; likelihood: {odd[None].mean():.0e}")


def dots(axis: plt.Axes, columns: dict[str, torch.Tensor], title: str) -> None:
    """A dot for each distribution, those below 1e-9 put there, and the median of all."""
    for place, value in enumerate(columns.values()):
        for family, words in enumerate(("any distribution", "sparse")):
            x, y = place + torch.linspace(-0.2, 0.2, EACH), value[family * EACH :][:EACH].clamp_min(1e-9)
            axis.semilogy(x, y, "o", color=f"C{family}", label=words if place == 0 else None)
        axis.hlines(value.median().item(), place - 0.25, place + 0.25, color="black", linewidth=1)
    axis.set_xticks(range(len(columns)), list(columns))
    axis.set(title=title, ylim=(5e-10, None))


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), num="cd_fixed_points", width_ratios=(1.4, 1))
dots(left, gaps, "KL(p₀ || rest) - KL(p₀ || maximum likelihood) (nats)")
left.legend(loc="lower right")
right.semilogy(sweeps, [odd[steps].mean() for steps in sweeps], "o-")
right.axhline(odd[None].mean(), color="black", linestyle=":", linewidth=1)
right.set(title="asymmetry of the update's derivative", xlabel="sweeps k")

# %%
# The objective that it follows approximately
# -------------------------------------------
#
# CD-1 is named after the contrast KL(p₀ || p_∞) - KL(p₁ || p_∞): how much nearer to equilibrium one sweep brings the data. Its descent
# direction is CD-1's update and one more term, which CD-1 leaves out. How well does the update point down the contrast while CD-1 learns?

theta, velocity, cosines = start.clone(), torch.zeros_like(start), {"the contrast's descent": [], "the likelihood's ascent": []}
looks = sorted({round(UPDATES ** (place / 24)) for place in range(25)})
for update in range(1, UPDATES + 1):
    velocity = 0.9 * velocity + 0.1 * machines.update(theta, p, 1)
    theta += velocity
    if update in looks:
        followed, neglected = machines.neglected(theta, p, 1)
        cosines["the contrast's descent"].append(cosine_similarity(followed, followed + neglected))
        cosines["the likelihood's ascent"].append(cosine_similarity(-followed, machines.update(theta, p, None)))


def objective(theta: torch.Tensor) -> torch.Tensor:
    """The contrast with its weight cost: (machines)."""
    return machines.contrast(theta, p, 1) + 0.5 * (machines.cost * theta.square()).sum(1)


places = {"start": start, "CD-1's rest": rests["CD-1"], "maximum likelihood": best["CD-1"]}
least = minimise_contrast(machines, best["CD-1"], p)
above = {name: objective(theta) - objective(least) for name, theta in places.items()}
print("contrast above its least value (nats)     mean    median")
for name, value in above.items():
    print(f"{name:37} {value.mean():8.5f} {value.median():9.6f}")
of_least = machines.kl(least, p) - machines.kl(best["CD-1"], p)
print(f"gap where the contrast is least: {of_least.mean():.5f} nats on the average, at CD-1's rest {gaps['CD-1'].mean():.5f}")
for name, values in cosines.items():
    print(f"least cosine of CD-1's update with {name}: {torch.stack(values).min():.2f}")

# %%
# On the way the update does point down the contrast: its cosine with that descent stays well above zero, while with the likelihood's
# gradient it falls far lower on some distributions. But the objective says little about where CD-1 comes to rest. The contrast there is
# hardly above the least value that descent from the optimum of maximum likelihood finds, and so it is at that optimum; and where the
# contrast is least the gap is a good deal less than at CD-1's rest. The other objective is a better one than CD-1's own end.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), num="cd_objective", width_ratios=(1, 1.2))
for number, (name, values) in enumerate(cosines.items()):
    values = torch.stack(values)
    left.semilogx(looks, values.median(1).values, color=f"C{number + 2}", label=f"with {name}")
    left.fill_between(looks, values.amin(1), values.amax(1), color=f"C{number + 2}", alpha=0.2, linewidth=0)
left.set(title="cosine of CD-1's update: median, range", xlabel="updates", ylim=(0, 1.05))
left.legend(loc="lower left")
dots(right, above, "contrast above its least value (nats)")

# %%
# What would falsify it
# ---------------------
#
# A gap of CD-1 that is zero for all distributions, or one of CD-10 that is above CD-1's on the average; an update of CD-1 whose derivative
# is symmetric; an update that points up the contrast. The tests enumerate the updates at rest in NumPy, and find maximum likelihood once
# more by descent of an enumerated KL and with ``hm.ExactGradient``.

plt.show()
