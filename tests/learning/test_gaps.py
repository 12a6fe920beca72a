"""Learning from data with gaps: absent units take no part in their case, missing values are averaged over."""

import math
from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning import Positive
from harmonium.learning.cases import for_base_rates
from harmonium.learning.loop import metrics
from harmonium.sampling.clamped import draw_missing
from harmonium.units import NOTHING, Given
from tests import gapped, oracle
from tests.learning.signal import contrastive_gradient
from tests.learning.test_exact_gradient import Fixed
from tests.models.machines import close, machine, named, plain, samples

NAN = math.nan
SETTINGS = {"epochs": 3, "batch_size": 7, "progress": False}


def gradients(rbm):
    return {name: parameter.grad.clone() for name, parameter in rbm.named_parameters()}


def holed(v, gaps):
    return torch.tensor(np.where(gaps, NAN, v))


# Absent ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["bernoulli", "softmax"])
@pytest.mark.parametrize("visible", gapped.KINDS)
def test_data_minus_model_is_the_slope_of_log_p_given_the_mask(visible, hidden):
    """Every case's particles are all states of the units that it has, with their exact probabilities; against finite differences."""
    cases, rbm = 4, machine(visible, hidden, seed=6)
    exact, v = plain(rbm), samples(rbm.visible, cases, 1)
    gaps = gapped.mask(exact, cases, 2)
    gaps[1] = gaps[2]  # a case without any unit has no slope, and the oracle no machine for it
    given = Given(torch.tensor(~gaps))
    rbm.accumulate_gradient(rbm.infer(holed(v, gaps), given), scale=1 / cases, fresh=True, given=given)
    for gap in gaps:
        states, p = oracle.visible_distribution(oracle.without(exact, ~gap))
        rows = np.full((len(states), len(gap)), NAN)
        rows[:, ~gap] = states
        present = Given(torch.tensor(~gap).expand(len(states), -1))
        phase = rbm.infer(torch.tensor(rows), present)
        rbm.accumulate_gradient(phase, weights=torch.tensor(p), scale=-1 / cases, given=present)

    def average(moved):
        rows = zip(v, gaps, strict=True)
        return sum(oracle.log_likelihood(oracle.without(moved, ~gap), row[None, ~gap])[0] for row, gap in rows) / cases

    for key, slope in oracle.numerical_gradient(exact, average).items():
        if named(rbm, key) is not None:
            close(named(rbm, key).grad, -slope)


def test_contrastive_divergence_reconstructs_with_each_case_s_own_mask():
    """Its expected gradient on the weights, by listing both steps of the chain on the machine without the absent units."""
    rbm, copies = machine("bernoulli", "bernoulli", seed=2, size=1.5), 20000
    v, gaps = np.array([[1.0, 0, 1], [0, 1, 1]]), np.array([[False, True, False], [False, False, True]])
    rows, present = holed(v, gaps).repeat(copies, 1), torch.tensor(~gaps).repeat(copies, 1)
    contrastive_gradient(rbm, rows, None, hm.ContrastiveDivergence(), given=Given(present))
    found, expected, variance = rbm.coupling.weight.grad.numpy(), np.zeros((3, 3)), np.zeros((3, 3))
    for row, gap in zip(v, gaps, strict=True):
        small = oracle.without(plain(rbm), ~gap)
        h, up = oracle.conditional(small, row[None, ~gap])
        states, down = oracle.conditional(small.flipped(), h)
        chance = (up @ down)[0]
        signal = states[:, :, None] * oracle.hidden_moments(small, states)[0][:, None, :]  # of each state that may come back
        mean = np.einsum("s,sij->ij", chance, signal)
        expected[~gap] += (mean - np.outer(row[~gap], oracle.hidden_moments(small, row[None, ~gap])[0][0])) / 2
        variance[~gap] += (np.einsum("s,sij->ij", chance, signal**2) - mean**2) / 4
    assert (np.abs(found - expected) < 4 * np.sqrt(variance / copies)).all()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("reconstruction", ["sample", "mean"])
