"""The music recipe: an RNN-RBM of three notes against enumeration, logistic autoregression against scikit-learn, and every step."""

import itertools
import json
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp
from sklearn.linear_model import LogisticRegression

import harmonium as hm
from harmonium import cli
from harmonium.recipes.music.logistic_autoregression import fit_logistic, with_past
from harmonium.recipes.music.models_of_frames import MODELS, Parts, Sizes, independent
from harmonium.recipes.music.pieces import COLLECTIONS, from_array, from_midi, made_up, some_of
from harmonium.recipes.music.recipe import Music, metrics
from harmonium.recipes.music.recurrent_rbm import RecurrentRBM, chunks, mean_difference
from harmonium.recipes.music.stepwise_nats import log_z_by_step, nats_by_step

PIECE = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 0]]).double()  # three steps of three notes
STATES = np.array(list(itertools.product((0, 1), repeat=3)), float)


def tiny(steps: int = 5) -> RecurrentRBM:
    """Three notes, two hidden units, two recurrent ones, with weights that are not small."""
    net = RecurrentRBM(notes=3, hidden=2, recurrent=2, steps=steps, seed=0).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in net.parameters():
        parameter.data = 0.7 * torch.randn(parameter.shape, generator=generator).double()
    return net


def joints(net: RecurrentRBM, piece: np.ndarray) -> list[np.ndarray]:
    """log p(v_t | earlier frames) of every frame v_t, (8,), at each step: the energy summed over the four hidden states, normalised."""
    p = {name: parameter.detach().numpy() for name, parameter in net.named_parameters()}
    u, found = np.zeros(2), []
    for frame in piece:
        b = p["rbm.visible.bias"] + u @ p["rbm.coupling.dynamic.visible"]
        c = p["rbm.hidden.bias"] + u @ p["rbm.coupling.dynamic.hidden"]
        terms = np.array(
            [
                [v @ b + h @ c + v @ p["rbm.coupling.coupling.weight"] @ h for h in map(np.array, itertools.product((0, 1), repeat=2))]
                for v in STATES
            ]
        )
        found.append(logsumexp(terms, axis=1) - logsumexp(terms))
        u = np.tanh(p["rnn.weight_ih_l0"] @ frame + p["rnn.bias_ih_l0"] + p["rnn.weight_hh_l0"] @ u + p["rnn.bias_hh_l0"])
    return found


def test_each_step_has_the_enumerated_distribution() -> None:
    net = tiny()
    with torch.no_grad():
        contexts = net.contexts(PIECE[None])[0]
    for expected, context in zip(joints(net, PIECE.numpy()), contexts, strict=True):
        states, same = torch.tensor(STATES), context.expand(8, -1)
        found = -net.rbm.free_energy(states, hm.Given(context=same)) - log_z_by_step(net.rbm, same)
        np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-10)


def test_drawn_frames_have_the_enumerated_distribution() -> None:
    """The frame that follows two others, from many chains: counts within four standard errors."""
    net, generator = tiny(), torch.Generator().manual_seed(0)
    expected = np.exp(joints(net, PIECE.numpy())[2])
    drawn = torch.stack([net.continued(PIECE[:2], 1, sweeps=20, generator=generator)[0] for _ in range(500)])
    share = np.bincount((drawn.numpy() @ [4, 2, 1]).astype(int), minlength=8) / 500
    assert (abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 500)).all()


def test_the_gradient_is_that_of_the_enumerated_likelihood() -> None:
    """With long chains, contrastive divergence through the biases has the gradient of the mean -log p, by finite differences here."""
    net = tiny(steps=30)
    numbers = (PIECE.numpy() @ [4, 2, 1]).astype(int)

    def cost() -> float:
        return -float(np.mean([step[number] for step, number in zip(joints(net, PIECE.numpy()), numbers, strict=True)]))

    exact = []
    for parameter in net.parameters():
        for place in range(parameter.numel()):
            flat = parameter.data.view(-1)
            old, ends = flat[place].item(), []
            for side in (1e-5, -1e-5):
                flat[place] = old + side
                ends.append(cost())
            flat[place] = old
            exact.append((ends[0] - ends[1]) / 2e-5)
    net.draws.generator = torch.Generator().manual_seed(0)
    rounds = []
    for _ in range(40):
        net.zero_grad()
        net(PIECE.reshape(1, 9).expand(400, -1)).mean().backward()
        rounds.append(torch.cat([parameter.grad.flatten() for parameter in net.parameters()]))
    found = torch.stack(rounds)
    error = found.std(0) / math.sqrt(len(found))
    assert max(map(abs, exact)) > 0.1
    assert bool(((found.mean(0) - torch.tensor(exact)).abs() < 4.5 * error + 1e-6).all())


