"""The faces' recipe goes through every step on photographs without faces; its pieces are those of a plane turned and scaled as stated."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from harmonium.data import orl_faces
from harmonium.nets import autoencoder
from harmonium.recipes import FacesAutoencoder
from harmonium.recipes.faces import crops
from harmonium.recipes.shared.compared_autoencoders import error_of, pca
from harmonium.recipes.shared.deep_autoencoder import CodedLayers, layer, pixels, random_start, squared_error
from tests.recipes.test_command_line import harmonium

HEIGHT, WIDTH = orl_faces.SHAPE


def test_a_piece_of_a_plane_is_the_plane_turned_and_scaled() -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    photograph = torch.from_numpy(np.round(20 + rows + columns).astype(np.uint8))  # grey levels rise by 1 a pixel both ways
    found = crops.pieces(photograph[None], 200).double().numpy().reshape(200, 25, 25) * 255
    np.testing.assert_allclose(found[:, 12, 12], 20 + (HEIGHT - 1) / 2 + (WIDTH - 1) / 2, atol=1e-3)
    # A turn by a and a step s make the slopes s (cos a - sin a) across and s (cos a + sin a) down, in the middle where nothing is cut off.
    across, down = (found[:, 12, 16] - found[:, 12, 8]) / 8, (found[:, 16, 12] - found[:, 8, 12]) / 8
    steps, turns = np.hypot(across, down) / math.sqrt(2), np.arctan2(down - across, down + across)
    least, most = WIDTH / 25 / 1.8, WIDTH / 25 / 1.4
    assert least - 1e-3 < steps.min() < least + 0.03
    assert most - 0.03 < steps.max() < most + 1e-3
    assert -math.pi / 2 - 1e-3 < turns.min() < -1.45
    assert 1.45 < turns.max() < math.pi / 2 + 1e-3
    assert abs(np.corrcoef(steps, turns)[0, 1]) < 0.2


def test_pieces_are_the_same_each_time_and_differ_between_photographs() -> None:
    photographs = torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    photographs[2] = photographs[1]
    found, again = crops.pieces(photographs, 4), crops.pieces(photographs, 4)
    assert torch.equal(found, again)
    assert not torch.allclose(found[4:8], found[8:])


def test_a_varied_piece_is_one_seen_in_a_mirror_or_not_in_another_light() -> None:
    images = torch.randn(2000, 625, generator=torch.Generator().manual_seed(0)).double()
    found = crops.varied(images, 3)
    assert torch.equal(found, crops.varied(images, 3))
    assert not torch.equal(found, crops.varied(images, 4))
    contrasts, shifts, mirrors = [], [], 0
    for image, made in zip(images.numpy(), found.numpy(), strict=True):
        other = image.reshape(25, 25)[:, ::-1].ravel()
        lines = [np.polyfit(each, made, 1, full=True) for each in (image, other)]
        mirrored = int(lines[1][1][0] < lines[0][1][0])
        (contrast, shift), left = lines[mirrored][:2]
        assert left[0] < 1e-8
        contrasts.append(contrast)
        shifts.append(shift)
        mirrors += mirrored
    assert abs(mirrors - 1000) < 3 * math.sqrt(500)
    assert 0.7 < min(contrasts) < 0.71
    assert 1.29 < max(contrasts) < 1.3
    assert abs(np.std(shifts) - 0.4) < 3 * 0.4 / math.sqrt(4000)


def random_photographs(data_dir: Path | None = None) -> orl_faces.Faces:
    """As many as there are, of noise that is smooth."""
    noise = torch.rand(400, 1, 14, 12, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(noise, (HEIGHT, WIDTH), mode="bilinear")
    return orl_faces.Faces((255 * smooth).byte().flatten(1), torch.arange(40).repeat_interleave(10))


def test_a_smoke_run_goes_through_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orl_faces, "load", random_photographs)
    folder = tmp_path / "run"
    words = ("--smoke", "--threads", "1", "--out", str(folder), "--layers.units", "30", "20", "6")
    assert harmonium(monkeypatch, "run", "faces-autoencoder", *words) is None
    results = json.loads((folder / "results.json").read_text())
    assert results["setting"] == "smoke"
    metrics = {name: metric["value"] for name, metric in results["metrics"].items()}
    made = crops.load(2)
    learnt, judged = made.data.train_images[:500].double().numpy(), made.data.test_images.double().numpy()
    axes = np.linalg.svd(learnt - learnt.mean(0), full_matrices=False)[2][:6]
    centred = judged - learnt.mean(0)
    assert metrics["pca_test_squared_error"] == pytest.approx(((centred - centred @ axes.T @ axes) ** 2).sum(1).mean(), rel=1e-4)
    assert {"test_squared_error", "random_start_test_squared_error", "unrolled_test_squared_error"} <= metrics.keys()
    assert (folder / "report.html").read_text().count("data:image/png;base64,") == 2


@pytest.mark.parametrize("varied", [True, False])
def test_the_nets_learn_from_varied_pieces_and_pca_from_the_pieces(varied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orl_faces, "load", random_photographs)
    seen = []
    monkeypatch.setattr("harmonium.recipes.faces.recipe.learn_all", lambda run, cases, *rest, **more: seen.append(cases))
    plan = FacesAutoencoder(smoke=True, varied=varied, seed=3)
    _, cases = plan.cases()
    _, (simple,) = plan.steps(None, cases)  # type: ignore[arg-type]
    assert torch.equal(seen[0].images, crops.varied(cases.images, 3) if varied else cases.images)
    assert torch.equal(seen[0].test_images, cases.test_images)
    torch.testing.assert_close(simple.made, pca(cases.images, cases.test_images, 30))


def test_pixels_are_centred_and_scaled_by_one_number_of_those_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orl_faces, "load", random_photographs)
    made = crops.load(3)
    grey = crops.pieces(random_photographs().images.reshape(-1, HEIGHT, WIDTH), 3)
    assert made.data.train_images.shape == (900, 625)
    np.testing.assert_allclose(made.data.train_images.mean(0), 0, atol=1e-5)
    assert made.data.train_images.var(0, correction=0).mean().item() == pytest.approx(1, rel=1e-4)
    torch.testing.assert_close(made.as_grey(made.data.test_images), grey[900:], atol=1e-5, rtol=0)
    assert made.data.test_labels.unique().tolist() == list(range(30, 40))


def test_held_out_images_are_of_whole_people() -> None:
    assert FacesAutoencoder(held_out=20_700).plan()[0] == 414
    with pytest.raises(ValueError, match=r"whole people of 4140 images each are held out, found copies=414 and held_out=10000"):
        FacesAutoencoder(held_out=10_000)
    assert FacesAutoencoder(quick=True, held_out=8000).setting == "quick"


def test_real_numbers_are_real_valued_units_with_a_linear_output() -> None:
    images = torch.randn(200, 40, generator=torch.Generator().manual_seed(0))
    net = random_start(images, (30, 20, 3), seed=1)
    assert net.decoder[-1].weight.std().item() == pytest.approx(math.sqrt(2 / 70), rel=0.1)
    assert net.encoder[1].weight.std().item() == pytest.approx(4 * math.sqrt(2 / 70), rel=0.1)
    np.testing.assert_allclose(net.decoder[-1].bias.detach(), images.mean(0), atol=1e-5)
    made = net.reconstruct(images).detach()
    error = ((made - images) ** 2).sum(1).mean().item()
    assert squared_error(net, images) == pytest.approx(error, rel=1e-5)
    assert error_of(made, images) == pytest.approx(error, rel=1e-5)
    assert net.loss(net(images), images).item() == pytest.approx(error, rel=1e-5)
    least = (np.linalg.svd(images - images.mean(0), compute_uv=False)[7:] ** 2).sum() / 200
    assert error_of(pca(images, images, 7), images) == pytest.approx(least, rel=1e-4)
    rbm = layer(pixels(images), 5, CodedLayers((5, 2), 1), 0, linear=True)
    torch.testing.assert_close(autoencoder(rbm).reconstruct(images), rbm.visible_mean(rbm.hidden_mean(images)))
