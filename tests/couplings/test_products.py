"""Products in bfloat16: rounded factors, sums in float32, one rounding of the difference of two phases; nothing else is changed."""

import threading
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.couplings import Reduced, products
from harmonium.couplings.products import add_product, reduced_type, times

CASES = 50
FLOAT32, EPSILON = torch.zeros(1), 2.0**-8  # the last binary digit of bfloat16


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parameter(*shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(numbers(*shape, seed=1))


@pytest.mark.parametrize("transposed", [False, True])
def test_a_product_is_that_of_the_rounded_factors(transposed: bool) -> None:
    rows, weight = numbers(CASES, 30), parameter(30, 30)
    with torch.no_grad(), Reduced():
        found = times(rows, weight, transposed=transposed)
    wide = weight.detach().bfloat16().double()
    expected = rows.bfloat16().double() @ (wide.T if transposed else wide)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=EPSILON, atol=1e-5)
    assert (found - rows @ (weight.T if transposed else weight)).abs().max() > 1e-3  # the context does change it


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_sum_of_products_is_rounded_once(fresh: bool, weighted: bool) -> None:
    """Two phases whose averages agree in their first digits: the error is relative to their difference."""
    weight, twice = parameter(8, 6), torch.full((CASES, 1), 2.0)
    weight.grad = torch.full((8, 6), 3.0)
    left, right = (numbers(CASES, size, seed=size).bfloat16().float() for size in (8, 6))
    other = (right + 2.0**-7 * numbers(CASES, 6, seed=9)).bfloat16().float()
    with torch.no_grad(), Reduced():
        if fresh:
            add_product(weight, left, right, scale=7.0, fresh=False)  # forgotten
        add_product(weight, left, right, scale=0.5, fresh=fresh)
        add_product(weight, left, other, weights=twice if weighted else None, scale=-0.25 if weighted else -0.5, fresh=False)
        assert (weight.grad == 3.0).all()  # until the context ends
    expected = -0.5 * left.double().T @ (right.double() - other.double())
    bound = EPSILON * expected.abs() + 1e-4
    assert ((weight.grad.double() - expected - (0.0 if fresh else 3.0)).abs() <= bound).all()
    assert expected.abs().max() < 1  # of averages of about 50


def test_a_sum_keeps_to_its_context() -> None:
    """A context that is entered again, with more rows, with none, or after an error, sums up what is added in it, and no more."""
    weight, reduced = parameter(8, 6), Reduced()
    weight.grad = torch.zeros(8, 6)
    left, right = (numbers(3 * CASES, size, seed=size) for size in (8, 6))

    def broken() -> None:
        with reduced:
            add_product(weight, left, right, scale=1.0, fresh=True)
            raise KeyError

    with torch.no_grad():
        for rows in (CASES, 3 * CASES, CASES, 0):
            with pytest.raises(KeyError):
                broken()
            with reduced:
                add_product(weight, left[:rows], right[:rows], scale=1.0, fresh=True)
            expected = -left[:rows].T @ right[:rows]
            assert (weight.grad - expected).abs().max() <= 0.02 * expected.abs().max()
            before = weight.grad.clone()
            with reduced:
                pass
            assert torch.equal(weight.grad, before)


def test_weights_that_change_are_rounded_anew() -> None:
    weight, rows = parameter(4, 3), torch.eye(4)
    with torch.no_grad(), Reduced():
        times(rows, weight)
        weight.add_(1.0)
        assert torch.equal(times(rows, weight), weight.bfloat16().float())


def test_each_entry_rounds_the_weights_anew() -> None:
    """An optimiser's kernel may change them without counting the change."""
    weight, rows, reduced = parameter(4, 3), torch.eye(4), Reduced()
    for _ in range(2):
        with torch.no_grad(), reduced:
            assert torch.equal(times(rows, weight), weight.bfloat16().float())
        weight.data = weight.data + 1.0


def test_only_the_context_of_this_thread_is_reduced_and_it_ends_with_an_error() -> None:
    weight, rows = parameter(4, 3), torch.eye(4)
    elsewhere: list[torch.Tensor] = []

    def other() -> None:
        with torch.no_grad():
            elsewhere.append(times(rows, weight))

    def inside() -> None:
        with Reduced():
            with Reduced(torch.float16):
                pass
            assert torch.equal(times(rows, weight), weight.bfloat16().float())
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            raise KeyError

    with torch.no_grad():
        with pytest.raises(KeyError):
            inside()
        assert torch.equal(times(rows, weight), weight)
    assert torch.equal(elsewhere[0], weight)


