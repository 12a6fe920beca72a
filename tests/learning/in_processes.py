"""What the processes of test_processes.py learn: each writes its results to a file. Run with the variables that torchrun sets."""

import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

import harmonium as hm
from harmonium.learning.loop import trainer
from harmonium.processes import rank, world_size

CASES, UNITS, EPOCHS = 103, 12, 3  # the last batch of 34 has one case, fewer than there are processes
CHAINS = 11
Found = dict[str, torch.Tensor]


def data() -> torch.Tensor:
    return (torch.rand(CASES, UNITS, generator=torch.Generator().manual_seed(1)) < 0.3).float()


WEIGHTS = torch.linspace(0.1, 2, CASES)
CONTEXTS = torch.linspace(-1, 1, CASES * 2).reshape(CASES, 2)


class Stream:
    """The same batches in every process."""

    def __iter__(self) -> Iterator[Any]:
        yield from zip(data().split(10), WEIGHTS.split(10), strict=True)


def vector(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().double().flatten() for parameter in module.parameters()])


def learn(rows: Any = None, machine: Any = None, **settings: Any) -> hm.TrainingState:
    machine = hm.RBM(hm.Bernoulli(UNITS), hm.Bernoulli(7), seed=2) if machine is None else machine
    usual = {"batch_size": 34, "epochs": EPOCHS, "optimizer": partial(hm.MomentumSGD, lr=0.1, momentum=0.5), "progress": False, "seed": 3}
    return hm.fit(machine, data() if rows is None else rows, **(usual | settings))


def gaussian(**settings: Any) -> hm.TrainingState:
    """Standard form, with a learnt variance."""
    machine = hm.RBM(hm.Gaussian(UNITS, learn_variance=True), hm.Bernoulli(5), seed=2)
    rows = 3 + 2 * torch.randn(CASES, UNITS, generator=torch.Generator().manual_seed(4))
    return learn(rows, machine, optimizer=partial(hm.MomentumSGD, lr=0.01), negative=hm.ExactGradient(), **settings)


def conditional() -> hm.TrainingState:
    machine = hm.RBM(hm.Bernoulli(UNITS), hm.Bernoulli(4), hm.Conditional(hm.Dense(UNITS, 4), 2), seed=2)
    return learn(
        None, machine, given=hm.Given(context=CONTEXTS), negative=hm.ExactGradient(), sparsity=hm.Sparsity(0.1, cost=1.0), epochs=1
    )


exact = partial(learn, negative=hm.ExactGradient())
DETERMINISTIC = {
    "exact": exact,
    "one update": partial(exact, batch_size=CASES, epochs=1),
    "weighted": partial(exact, sample_weight=WEIGHTS),
    "centred, sparse, averaged": partial(
        exact, gradient="centred", sparsity=hm.Sparsity(0.1, cost=1.0), averaging=0.5, sample_weight=WEIGHTS, weight_cost=1e-3
    ),
    "enhanced": partial(exact, gradient="enhanced"),
    "standard form": gaussian,
    "a context": conditional,
    "ratio matching": partial(learn, negative=hm.RatioMatching(), sample_weight=WEIGHTS),
    "a stream": partial(exact, Stream(), epochs=1),
}
SAMPLED = {
    "cd": partial(learn, negative=hm.ContrastiveDivergence(), epochs=20),
    "pcd": partial(learn, negative=hm.PersistentCD(chains=CHAINS)),
    "renewed": partial(learn, negative=hm.PersistentCD(chains=CHAINS, renewal=0.3), epochs=20),
    "tempered": partial(learn, negative=hm.PersistentCD(chains=CHAINS, sampler=hm.Tempering(3, adapt=2)), gradient="enhanced"),
    "fast": partial(learn, negative=hm.FastPCD(chains=CHAINS), gradient="centred"),
}


def tuned(name: str = "tuned", **settings: Any) -> Found:
    net = torch.nn.Sequential(torch.nn.Linear(UNITS, 9), torch.nn.Sigmoid(), torch.nn.Linear(9, 4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.arange(parameter.numel()).float().sin().view_as(parameter))
    rows = data()
    labels = (rows[:, 0] + 2 * rows[:, 1]).long()
    state = hm.fine_tune(net, rows, labels, epochs=3, head_epochs=1, batch_size=34, progress=False, validation=(rows, labels), **settings)
    figures = [[row["train_loss"], row["train_error_percent"], row["validation_loss"]] for row in state.history]
    return {name: vector(net), f"{name}.figures": torch.tensor(figures)}


def stacked() -> Found:
    dbn = hm.greedy(data(), [hm.Bernoulli(UNITS), hm.Bernoulli(7), hm.Bernoulli(5)], epochs=1, progress=False).untie()
    state = hm.wake_sleep(dbn, data(), epochs=2, batch_size=34, negative=hm.PersistentCD(chains=6), progress=False)
    return {"stacked": vector(dbn), "stacked.figures": torch.tensor([row["sleep_error"] for row in state.history])}


def resumed(folder: Path) -> Found:
    """A training that is cut in an epoch and gone on with, and one that is not; the cut one stays for another number of processes."""
    rule, trainer.CHECKPOINT_SECONDS = hm.PersistentCD(chains=CHAINS, sampler=hm.Tempering(3)), 0.0
    whole = learn(negative=rule, batch_size=5, averaging=0.2)

    class Cut(hm.Callback):
        def on_step(self, state: hm.TrainingState) -> None:
            if state.step == 34:  # a checkpoint is due at every tenth step
                raise KeyboardInterrupt

    path = folder / "cut.safetensors"
    try:
        learn(negative=rule, batch_size=5, averaging=0.2, checkpoint=path, callbacks=[Cut()])
    except KeyboardInterrupt:
        kept = path.read_bytes()
        again = learn(negative=rule, batch_size=5, averaging=0.2, checkpoint=path)
    if rank() == 0:
        (folder / "kept.safetensors").write_bytes(kept)
    assert whole.chains is not None
    return {"whole": vector(whole.model), "resumed": vector(again.model), "whole.chains": whole.chains, "resumed.chains": again.chains}


def figures(state: hm.TrainingState) -> torch.Tensor:
    return torch.tensor([value for row in state.history for name, value in row.items() if name != "seconds"], dtype=torch.float64)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    found: Found = {}
    for name, run in (DETERMINISTIC | SAMPLED).items():
        state = run()
        found |= {name: vector(state.model), f"{name}.figures": figures(state)}
        if state.chains is not None:
            found[f"{name}.chains"] = state.chains
    found |= tuned() | tuned("tuned weighted", sample_weight=WEIGHTS) | stacked()
    trajectory = hm.Trajectory(folder / f"trajectory of {world_size()}")
    learn(callbacks=[trajectory], negative=hm.PersistentCD(chains=CHAINS))
    found["steps"] = torch.tensor(trajectory.steps)
    estimate = hm.likelihood.ais(
        hm.RBM(hm.Bernoulli(8), hm.Bernoulli(6), hm.Dense(8, 6, scale=1.0), seed=1), chains=101, betas=50, divided=True
    )
    found["ais"] = estimate.log_weights
    found["ais.figures"] = torch.tensor([estimate.log_z, estimate.standard_error], dtype=torch.float64)
    if world_size() > 1:
        found |= resumed(folder)
    torch.save(found, folder / f"{world_size()}.{rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
