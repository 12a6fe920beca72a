"""A sparsity target among weighted rows."""

import torch

import harmonium as hm


def test_a_batch_of_no_weight_leaves_a_sparse_machine_as_it_is() -> None:
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1)
    torch.nn.init.constant_(rbm.visible.bias, 0.2)
    before = {name: tensor.clone() for name, tensor in rbm.state_dict().items()}
    sparsity = hm.Sparsity(target=0.1, cost=1.0)
    state = hm.fit(rbm, torch.eye(4), sample_weight=[0.0] * 4, sparsity=sparsity, epochs=2, batch_size=2, progress=False)
    assert torch.equal(state.activity, torch.full((3,), 0.1))
    for name, tensor in rbm.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_row_of_weight_two_pulls_as_the_row_twice() -> None:
    activities = []
    for rows, weights in ((torch.eye(4)[[0, 1]], [2.0, 1.0]), (torch.eye(4)[[0, 0, 1]], None)):
        rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1)
        torch.nn.init.constant_(rbm.visible.bias, 0.2)
        state = hm.fit(rbm, rows, sample_weight=weights, sparsity=hm.Sparsity(target=0.1), epochs=1, progress=False)
        activities.append(state.activity)
    torch.testing.assert_close(*activities)