def test_doubles_and_autograd_are_left_alone() -> None:
    weight, rows = parameter(4, 3), torch.eye(4)
    with Reduced():
        times(rows, weight).sum().backward()
        assert torch.equal(weight.grad, torch.ones(4, 3))
        assert torch.equal(times(rows, weight), weight)
        with torch.no_grad():
            double = torch.nn.Parameter(weight.double())
            assert torch.equal(times(rows.double(), double), double)


def test_auto_takes_bfloat16_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (False, True):
        monkeypatch.setattr(products, "multiplies_bfloat16", lambda device, has=has: has)
        assert reduced_type("auto", FLOAT32) == (torch.bfloat16 if has else None)
        assert reduced_type("bfloat16", FLOAT32) == torch.bfloat16
        assert reduced_type("float32", FLOAT32) is reduced_type("auto", FLOAT32.double()) is None
    with pytest.raises(ValueError, match="found 'float16'"):
        reduced_type("float16", FLOAT32)  # type: ignore[arg-type]


def machine(coupling: hm.Coupling | None = None) -> tuple[hm.RBM, torch.Tensor]:
    return hm.RBM(hm.Bernoulli(12), hm.Bernoulli(8), coupling, seed=1), (numbers(600, 12) + numbers(600, 1, seed=2) > 0.3).float()


@pytest.mark.parametrize("coupling", [hm.Dense(12, 8, scale=0.5), hm.LowRank(12, 8, rank=4, scale=0.5)], ids=["dense", "low rank"])
def test_the_gradient_of_an_update_agrees_with_that_in_full(coupling: hm.Coupling) -> None:
    rbm, v = machine(coupling)
    found = []
    for context in (torch.no_grad(), Reduced()):
        rule, generator = hm.PersistentCD(chains=200), torch.Generator().manual_seed(0)
        slots = rule.init(rbm, generator)
        with context:
            hm.learning.write_gradient(rbm, rbm.infer(v.detach()), rule, slots, generator=generator)
        found.append(torch.cat([parameter.grad.flatten().clone() for parameter in rbm.parameters()]))
    assert 0 < (found[0] - found[1]).norm() / found[0].norm() < 0.1  # a few of the 2,400 draws turn out differently


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_learning_reaches_the_same_likelihood_and_leaves_no_flag_changed() -> None:
    before = torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype()
    nats = []
    for precision in ("float32", "bfloat16"):
        rbm, v = machine()
        rule = hm.PersistentCD(chains=300)
        hm.fit(rbm, v, negative=rule, epochs=60, batch_size=50, averaging=0.3, precision=precision, seed=2, progress=False)
        nats.append(hm.likelihood.evaluate(rbm, v).nats)
    base = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(8), hm.Dense(12, 8, scale=0.0))
    base.visible.init_from(v)
    start = hm.likelihood.evaluate(base, v).nats
    assert nats[0] - start > 0.5
    assert nats[1] > nats[0] - 0.1 * (nats[0] - start)
    assert before == (torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype())


def test_a_checkpoint_goes_on_in_its_own_precision_alone(tmp_path: Path) -> None:
    rbm, v = machine()
    hm.fit(rbm, v, epochs=1, checkpoint=tmp_path / "c", precision="bfloat16", progress=False)
    with pytest.raises(ValueError, match="precision='bfloat16'"):
        hm.fit(machine()[0], v, epochs=2, checkpoint=tmp_path / "c", progress=False)


def test_nets_are_fine_tuned_in_bfloat16_to_the_same_error() -> None:
    v = numbers(400, 10)
    y = (v[:, 0] * v[:, 1] > 0).long()
    errors = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(10, 30), torch.nn.Tanh(), torch.nn.Linear(30, 2))
        state = hm.fine_tune(net, v, y, epochs=40, head_epochs=1, batch_size=20, precision=precision, progress=False)
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}
        errors.append(state.history[-1]["train_error_percent"])
    assert max(errors) < 25  # of two equally frequent classes
    assert abs(errors[0] - errors[1]) < 4


def test_a_net_dreams_and_wakes_in_bfloat16() -> None:
    _, v = machine()
    net = hm.greedy(v, [hm.Bernoulli(12), hm.Bernoulli(8), hm.Bernoulli(6)], epochs=3, precision="bfloat16", progress=False).untie()
    state = hm.wake_sleep(net, v, epochs=8, precision="bfloat16", progress=False)
    assert state.history[-1]["wake_error"] < state.history[0]["wake_error"]