@pytest.mark.parametrize("visible", ["bernoulli", "softmax", "learnt_gaussian", "bernoulli_softmax"])
def test_a_unit_that_is_always_absent_learns_nothing(visible, reconstruction, steps):
    rbm = machine(visible, "bernoulli")
    gaps = np.zeros((5, rbm.visible.shape[0]), dtype=bool)
    gaps[:, -3 if "softmax" in visible else -1 :] = True
    negative, given = hm.ContrastiveDivergence(steps=steps, reconstruction=reconstruction), Given(torch.tensor(~gaps))
    v = holed(samples(rbm.visible, 5, 0), gaps)
    positive = Positive(rbm.infer(v, given), 0.2, 1.0, given)
    particles = negative.particles(rbm, positive, {}, generator=torch.Generator().manual_seed(0))
    assert particles.any()
    assert not particles[torch.tensor(gaps)].any()
    contrastive_gradient(rbm, v, None, negative, given=given)
    found, gap = gradients(rbm), torch.tensor(gaps[0])
    assert all(torch.isfinite(gradient).all() for gradient in found.values())
    biases = torch.cat([gradient for name, gradient in found.items() if name.startswith("visible") and name.endswith("bias")])
    for gradient in (found["coupling.weight"], biases, found.get("visible.log_variance", biases)):
        assert gradient[~gap].any()
        assert not gradient[gap].any()


@pytest.mark.parametrize("kind", [hm.Bernoulli, partial(hm.Gaussian, learn_variance=True)])
def test_a_unit_that_is_always_absent_stays_as_it_was(kind):
    rbm = hm.RBM(kind(4), hm.Bernoulli(3), seed=1)
    before = rbm.coupling.weight.detach().clone()
    data = torch.tensor(samples(hm.Bernoulli(4), 30, 0)).float()
    data[:, 2] = NAN
    hm.fit(rbm, data, given=Given(~data.isnan()), standardise=False, optimizer=partial(torch.optim.SGD, lr=0.1), **SETTINGS)
    assert torch.equal(rbm.coupling.weight[2], before[2])
    assert rbm.visible.bias[2].item() == 0
    assert not torch.equal(rbm.coupling.weight[1], before[1])


# Missing -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "bernoulli"), ("softmax", "softmax"), ("gaussian_bernoulli", "bernoulli")])
def test_the_positive_phase_is_the_average_over_the_posterior(visible, hidden):
    """Of p(v_missing | v_seen), listed: four standard errors of <∂E/∂θ>_data over many copies of a case."""
    rbm, copies = machine(visible, hidden, seed=3, size=1.2), 5000
    v, gaps = samples(rbm.visible, 1, 1)[0], gapped.mask(plain(rbm), 20, 4)
    gaps = next(row for row in gaps if row.any() and not row.all())
    side = Given(missing=torch.tensor(gaps).expand(copies, -1))
    filled, rest = draw_missing(rbm, holed(v, gaps).expand(copies, -1), side, steps=40, generator=torch.Generator().manual_seed(1))
    assert all(field is None for field in vars(rest).values())
    rows, p = gapped.posterior(plain(rbm), v, gaps)

    def slopes(states):
        """∂F/∂θ of each state, (states, parameters)."""
        found = []
        for row in torch.tensor(states)[:, None]:
            rbm.accumulate_gradient(rbm.infer(row), fresh=True)
            found.append(torch.cat([parameter.grad.flatten() for parameter in rbm.parameters()]))
        return torch.stack(found).numpy()

    exact = slopes(rows)
    mean = p @ exact
    rbm.accumulate_gradient(rbm.infer(filled), scale=1 / copies, fresh=True)
    found = torch.cat([parameter.grad.flatten() for parameter in rbm.parameters()]).numpy()
    assert (np.abs(found - mean) <= 4 * np.sqrt(p @ (exact - mean) ** 2 / copies) + 1e-9).all()
    # And no state that was seen is touched, nor its particles' mask.
    assert (filled.numpy()[:, ~gaps] == v[~gaps]).all()


def teacher():
    """Draws from a machine of six visible and three hidden units with strong weights, to learn from and held out, and its own figure."""
    draw = np.random.default_rng(4)
    exact = oracle.Machine(*((oracle.Part("bernoulli", np.zeros(n)),) for n in (6, 3)), draw.normal(size=(6, 3)) * 2)
    exact = oracle.with_parameter(exact, ("visible", 0, "bias"), -exact.weight.sum(1) / 2 + draw.normal(size=6) * 0.3)
    exact = oracle.with_parameter(exact, ("hidden", 0, "bias"), -exact.weight.sum(0) / 2)
    states, p = oracle.visible_distribution(exact)
    drawn = states[draw.choice(len(states), 1600, p=p / p.sum())]
    return torch.tensor(drawn[:600]).float(), torch.tensor(drawn[600:]).float(), oracle.log_likelihood(exact, drawn[600:]).mean()


