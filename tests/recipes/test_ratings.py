"""RBMs of ratings against enumeration and the library's machine with absent units; baselines against plain loops; every step, generated."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import logsumexp
from sklearn.linear_model import Ridge

import harmonium as hm
from harmonium.data.ratings import Ratings, Scale, Visits
from harmonium.recipes.ratings import judged_splits
from harmonium.recipes.ratings.bias_and_factors import Factorisation, baselines, biases, least_squares
from harmonium.recipes.ratings.compared_machines import Machine, basis_of, learn_and_predict, made, rmse
from harmonium.recipes.ratings.learning import Learning, contrastive, predictive, shrunk, start
from harmonium.recipes.ratings.rated_cases import by_bins, by_levels, generated, rated, standardised
from harmonium.recipes.ratings.rating_machine import Rated, RatingMachine
from harmonium.recipes.ratings.recipe import RatingsRecipe
from harmonium.recipes.ratings.visits import hits, without_one
from harmonium.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore::harmonium.Advice")
STARS = Scale(1.0, 3.0, 1.0)
LEARNT = [(0, 0, 3.0), (0, 2, 1.0), (1, 1, 2.0), (1, 2, 2.0), (1, 3, 3.0), (3, 0, 1.0)]  # user, item, rating; user 2 has none
JUDGED = [(0, 3, 2.0), (1, 0, 1.0), (2, 2, 3.0)]


def table(triples: list[tuple[int, int, float]], scale: Scale = STARS) -> Ratings:
    users, items, values = (torch.tensor(column) for column in zip(*triples, strict=True))
    return Ratings(users, items, values, tuple("abcd"), tuple("wxyz"), scale)


def small(how: Machine) -> tuple[RatingMachine, Rated]:
    """A machine with parameters drawn wide, in float64, and the tiny table."""
    measure = by_levels(STARS)
    machine = made(how, measure, 4, seed=0).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in machine.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator).double()
    seen = rated(table(LEARNT), table(JUDGED), measure)
    return machine, seen._replace(states=seen.states.double())


class Plain:
    """The machine written out by the paper's formulas, in loops over whole weights W[i, k, j] and states of hidden units."""

    def __init__(self, machine: RatingMachine) -> None:
        named = {name: each.detach().numpy() for name, each in machine.state_dict().items()}
        own = named["own"].reshape(4, len(named["basis"]), -1)
        own = own @ named["factors"] if "factors" in named else own
        self.weight = np.einsum("ck,icj->ikj", named["basis"], own) + named["common"]
        self.bias = named["bias"] + named["visible.bias"]
        self.hidden_bias = named["hidden.bias"]
        self.rated = named.get("rated", np.zeros((4, len(self.hidden_bias))))
        self.known = {user: [i for u, i, _ in LEARNT + JUDGED if u == user] for user in range(4)}

    def minus_energy(self, user: int, films: dict[int, int], h: np.ndarray) -> float:
        found = self.hidden_bias @ h + sum(self.rated[i] @ h for i in self.known[user])
        return float(found + sum(self.bias[i, k] + self.weight[i, k] @ h for i, k in films.items()))

    def states(self) -> list[np.ndarray]:
        return [np.array(h) for h in itertools.product((0, 1), repeat=len(self.hidden_bias))]

    def free_energy(self, user: int, films: dict[int, int]) -> float:
        return -float(logsumexp([self.minus_energy(user, films, h) for h in self.states()]))

    def hidden_means(self, user: int, films: dict[int, int]) -> np.ndarray:
        logs = np.array([self.minus_energy(user, films, h) for h in self.states()])
        return np.exp(logs - logsumexp(logs)) @ np.array(self.states())

    def shares(self, item: int, means: np.ndarray) -> np.ndarray:
        logs = self.bias[item] + self.weight[item] @ means
        return np.exp(logs - logsumexp(logs))


def films_of(user: int) -> dict[int, int]:
    return {i: int(r) - 1 for u, i, r in LEARNT if u == user}


