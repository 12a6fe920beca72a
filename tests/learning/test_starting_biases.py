"""Where learning starts: the visible biases from the data."""

import math

import pytest
import torch

import harmonium as hm
from harmonium.seeds import derive


def test_a_row_of_weight_two_starts_as_the_row_twice() -> None:
    rows = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    weighted, doubled = hm.Bernoulli(3), hm.Bernoulli(3)
    weighted.init_from(rows, torch.tensor([1.0, 2.0, 1.0]))
    doubled.init_from(rows[[0, 1, 1, 2]])
    torch.testing.assert_close(weighted.bias, doubled.bias)
    torch.testing.assert_close(weighted.bias, torch.logit((torch.tensor([2.0, 1.0, 3.0]) + 1) / 6))


def test_rows_of_no_weight_do_not_count() -> None:
    rbm = hm.RBM(hm.Softmax(1, categories=2), hm.Bernoulli(2))
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    hm.fit(rbm, rows, sample_weight=[0.0, 6.0], epochs=0)
    torch.testing.assert_close(rbm.visible.bias, torch.tensor([1 / 8, 7 / 8]).log())


def test_a_learnt_variance_starts_at_the_data_s_own_and_a_constant_column_is_kept_from_zero() -> None:
    rows = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.1, 10.0, 0.0]) + 5
    rbm = hm.RBM(hm.Gaussian(3, variance=4.0, learn_variance=True), hm.Bernoulli(2))
    hm.fit(rbm, rows, epochs=0)
    torch.testing.assert_close(rbm.visible.bias, rows.mean(0))
    variance = rows.var(0, correction=0)
    torch.testing.assert_close(rbm.visible.log_variance.exp()[:2], variance[:2], rtol=1e-4, atol=0)
    others = math.log(variance[0].item() * variance[1].item()) / 2  # the geometric mean: their average would be the larger's alone
    assert rbm.visible.log_variance[2].item() == pytest.approx(math.log(1e-4) + others, abs=1e-4)


def test_biases_that_have_been_learnt_are_left_alone() -> None:
    rbm = hm.RBM(hm.Bernoulli(2), hm.Bernoulli(2))
    torch.nn.init.constant_(rbm.visible.bias, 0.7)
    hm.fit(rbm, torch.ones(5, 2), epochs=0)
    assert rbm.visible.bias.tolist() == pytest.approx([0.7, 0.7])


class Anew:
    """Batches that can be walked again and again."""

    def __init__(self, *batches: object) -> None:
        self.batches = batches

    def __iter__(self) -> object:
        return iter(self.batches)


def test_a_stream_of_labelled_batches_is_refused() -> None:
    rbm = hm.RBM(hm.Bernoulli(2), hm.Bernoulli(2))
    with pytest.raises(ValueError, match="leave labels out"):
        hm.fit(rbm, Anew((torch.ones(3, 2), torch.tensor([0, 1, 2]))), epochs=1)


def test_a_stack_learns_from_a_stream_of_weighted_batches() -> None:
    batches = [(torch.eye(4)[[i, 0]], torch.tensor([1.0, 2.0])) for i in range(4)]
    layers = [hm.Bernoulli(4), hm.Bernoulli(3), hm.Bernoulli(2)]
    dbn = hm.greedy(Anew(*batches), layers, epochs=3, seed=7)
    below = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=0)
    below.load_state_dict(dbn.rbms[0].state_dict())
    means = Anew(*[(below.hidden_mean(x).detach(), w) for x, w in batches])
    above = hm.RBM(hm.Bernoulli(3, values="probabilities"), hm.Bernoulli(2), seed=derive(7, 1))
    hm.fit(above, means, epochs=3, seed=derive(7, 1))
    assert torch.equal(above.coupling.weight, dbn.top.coupling.weight)
