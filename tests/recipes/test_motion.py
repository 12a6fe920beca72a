"""The motion recipe: linear prediction against NumPy's least squares, machines against explicit loops, and every step on made-up walks."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import expit

from harmonium import cli
from harmonium.recipes.motion.conditional_layers import Learning, continued, features, first_layer, learn, mixture, second_layer
from harmonium.recipes.motion.judged_motion import errors, limits, metrics, nearest_neighbour, percent_in_range, seconds_of
from harmonium.recipes.motion.linear_prediction import autoregression, filled_in
from harmonium.recipes.motion.made_up_walk import made_up
from harmonium.recipes.motion.pictures import LEG, SIDE, drawn
from harmonium.recipes.motion.recipe import Motion
from harmonium.recipes.motion.settling import settle
from harmonium.recipes.motion.walks import Walks, divided, windows
from harmonium.runs.folder import Run


@pytest.fixture(scope="module")
def walks() -> Walks:
    return divided(made_up(), 45)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def least_squares(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Ridge as plain least squares with more rows; the last weight is the constant."""
    middle = x.mean(0)
    rows = np.concatenate([x - middle, math.sqrt(penalty * len(x)) * np.eye(x.shape[1])])
    weights = np.linalg.lstsq(rows, np.concatenate([y - y.mean(0), np.zeros((x.shape[1], y.shape[1]))]), rcond=None)[0]
    return np.concatenate([weights, (y.mean(0) - middle @ weights)[None]])


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_linear_prediction_is_least_squares(penalty: float) -> None:
    pieces = [noise(40, 3).cumsum(0), noise(30, 3, seed=1).cumsum(0)]
    found = autoregression(pieces, 2, penalty)
    x = np.concatenate([sliding_window_view(piece.numpy()[:-1], 2, axis=0).transpose(0, 2, 1).reshape(-1, 6) for piece in pieces])
    weights = least_squares(x.astype(float), np.concatenate([piece.numpy()[2:] for piece in pieces]).astype(float), penalty)
    np.testing.assert_allclose(np.vstack([found.weights, found.constant]), weights, atol=1e-8)

    window = pieces[0].numpy()[:5].astype(float)
    for frame in found.continued(pieces[0][None, :5], 4)[0].numpy():
        expected = np.append(window[-2:].ravel(), 1) @ weights
        np.testing.assert_allclose(frame, expected, rtol=1e-5, atol=1e-5)
        window = np.vstack([window, expected])


def test_missing_numbers_are_those_of_least_squares() -> None:
    piece, missing = noise(60, 4).cumsum(0), torch.tensor([False, True, False, True])
    found = filled_in([piece], 1, 0.1, piece[None, :1], piece[None, 1:4], missing)[0].numpy()
    rows = piece.numpy().astype(float)
    x = np.concatenate([rows[:-1], rows[1:][:, [0, 2]]], axis=1)
    weights = least_squares(x, rows[1:][:, [1, 3]], 0.1)
    before = rows[0]
    for time in range(3):
        expected = rows[time + 1].copy()
        expected[[1, 3]] = np.concatenate([before, expected[[0, 2]], [1]]) @ weights
        np.testing.assert_allclose(found[time], expected, rtol=1e-5, atol=1e-5)
        before = expected


