"""Where joints are, against SciPy's rotations, and the skeleton of the captured walks against the ground."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.spatial.transform import Rotation

import harmonium as hm
from harmonium.data.skeleton import Skeleton

THREE = Skeleton((-1, 0, 1), ((0, 1, 2), (6, 7, 8), (12, 13, 14)), ((3, 4, 5), (9, 10, 11), (15, 16, 17)))


def test_joints_are_where_rotations_put_them() -> None:
    """The root leans forward and to its left by Euler angles, of which the angles to the vertical are computed here."""
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(6, 18)) * 0.4
    frames[:, 3:6] = rng.normal(size=(6, 3)) * 50
    heading, place, expected = 0.0, np.zeros(2), []
    for frame in frames:
        pitch, roll, turn = rng.uniform(-0.4, 0.4, 3)
        root = Rotation.from_euler("ZYX", [heading, pitch, roll]).as_matrix()
        frame[0], frame[1], frame[2] = (math.acos(-root[2, 0]), math.acos(-root[2, 1]), turn)
        joint = np.array([*place, frame[5]]) + root @ frame[9:12]
        last = joint + root @ Rotation.from_rotvec(frame[6:9]).as_matrix() @ frame[15:18]
        expected.append([[*place, frame[5]], joint, last])
        place = place + frame[3] * np.array([np.cos(heading), np.sin(heading)]) + frame[4] * np.array([np.sin(heading), -np.cos(heading)])
        heading += turn
    np.testing.assert_allclose(THREE.positions(torch.tensor(frames)).numpy(), expected, atol=1e-6)
    assert THREE.bones == [(0, 1), (1, 2)]


def test_the_feet_of_captured_walks_stand() -> None:
    try:
        sequences, skeleton = hm.data.motion.capture()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    assert [tuple(each.shape) for each in sequences] == [(438, 108), (260, 108), (3128, 108)]
    assert len(skeleton.bones) == 17
    toes = skeleton.positions(sequences[2][:1500])[:, [4, 8]]
    lower = toes[:-1, :, 2].argmin(1, keepdim=True)
    speed = toes[..., :2].diff(dim=0).norm(dim=2)
    assert speed.gather(1, lower).median().item() < 1.5  # mm a frame
    assert speed.gather(1, 1 - lower).median().item() > 30
    assert toes[..., 2].amin(1).std().item() < 11


def test_the_reduced_file_is_the_captured_one_standardised() -> None:
    try:
        sequences, (train, test) = hm.data.motion.capture().sequences, hm.data.motion.load()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    frames = torch.cat(sequences).double()
    moving = frames.std(0) > 1e-4 * frames.abs().mean(0).clamp_min(1e-6)
    standard = ((frames - frames.mean(0)) / frames.std(0))[:, moving]
    torch.testing.assert_close(standard, torch.cat([*train, *test]).double(), atol=2e-3, rtol=0)


def test_a_captured_file_in_its_format(tmp_path: Path) -> None:
    """Numbers of joints and columns count from 1 in the file, and from 0 here."""
    tree = np.zeros((1, 2), dtype=[(name, object) for name in ("children", "parent", "or", "offset")])
    for joint, (parent, start) in enumerate((([], 1), ([1], 7))):
        tree[0, joint] = ([], np.array(parent), np.arange(start, start + 3), np.arange(start + 3, start + 6))
    frames = np.empty((1, 3), object)
    frames[0] = [np.full((number + 4, 108), number / 3) for number in range(3)]
    savemat(tmp_path / "motion.mat", {"Motion": frames, "skel": {"tree": tree, "type": "mit"}})
    found = hm.data.motion.capture(tmp_path)
    assert [len(each) for each in found.sequences] == [4, 5, 6]
    assert found.skeleton == Skeleton((-1, 0), ((0, 1, 2), (6, 7, 8)), ((3, 4, 5), (9, 10, 11)))
    savemat(tmp_path / "motion.mat", {"Motion": frames[:, :2], "skel": {"tree": tree, "type": "mit"}})
    with pytest.raises(ValueError, match="expected Motion as 3 matrices of 108 columns, found 2"):
        hm.data.motion.capture(tmp_path)
