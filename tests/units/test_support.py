"""Data that a unit cannot take are refused, and the message says what to do."""

import re

import pytest
import torch

import harmonium as hm

NAN, INF = float("nan"), float("inf")
GROUPS = lambda: hm.Groups(hm.Bernoulli(2), hm.Softmax(1, categories=2))  # noqa: E731
REFUSED = [
    (lambda: hm.Bernoulli(2), [[0.0, NAN]], "1 NaN or infinite value; .*present"),
    (lambda: hm.Bernoulli(2), [[INF, NAN]], "2 NaN or infinite values"),
    (lambda: hm.Bernoulli(2), [[0.0, -1.0]], "0 or 1.*from -1 to 0"),
    (lambda: hm.Bernoulli(2), [[0.0, 0.3]], "0 or 1, found 0.3.*binarise"),
    (lambda: hm.Bernoulli(2), [[0, 2]], "from 0 to 2"),
    (lambda: hm.Bernoulli(2), torch.tensor([[0, 255]], dtype=torch.uint8), "0 or 1.*from 0 to 255.*binarise.*probabilities"),
    (lambda: hm.Bernoulli(2), [[0.0, 1.0, 1.0]], r"shape \(\.\.\., 2\), found \(1, 3\)"),
    (lambda: hm.Bernoulli(2), torch.zeros(0, 2), "at least one case"),
    (lambda: hm.Bernoulli((2, 2)), [[0.0, 1.0]], r"\(\.\.\., 2, 2\), found \(1, 2\)"),
    (lambda: hm.Bernoulli((2, 2)), [0.0, 1.0], r"found \(2,\)"),
    (lambda: hm.Bernoulli(2, values="probabilities"), [[0.5, 1.5]], "probabilities between 0 and 1"),
    (lambda: hm.Bernoulli(2, values="probabilities"), [[-0.5, 0.5]], "from -0.5"),
    (lambda: hm.Gaussian(2), [[0.0, NAN]], "finite numbers"),
    (lambda: hm.Gaussian(2), [[0.0]], r"\(\.\.\., 2\)"),
    (lambda: hm.Gaussian(2), torch.zeros(0, 2), "at least one case"),
    (lambda: hm.Softmax(2, categories=2), [[1.0, 0.0, 1.0, 1.0]], "group of 2 to be one-hot.*adds up to 2"),
    (lambda: hm.Softmax(2, categories=2), [[1.0, 0.0, 0.0, 0.0]], "adds up to 0"),
    (lambda: hm.Softmax(1, categories=3), [[2.0, -1.0, 0.0]], "a value of -1"),
    (lambda: hm.Softmax(1, categories=2), [[0.4, 0.6]], "one-hot.*between.*probabilities"),
    (lambda: hm.Softmax(1, categories=2, values="probabilities"), [[0.4, 0.7]], "adds up to 1.1"),
    (lambda: hm.Softmax(1, categories=2), [[NAN, 1.0]], "finite"),
    (lambda: hm.Softmax(1, categories=2), torch.zeros(0, 2), "at least one case"),
    (lambda: hm.Softmax(1, categories=3), [[1.0, 0.0]], r"\(\.\.\., 3\)"),
    (GROUPS, [[0.0, 0.5, 1.0, 0.0]], "Bernoulli.*0.5"),
    (GROUPS, [[0.0, 1.0, 1.0, 1.0]], "Softmax.*one-hot"),
    (GROUPS, [[0.0, 1.0, 1.0]], r"Groups.*\(\.\.\., 4\)"),
]


@pytest.mark.parametrize(("make", "states", "message"), REFUSED, ids=[f"{n}" for n in range(len(REFUSED))])
def test_refused(make, states, message):
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        make().check(torch.as_tensor(states))


TAKEN = [
    (lambda: hm.Bernoulli(2), [[0.0, 1.0]]),
    (lambda: hm.Bernoulli(2), [[0, 1]]),
    (lambda: hm.Bernoulli(2), [[True, False]]),
    (lambda: hm.Bernoulli(2), torch.tensor([[0, 1]], dtype=torch.uint8)),
    (lambda: hm.Bernoulli(2, values="probabilities"), [[0.3, 1.0]]),
    (lambda: hm.Bernoulli(2, values="probabilities"), torch.tensor([[0, 255]], dtype=torch.uint8)),
    (lambda: hm.Gaussian(2), [[-1e30, 3.0]]),
    (lambda: hm.Gaussian(2), [[-5, 3]]),
    (lambda: hm.Softmax(2, categories=2), [[1.0, 0.0, 0.0, 1.0]]),
    (lambda: hm.Softmax(2, categories=2), [[True, False, False, True]]),
    (lambda: hm.Softmax(1, categories=2, values="probabilities"), [[0.3, 0.7]]),
    (GROUPS, [[0.0, 1.0, 1.0, 0.0]]),
    (GROUPS, torch.tensor([[0, 1, 1, 0]], dtype=torch.uint8)),
    (lambda: hm.Groups(hm.Bernoulli(1, values="probabilities"), hm.Bernoulli(1)), torch.tensor([[200, 1]], dtype=torch.uint8)),
]


@pytest.mark.parametrize(("make", "states"), TAKEN, ids=[f"{n}" for n in range(len(TAKEN))])
def test_taken(make, states):
    make().check(torch.as_tensor(states))


@pytest.mark.parametrize(
    "make",
    [lambda: hm.Bernoulli(2, values="grey"), lambda: hm.Softmax(1, categories=2, values="grey"), lambda: hm.Softmax(2, categories=1)],
)
def test_arguments_are_checked(make):
    with pytest.raises(ValueError, match=r"values must be|at least two"):
        make()


MEANS = [
    (lambda: hm.Bernoulli(2, values="probabilities"), [[0.3, 1.0]], [[0.0, 1.0]]),
    (lambda: hm.Bernoulli(2, values="probabilities"), torch.tensor([[0, 255]], dtype=torch.uint8), torch.tensor([[0, 1]])),
    (lambda: hm.Softmax(1, categories=2, values="probabilities"), [[0.3, 0.7]], [[0.0, 1.0]]),
    (lambda: hm.Groups(hm.Gaussian(1), hm.Bernoulli(1, values="probabilities")), [[0.3, 0.7]], [[0.3, 1.0]]),
]


@pytest.mark.parametrize(("make", "means", "states"), MEANS, ids=[f"{n}" for n in range(len(MEANS))])
def test_means_to_learn_from_are_no_states(make, means, states):
    unit = make()
    unit.check(torch.as_tensor(means))
    unit.check_states(torch.as_tensor(states))
    with pytest.raises(ValueError, match=r"0 or 1|one-hot"):
        unit.check_states(torch.as_tensor(means))