def test_machines_go_on_as_an_explicit_loop_does() -> None:
    how = Learning(hidden=4)
    first = first_layer(3, how, 2, seed=0)
    second = second_layer(first, how, 1, seed=1)
    for number, rbm in enumerate((first, second)):
        for place, parameter in enumerate(rbm.parameters()):
            parameter.data = 0.4 * noise(*parameter.shape, seed=10 * number + place)
    past = noise(1, 5, 3)

    def of(rbm: torch.nn.Module) -> dict[str, np.ndarray]:
        return {name: each.detach().numpy() for name, each in rbm.named_parameters()}

    a, b = of(first), of(second)

    def up(p: dict[str, np.ndarray], v: np.ndarray, context: np.ndarray) -> np.ndarray:
        return expit(v @ p["coupling.coupling.weight"] + context @ p["coupling.dynamic.hidden"] + p["hidden.bias"])

    def down(p: dict[str, np.ndarray], h: np.ndarray, context: np.ndarray) -> np.ndarray:
        return h @ p["coupling.coupling.weight"].T + context @ p["coupling.dynamic.visible"] + p["visible.bias"]

    frames = list(past[0].numpy())
    hidden = [up(a, frames[t], np.concatenate(frames[t - 2 : t])) for t in range(2, 5)]
    np.testing.assert_allclose(features(first, past)[0], hidden, rtol=1e-5)
    for layers in ([first], [first, second]):
        frames, hidden = list(past[0].numpy()), hidden[:3]
        for found in continued(layers, past, 3, sweeps=2)[0].numpy():
            context, v = np.concatenate(frames[-2:]), frames[-1]
            for _ in range(2):
                v = down(a, up(a, v, context), context)
            if len(layers) == 2:
                x = up(a, v, context)
                for _ in range(2):
                    x = expit(down(b, up(b, x, hidden[-1]), hidden[-1]))
                v = down(a, x, context)
                hidden.append(up(a, v, context))
            np.testing.assert_allclose(found, v, rtol=1e-4, atol=1e-5)
            frames.append(v)


def test_a_mixture_goes_on_as_an_explicit_loop_does() -> None:
    """Every frame from each component's share and hidden means, by the energies of the paper with one autoregressive matrix."""
    how, parts = Learning(hidden=3), 2
    mixed = mixture(3, how, parts, 2, seed=0)
    for place, parameter in enumerate(mixed.parameters()):
        parameter.data = 0.4 * noise(*parameter.shape, seed=place)
    p = {name: each.detach().numpy() for name, each in mixed.named_parameters()}
    weight = p["coupling.coupling.weight"].reshape(3, parts, 4)
    past = noise(1, 4, 3, seed=9)
    frames = list(past[0].numpy())
    for found in continued([mixed], past, 3, sweeps=2)[0].numpy():
        context, v = np.concatenate(frames[-2:]), frames[-1]
        bias = (context @ p["coupling.dynamic.hidden"]).reshape(parts, 4) + p["hidden.bias"]
        for _ in range(2):
            height, means = [], []
            for k in range(parts):
                input = bias[k] + v @ weight[:, k]
                height.append(input[0] + np.log1p(np.exp(input[1:])).sum())
                means.append(expit(input[1:]))
            shares = np.exp(height) / np.exp(height).sum()
            v = context @ p["coupling.dynamic.visible"] + p["visible.bias"]
            v = v + sum(shares[k] * (weight[:, k, 0] + weight[:, k, 1:] @ means[k]) for k in range(parts))
        np.testing.assert_allclose(found, v, rtol=1e-4, atol=1e-5)
        frames.append(v)
    np.testing.assert_allclose(features(mixed, past)[0, :, :, 0].sum(1), 1, rtol=1e-6)  # the components' shares


def test_a_drawn_mixture_has_one_component_a_frame() -> None:
    """Two components that say opposite frames: a mean lies between, and a draw is one of them."""
    mixed = mixture(1, Learning(hidden=1), 2, 1, seed=0)
    for parameter in mixed.parameters():
        parameter.data.zero_()
    mixed.coupling.coupling.weight.data.view(1, 2, 2)[0, :, 0] = torch.tensor([5.0, -5.0])
    past = torch.zeros(200, 1, 1)
    drawn = continued([mixed], past, 1, sweeps=1, generator=torch.Generator().manual_seed(0))
    assert set(drawn.flatten().tolist()) == {5.0, -5.0}
    assert abs((drawn > 0).float().mean().item() - 0.5) < 4 * math.sqrt(0.25 / 200)
    assert continued([mixed], past, 1, sweeps=1).abs().max().item() < 1e-6