@pytest.mark.parametrize("negative", [hm.PersistentCD(chains=100), hm.ContrastiveDivergence(steps=5)])
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_missing_values_are_learnt_around(negative):
    """With 30 % missing at random, most of what complete data teach beyond base rates is learnt; gaps filled by zeros teach worse."""
    data, held_out, own = teacher()
    missing = torch.rand(data.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    reached = {}
    for name, rows, given in (
        ("complete", data, NOTHING),
        ("missing", torch.where(missing, NAN, data), Given(missing=missing)),
        ("zeros", torch.where(missing, 0.0, data), NOTHING),
    ):
        rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5), seed=1)
        rbm.coupling.weight.data *= 10
        settings = {"epochs": 80, "batch_size": 150, "optimizer": partial(torch.optim.SGD, lr=0.3), "progress": False}
        hm.fit(rbm, rows, given=given, negative=negative, **settings)
        reached[name] = hm.likelihood.log_likelihood(rbm, held_out, log_z=hm.likelihood.exact_log_z(rbm)).mean().item()
    base = data.mean(0)
    rates = (held_out * base.log() + (1 - held_out) * (1 - base).log()).sum(1).mean().item()
    assert reached["complete"] <= own + 0.02
    assert reached["missing"] > rates + 0.85 * (reached["complete"] - rates)
    assert reached["missing"] > reached["zeros"] + 0.2


# Both --------------------------------------------------------------------------------------------------------------------------


def rows_and_mask(cases=40):
    v = torch.tensor(samples(hm.Bernoulli(5), cases, 3)).float()
    return v, torch.rand(v.shape, generator=torch.Generator().manual_seed(1)) < 0.3


class Rows:
    """A source of ready-made rows."""

    def __init__(self, rows):
        self.held = torch.as_tensor(rows)

    def __len__(self):
        return len(self.held)

    def rows(self, indices, generator):
        return self.held[indices]


def learnt(data, *, visible=None, **settings):
    """The same rate throughout, whatever the length."""
    rbm = hm.RBM(visible or hm.Bernoulli(5), hm.Bernoulli(3), seed=1)
    hm.fit(rbm, data, **{"optimizer": partial(hm.MomentumSGD, lr=0.01, momentum=0.9), **SETTINGS, **settings})
    return rbm.state_dict()


def same(found, expected):
    assert all(torch.equal(found[name], expected[name]) for name in expected)


kinds = pytest.mark.parametrize("kind", ["present", "missing"])


def side(kind, gaps):
    return Given(**{kind: ~gaps if kind == "present" else gaps})


@kinds
def test_what_stands_in_a_gap_is_never_read(kind):
    v, gaps = rows_and_mask()
    given, nan = side(kind, gaps), torch.where(gaps, NAN, v)
    expected = learnt(torch.where(gaps, 1 - v, v), given=given)
    assert all(torch.isfinite(value).all() for value in expected.values())
    assert not torch.equal(learnt(v)["coupling.weight"], expected["coupling.weight"])
    for data in (nan, nan.double().numpy(), Rows(nan), torch.where(gaps, 9, v).to(torch.uint8), v.bool()):
        same(learnt(data, given=given), expected)
    masks = (gaps if kind == "missing" else ~gaps).to(torch.uint8)
    same(learnt(nan, given=Given(**{kind: masks})), expected)
    same(learnt(nan, given=Given(**{kind: masks.numpy()})), expected)


@kinds
def test_grey_bytes_with_gaps(kind):
    v, gaps = rows_and_mask()
    grey = (v * 200).to(torch.uint8)
    visible = partial(hm.Bernoulli, 5, values="probabilities")
    found = learnt(grey, visible=visible(), given=side(kind, gaps))
    expected = learnt(torch.where(gaps, NAN, v * 200 / 255), visible=visible(), given=side(kind, gaps))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@kinds
def test_resampled_images_with_gaps(kind):
    v, gaps = rows_and_mask()
    found = learnt(hm.data.binarise((v * 200).to(torch.uint8), "resampled"), given=side(kind, gaps))
    assert all(torch.isfinite(value).all() for value in found.values())


@pytest.mark.parametrize("kind", ["present", "missing", "none"])
def test_a_row_of_weight_two_is_the_row_twice_with_its_gaps(kind):
    rbm = machine("bernoulli", "bernoulli")
    v, particles = (torch.tensor(samples(rbm.visible, 4, seed)) for seed in (1, 2))
    gaps = torch.tensor(gapped.mask(plain(rbm), 4, 2))
    twice = torch.tensor([0, 1, 1, 2, 3])
    given = side("present", gaps) if kind == "present" else NOTHING
    found = []
    for rows, weights in ((torch.arange(4), torch.tensor([1.0, 2, 1, 1], dtype=torch.float64)), (twice, None)):
        beside = given.rows(rows)
        contrastive_gradient(rbm, v[rows], weights, Fixed(particles[rows], paired=True), given=beside)
        found.append(gradients(rbm))
    for name, value in found[0].items():
        close(value, found[1][name], 1e-12)