KINDS = [
    Machine(hidden=3, degree=-1, conditional=False),
    Machine(hidden=3, degree=1),
    Machine(hidden=3, degree=2, rank=2),
]


@pytest.mark.parametrize("how", KINDS, ids=["free", "conditional", "factored"])
def test_free_energies_and_predictions_are_those_of_enumeration(how: Machine) -> None:
    machine, seen = small(how)
    plain = Plain(machine)
    expected = [plain.free_energy(user, films_of(user)) for user in range(4)]
    np.testing.assert_allclose(machine.free_energy(seen).detach(), expected, rtol=1e-9)
    users, items = (torch.tensor(column) for column in list(zip(*JUDGED, strict=True))[:2])
    found = machine.visible.mean(machine.prediction_input(seen, users, items)).detach()
    own = [plain.shares(item, plain.hidden_means(user, films_of(user))) for user, item, _ in JUDGED]
    np.testing.assert_allclose(found, own, rtol=1e-9)
    others = []
    for user, item, _ in LEARNT:
        films = {i: k for i, k in films_of(user).items() if i != item}
        others.append(plain.shares(item, plain.hidden_means(user, films)))
    np.testing.assert_allclose(machine.visible.mean(machine.without_itself(seen)).detach(), others, rtol=1e-9)
    loss = predictive(machine)(seen, torch.Generator()).item()
    assert loss == pytest.approx(-sum(math.log(p[int(r) - 1]) for p, (_, _, r) in zip(others, LEARNT, strict=True)), rel=1e-6)


def test_the_gradient_is_the_library_s_with_absent_units() -> None:
    """Of the free energy, for whole weights: that of an `hm.RBM` over all items in which the units of others are absent."""
    machine, seen = small(KINDS[0])
    plain = Plain(machine)
    rbm = hm.RBM(hm.Softmax(4, categories=3), hm.Bernoulli(3)).double()
    rbm.coupling.weight.data = torch.from_numpy(plain.weight).flatten(0, 1)
    rbm.visible.bias.data = torch.from_numpy(plain.bias).flatten()
    rbm.hidden.bias.data = torch.from_numpy(plain.hidden_bias)
    v, present = torch.zeros(4, 12).double(), torch.zeros(4, 4, dtype=torch.bool)
    for user, item, rating in LEARNT:
        v[user, 3 * item + int(rating) - 1], present[user, item] = 1.0, True
    given = hm.Given(present=present.repeat_interleave(3, 1))
    np.testing.assert_allclose(machine.free_energy(seen).detach(), rbm.free_energy(v, given).detach(), rtol=1e-9)
    rbm.accumulate_gradient(rbm.infer(v, given), fresh=True, given=given)
    machine.free_energy(seen).sum().backward()  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(machine.own.grad.to_dense().reshape(12, 3), rbm.coupling.weight.grad, atol=1e-9)
    np.testing.assert_allclose(machine.bias.grad.to_dense().flatten(), rbm.visible.bias.grad, atol=1e-9)
    np.testing.assert_allclose(machine.hidden.bias.grad, rbm.hidden.bias.grad, atol=1e-9)
    np.testing.assert_allclose(machine.common.grad, rbm.coupling.weight.grad.reshape(4, 3, 3).sum(0), atol=1e-9)


def test_contrastive_divergence_is_unbiased_where_its_chains_are_long() -> None:
    """Its mean gradient is that of -log p by enumeration, of every rating a user may give to the films that it has rated."""
    machine, seen = small(KINDS[1])
    machine.rated.data *= 0.3
    machine.own.data *= 0.3
    machine.common.data *= 0.3
    plain = Plain(machine)
    expected = np.zeros((4, 3))
    for user in range(4):
        films = films_of(user)
        ways = [dict(zip(films, kinds, strict=True)) for kinds in itertools.product(range(3), repeat=len(films))]
        logs = np.array([-plain.free_energy(user, way) for way in ways])
        for way, p in zip(ways, np.exp(logs - logsumexp(logs)), strict=True):
            for item, kind in way.items():
                expected[item, kind] += p
        for item, kind in films.items():
            expected[item, kind] -= 1
    generator, draws = torch.Generator().manual_seed(0), []
    for _ in range(100):
        machine.zero_grad()
        contrastive(machine, 15)(seen, generator).backward()  # type: ignore[no-untyped-call]
        draws.append(machine.bias.grad.to_dense().numpy())
    error = np.std(draws, axis=0) / math.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - expected) < 4 * error + 1e-9).all()


