"""A checkpoint is of its settings: under others training is refused in one sentence that names what differs."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import harmonium as hm
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import Positive, Slots

ROWS = (torch.rand(60, 6, generator=torch.Generator().manual_seed(0)) < 0.4).float()


def learn(path: Path | None, *, epochs: int = 2, data: torch.Tensor = ROWS, **settings: object) -> hm.TrainingState:
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=1)
    settings = {"batch_size": 20, "optimizer": partial(torch.optim.SGD, lr=0.1), **settings}
    return hm.fit(rbm, data, epochs=epochs, checkpoint=path, progress=False, **settings)


class Recall(hm.Rule):
    """A user's own: the particles are a store of rows seen before, moved one sweep."""

    def __init__(self, size: int) -> None:
        self.size = size

    def init(self, model: hm.RBM, generator: torch.Generator) -> Slots:
        return {"store": model.visible.sample(model.visible.zero_input(self.size), generator=generator)}

    def particles(self, model: hm.RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> torch.Tensor:
        return slots["store"].copy_(model.gibbs(slots["store"], generator=generator))


OTHERS = {
    "learning rate": ({"optimizer": partial(torch.optim.SGD, lr=0.05)}, "lr=0.1.*lr=0.05"),
    "optimiser": ({"optimizer": partial(torch.optim.Adam, lr=0.1)}, r"optimizer='SGD\(.*Adam\("),
    "momentum": ({"optimizer": partial(torch.optim.SGD, lr=0.1, momentum=0.9)}, "momentum=0.*momentum=0.9"),
    "weight cost": ({"weight_cost": 1e-3}, "weight_decay=0.*weight_decay=0.001"),
    "sparsity": ({"sparsity": hm.Sparsity(0.1)}, r"sparsity=None.*Sparsity\(target=0.1"),
    "schedule": ({"schedule": partial(hm.Schedule, lr=lambda epoch: 0.9**epoch)}, "schedule=None"),
    "a torch scheduler": ({"schedule": partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)}, "gamma=0.5"),
    "the rule": ({"negative": hm.ContrastiveDivergence(2)}, r"steps=1.*steps=2"),
    "data": ({"data": 1 - ROWS}, "data="),
    "weights": ({"sample_weight": torch.arange(1.0, 61)}, "data="),
    "averaging": ({"averaging": 0.5}, "averaging=None.*averaging=0.5"),
    "gradient": ({"gradient": "centred"}, "gradient='plain'.*'centred'"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_settings_are_refused(name: str, tmp_path: Path) -> None:
    settings, message = OTHERS[name]
    path = tmp_path / "state.safetensors"
    learn(path)
    with pytest.raises(ValueError, match=f"(?s)was made with .*{message}"):
        learn(path, epochs=4, **settings)
    learn(path, epochs=4)


def test_another_function_of_the_epoch_is_refused_and_the_same_is_not(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    learn(path, schedule=partial(hm.Schedule, lr=lambda epoch: 0.9**epoch))
    with pytest.raises(ValueError, match="schedule="):
        learn(path, epochs=4, schedule=partial(hm.Schedule, lr=lambda epoch: 0.8**epoch))
    table = [1.0, 0.9, 0.9**2, 0.9**3]
    learn(path, epochs=4, schedule=partial(hm.Schedule, lr=lambda epoch: 0.9**epoch))
    learn(tmp_path / "table", schedule=partial(hm.Schedule, lr=lambda epoch: table[epoch]))


def test_a_rule_of_one_s_own_resumes(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    whole = learn(None, epochs=4, negative=Recall(9))
    learn(path, negative=Recall(9))
    resumed = learn(path, epochs=4, negative=Recall(9))
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match=r"Recall\(size=9\).*Recall\(size=5\)"):
        learn(path, epochs=5, negative=Recall(5))


def test_a_state_keeps_its_optimiser_and_another_is_refused() -> None:
    state = learn(None)
    model = state.model
    again = {"epochs": 3, "state": state, "progress": False, "batch_size": 20}
    hm.fit(model, ROWS, **again)
    with pytest.raises(ValueError, match=r"the state given was made with optimizer="):
        hm.fit(model, ROWS, optimizer=partial(torch.optim.SGD, lr=0.01), **again)


def test_a_checkpoint_of_the_version_before_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    learn(path)
    tensors, header = read_tensors(path)
    del header["version"]
    write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=r"written by harmonium 0\.1"):
        learn(path)


def test_dropout_inside_other_modules_draws_from_the_state(tmp_path: Path) -> None:
    """Whose generator the checkpoint holds: an interrupted training ends in the same bits."""
    labels = ROWS[:, 0].long()

    def tune(path: Path | None, epochs: int) -> nn.Module:
        net = nn.Sequential(nn.Sequential(hm.nets.Dropout(0.5), nn.Linear(6, 5)), nn.Sigmoid(), nn.Linear(5, 2))
        for number, parameter in enumerate(net.parameters()):
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(number))
        hm.fine_tune(net, ROWS, labels, epochs=epochs, head_epochs=0, batch_size=20, checkpoint=path, progress=False)
        return net

    whole = tune(None, 4)
    tune(tmp_path / "state", 2)
    resumed = tune(tmp_path / "state", 4)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_another_device_is_taken_and_draws_from_another_seed(tmp_path: Path) -> None:
    """Whose generator has a state of another size; its weights, momenta and chains go on."""
    path = tmp_path / "state.safetensors"
    learn(path, negative=hm.PersistentCD(9))
    tensors, header = read_tensors(path)
    write_tensors(path, tensors | {"generator": torch.zeros(16, dtype=torch.uint8)}, header)
    same = learn(path, negative=hm.PersistentCD(9))
    assert all(torch.equal(parameter, tensors[f"model.{name}"]) for name, parameter in same.model.named_parameters())
    resumed = learn(path, epochs=4, negative=hm.PersistentCD(9))
    assert resumed.step == 12
