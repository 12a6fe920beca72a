"""The judge of fantasies: what it learns, and its distances against SciPy's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, pdist

import harmonium as hm
from harmonium.recipes.joint import fantasy_judge as judges
from harmonium.recipes.joint.fantasy_judge import judge_fantasies, learn_judge, mean_distance, nearest, untrained
from harmonium.runs import Options, Run

DIGITS = hm.data.digits.load()
SETTINGS = {"shape": (8, 8), "classes": 10, "seed": 3}


def begin(folder):
    return Run.begin("judged", Options(out=folder, threads=1))


def bars(cases, seed):
    """Images of 8 by 8 of noise with two bright columns in one of four places: (cases, 64) uint8, and which."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(4, size=cases)
    images = draw.integers(100, size=(cases, 8, 8))
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * label : 2 * label + 2] += 100
    return torch.tensor(images.reshape(cases, 64), dtype=torch.uint8), torch.tensor(labels)


def test_what_is_plainly_different_is_told_apart(tmp_path: Path) -> None:
    net = learn_judge(begin(tmp_path / "run"), *bars(400, 0), shape=(8, 8), classes=4, seed=0, epochs=5)
    images, labels = bars(500, 1)
    assert (hm.predict(net, images).argmax(1) == labels).all()
    assert (hm.predict(net, images.float() / 255).argmax(1) == labels).all()


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    torch.set_num_threads(1)
    run = begin(tmp_path_factory.mktemp("judge") / "run")
    before = torch.get_rng_state()
    net = learn_judge(run, DIGITS.train_images, DIGITS.train_labels, epochs=25, **SETTINGS)
    assert torch.equal(torch.get_rng_state(), before)
    return run, net


def test_it_reads_real_digits(learnt) -> None:
    errors = (hm.predict(learnt[1], DIGITS.test_images).argmax(1) != DIGITS.test_labels).sum()
    assert errors <= 9  # of 300


def test_a_judge_once_learnt_is_found_again(learnt) -> None:
    """From its checkpoint, which is of these images alone."""
    run, net = learnt
    assert [row["epoch"] for row in run.histories()["judge"]] == list(range(1, 26))
    with pytest.raises(ValueError, match="was made with data="):
        learn_judge(run, torch.zeros_like(DIGITS.train_images), DIGITS.train_labels, epochs=25, **SETTINGS)
    again = learn_judge(run, DIGITS.train_images, DIGITS.train_labels, epochs=25, **SETTINGS)
    assert len(run.histories()["judge"]) == 25
    for name, value in net.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_initial_weights_are_as_wide_as_their_inputs_ask() -> None:
    net = untrained((28, 28), 10, seed=1)
    for index, inputs in ((2, 25), (5, 16 * 25), (9, 32 * 49)):
        weight, bias = net[index].weight.detach(), net[index].bias.detach()
        assert weight[0].numel() == inputs
        spread = weight.square().mean().sqrt() / np.sqrt(2 / inputs)
        assert abs(float(spread) - 1) < 4 / np.sqrt(2 * weight.numel())
        assert not bias.any()
    assert torch.equal(untrained((28, 28), 10, seed=1)[5].weight, net[5].weight)
    assert not torch.equal(untrained((28, 28), 10, seed=2)[5].weight, net[5].weight)


@pytest.mark.parametrize("block", [7, 1000])
def test_distances_are_scipy_s(monkeypatch, block) -> None:
    monkeypatch.setattr(judges, "BLOCK", block)
    draw = np.random.default_rng(0)
    one, other = draw.random((40, 64), dtype=np.float32), draw.random((90, 64), dtype=np.float32)
    assert mean_distance(torch.tensor(one)) == pytest.approx(pdist(one).mean(), rel=1e-6)
    np.testing.assert_allclose(nearest(torch.tensor(one), torch.tensor(other)), cdist(one, other).min(1), rtol=1e-6)