def test_silence_that_fills_up_is_not_learnt() -> None:
    frames, weights = chunks([PIECE, PIECE[:1]], 2)
    assert torch.equal(frames.reshape(3, 2, 3)[1:, 1], torch.zeros(2, 3))
    differences = torch.tensor([[1.0, 2.0], [4.0, 50.0], [5.0, 60.0]])
    assert mean_difference(differences, weights).item() == pytest.approx((1 + 2 + 4 + 5) / 4)


def test_learning_finds_what_follows_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    """Two frames take turns: half a bit of surprise is left at the first step, and next to none after it."""
    piece = torch.tensor([[1, 0, 1], [0, 1, 0]]).repeat(20, 1).float()
    frames, weights = chunks([piece, piece.flip(0)], 8)

    def learnt(epochs: int, path: Path) -> RecurrentRBM:
        net = RecurrentRBM(notes=3, hidden=2, recurrent=4, seed=0)
        adam = partial(torch.optim.Adam, lr=0.05)
        hm.fine_tune(
            net, frames, weights, loss=mean_difference, optimizer=adam, epochs=epochs, batch_size=5, checkpoint=path, progress=False
        )
        return net

    net = learnt(60, tmp_path / "whole.safetensors")
    learnt(20, tmp_path / "halves.safetensors")
    again = learnt(60, tmp_path / "halves.safetensors")
    assert all(torch.equal(one, other) for one, other in zip(net.parameters(), again.parameters(), strict=True))
    with torch.no_grad():
        nats = nats_by_step(net.rbm, piece, net.contexts(piece[None])[0])
    assert nats[1:].mean().item() > -0.2