@kinds
def test_weights_and_gaps_together(kind):
    """Rows of no weight, whatever their values and gaps, teach nothing: not to begin with, nor later."""
    v, gaps = rows_and_mask()
    weights = torch.ones(40)
    weights[::2] = 0
    changed, other = v.clone(), gaps.clone()
    changed[::2], other[::2] = 1 - v[::2], ~gaps[::2]
    settings = {"sample_weight": weights, "epochs": 0}
    same(learnt(v, given=side(kind, gaps), **settings), learnt(changed, given=side(kind, other), **settings))
    if kind == "present":  # the same draws are then made of the rows that count
        settings = {"sample_weight": weights, "batch_size": 40}
        found, expected = learnt(v, given=side(kind, gaps), **settings), learnt(changed, given=side(kind, other), **settings)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value)


@kinds
@pytest.mark.parametrize("source", [False, True])
def test_learning_goes_on_from_a_checkpoint_to_the_same_bits(kind, source, tmp_path):
    v, gaps = rows_and_mask()
    nan = torch.where(gaps, NAN, v)
    data, given = Rows(nan) if source else nan, side(kind, gaps)
    whole = learnt(data, given=given, epochs=6, validation=nan, validation_given=given)
    path = tmp_path / "state"
    learnt(data, given=given, epochs=2, checkpoint=path)
    same(learnt(data, given=given, epochs=6, checkpoint=path), whole)
    with pytest.raises(ValueError, match="was made with given="):
        learnt(v, epochs=6, checkpoint=path)
    if kind == "missing":
        with pytest.raises(ValueError, match="sweeps=5"):
            learnt(data, given=given, epochs=6, sweeps=2, checkpoint=path)


V, GAPS = rows_and_mask()
REFUSED = {
    "too few rows": (V, {"given": Given(GAPS[:39])}, r"given\.present must have.*\(40, 5\), found \(39, 5\)"),
    "too narrow": (V, {"given": Given(missing=GAPS[:, :4])}, r"given\.missing must have.*\(40, 5\), found \(40, 4\)"),
    "one mask for all": (V, {"given": Given(GAPS[0])}, r"found \(5,\)"),
    "one column": (V, {"given": Given(missing=GAPS[:, :1])}, r"found \(40, 1\)"),
    "of a source": (Rows(V), {"given": Given(GAPS[:, :4])}, r"given\.present must have.*found \(40, 4\)"),
    "of a source, too few": (Rows(V), {"given": Given(missing=GAPS[:39])}, r"given\.missing must have.*found \(39, 5\)"),
    "not of ones and zeros": (V, {"given": Given(GAPS * 0.5)}, "ones and zeros"),
    "of nan": (V, {"given": Given(torch.where(GAPS, NAN, 1.0))}, "ones and zeros"),
    "an iterable": ([V], {"given": Given(GAPS)}, "tensor, array or Source"),
    "nan outside the gaps": (torch.where(GAPS, V, NAN), {"given": Given(missing=GAPS)}, "NaN"),
    "nan outside the gaps of a source": (Rows(torch.where(GAPS, V, NAN)), {"given": Given(missing=GAPS)}, "NaN"),
    "grey outside the gaps": (torch.where(GAPS, V, 0.3), {"given": Given(missing=GAPS)}, r"0\.3"),
    "persistent chains with absent units": (V, {"given": Given(GAPS), "negative": hm.PersistentCD(chains=3)}, "ContrastiveDivergence"),
    "no sweep": (V, {"given": Given(missing=GAPS), "sweeps": 0}, "sweeps=0"),
    "of validation": (V, {"validation": V, "validation_given": Given(GAPS[:3])}, r"\(40, 5\), found \(3, 5\)"),
    "nan in validation": (V, {"validation": torch.where(GAPS, NAN, V)}, "NaN"),
    "validation as an iterable": (V, {"validation": [V]}, "validation takes"),
    "an infinite context": (V, {"given": Given(context=torch.full((40, 2), NAN))}, r"given\.context must be finite"),
}