def test_what_is_known_stays_and_draws_come_from_the_generator() -> None:
    first = first_layer(3, Learning(hidden=4), 2, seed=0)
    past, shown, missing = noise(2, 4, 3), noise(2, 5, 3, seed=1), torch.tensor([False, True, False])
    found = continued([first], past, 5, shown=shown, missing=missing)
    assert torch.equal(found[..., ~missing], shown[..., ~missing])
    assert not torch.equal(found[..., missing], shown[..., missing])
    one, same, other = (continued([first], past, 5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_machine_of_a_wave_predicts_it(tmp_path: Path) -> None:
    """A sine with noise, of which two frames tell the next: the error comes near that of the noise, and far below the wave's variance."""
    time = torch.arange(300.0)
    wave = 1.3 * torch.stack([torch.sin(0.3 * time), torch.cos(0.3 * time)], dim=1) + 0.05 * noise(300, 2)
    rbm = first_layer(2, Learning(hidden=10), 2, seed=0)
    run = Run.begin("motion", Motion(out=tmp_path / "run"))
    learn(run, "wave", rbm, [wave], Learning(hidden=10, visits=60, copies=2, noise=0.1, learning_rate=0.01, autoregressive=1.0), seed=0)
    past, future, piece = windows([wave], 2, 1)
    assert errors(continued([rbm], past, 1), future, piece).by_step[0].item() < 0.02


def test_settled_biases_are_those_of_ridge_around_the_learnt_ones() -> None:
    """Without weights to hidden units: |frames - c A - b|² / n + p |A - learnt|² is least, where its gradient is zero."""
    piece, how, penalty = noise(80, 3).cumsum(0), Learning(hidden=4), 0.3
    rbm = first_layer(3, how, 2, seed=0)
    rbm.coupling.coupling.weight.data.zero_()
    learnt = rbm.coupling.dynamic["visible"].detach().clone().numpy()
    settle(rbm, [piece], penalty, 2)
    rows = piece.numpy().astype(float)
    context, frames = np.concatenate([rows[:-2], rows[1:-1]], axis=1), rows[2:]
    found = rbm.coupling.dynamic["visible"].detach().numpy()
    left = frames - context @ found - rbm.visible.bias.detach().numpy()
    np.testing.assert_allclose(left.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(context.T @ left / len(left), penalty * (found - learnt), atol=1e-4)


def test_a_settled_machine_errs_less_on_what_it_learnt(tmp_path: Path) -> None:
    wave = torch.stack([torch.sin(0.3 * torch.arange(200.0)), torch.cos(0.3 * torch.arange(200.0))], dim=1)
    rbm, how = first_layer(2, Learning(hidden=6), 2, seed=0), Learning(hidden=6, visits=3, copies=1)
    learn(Run.begin("motion", Motion(out=tmp_path / "run")), "wave", rbm, [wave], how, seed=0)
    past, future, piece = windows([wave], 2, 1)
    before = errors(continued([rbm], past, 1, sweeps=2), future, piece).by_step[0].item()
    settle(rbm, [wave], 0.01, 2)
    assert errors(continued([rbm], past, 1, sweeps=2), future, piece).by_step[0].item() < 0.3 * before


def test_pieces_are_standardised_by_what_is_learnt_from(walks: Walks) -> None:
    capture = made_up()
    frames = np.concatenate([each.numpy()[start : start + 300] for each in capture.sequences for start in (0, 500)])
    moving = frames.std(0) > 1e-3
    assert walks.columns.tolist() == np.flatnonzero(moving).tolist()
    np.testing.assert_allclose(torch.cat(walks.learnt).mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(torch.cat(walks.learnt).std(0, correction=0), 1, atol=1e-3)
    assert [len(each) for part in walks[:3] for each in part] == [300, 100, 300, 100, 100, 100, 100, 100]
    torch.testing.assert_close(walks.captured(walks.test[0]), capture.sequences[0][400:500], atol=2e-3, rtol=1e-5)
    assert walks.moved_by(LEG).sum() == 2  # the hip and the knee of the made-up walk


def test_errors_are_taken_step_by_step_and_piece_by_piece() -> None:
    pieces = [noise(8, 2), noise(9, 2, seed=1)]
    past, future, piece = windows(pieces, 3, 4)
    assert torch.equal(past[2], pieces[1][:3])
    assert torch.equal(future[3], pieces[1][4:8])
    assert piece.tolist() == [0, 0, 1, 1, 1]
    found = errors(torch.zeros_like(future), future, piece)
    assert found.by_step[1].item() == pytest.approx(future[:, 1].square().mean().item())
    assert found.by_piece[0, 3].item() == pytest.approx(pieces[0][[6, 7]].square().mean().item())
    better = found._replace(by_step=found.by_step * torch.tensor([2.0, 0.5, 1.0, 1.1]).double())
    rows = {name: value for name, value, _ in metrics({"": better, "ar_": found}, "", "ar_")}
    assert rows["steps_from_2_at_or_below_ar"] == 2
    assert rows["mse_step_2"] == pytest.approx(rows["mse_ar_step_2"] / 2)


def test_walks_that_freeze_or_explode_are_out_of_range(walks: Walks) -> None:
    between = limits(walks)
    walk = walks.learnt[0][:121]
    assert percent_in_range(walks, walk[None], between)[0] >= 75
    for other in (walk[:1].expand(121, -1), walk * torch.linspace(1, 8, 121)[:, None], 0.3 * walk):
        assert percent_in_range(walks, other[None], between) == (0, 0) or percent_in_range(walks, other[None], between)[1] == 0
    energy, speed = seconds_of(walks, walk).T
    assert energy[1].item() == pytest.approx(walk[31:61].square().mean().item(), rel=1e-5)
    points = walks.positions(walk).numpy()
    assert speed[0].item() == pytest.approx(np.linalg.norm(points[1:31] - points[:30], axis=2).mean())


def test_the_nearest_stretch_of_what_was_learnt_is_itself(walks: Walks) -> None:
    whole, missing = walks.learnt[0][None, 50:70], walks.moved_by(LEG)
    hidden = whole[:, 8:].clone()
    hidden[..., missing] = 9
    torch.testing.assert_close(nearest_neighbour(walks, 6, whole[:, :8], hidden, missing), whole[:, 8:])


def test_a_drawn_skeleton_stands_on_the_ground(walks: Walks) -> None:
    pictures = drawn(walks, walks.learnt[0][:5])
    assert pictures.shape == (5, SIDE, SIDE)
    ink = pictures[0] > 0.5
    assert 15 < np.flatnonzero(ink.any(1)).min() < 60  # the head
    assert 160 < np.flatnonzero(ink.any(1)).max() < 185  # the feet
    assert np.abs(np.flatnonzero(ink.any(0)) - SIDE / 2).max() < 70


def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)  # it needs no data
    monkeypatch.setattr(sys, "argv", ["harmonium", "run", "motion", "--smoke", "--threads", "1", "--out", str(tmp_path / "run")])
    cli.main()
    path = tmp_path / "run" / "results.json"
    results = json.loads(path.read_text())["metrics"]
    assert all(math.isfinite(each["value"]) for each in results.values())
    assert {f"mse_{name}step_{k}" for name in ("", "ar_") for k in range(1, 6)} <= set(results)
    assert sum(results[f"component_{k}_percent_of_frames"]["value"] for k in range(1, 5)) == pytest.approx(100, abs=1e-3)
    assert results["mse_missing_leg_linear"]["value"] < 0.05  # a leg swings as the other one does
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    path.unlink()
    for name in ("second-layer", "predicted", "generated"):
        (tmp_path / "run" / "checkpoints" / f"{name}.safetensors").unlink()
    monkeypatch.setattr(Motion, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads(path.read_text())["metrics"] == results


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="61 frames"):
        Motion(frames=20)
    with pytest.raises(ValueError, match="at least one past frame, step, sweep"):
        Motion(sweeps=0)
