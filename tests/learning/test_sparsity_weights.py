"""A sparsity target among weighted rows."""

import torch

import harmonium as hm


def test_rows_of_no_weight_leave_the_activity_alone() -> None:
    activities = []
    for rows, weights in ((torch.eye(4), [1.0, 0, 1, 0]), (torch.eye(4)[[0, 2]], None)):
        rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1)
        torch.nn.init.constant_(rbm.visible.bias, 0.2)
        state = hm.fit(rbm, rows, sample_weight=weights, sparsity=hm.Sparsity(target=0.1, cost=1.0), epochs=2, progress=False)
        activities.append(state.slots["sparsity"]["activity"])
    torch.testing.assert_close(*activities, rtol=1e-6, atol=0)


def test_a_row_of_weight_two_pulls_as_the_row_twice() -> None:
    activities = []
    for rows, weights in ((torch.eye(4)[[0, 1]], [2.0, 1.0]), (torch.eye(4)[[0, 0, 1]], None)):
        rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1)
        torch.nn.init.constant_(rbm.visible.bias, 0.2)
        state = hm.fit(rbm, rows, sample_weight=weights, sparsity=hm.Sparsity(target=0.1), epochs=1, progress=False)
        activities.append(state.slots["sparsity"]["activity"])
    torch.testing.assert_close(*activities)