@pytest.mark.parametrize(("data", "settings", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_any_parameter_changes(data, settings, message):
    rbm = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(3), seed=1)
    before = {name: value.clone() for name, value in rbm.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        hm.fit(rbm, data, **{**SETTINGS, **settings})
    same(rbm.state_dict(), before)


def test_both_kinds_of_gap_at_once():
    with pytest.raises(ValueError, match="one of the two masks"):
        Given(present=GAPS, missing=GAPS)


@kinds
def test_part_of_a_softmax_group(kind):
    rbm = hm.RBM(hm.Softmax(2, categories=3), hm.Bernoulli(3))
    mask = torch.tensor([[True, False, False, True, True, True]])
    with pytest.raises(ValueError, match="softmax group"):
        hm.fit(rbm, torch.tensor([[1.0, 0, 0, 1, 0, 0]]), given=Given(**{kind: mask}), **SETTINGS)


# What is shown, and where learning starts -----------------------------------------------------------------------------------------


def figures(given=NOTHING, validation_given=NOTHING, data=V, validation=V):
    rbm = machine("bernoulli", "bernoulli", seed=2)
    rows, held = data[:, :3].double(), None if validation is None else validation[:, :3].double()
    generator = torch.Generator().manual_seed(0)
    return rbm, metrics.rbm_metrics(rbm, rows, held, generator=generator, given=given, validation_given=validation_given)


def test_figures_with_absent_units():
    gaps = GAPS[:, :3]
    rbm, found = figures(Given(~gaps), data=torch.where(GAPS, NAN, V))
    errors = []
    for row, gap in zip(V[:, :3].numpy().astype(float), gaps.numpy(), strict=True):
        small = oracle.without(plain(rbm), ~gap)
        if not gap.all():
            mean = oracle.hidden_moments(small, row[None, ~gap])[0]
            errors.append(((oracle.hidden_moments(small.flipped(), mean)[0] - row[~gap]) ** 2).sum())
    assert found["reconstruction_error"] == pytest.approx(sum(errors) / len(V), abs=1e-9)
    assert "pseudo_likelihood" in found  # whose expectation is tested beside it
    assert "free_energy_gap" not in found  # no Z cancels where each case has its own


def test_figures_with_missing_values():
    """The error is that of what was seen; what would need a sum over the missing values is not shown."""
    gaps = GAPS[:, :3]
    none, rows = torch.zeros_like(gaps), torch.where(GAPS, NAN, V)
    _, found = figures(Given(missing=gaps), data=rows)
    assert set(found) == {"reconstruction_error", "dead", "saturated"}
    assert 0 < found["reconstruction_error"] < figures()[1]["reconstruction_error"]
    _, unharmed = figures(Given(missing=none), validation=None)
    assert unharmed["reconstruction_error"] == pytest.approx(figures()[1]["reconstruction_error"], abs=1e-12)
    assert figures(Given(missing=~none), data=rows)[1]["reconstruction_error"] == 0
    assert "free_energy_gap" not in figures(validation_given=Given(missing=gaps), validation=rows)[1]
    assert "free_energy_gap" in figures()[1]


@kinds
def test_biases_and_variances_start_at_what_was_seen(kind):
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(4000, 3, generator=draw) * torch.tensor([1.0, 3.0, 0.5]) + torch.tensor([2.0, 0.0, -1.0])
    gaps = torch.rand(rows.shape, generator=draw) < torch.tensor([0.1, 0.9, 0.5])
    rbm = hm.RBM(hm.Gaussian(3, learn_variance=True), hm.Bernoulli(2))
    hm.fit(rbm, torch.where(gaps, NAN, rows), given=side(kind, gaps), epochs=0)
    for place in range(3):
        seen = rows[~gaps[:, place], place]
        assert rbm.visible.bias[place].item() == pytest.approx(seen.mean().item(), abs=0.02)
        assert rbm.visible.log_variance[place].exp().item() == pytest.approx(seen.var().item(), rel=0.02)


def test_base_rates_go_by_weight():
    """Two seen rows of weights 1 and 3 fill the gaps of the others, the heavier one three times as often; one hot stays one hot."""
    rows = torch.tensor([[NAN, NAN, NAN], [1.0, 0, NAN], [0, 1, NAN], [NAN, NAN, NAN], [NAN, NAN, NAN], [NAN, NAN, NAN]])
    weights = torch.tensor([0.0, 1.0, 3.0, 1.0, 3.0, 0.0])
    unit = hm.Groups(hm.Softmax(1, categories=2), hm.Bernoulli(1))
    found = for_base_rates(unit, rows, weights, Given(missing=rows.isnan()))
    assert found[1:5].tolist() == [[1, 0, 0.5], [0, 1, 0.5], [1, 0, 0.5], [0, 1, 0.5]]
    for row in found[[0, 5]]:  # of no weight, but never NaN
        assert row.tolist() in ([1, 0, 0.5], [0, 1, 0.5])
    unit.init_from(found, weights)
    torch.testing.assert_close(unit.parts[0].bias.softmax(0), torch.tensor([3.0, 7.0]) / 10)