def test_a_verdict_class_by_class(learnt) -> None:
    _, net = learnt
    fantasies, labels = DIGITS.test_images[:150].clone(), DIGITS.test_labels[:150].clone()
    fantasies[labels == 4] = DIGITS.train_images[DIGITS.train_labels == 4][0]  # one training case again and again
    labels[np.flatnonzero(labels == 7)[:3]] = 8  # wrong on purpose
    test, test_labels, training = DIGITS.test_images[150:], DIGITS.test_labels[150:], DIGITS.train_images
    found = judge_fantasies(net, fantasies, labels, training=training, test=test, test_labels=test_labels)

    predicted = hm.predict(net, fantasies).argmax(1).numpy()
    dreamt, real, known = (images.numpy() / 255 for images in (fantasies, test, training))
    for label in range(10):
        mine, theirs = labels.numpy() == label, test_labels.numpy() == label
        assert found.recognised[label] == pytest.approx((predicted[mine] == label).mean())
        assert float(found.apart[label]) == pytest.approx(pdist(dreamt[mine]).mean(), rel=1e-5, abs=1e-6)
        assert float(found.real_apart[label]) == pytest.approx(pdist(real[theirs]).mean(), rel=1e-5)
    assert found.share == pytest.approx((predicted == labels.numpy()).mean())
    assert found.recognised[8] < 1
    np.testing.assert_allclose(found.nearest, cdist(dreamt, known).min(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.test_nearest, cdist(real, known).min(1), rtol=1e-5)
    assert (found.nearest[labels == 4] == 0).all()
    assert found.variety[4] == 0
    others = [label for label in range(10) if label != 4]
    assert (found.variety[others] - 1).abs().max() < 0.25

    *rows, total = found.table()
    assert [row["class"] for row in rows] == list(range(10))
    assert rows[4]["ratio"] == 0
    assert rows[3]["of test cases (median)"] == pytest.approx(float(found.test_nearest[test_labels == 3].median()))
    assert total["recognised"] == found.share
    assert total["ratio"] == pytest.approx(float(found.variety.mean()))


def test_images_as_shares_of_ink_are_judged_alike(learnt) -> None:
    arguments = [DIGITS.test_images[:150], DIGITS.train_images, DIGITS.test_images[150:]]
    labels = {"labels": DIGITS.test_labels[:150], "test_labels": DIGITS.test_labels[150:]}
    one, other = (
        judge_fantasies(learnt[1], fantasies, training=training, test=test, **labels)
        for fantasies, training, test in (arguments, [images.float() / 255 for images in arguments])
    )
    torch.testing.assert_close(one.nearest, other.nearest)
    torch.testing.assert_close(one.apart, other.apart)
    torch.testing.assert_close(one.recognised, other.recognised)


def test_what_cannot_be_judged_is_refused(learnt, tmp_path: Path) -> None:
    test = {"training": DIGITS.train_images, "test": DIGITS.test_images, "test_labels": DIGITS.test_labels}
    with pytest.raises(ValueError, match="at least two fantasies"):
        judge_fantasies(learnt[1], DIGITS.test_images[:150], torch.zeros(150, dtype=torch.long), **test)
    with pytest.raises(ValueError, match="from 0 to 9"):
        judge_fantasies(learnt[1], DIGITS.test_images, DIGITS.test_labels + 1, **test)
    with pytest.raises(ValueError, match="at least two test cases"):
        judge_fantasies(learnt[1], DIGITS.test_images, DIGITS.test_labels, **{**test, "test_labels": DIGITS.test_labels * 0})
    with pytest.raises(ValueError, match="at least 4"):
        learn_judge(begin(tmp_path / "a"), DIGITS.train_images, DIGITS.train_labels, **{**SETTINGS, "shape": (3, 8)})
    with pytest.raises(ValueError, match=r"\(cases, 48\)"):
        learn_judge(begin(tmp_path / "b"), DIGITS.train_images, DIGITS.train_labels, **{**SETTINGS, "shape": (6, 8)})