def test_the_global_generator_is_not_touched() -> None:
    before = torch.get_rng_state()
    one, other = (RecurrentRBM(notes=3, hidden=2, recurrent=2, seed=0) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_logistic_autoregression_is_that_of_scikit_learn() -> None:
    pieces, past, penalty = [piece[:, 34:54] for piece in made_up(0).train], 2, 0.01
    pieces = [piece[:, [0, 7, 12, 16]] for piece in pieces]
    model = fit_logistic(pieces, past, penalty, iterations=200)
    x = np.concatenate(
        [np.concatenate([np.zeros((2, 4)), piece.numpy()[:-1]])[np.arange(len(piece))[:, None] + [0, 1]].reshape(-1, 8) for piece in pieces]
    )
    y = torch.cat(pieces).numpy()
    expected = 0.0
    for note in range(4):
        theirs = LogisticRegression(C=1 / (penalty * len(x)), tol=1e-8, max_iter=2000).fit(x, y[:, note])
        np.testing.assert_allclose(model.weights[:, note], theirs.coef_[0], atol=2e-3)
        chance = expit(x @ theirs.coef_[0] + theirs.intercept_)
        expected += np.log(np.where(y[:, note], chance, 1 - chance)).mean()
    contexts = torch.cat([with_past(piece, past) for piece in pieces])
    assert model.nats(torch.cat(pieces), contexts).mean().item() == pytest.approx(expected, abs=1e-4)


def test_independent_notes_and_differences() -> None:
    parts = Parts([PIECE.bool()], [], [PIECE.bool()], torch.tensor([0, 2]))
    rates = (PIECE.numpy().sum(0) + 1) / 5
    np.testing.assert_allclose(
        independent(parts), [np.log(np.where(PIECE[t].numpy() == 1, rates, 1 - rates)).sum() for t in (0, 2)], rtol=1e-6
    )
    nats = {name: torch.tensor([-3.0, -1.0, -2.0]).double() - number for number, name in enumerate(reversed(MODELS))}
    nats["rbm"] = torch.tensor([-3.0, -1.0, -5.0]).double()
    rows = {name: value for name, value, _ in metrics("Nottingham", nats)}
    assert rows["test_nats_nottingham_rnn_rbm"] == -2
    assert rows["rnn_rbm_less_rbm_nottingham"] == 1
    assert rows["rnn_rbm_less_rbm_nottingham_standard_error"] == pytest.approx(1)


def test_some_pieces_have_so_many_frames() -> None:
    pieces = [torch.full((length, 3), length) for length in (5, 7, 9)]
    found = some_of(pieces, 13, seed=0)
    assert sum(map(len, found)) == 13
    assert all(bool((piece == piece[0, 0]).all()) for piece in found)
    assert some_of(pieces, 100, seed=0)[2] is pieces[2]


def test_ones_own_frames_are_divided_or_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "frames.npy"
    frames = (np.random.default_rng(0).random((100, 88)) < 0.1).astype(float)
    np.save(path, frames)
    found = from_array(path)
    assert [len(part[0]) for part in found] == [70, 15, 15]
    np.testing.assert_array_equal(torch.cat([part[0] for part in found]), frames.astype(bool))
    for value, words in ((np.nan, "row 41 .* has nan"), (0.5, r"row 41 .* has 0\.5")):
        frames[41, 3] = value
        np.save(path, frames)
        with pytest.raises(ValueError, match=rf"frames\.npy .*{words}"):
            from_array(path)
    np.save(path, frames[:, :5])
    with pytest.raises(ValueError, match=r"shape \(time, 88\)"):
        from_array(path)
    path.write_text("no array")
    with pytest.raises(ValueError, match=r"no readable \.npy file"):
        from_array(path)


def test_ones_own_midi_files_are_divided_by_name(tmp_path: Path) -> None:
    pytest.importorskip("mido", reason="mido, of harmonium[music], is not installed")
    for number in range(5):
        hm.data.midi.write(tmp_path / f"{number}.mid", torch.eye(88)[30 : 32 + number])
    found = from_midi(tmp_path)
    assert [[len(piece) for piece in part] for part in found] == [[2, 3, 4], [5], [6]]
    (tmp_path / "1.mid").unlink()
    (tmp_path / "2.mid").unlink()
    assert [len(part) for part in from_midi(tmp_path)] == [1, 1, 1]
    (tmp_path / "3.mid").unlink()
    with pytest.raises(ValueError, match=r"three \.mid files or more"):
        from_midi(tmp_path)


def test_without_mido_midi_files_are_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(ValueError, match=r"is read by mido: pip install 'harmonium\[music\]'"):
        from_midi(tmp_path)


def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)  # it needs no data
    monkeypatch.setattr(sys, "argv", ["harmonium", "run", "music", "--smoke", "--threads", "1", "--out", str(tmp_path / "run")])
    cli.main()
    path = tmp_path / "run" / "results.json"
    results = json.loads(path.read_text())["metrics"]
    for where in map(str.lower, COLLECTIONS):
        assert all(math.isfinite(results[f"test_nats_{where}_{model}"]["value"]) for model in MODELS)
        assert results[f"test_nats_{where}_rnn_rbm"]["verdict"] == "exact"
        assert results[f"test_nats_{where}_rbm"]["verdict"] != "exact"
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    path.unlink()
    for name in ("MuseData-rnn_rbm-judged", "MuseData-sample"):
        (tmp_path / "run" / "checkpoints" / f"{name}.safetensors").unlink()
    monkeypatch.setattr(Music, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads(path.read_text())["metrics"] == results


def test_ones_own_frames_are_learnt_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "mine.npy", torch.cat(made_up(0).train).numpy())
    words = ["run", "music", "--smoke", "--threads", "1", "--rolls", str(tmp_path / "mine.npy"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    assert "test_nats_own_pieces_rnn_rbm" in json.loads((tmp_path / "run" / "results.json").read_text())["metrics"]


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 20 hidden units"):
        Music(sizes=Sizes(hidden=30))
    with pytest.raises(ValueError, match="give one of them"):
        Music(midi=Path("here"), rolls=Path("there.npy"))
