"""Random search with successive halving finds good settings, and finds the same again."""

from typing import Any

import pytest
import torch
from torch import nn

import harmonium as hm
from harmonium.learning.search_trials import rungs_of

PATTERNS = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]).repeat(20, 1)
INPUTS = torch.rand(120, 6, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > INPUTS[:, 1]).long()


def machine(seed: int, hidden: int = 4) -> hm.RBM:
    return hm.RBM(hm.Bernoulli(6), hm.Bernoulli(hidden), hm.Dense(6, hidden, scale=0.5, seed=seed))


def net(seed: int) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))


def of_nets(seed: int = 0) -> Any:
    space = {"lr": [1e-5, 1e-4, 0.5, 1e4], "momentum": [0.0, 0.9], "weight_cost": hm.learning.LogUniform(1e-6, 1e-4)}
    data, held = (INPUTS[:80], LABELS[:80]), (INPUTS[80:], LABELS[80:])
    return hm.search(net, space, data, held, trials=18, epochs=9, seed=seed, batch_size=10, head_epochs=0, progress=False)


def test_the_good_rate_is_found_among_bad_ones_that_stand_still_or_diverge() -> None:
    found = of_nets()
    assert found.settings["lr"] == 0.5
    assert [trial.epochs for trial in found.trials] == [9] * 2 + [3] * 4 + [1] * 12
    wrong = (hm.predict(found.model, INPUTS[80:]).argmax(1) != LABELS[80:]).float().mean()
    assert wrong < 0.15
    loss = nn.functional.cross_entropy(hm.predict(found.model, INPUTS[80:]), LABELS[80:]).item()
    assert found.best.score == pytest.approx(loss)
    assert list(found.table[0]) == ["lr", "momentum", "weight_cost", "seed", "epochs", "score"]
    assert str(found).count("\n") == 18


def test_the_same_seed_finds_the_same() -> None:
    one, two, other = of_nets(), of_nets(), of_nets(1)
    assert one.table == two.table
    assert one.table != other.table


def test_the_best_trial_is_what_training_alone_with_its_settings_gives() -> None:
    best = of_nets().best
    alone = net(best.seed)
    own = {"lr": best.settings["lr"], "momentum": best.settings["momentum"]}
    settings = {"weight_cost": best.settings["weight_cost"], "seed": best.seed, "batch_size": 10, "head_epochs": 0, "progress": False}
    hm.fine_tune(alone, INPUTS[:80], LABELS[:80], epochs=9, optimizer=lambda groups: hm.MomentumSGD(groups, **own), **settings)
    for one, two in zip(alone.parameters(), best.model.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


def test_machines_are_judged_by_their_exact_likelihood_and_may_differ_in_shape() -> None:
    space = {"lr": [1e-4, 0.2], "hidden": [1, 4]}
    settings: dict[str, Any] = {"negative": hm.ContrastiveDivergence(5), "batch_size": 10, "progress": False}
    found = hm.search(machine, space, PATTERNS, PATTERNS, trials=9, epochs=90, **settings)
    log_z = hm.likelihood.exact_log_z(found.model)
    nats = hm.likelihood.log_likelihood(found.model, PATTERNS, log_z=log_z).mean().item()
    assert found.best.score == pytest.approx(-nats)
    assert found.settings["lr"] == 0.2
    assert nats > -1.0  # the entropy of the data is log 2 = 0.7 nats, and independent units have 6 log 2 = 4.2
    assert found.model.hidden.shape == (found.settings["hidden"],)
    assert len({trial.settings["hidden"] for trial in found.trials}) == 2


def test_a_score_of_ones_own_and_progress(capsys: pytest.CaptureFixture[str]) -> None:
    def score(model: hm.RBM, rows: torch.Tensor) -> float:
        return -model.coupling.weight.abs().sum().item()

    found = hm.search(machine, {"lr": [1e-4, 1.0]}, PATTERNS, PATTERNS, trials=6, epochs=2, keep=0.5, score=score, progress=True)
    assert found.settings["lr"] == 1.0
    assert "rung 2/2" in capsys.readouterr().err


def test_rungs() -> None:
    assert rungs_of(27, 27, 1 / 3) == [1, 3, 9, 27]
    assert rungs_of(3, 27, 1 / 3) == [9, 27]
    assert rungs_of(1, 27, 1 / 3) == [27]
    assert rungs_of(27, 4, 1 / 2) == [1, 2, 4]


def test_searches_that_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one"):
        hm.search(machine, {"lr": []}, PATTERNS, PATTERNS)
    with pytest.raises(ValueError, match="sets optimizer= itself"):
        hm.search(machine, {"lr": [0.1]}, PATTERNS, PATTERNS, optimizer=hm.MomentumSGD)
    with pytest.raises(ValueError, match="between 0 and 1"):
        hm.search(machine, {"lr": [0.1]}, PATTERNS, PATTERNS, keep=2)
    with pytest.raises(ValueError, match="positive bounds"):
        hm.learning.LogUniform(0.0, 1.0)


def test_a_search_in_which_all_trials_diverge_ends() -> None:
    data = INPUTS, LABELS
    found = hm.search(net, {"lr": [float("inf")]}, data, data, trials=3, epochs=9, batch_size=10, head_epochs=0, progress=False)
    assert found.best.score == float("inf")