def test_gaussian_units_are_those_of_the_library() -> None:
    machine = made(Machine(hidden=3, variance=0.7), standardised(torch.tensor([1.0, 2.0, 4.0])), 4, seed=0).double()
    machine.bias.data = torch.randn(4, 1, generator=torch.Generator().manual_seed(2)).double()
    measure = standardised(torch.tensor([r for _, _, r in LEARNT]))
    seen = rated(table(LEARNT), table(JUDGED), measure)
    seen = seen._replace(states=seen.states.double())
    rbm = hm.RBM(hm.Gaussian(4, variance=0.7), hm.Bernoulli(3)).double()
    rbm.coupling.weight.data = machine.own.data + machine.common.data
    rbm.visible.bias.data = machine.bias.data.flatten()
    v, present = torch.zeros(4, 4).double(), torch.zeros(4, 4, dtype=torch.bool)
    v[seen.case, seen.item], present[seen.case, seen.item] = seen.states.flatten(), True
    given = hm.Given(present=present)
    np.testing.assert_allclose(measure.ratings(seen.states.float()), table(LEARNT).values, atol=1e-6)
    # the two energies differ by a term of the biases alone, which no gradient of contrastive divergence contains
    apart = (machine.bias.data[seen.item].squeeze(1) ** 2 / (2 * machine.visible.log_variance.exp())).detach()
    constant = torch.zeros(4).double().index_add(0, seen.case, apart)
    np.testing.assert_allclose(machine.free_energy(seen).detach() + constant, rbm.free_energy(v, given).detach(), atol=1e-6)
    means = rbm.visible_mean(rbm.hidden_mean(v, given)).detach()
    input = machine.prediction_input(seen, torch.tensor([0, 1]), torch.tensor([3, 0]))
    np.testing.assert_allclose(machine.visible.mean(input).squeeze(1).detach(), means[[0, 1], [3, 0]], atol=1e-6)


def test_only_rows_of_rated_items_are_touched() -> None:
    machine, seen = small(KINDS[1])
    part = seen.of(torch.tensor([3, 1]))
    assert part.case.tolist() == [0, 1, 1, 1]
    assert part.item.tolist() == [0, 1, 2, 3]
    assert part.known_case.tolist() == [0, 1, 1, 1, 1]
    only = seen.of(torch.tensor([3]))
    predictive(machine)(only, torch.Generator()).backward()  # type: ignore[no-untyped-call]
    for parameter in machine.rows.values():
        assert parameter.grad.is_sparse
        assert set(parameter.grad.coalesce().indices().flatten().tolist()) == {0}
    counts = torch.tensor([2, 1, 1, 1])
    whole = sum(shrunk(machine.bias, items, counts, 3.0) for items in (torch.tensor([0, 1]), torch.tensor([0, 2, 3])))
    assert whole.item() == pytest.approx(1.5 * machine.bias.square().sum().item())


def test_biases_begin_at_shrunk_shares() -> None:
    machine, seen = small(KINDS[1])
    start(machine, seen, prior=2.0)
    shares = np.array([2, 2, 2]) / 6
    for item in range(4):
        own = np.array([sum(i == item and r == k for _, i, r in LEARNT) for k in (1.0, 2.0, 3.0)])
        expected = (own + 2 * shares) / (own.sum() + 2)
        np.testing.assert_allclose(torch.softmax(machine.bias[item] + machine.visible.bias, 0).detach(), expected, atol=1e-6)


