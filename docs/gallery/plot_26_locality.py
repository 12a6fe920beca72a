"""
Locality: cost and error of wirings
===================================

"Greedily learning one layer at a time scales well to really big networks, especially if we have locality in each layer" (G. Hinton,
tutorial, IPAM 2012). A hidden unit that sees a few neighbouring pixels needs a few weights, however large the image is; one that sees all
needs ever more. Here both learn images whose distribution is known exactly, so that the error is what it ought to be: the nats by which a
machine falls short of the truth.
"""

from functools import partial

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
HEIGHT, LENGTHS, COUPLING = 8, (4, 8, 16), 0.3
TRAIN, TEST = 1000, 1000
UPDATES, RATE, BETAS = 1000, 0.2, 1000

# %%
# Images of known probability
# ---------------------------
#
# A strip of 8 rows and 4, 8 or 16 columns of black and white pixels: the Ising model, in which neighbours tend to be alike and nothing else
# holds. Column by column it is a Markov chain of few enough states, so that its partition function is a product of matrices and images can
# be drawn independently. Every image's log-probability is known.

columns = 2 * (torch.arange(2**HEIGHT)[:, None] >> torch.arange(HEIGHT) & 1).double() - 1  # (states, rows), of -1 and 1
within = COUPLING * (columns[:, 1:] * columns[:, :-1]).sum(1)
across = COUPLING * columns @ columns.T


