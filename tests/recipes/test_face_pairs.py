"""Every step of face pairs on photographs without faces; its likenesses and its errors against enumeration and plain arithmetic."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import gammaln, logsumexp
from scipy.stats import multivariate_normal

import harmonium as hm
from harmonium.data import orl_faces
from harmonium.recipes.face_pairs import recipe
from harmonium.recipes.face_pairs.galleries import error_percent, splits_of
from harmonium.recipes.face_pairs.likeness import Components, likenesses, of_differences
from harmonium.recipes.face_pairs.machine_of_pairs import Machine, learn, likeness, machine_of_pairs, pairs_to_learn_from, rates
from harmonium.recipes.face_pairs.recipe import JUDGED, FacePairs, halved
from harmonium.recipes.verification.cropped_faces import ASIDE
from harmonium.runs.folder import Run
from tests.recipes.test_face_verification import people_of_noise

pytestmark = pytest.mark.filterwarnings("ignore::harmonium.Advice")
PEOPLE = torch.arange(40).repeat_interleave(10)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FacePairs:
    monkeypatch.setattr(orl_faces, "load", people_of_noise)
    return FacePairs(out=tmp_path / "run", smoke=True, threads=1)


def test_the_likeness_is_that_of_enumerated_pairs() -> None:
    """Half the log of p(x, y) p(y, x) / (p(x, x) p(y, y)), by summing exp(-E) over every state of the hidden units."""
    how = Machine(copies=3, hidden=3, hidden_copies=2)
    rbm = machine_of_pairs(2, how, seed=0).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in rbm.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator).double()
    weight, c = rbm.coupling.weight.detach().numpy(), rbm.hidden.bias.detach().numpy()
    b = np.concatenate([part.bias.detach().numpy() for part in rbm.visible.parts])

    def log_p(x: np.ndarray, y: np.ndarray) -> float:
        v, terms = np.concatenate([x, y]), []
        for h in itertools.product(range(3), repeat=3):
            ways = sum(gammaln(3) - gammaln(k + 1) - gammaln(3 - k) for k in h)
            terms.append(v @ weight @ np.array(h) + c @ np.array(h) + ways)
        return float(logsumexp(terms) + b @ v + sum(gammaln(4) - gammaln(k + 1) - gammaln(4 - k) for k in v))

    faces = torch.tensor([[0, 3], [1, 1], [2, 0], [3, 2]]).double()
    found = likeness(rbm, faces)
    for i, j in itertools.product(range(4), repeat=2):
        x, y = faces[i].numpy(), faces[j].numpy()
        assert found[i, j].item() == pytest.approx((log_p(x, y) + log_p(y, x) - log_p(x, x) - log_p(y, y)) / 2, abs=1e-9)


def test_errors_are_those_counted_gallery_by_gallery() -> None:
    scores = torch.randn(100, 100, generator=torch.Generator().manual_seed(0))
    scores += 2 * torch.block_diag(*[torch.ones(10, 10)] * 10)
    wrong = []
    for number, person, photograph in itertools.product(range(10), repeat=3):
        if photograph != number:
            chosen = max(range(10), key=lambda other: scores[10 * person + photograph, 10 * other + number].item())
            wrong.append(chosen != person)
    assert 0 < np.mean(wrong) < 0.9
    assert error_percent(scores) == pytest.approx(100 * np.mean(wrong))


def test_nobody_identified_is_learnt_from_or_set_aside() -> None:
    splits = splits_of(PEOPLE, 2, seed=3)
    for partition in (splits[:3], splits[3:]):
        judged = torch.cat([PEOPLE[split.judged[:, 0]] for split in partition]).tolist()
        assert sorted(judged) == sorted(set(range(40)) - set(ASIDE))
    assert not torch.equal(splits[0].judged, splits[3].judged)
    for split in [*splits, *splits_of(PEOPLE, 1, seed=3, choosing=True)]:
        learnt, judged = (set(PEOPLE[side].flatten().tolist()) for side in split)
        assert len(learnt) == 20
        assert not learnt & (judged | set(ASIDE))
        assert bool((PEOPLE[split.judged] == PEOPLE[split.judged[:, :1]]).all())
    assert all(set(PEOPLE[split.judged[:, 0]].tolist()) == set(ASIDE) for split in splits_of(PEOPLE, 1, seed=3, choosing=True))


def test_pairs_are_of_two_photographs_of_one_person_of_one_hand() -> None:
    """Crops that say who, which photograph and which hand they are of."""
    numbers = torch.arange(400.0)
    moved = torch.stack([numbers, torch.zeros(400)], 1)[:, None].expand(-1, 3, -1)
    mirrored = torch.stack([numbers, torch.ones(400)], 1)[:, None].expand(-1, 3, -1)
    people = torch.arange(400).reshape(40, 10)[[3, 7, 11]]
    one, hand, other, its = pairs_to_learn_from(moved, mirrored, people, 2000, seed=0).T
    assert torch.equal(one // 10, other // 10)
    assert bool((one != other).all())
    assert torch.equal(hand, its)
    assert set((one // 10).tolist()) == {3, 7, 11}
    for share, expected in ((hand.double().mean().item(), 0.5), (len(one) / 6000, 0.9)):
        assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / 5000)


def test_rates_are_grey_levels_within_two_deviations() -> None:
    found = rates(torch.tensor([-5.0, -2.0, 0.0, 1.0, 2.0, 9.0]), 4)
    assert found.tolist() == [0, 0, 2, 3, 4, 4]
    crops = torch.rand(5, 26 * 21, generator=torch.Generator().manual_seed(0))
    means = crops.double().numpy().reshape(5, 26, 21)[:, :, :20].reshape(5, 13, 2, 10, 2).mean((2, 4)).reshape(5, -1)
    expected = (means - means.mean(1, keepdims=True)) / means.std(1, keepdims=True)
    np.testing.assert_allclose(halved(crops), expected, atol=1e-4)


def test_weights_stay_where_they_may_be(tmp_path: Path) -> None:
    run = Run.begin("face-pairs", FacePairs(out=tmp_path / "run"))
    how = Machine(copies=2, hidden=4, updates=5)
    pairs = torch.rand(100, 12, generator=torch.Generator().manual_seed(0))
    held, free = (learn(run, str(bound), pairs, how, 0, non_negative=bound).coupling.weight for bound in (True, False))
    assert held.min().item() >= 0
    assert held.max().item() > 0
    assert free.min().item() < 0


def test_differences_are_judged_by_their_density() -> None:
    """Probabilistic PCA keeps the leading eigenvalues of the covariance and gives the others their mean."""
    learnt, judged = (torch.randn(20, 6, generator=torch.Generator().manual_seed(seed)).double() for seed in (0, 1))
    learnt *= torch.arange(1, 7)
    rows = learnt.numpy().reshape(2, 10, 6)
    within = np.concatenate([rows[:, i] - rows[:, j] for i in range(10) for j in range(10) if i != j])
    values, vectors = np.linalg.eigh(np.cov(within.T))
    values[:-2] = values[:-2].mean()
    density = multivariate_normal(np.zeros(6), vectors @ np.diag(values) @ vectors.T)
    between = judged.numpy()[:, None] - judged.numpy()
    np.testing.assert_allclose(of_differences(learnt, judged, 2), density.logpdf(between), rtol=1e-6)


def test_what_is_compared_with_identifies_people_of_noise() -> None:
    images = people_of_noise().images.reshape(400, 112, 92)[:, ::8, ::8].flatten(1).float()
    images = images - images.mean(1, keepdim=True)
    found = likenesses(images[:200], images[200:300], Components(eigenfaces=50, fisherfaces=30, differences=5))
    assert set(found) == set(JUDGED[2:])
    assert error_percent(found["correlation"]) < 10
    assert all(error_percent(each) < 60 for each in found.values())  # by chance 90
    np.testing.assert_allclose(found["correlation"], np.corrcoef(images[200:300].numpy()), atol=1e-5)


def test_a_smoke_run_goes_through_every_step_and_resumes(options: FacePairs, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.begin("face-pairs", options)
    results = options.run(run)
    assert results["setting"] == "smoke"
    assert len(results["rows"]) == 3
    for name in JUDGED:
        own = [row[name] for row in results["rows"]]
        assert results["metrics"][f"test_error_percent_{name}"]["value"] == pytest.approx(np.mean(own))
        error = np.std(own, ddof=1) / math.sqrt(3)
        assert results["metrics"][f"test_error_percent_{name}_standard_error"]["value"] == pytest.approx(error)
    less = np.mean([row["correlation"] - row["pairs"] for row in results["rows"]])
    assert results["metrics"]["correlation_less_pairs"]["value"] == pytest.approx(less)
    page = (run.folder / "report.html").read_text()
    assert all(words in page for words in ("Errors", "Faces", "Features", "rate-coded RBM of pairs"))

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("what is finished was learnt again")

    monkeypatch.setattr(recipe, "learn", never)
    assert options.run(Run.open(run.folder))["metrics"] == results["metrics"]


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="there is a partition, a copy, a hidden unit and an update at least, found Face"):
        FacePairs(partitions=0)
    assert FacePairs(choosing=True, quick=True).setting == "quick, choosing"
    assert isinstance(machine_of_pairs(4, Machine(), 0), hm.RBM)
