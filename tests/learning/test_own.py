"""A learning rule, a gradient transform and a data set as a user would write them, with nothing of the package changed."""

import csv
import inspect
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import harmonium as hm


@dataclass(frozen=True)
class RestartedCD(hm.Rule):
    """Persistent chains of which a share starts again at data in every update."""

    chains: int = 20
    restarts: float = 0.1

    def init(self, model, generator):
        states = model.visible.sample(model.visible.zero_input(self.chains), generator=generator)
        return {"chains": states, "restarted": torch.zeros(())}

    def particles(self, model, positive, slots, *, generator):
        v = positive.phase.v
        drawn = torch.randint(len(v), (self.chains,), generator=generator)
        again = torch.rand(self.chains, generator=generator) < self.restarts
        slots["restarted"] += again.sum()
        start = torch.where(again[:, None], v[drawn], slots["chains"])
        return slots["chains"].copy_(model.gibbs(start, generator=generator))

    def metrics(self, slots):
        return {"restarted": slots["restarted"].item()}


class Clipped(hm.Transform):
    """No gradient is longer than a limit."""

    def __init__(self, limit):
        self.limit = limit

    def init(self, model, steps):
        return {"clipped": torch.zeros(())}

    def gradient(self, model, positive, slots):
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), self.limit)
        slots["clipped"] += norm > self.limit


class Votes:
    """Rows of yes and no in a CSV file, read when they are visited."""

    def __init__(self, path):
        with open(path, newline="") as file:
            self.lines = list(csv.reader(file))[1:]

    def __len__(self):
        return len(self.lines)

    def rows(self, indices, generator):
        return torch.tensor([[answer == "yes" for answer in self.lines[i]] for i in indices.tolist()])


DATA = torch.eye(6).repeat(20, 1)


def lines(kind):
    return len([line for line in inspect.getsource(kind).splitlines() if line.strip()])


def learn(**more):
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0, seed=1))
    settings = {"batch_size": 12, "negative": RestartedCD(), "optimizer": lambda groups: torch.optim.SGD(groups, lr=0.1), "seed": 3}
    return hm.fit(rbm, DATA, **(settings | {"epochs": 6, "progress": False} | more))


@pytest.mark.parametrize(("kind", "most"), [(RestartedCD, 30), (Clipped, 20), (Votes, 20)])
def test_they_are_short(kind, most):
    assert lines(kind) <= most


def test_a_rule_learns_and_says_what_it_did():
    state = learn(epochs=120)
    drawn = state.history[-1]["restarted"]
    assert abs(drawn - 0.1 * 20 * 1200) < 4 * (0.09 * 20 * 1200) ** 0.5
    nats = hm.likelihood.log_likelihood(state.model, DATA, log_z=hm.likelihood.exact_log_z(state.model)).mean().item()
    assert nats > -2.6  # independent units of these means: -2.70; the data's own entropy: -1.79


def test_a_rule_resumes_to_the_same_bits(tmp_path):
    whole = learn()
    learn(epochs=3, checkpoint=tmp_path / "state.safetensors")
    resumed = learn(checkpoint=tmp_path / "state.safetensors")
    for one, two in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(whole.slots["rule"]["chains"], resumed.slots["rule"]["chains"])
    assert whole.history[-1]["restarted"] == resumed.history[-1]["restarted"]


def test_a_transform_changes_the_gradient():
    limit = 0.05
    seen = []

    class Watch(hm.Callback):
        def on_step(self, state):
            seen.append(torch.stack([each.grad.norm() for each in state.model.parameters()]).norm().item())

    state = learn(transforms=[Clipped(limit)], callbacks=[Watch()])
    assert max(seen) == pytest.approx(limit, rel=1e-4)
    assert state.slots["clipped"]["clipped"] > 0


def test_a_data_set_is_learnt_from(tmp_path):
    path = tmp_path / "votes.csv"
    answers = np.random.default_rng(0).random((200, 3)) < [0.9, 0.5, 0.2]
    path.write_text("a,b,c\n" + "\n".join(",".join("yes" if x else "no" for x in row) for row in answers))
    state = hm.fit(hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2)), Votes(path), epochs=2, progress=False)
    v = state.model.visible
    np.testing.assert_allclose(v.mean(v.zero_input()).detach(), answers.mean(0), atol=0.1)
