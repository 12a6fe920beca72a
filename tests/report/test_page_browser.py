"""The interactive page in a real browser: its numbers are Python's, and it can be used by pen, by keys and by a reader of screens."""

import pytest
import torch

import harmonium as hm
from harmonium.models.labels import label_free_energy, with_labels
from tests.report.asked import ask
from tests.report.test_page import labelled_net

EXACT = 1e-5  # of the arithmetic, of nets whose weights are numbers of 16 bits


def near(found, wanted, tolerance=EXACT):
    found, wanted = torch.tensor(found, dtype=torch.float64), wanted.detach().double().squeeze(0)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= tolerance * max(1.0, float(wanted.abs().max()))


def halved(model):
    """With weights that sixteen bits hold."""
    return model.half().float()


def with_random_biases(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "variance" not in name:
                parameter.add_(0.4 * torch.randn(parameter.shape, generator=generator))
    return halved(model)


def uniform(count, seed=1):
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_net_with_labels_has_pythons_numbers(tmp_path, visit):
    dbn = halved(labelled_net())
    page = visit(hm.report.page(dbn, tmp_path / "page.html", weights="float16"))
    v = uniform(64).float()[None]
    found = ask(page, "recognise", pixels=v[0])
    x = dbn.up(v)
    near(found["states"][1], dbn.up(v, layers=1))
    near(found["states"][2], x)
    near(found["frees"], label_free_energy(dbn.top, x))
    p = torch.softmax(-label_free_energy(dbn.top, x), 1)
    near(found["chain"][3], dbn.top.hidden_mean(torch.cat([x, p], 1)))

    u, label = uniform(24 + 16 + 1, seed=2), torch.tensor([4])
    states = with_labels((x > 0.5).float(), label, 10)
    h = (u[:24] < dbn.top.hidden_mean(states)).float()
    for held, temperature in ((None, 1.0), (7, 1.0), (None, 2.5)):
        if temperature == 1.0:
            h, mean = (u[:24] < dbn.top.hidden_mean(states)).float(), dbn.top.visible_mean
            after, logits = (u[24:40] < mean(h)[:, :16]).float(), dbn.top.visible_mean(h)[:, 16:].log()
        else:  # a Boltzmann distribution of the energy over the temperature
            hidden = dbn.top.hidden_input(states) + dbn.top.hidden.bias
            h = (u[:24] < torch.sigmoid(hidden / temperature)).float()
            down = dbn.top.visible_input(h)
            after = (u[24:40] < torch.sigmoid((down[:, :16] + dbn.penultimate.bias) / temperature)).float()
            logits = (down[:, 16:] + dbn.labels.bias) / temperature
        chances = torch.softmax(logits, 1)
        before = [None, None, states[0, :16].tolist(), [0.0] * 24]
        for last in torch.linspace(0.02, 0.98, 13, dtype=torch.float64):  # of the uniform numbers: it chooses the label
            u[40] = last
            drawn = int(torch.searchsorted(chances[0].double().cumsum(0), last.item(), right=True)) if held is None else held
            swept = ask(page, "sweep", states=before, label=4, uniforms=u, held=held, temperature=temperature)
            assert swept["label"].index(1) == drawn
        assert swept["states"][3] == h[0].tolist()
        assert swept["states"][2] == after[0].tolist()
        near(swept["labelMean"], chances)
        joined = with_labels(after, torch.tensor([drawn]), 10)
        energies = ask(page, "energies", states=swept["states"], label=drawn)
        near(energies["energy"], dbn.top.energy(joined, h))
        near(energies["freeEnergy"], dbn.top.free_energy(joined))


@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("doubt", [None, 0.2])
def test_noise_is_removed_as_in_python(tmp_path, visit, layers, doubt):
    net = labelled_net()
    dbn = halved(net if layers == 3 else hm.DBN([net.rbms[0], net.rbms[1]]).untie())
    page = visit(hm.report.page(dbn, tmp_path / "page.html", weights="float16"))
    v, path = uniform(64).float().round()[None], [(1.0, 0.0), (0.6, 0.4), (0.2, 0.8), (0.0, 1.0)]
    wanted = hm.sampling.remove_noise(dbn, v, path, robust=doubt)
    found = ask(page, "topDown", pixels=v[0], path=path, doubt=doubt or 0)
    near(found, wanted.reconstruction[:, 0])


def test_a_deep_boltzmann_machine_has_pythons_numbers(tmp_path, visit):
    dbm = with_random_biases(hm.DBM([hm.Bernoulli(size) for size in (16, 10, 8, 6)]))
    page = visit(hm.report.page(dbm, tmp_path / "page.html", weights="float16"))
    v = uniform(16).float().round()[None]
    for sweeps in (1, 10):
        means = dbm.mean_field(v, sweeps=sweeps).phase
        found = ask(page, "recognise", pixels=v[0], sweeps=sweeps)["chain"]
        for layer, wanted in zip(found, dbm.split(means.v, means.hidden_mean), strict=True):
            near(layer, wanted)
    states = [uniform(size, seed=size).float().round()[None] for size in (16, 10, 8, 6)]
    even, odd = dbm.join(states)
    energies = ask(page, "energies", states=[each[0].tolist() for each in states], label=None)
    near(energies["energy"], dbm.joint.energy(even, odd))
    near(energies["freeEnergy"], dbm.joint.free_energy(even))
    u = uniform(16 + 10 + 8 + 6, seed=3)
    odd = (u[:16] < dbm.joint.hidden_mean(even)).float()
    even = (u[16:] < dbm.joint.visible_mean(odd)).float()
    swept = ask(page, "sweep", states=[each[0].tolist() for each in states], label=None, uniforms=u)
    assert swept["states"] == [each[0].tolist() for each in dbm.split(even, odd)]


def test_real_valued_pixels_have_pythons_numbers(tmp_path, visit):
    rbm = with_random_biases(hm.RBM(hm.Gaussian(12, variance=0.7), hm.Bernoulli(9)))
    images = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    page = visit(hm.report.page(rbm, tmp_path / "page.html", images=images, shape=(3, 2, 2), weights="float16"))
    v, h = images[:1], uniform(9).float().round()[None]
    near(ask(page, "recognise", pixels=v[0])["chain"][1], rbm.hidden_mean(v))
    energies = ask(page, "energies", states=[v[0].tolist(), h[0].tolist()], label=None)
    near(energies["energy"], rbm.energy(v, h))
    near(energies["freeEnergy"], rbm.free_energy(v))
    u = uniform(9 + 2 * 12, seed=5)
    swept = ask(page, "sweep", states=[v[0].tolist(), h[0].tolist()], label=None, uniforms=u)
    h = (u[:9] < rbm.hidden_mean(v)).double()
    noise = torch.sqrt(-2 * torch.log1p(-u[9::2])) * torch.cos(2 * torch.pi * u[10::2])
    near(swept["states"][0], rbm.visible_mean(h.float()).double() + 0.7**0.5 * noise)


def test_bytes_for_weights_hardly_change_a_class(tmp_path, visit):
    digits = hm.data.digits.load()
    images = digits.train_images[:1000]
    beside = hm.Groups(hm.Bernoulli(64, values="probabilities"), hm.Softmax(1, categories=10))
    rbm = hm.RBM(beside, 60, seed=1)
    negative = hm.ContrastiveDivergence(reconstruction="mean")
    hm.fit(
        rbm, with_labels(images / 255, digits.train_labels[:1000], 10), negative=negative, epochs=2, batch_size=10, seed=0, progress=False
    )
    dbn = hm.DBN([rbm], labels=True)
    wanted = hm.models.label_log_probability(dbn, images).argmax(1)
    assert (wanted == digits.train_labels[:1000]).double().mean() > 0.8  # a net that has learnt
    page = visit(hm.report.page(dbn, tmp_path / "page.html", images=digits.test_images))
    found = torch.tensor(ask(page, "classify", images=(images / 255)))
    assert (found == wanted).double().mean() >= 0.995


def test_draws_come_from_the_seed_by_xoshiro128_plus_plus(tmp_path, visit):
    state, mask = 12345, 0xFFFFFFFF

    def mixed():
        nonlocal state
        state = z = (state + 0x9E3779B9) & mask
        z = ((z ^ (z >> 16)) * 0x21F0AAAD) & mask
        z = ((z ^ (z >> 15)) * 0x735A2D97) & mask
        return z ^ (z >> 15)

    def turn(x, k):
        return ((x << k) | (x >> (32 - k))) & mask

    s, wanted = [mixed() for _ in range(4)], []
    for _ in range(100):
        wanted.append((turn((s[0] + s[3]) & mask, 7) + s[0]) & mask)
        t = (s[1] << 9) & mask
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = turn(s[3], 11)
    page = visit(hm.report.page(hm.RBM(4, 3), tmp_path / "page.html"))
    assert ask(page, "uniforms", seed=12345, count=100) == [each / 2**32 for each in wanted]