@pytest.mark.parametrize(
    "how", [Machine(hidden=5), Machine(by_items=False, hidden=5, variance=0.5), Machine(hidden=5, gaussian_hidden=True)]
)
def test_machines_learn_what_biases_cannot(how: Machine) -> None:
    """Ratings of two kinds of users, who like opposite halves of the films: 4 and 2 stars with little noise."""
    generator = torch.Generator().manual_seed(0)
    pairs = (torch.rand(60, 40, generator=generator) < 0.5).nonzero()
    alike = (pairs[:, 0] % 2 == pairs[:, 1] % 2).float()
    values = (2 + 2 * alike + (torch.rand(len(pairs), generator=generator) < 0.1).float()).clamp(1, 5)
    whole = Ratings(pairs[:, 0], pairs[:, 1], values, tuple(map(str, range(60))), tuple(map(str, range(40))), Scale(1.0, 5.0, 1.0))
    learnt, judged = whole.split(0)
    seen: list[tuple[str, int]] = []
    how = Machine(**{**vars(how), "learning": Learning(contrastive=3, predictive=12, batch=4, rate=0.05)})
    _, found = learn_and_predict(how, learnt, judged, 1, lambda part, epoch, *figures: seen.append((part, epoch)))
    by = baselines(learnt, judged, Factorisation(rank=2, ridge=1.0), 0)
    assert rmse(by["bias"], judged.values) > 0.9
    assert rmse(found.mean, judged.values) < 0.5
    assert rmse(by["mf"], judged.values) < 0.5
    assert rmse(found.mode, judged.values) < 0.6
    assert seen == [("contrastive divergence", n) for n in (1, 2, 3)] + [("prediction", n) for n in range(1, 13)]


def test_the_same_seed_gives_the_same_bits() -> None:
    learnt, judged = generated(30, 20, 300, seed=0).split(1)
    how = Machine(hidden=3, rank=2, learning=Learning(contrastive=1, predictive=1, batch=8))
    one, other, third = (learn_and_predict(how, learnt, judged, seed, lambda *figures: None)[1] for seed in (1, 1, 2))
    assert torch.equal(one.mean, other.mean)
    assert not torch.equal(one.mean, third.mean)


def test_a_precision_reaches_the_products_and_nothing_else() -> None:
    """Factors of 8 binary digits: other bits, predictions that differ by less than such a factor's last digit, parameters in float32."""
    learnt, judged = generated(60, 40, 1200, seed=0).split(1)
    how = Machine(hidden=4, degree=2, rank=2, learning=Learning(contrastive=0, predictive=2, batch=16))
    full, short = (
        learn_and_predict(how, learnt, judged, 1, lambda *figures: None, precision=precision) for precision in ("float32", "bfloat16")
    )
    assert not torch.equal(full[1].mean, short[1].mean)
    torch.testing.assert_close(full[1].mean, short[1].mean, atol=0.05, rtol=0)
    assert {each.dtype for each in short[0].parameters()} == {torch.float32}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that PyTorch sees")
def test_a_gpu_learns_the_same() -> None:
    """Prediction draws the order of cases alone: batches of all cases leave nothing to draw."""
    learnt, judged = generated(60, 40, 1200, seed=0).split(1)
    how = Machine(hidden=4, learning=Learning(contrastive=0, predictive=3, batch=60))
    here, there = (learn_and_predict(how, learnt, judged, 1, lambda *figures: None, device=device) for device in ("cpu", "cuda"))
    assert next(there[0].parameters()).is_cuda
    torch.testing.assert_close(here[1].mean, there[1].mean, atol=1e-3, rtol=0)


