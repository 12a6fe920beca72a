"""Learning rates and momenta by the epoch."""

from functools import partial

import pytest
import torch

import harmonium as hm
from tests.learning.test_fit import DATA, new


class Watch(hm.Callback):
    """What each step was made with."""

    def __init__(self):
        self.seen = []

    def on_step(self, state):
        group = state.optimizer.param_groups[0]
        self.seen.append((state.epoch, group["lr"], group.get("momentum")))


def run(schedule, optimizer=partial(torch.optim.SGD, lr=0.2, momentum=0.1), epochs=4):  # noqa: B008
    watch = Watch()
    state = hm.fit(new(), DATA, epochs=epochs, batch_size=4, optimizer=optimizer, schedule=schedule, callbacks=[watch], progress=False)
    return watch.seen, state


def test_rates_are_factors_and_momenta_are_values():
    seen, _ = run(partial(hm.Schedule, lr=lambda epoch: 1 / (1 + epoch), momentum=lambda epoch: 0.5 if epoch < 2 else 0.9))
    assert seen == [(epoch, 0.2 / (1 + epoch), 0.5 if epoch < 2 else 0.9) for epoch in range(4) for _ in range(2)]


def test_what_is_not_given_stays():
    seen, _ = run(partial(hm.Schedule, momentum=lambda epoch: 0.5))
    assert {lr for _, lr, _ in seen} == {0.2}
    seen, _ = run(partial(hm.Schedule, lr=lambda epoch: 2.0))
    assert {momentum for _, _, momentum in seen} == {0.1}


def test_each_group_keeps_its_own_rate():
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": parameters[:1], "lr": 1.0}, {"params": parameters[1:], "lr": 0.1}])
    schedule = hm.Schedule(optimizer, lr=lambda epoch: 0.5**epoch)
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.05]
    again = hm.Schedule(optimizer, lr=lambda epoch: 0.5**epoch)
    again.load_state_dict({"epoch": 3, "rates": [1.0, 0.1]})
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.125, 0.0125])
    assert again.state_dict() == {"epoch": 3, "rates": [1.0, 0.1]}


def test_torchs_own_schedulers():
    seen, state = run(partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.1))
    assert [lr for _, lr, _ in seen] == pytest.approx([0.2] * 4 + [0.02] * 4)
    assert isinstance(state.schedule, torch.optim.lr_scheduler.StepLR)
    run(partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=4), optimizer=partial(torch.optim.Adam, lr=0.01))
