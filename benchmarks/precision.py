"""What is learnt in bfloat16 beside what is learnt in float32: nats and errors of the same settings, seed by seed.

    python benchmarks/precision.py                       # five seeds; about half an hour on two cores
    python benchmarks/precision.py --seeds 2 --tasks exact gaussian
    python benchmarks/precision.py --json precision.json

The tasks, each learnt with `precision="float32"` and with `"bfloat16"`, judged in float32:

- exact: MNIST, 784-20 binary units, persistent CD, 6,000 updates; exact nats of the test images.
- rbm: MNIST, 784-500, persistent CD, 15 epochs; nats of the test images by AIS, 100 chains and 3,000 temperatures.
- gaussian: patches of natural images, 64 Gaussian units of learnt variance, 16 binary hidden units, CD-1; exact nats of other patches.
- stepped: the same with 8 stepped sigmoid hidden units of 3 copies.
- classifier: 784-500-500-10 from two layers learnt by CD-1, fine-tuned, on 10,000 images; the percentage of wrong test labels.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import harmonium as hm
from machine import as_users_run

PRECISIONS = ("float32", "bfloat16")


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Binarised training and test images of MNIST, and the labels."""
    found = hm.data.mnist.load()
    draw = torch.Generator().manual_seed(0)
    images = [(torch.rand(x.shape, generator=draw) < x / 255).float() for x in (found.train_images, found.test_images)]
    return images[0], found.train_labels, images[1], found.test_labels


def binary(hidden: int, epochs: int, precision: str, seed: int) -> hm.RBM:
    """A machine of MNIST's pixels, with averaged parameters."""
    images, *_ = digits()
    rbm = hm.RBM(hm.Bernoulli(784), hm.Bernoulli(hidden), seed=seed)
    state = hm.fit(
        rbm,
        images,
        negative=hm.PersistentCD(200),
        epochs=epochs,
        batch_size=100 if hidden < 100 else 200,
        optimizer=partial(hm.MomentumSGD, lr=0.1 if hidden > 100 else 0.2),
        schedule=partial(hm.Schedule, lr=lambda epoch: 1 - epoch / epochs),
        gradient="centred",
        averaging=0.1,
        precision=precision,
        seed=seed,
        progress=False,
    )
    return state.averaged()  # type: ignore[return-value]


def exact(precision: str, seed: int) -> float:
    rbm, test = binary(20, 10, precision, seed), digits()[2]
    return hm.likelihood.log_likelihood(rbm, test, log_z=hm.likelihood.exact_log_z(rbm)).mean().item()


def by_annealing(precision: str, seed: int) -> float:
    rbm, test = binary(500, 15, precision, seed), digits()[2]
    log_z = hm.likelihood.ais(rbm, chains=100, betas=3000, seed=seed, base_rates=test[:1000].mean(0)).log_z
    return hm.likelihood.log_likelihood(rbm, test, log_z=log_z).mean().item()


def patches(seed: int) -> Tensor:
    """Patches of 8 x 8 pixels of smooth random images with edges: standardised, (cases, 64)."""
    draw = torch.Generator().manual_seed(seed)
    place = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")).flatten(1) - 3.5
    angle, offset = torch.rand(20_000, 1, generator=draw) * 2 * math.pi, torch.randn(20_000, 1, generator=draw) * 2
    edge = torch.tanh(angle.cos() * place[0] + angle.sin() * place[1] - offset) * torch.randn(20_000, 1, generator=draw)
    found = edge + 0.3 * torch.randn(20_000, 64, generator=draw)
    return (found - found.mean(0)) / found.std()


def real(hidden: Callable[[], hm.Unit], precision: str, seed: int) -> float:
    data = patches(seed)
    rbm = hm.RBM(hm.Gaussian(64, learn_variance=True), hidden(), seed=seed)
    own = {"epochs": 40, "optimizer": partial(hm.MomentumSGD, lr=1e-3, momentum=0.9)}
    hm.fit(rbm, data[:10_000], precision=precision, seed=seed, progress=False, **own)
    return hm.likelihood.log_likelihood(rbm, data[10_000:], log_z=hm.likelihood.exact_log_z(rbm)).mean().item()


def classifier(precision: str, seed: int) -> float:
    images, labels, test, answers = digits()
    images, labels = images[:10_000], labels[:10_000]
    layers = [hm.Bernoulli(784), hm.Bernoulli(500), hm.Bernoulli(500)]
    net = hm.greedy(images, layers, epochs=10, optimizer=partial(hm.MomentumSGD, lr=0.1), precision=precision, seed=seed, progress=False)
    found = hm.nets.classifier(net, 10, seed=seed)
    hm.fine_tune(found, images, labels.long(), epochs=12, head_epochs=2, precision=precision, seed=seed, progress=False)
    return 100 * (hm.predict(found, test).argmax(1) != answers).double().mean().item()


TASKS: dict[str, Callable[[str, int], float]] = {
    "exact": exact,
    "gaussian": partial(real, lambda: hm.Bernoulli(16)),
    "stepped": partial(real, lambda: hm.SteppedSigmoid(8, copies=3)),
    "classifier": classifier,
    "rbm": by_annealing,
}


def main(arguments: list[str] | None = None) -> None:
    """Measure the tasks; each line is printed as it is known."""
    parser = argparse.ArgumentParser(description="What is learnt in bfloat16 beside what is learnt in float32.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    rows = []
    for task in chosen.tasks:
        for seed in range(1, chosen.seeds + 1):
            values, seconds = {}, {}
            for precision in PRECISIONS:
                began = time.process_time()
                values[precision] = TASKS[task](precision, seed)
                seconds[precision] = time.process_time() - began
            rows.append({"task": task, "seed": seed, "values": values, "processor_seconds": seconds})
            print(task, seed, *(f"{name} {values[name]:.3f} ({seconds[name]:.0f} s)" for name in PRECISIONS), flush=True)
            if chosen.json is not None:
                chosen.json.write_text(json.dumps(rows, indent=1))
        of_task = [row["values"] for row in rows if row["task"] == task]
        change = np.array([value["bfloat16"] - value["float32"] for value in of_task])
        error = change.std(ddof=1) / math.sqrt(len(change)) if len(change) > 1 else math.nan
        mean = np.mean([value["float32"] for value in of_task])
        print(f"{task}: float32 {mean:.3f}; bfloat16 is {change.mean():+.3f} ± {error:.3f} beside it", flush=True)


if __name__ == "__main__":
    as_users_run()
    main()