def strips(length: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, (count, 1, rows, columns) of 0 and 1, and their log-probabilities, (count)."""
    ahead = [torch.zeros(len(columns), dtype=torch.float64)]  # log of what the columns to the right add up to, for each state
    for _ in range(length - 1):
        ahead.insert(0, torch.logsumexp(across + within + ahead[0], dim=1))
    log_z = torch.logsumexp(within + ahead[0], dim=0)
    generator = torch.Generator().manual_seed(seed)
    states = [(within + ahead[0] - log_z).exp().multinomial(count, replacement=True, generator=generator)]
    for rest in ahead[1:]:
        states.append((across[states[-1]] + within + rest).softmax(1).multinomial(1, generator=generator)[:, 0])
    chosen = torch.stack(states, dim=1)
    energies = within[chosen].sum(1) + across[chosen[:, :-1], chosen[:, 1:]].sum(1)
    return (columns[chosen].mT[:, None] > 0).float(), energies - log_z


# %%
# Three wirings
# -------------
#
# All machines have a hidden unit for each pixel; the convolutional one has two. *Dense*: each hidden unit sees all pixels. *Local*: it
# sees the 3 x 3 pixels around its own, by weights of its own; this is a coupling made for this page, a matrix whose other weights stay
# zero. *Convolutional*: it sees the same, and all units of a channel share their weights (``hm.Convolutional``). A wiring is the coupling's
# matter alone; units, learning and likelihood are the same for all.


class Local(hm.Dense):
    """A matrix of weights of which only those between neighbours learn."""

    def __init__(self, length: int) -> None:
        shape = (1, HEIGHT, length)
        super().__init__(shape, shape, scale=0.1)
        every = torch.eye(HEIGHT * length).reshape(-1, *shape)
        self.near = torch.nn.functional.max_pool2d(every, 3, stride=1, padding=1).flatten(1)
        with torch.no_grad():
            self.weight.mul_(self.near)

    def accumulate_gradient(self, *statistics: torch.Tensor, **how: object) -> None:
        super().accumulate_gradient(*statistics, **how)
        self.weight.grad.mul_(self.near)


def machine(wiring: str, length: int) -> hm.RBM:
    """A machine that has learnt nothing."""
    shape = (1, HEIGHT, length)
    if wiring == "convolutional":
        coupling = hm.Convolutional(shape, 2, kernel=3, scale=0.1, padding=1)
        return hm.RBM(hm.Bernoulli(shape, bias_shape=(1, 1, 1)), hm.Bernoulli(coupling.hidden, bias_shape=(2, 1, 1)), coupling)
    return hm.RBM(hm.Bernoulli(shape), hm.Bernoulli(shape), hm.Dense(shape, shape, scale=0.1) if wiring == "dense" else Local(length))


def cost(wiring: str, length: int) -> tuple[int, int]:
    """The weights, and the multiplications of an image's way up that are not by zero."""
    if wiring == "convolutional":
        return 18, 18 * HEIGHT * length
    own = int(Local(length).near.sum()) if wiring == "local" else (HEIGHT * length) ** 2
    return own, own


# %%
# Each learns from 1,000 images by persistent CD, and is judged on 1,000 others: its log Z by annealing, its error as the mean of
# log p(image) under the truth less that under the machine, which estimates the divergence from the one to the other.

wirings = ("dense", "local", "convolutional")
error, spread, seconds = {}, {}, {}
for length in LENGTHS:
    images, _ = strips(length, TRAIN, seed=1)
    held_out, truth = strips(length, TEST, seed=2)
    for wiring in wirings:
        rbm, epochs = machine(wiring, length), UPDATES * 50 // TRAIN
        falling = partial(hm.Schedule, lr=lambda epoch, epochs=epochs: 1 - epoch / epochs)
        rate = RATE * 16 / images[0].numel() if wiring == "convolutional" else RATE  # a shared weight's gradient is a sum over all places
        how = {"optimizer": partial(hm.MomentumSGD, lr=rate, momentum=0.5), "schedule": falling, "batch_size": 50, "progress": False}
        hm.fit(rbm, images, negative=hm.PersistentCD(chains=100), epochs=epochs, **how)
        found = hm.likelihood.ais(rbm, chains=100, betas=BETAS, seed=0)
        gap = truth - hm.likelihood.log_likelihood(rbm, held_out, log_z=found.log_z)
        error[wiring, length], spread[wiring, length] = gap.mean().item(), (gap.var() / TEST + found.standard_error**2) ** 0.5
for wiring in wirings:
    told = (
        f"{length} columns: {cost(wiring, length)[0]:,} weights, {cost(wiring, length)[1]:,} multiplications, "
        f"{error[wiring, length]:.2f} ± {spread[wiring, length]:.2f} nats short"
        for length in LENGTHS
    )
    print(f"{wiring}: {'; '.join(told)}")
own = ", ".join(f"{strips(length, TEST, seed=2)[1].mean():.1f}" for length in LENGTHS)
print(f"the mean log-probability of an image itself: {own} nats")

figure, (shown, left, right) = plt.subplots(1, 3, figsize=(9, 3.2), num="locality", width_ratios=[1, 1.2, 1.2], layout="constrained")
examples = torch.nn.functional.pad(strips(16, 9, seed=3)[0][:, 0], (0, 0, 0, 2), value=0.5)
shown.imshow(examples.flatten(0, 1).numpy(), cmap="gray_r", vmin=0, vmax=1)
shown.set_axis_off()
shown.set_title("strips of 16 columns")
pixels = [HEIGHT * length for length in LENGTHS]
for colour, wiring in enumerate(wirings):
    style = {"color": f"C{colour}", "label": wiring, "marker": "o"}
    left.plot(pixels, [cost(wiring, length)[1] for length in LENGTHS], **style)
    bars = [float(spread[wiring, length]) / pixel for length, pixel in zip(LENGTHS, pixels, strict=True)]
    right.errorbar(pixels, [error[wiring, length] / pixel for length, pixel in zip(LENGTHS, pixels, strict=True)], bars, **style)
left.set_yscale("log")
left.set_title("multiplications for an image")
right.set_title("short of the truth (nats a pixel)")
right.set_ylim(0)
right.legend()
for axis in (left, right):
    axis.set_xscale("log")
    axis.set_xticks(pixels, map(str, pixels))
    axis.minorticks_off()
    axis.set_xlabel("pixels")

# %%
# What would falsify it
# ---------------------
#
# A dense machine whose error for each pixel does not grow with the image, or is below that of the local ones; local machines whose error
# for each pixel grows as the dense one's does. The images are local by construction: of images with long-range structure one layer of local
# units can say less, and nothing here speaks for those.

plt.show()