def test_baselines_are_those_of_plain_loops() -> None:
    learnt, judged = generated(30, 20, 300, seed=0).split(1)
    how = Factorisation(user_ridge=2.0, item_ridge=3.0, rank=3, ridge=1.5, sweeps=60)
    mean, users, items = biases(learnt, how)
    for place in range(20):
        left = [r - mean - users[u] for u, i, r in zip(learnt.users, learnt.items, learnt.values.double(), strict=True) if i == place]
        assert items[place].item() == pytest.approx(sum(left, torch.zeros(())).item() / (len(left) + 3.0), abs=1e-6)
    other = np.random.default_rng(0).standard_normal((20, 3))
    found = least_squares(learnt.to_csr(), other, 1.5)
    for user in range(30):
        mine = learnt.users == user
        expected = np.zeros(3)
        if mine.any():
            expected = Ridge(alpha=1.5, fit_intercept=False).fit(other[learnt.items[mine].numpy()], learnt.values[mine].numpy()).coef_
        np.testing.assert_allclose(found[user], expected, atol=1e-8)
    by = baselines(learnt, judged, how, 0)
    assert by["bias"].min() >= 1
    assert by["bias"].max() <= 5


def test_bins_have_equal_shares_and_their_means() -> None:
    values = torch.rand(1000, generator=torch.Generator().manual_seed(0)) ** 2
    measure = by_bins(values, 4)
    states = measure.states(values)
    assert (states.sum(0) - 250).abs().max() <= 1
    assert measure.ratings(states).mean().item() == pytest.approx(values.mean().item(), abs=1e-5)
    basis = basis_of(Machine(degree=2), 5).double()
    np.testing.assert_allclose(basis @ basis.T, 5 * torch.eye(3), atol=1e-5)
    assert np.linalg.matrix_rank(torch.cat([basis, torch.arange(5).double()[None] ** 2])) == 3


def test_areas_left_out_are_named_by_score() -> None:
    rows = np.zeros((300, 6), np.float32)
    rows[:, 2] = 1
    rows[::2, 4] = rows[::3, 5] = 1
    seen, left_out = without_one(Visits(sparse.csr_array(rows), sparse.csr_array(rows), []), 0)
    assert len(seen) == 200
    assert bool((seen.gather(1, left_out[:, None]) == 0).all())
    assert torch.equal(seen.scatter(1, left_out[:, None], 1.0), torch.from_numpy(rows[rows.sum(1) > 1]))
    scores = torch.tensor([[9.0, 1.0, 8.0, 7.0]])
    assert hits(scores, torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([3]), 1).tolist() == [False]
    assert hits(scores, torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([3]), 2).tolist() == [True]


def test_a_smoke_run_goes_through_every_step_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = RatingsRecipe(out=tmp_path / "run", smoke=True, threads=1)
    run = Run.begin("ratings", options)
    results = options.run(run)
    assert results["setting"] == "smoke"
    for word, own in (("ml_latest_small", "items"), ("jester5k", "users")):
        rows = results["rows"][word.replace("_", "-") if "ml" in word else word]
        assert len(rows) == 2
        values = [row[f"rmse_{own}"] for row in rows]
        assert results["metrics"][f"rmse_{word}"]["value"] == pytest.approx(np.mean(values))
        assert results["metrics"][f"rmse_{word}_standard_error"]["value"] == pytest.approx(np.std(values, ddof=1) / math.sqrt(2))
        gains = [100 * (1 - row[f"rmse_{own}"] / row["rmse_bias"]) for row in rows]
        assert results["metrics"][f"percent_better_than_bias_{word}"]["value"] == pytest.approx(np.mean(gains))
    page = (run.folder / "report.html").read_text()
    assert all(words in page for words in ("RBM per film", "matrix factorisation", "Films that are alike", "Learning of jester5k"))

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("what is finished was learnt again")

    monkeypatch.setattr(judged_splits, "learn_and_predict", never)
    monkeypatch.setattr(judged_splits, "baselines", never)
    assert options.run(Run.open(run.folder))["metrics"] == results["metrics"]


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="there is a split and a hidden unit at least, found Ratings"):
        RatingsRecipe(splits=0)
    assert RatingsRecipe(choosing=True, quick=True).setting == "quick, choosing"
    assert RatingsRecipe(quick=True).plan().splits == 1
