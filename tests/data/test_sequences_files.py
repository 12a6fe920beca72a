"""The files of motion and music: small ones in their format, and the real ones where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from harmonium.data import motion, music


def cell(*matrices):
    found = np.empty((1, len(matrices)), object)
    found[0] = matrices
    return found


def test_motion_in_its_format(tmp_path):
    frames = [np.full((3 + n % 2, 49), n / 7) for n in range(39)]
    savemat(tmp_path / "mit_mocap.mat", {"train_data": cell(*frames[:35]), "test_data": cell(*frames[35:])})
    found = motion.load(tmp_path)
    assert [len(part) for part in found] == [35, 4]
    assert torch.equal(found.train[8], torch.full((3, 49), 8 / 7))
    assert found.test[0].shape == (4, 49)
    savemat(tmp_path / "mit_mocap.mat", {"train_data": cell(*frames[:34]), "test_data": cell(*frames[35:])})
    with pytest.raises(ValueError, match="expected train_data as 35 matrices of 49 columns, found 34"):
        motion.load(tmp_path)
    for wrong in (np.full((3, 49), np.nan), np.full((3, 49), 1j)):
        savemat(tmp_path / "mit_mocap.mat", {"train_data": cell(*frames[:35]), "test_data": cell(*frames[35:38], wrong)})
        with pytest.raises(ValueError, match=r"is damaged: expected finite numbers in test_data|complex numbers"):
            motion.load(tmp_path)
    (tmp_path / "mit_mocap.mat").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match="is not a readable MATLAB file"):
        motion.load(tmp_path)


def test_music_in_its_format(tmp_path):
    roll = np.zeros((5, 88), np.uint8)
    roll[2, 40] = 1
    parts = {name: cell(*[roll] * count) for name, count in zip(("traindata", "validdata", "testdata"), (87, 12, 25), strict=True)}
    savemat(tmp_path / "Piano_midi.mat", parts)
    found = music.load("Piano_midi", tmp_path)
    assert [len(part) for part in found] == [87, 12, 25]
    assert found.train[0].dtype == torch.bool
    assert found.test[24].nonzero().tolist() == [[2, 40]]
    savemat(tmp_path / "Piano_midi.mat", parts | {"testdata": cell(*[roll * 60] * 25)})  # velocities
    with pytest.raises(ValueError, match="is damaged: expected zeros and ones in testdata"):
        music.load("Piano_midi", tmp_path)
    with pytest.raises(ValueError, match=r"the collections are JSB_Chorales.*found 'Bach'"):
        music.load("Bach")


def here(name):
    folder = os.environ.get("HARMONIUM_DATA")
    return bool(folder) and (Path(folder) / name).is_file()


@pytest.mark.skipif(not here("mocap/mit_mocap.mat"), reason="HARMONIUM_DATA is not set, or has no mocap")
def test_the_real_motion():
    train, test = motion.load()
    every = torch.cat([*train, *test])
    assert every.shape == (3826, 49)
    torch.testing.assert_close(every.std(0), torch.ones(49), rtol=1e-3, atol=0)


@pytest.mark.skipif(not here("polyphonic-music/JSB_Chorales.mat"), reason="HARMONIUM_DATA is not set, or has no polyphonic-music")
def test_the_real_music():
    assert [sum(map(len, part)) for part in music.load()] == [13807, 4602, 4725]
