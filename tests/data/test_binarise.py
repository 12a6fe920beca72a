import numpy as np
import pytest
import torch

from harmonium.data import Resampled, binarise

GREY = np.random.default_rng(2).integers(0, 256, (40, 13)).astype(np.uint8)
PROBABILITIES = np.random.default_rng(3).random((40, 13))


# The last two are worked on in several blocks of an odd number of values, which stop halfway through a 64-bit word.
@pytest.mark.parametrize("shape", [(40, 13), (7, 5, 3), (1, 1), (3001, 783), (3, 2**20 + 1)])
@pytest.mark.parametrize("seed", [0, 30])
def test_fixed_is_one_call_of_numpys_generator_byte_for_byte(shape, seed):
    pixels = np.resize(np.arange(256, dtype=np.uint8), shape)
    expected = np.random.default_rng(seed).random(shape, dtype=np.float32) < pixels / 255
    found = binarise(torch.from_numpy(pixels), "fixed", seed=seed)
    assert (found.dtype, tuple(found.shape)) == (torch.bool, shape)
    assert found.numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fixed_from_probabilities(dtype):
    p = PROBABILITIES.astype(dtype)
    expected = np.random.default_rng(5).random(p.shape, dtype=np.float32) < p
    np.testing.assert_array_equal(binarise(p, "fixed", seed=5).numpy(), expected)
    np.testing.assert_array_equal(binarise(torch.from_numpy(p), "fixed", seed=5).numpy(), expected)


def test_threshold_is_strict_and_between_grey_levels():
    levels = np.arange(256, dtype=np.uint8)[None]
    assert binarise(levels, "threshold").tolist() == [[0] * 128 + [1] * 128]
    assert binarise(levels, "threshold", threshold=0).tolist() == [[0] + [1] * 255]
    assert binarise(levels, "threshold", threshold=51 / 255).tolist() == [[0] * 52 + [1] * 204]
    halves = torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.0]])
    assert binarise(halves, "threshold").tolist() == [[0, 0, 0, 1, 1]]
    assert binarise(halves, "threshold").dtype == torch.bool


@pytest.mark.parametrize("images", [torch.from_numpy(GREY), torch.from_numpy(PROBABILITIES).bfloat16()])
def test_resampled_rows_have_the_stated_probabilities(images):
    resampled = binarise(images, "resampled")
    assert isinstance(resampled, Resampled)
    assert (len(resampled), resampled.shape) == (40, (40, 13))
    draws = 4000
    indices = torch.tensor([39, 0, 7, 7])
    sample = resampled.rows(indices.repeat(draws), torch.Generator().manual_seed(0))
    assert sample.dtype == torch.float32
    assert ((sample == 0) | (sample == 1)).all()
    p = (images[indices].double() / (255 if images.dtype == torch.uint8 else 1)).numpy()
    frequencies = sample.reshape(draws, 4, 13).mean(0).numpy()
    error = np.sqrt(p * (1 - p) / draws)
    assert (np.abs(frequencies - p) <= 4.5 * error).all()  # 52 frequencies: one beyond in 3,000 such tests
    assert not torch.equal(sample.reshape(draws, 4, 13)[:, 2], sample.reshape(draws, 4, 13)[:, 3])


def test_resampled_certainties_are_certain():
    resampled = binarise(torch.tensor([[0, 255]], dtype=torch.uint8), "resampled")
    sample = resampled.rows(torch.zeros(100_000, dtype=torch.int64), torch.Generator().manual_seed(1))
    assert sample.sum(0).tolist() == [0, 100_000]


def test_resampled_rows_depend_on_the_generator_alone():
    resampled, indices = binarise(GREY, "resampled"), torch.arange(40)
    generator = torch.Generator().manual_seed(4)
    before = torch.random.get_rng_state()
    first, second = resampled.rows(indices, generator), resampled.rows(indices, generator)
    assert not torch.equal(first, second)
    assert torch.equal(resampled.rows(indices, generator.manual_seed(4)), first)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("images", [GREY.copy(), torch.from_numpy(GREY.copy())])
def test_resampled_holds_the_images_without_a_copy(images):
    resampled = binarise(images, "resampled")
    images[:] = 255
    assert resampled.rows(torch.arange(40), torch.Generator()).sum() == 40 * 13


def test_arrays_that_pytorch_cannot_share_are_taken_too():
    expected = binarise(PROBABILITIES, "fixed")
    frozen = PROBABILITIES.copy()
    frozen.flags.writeable = False
    for same in (
        frozen,
        PROBABILITIES.astype(">f8"),
        np.asfortranarray(PROBABILITIES),
        PROBABILITIES[::-1].copy()[::-1],
    ):
        assert torch.equal(binarise(same, "fixed"), expected)


def test_images_are_left_as_they_were():
    grey, p = torch.from_numpy(GREY.copy()), torch.from_numpy(PROBABILITIES).requires_grad_()
    for images in (grey, p):
        for how in ("fixed", "threshold"):
            assert not binarise(images, how).requires_grad
        binarise(images, "resampled").rows(torch.arange(40), torch.Generator())
    assert torch.equal(grey, torch.from_numpy(GREY))
    np.testing.assert_array_equal(p.detach().numpy(), PROBABILITIES)


REFUSED = {
    "NaN": (torch.tensor([[0.5, torch.nan]]), ValueError, "probabilities from 0 to 1, found nan"),
    "grey as float": (torch.tensor([[0.0, 254.0]]), ValueError, "probabilities from 0 to 1, found 0 to 254"),
    "negative": (np.array([[-0.5, 1.0]]), ValueError, "found -0.5 to 1"),
    "infinite": (np.array([[0, np.inf]]), ValueError, "found 0 to inf"),
    "integers": (torch.tensor([[0, 255]]), ValueError, "uint8 grey from 0 to 255 or .*, not torch.int64"),
    "booleans": (torch.tensor([[True]]), ValueError, "not torch.bool"),
    "array of integers": (np.array([[0, 255]], np.int32), ValueError, "not int32"),
    "array of text": (np.array([["a"]]), ValueError, "not <U1"),
    "no cases": (torch.empty(0, 5), ValueError, r"at least one value, not \(0, 5\)"),
    "no pixels": (torch.empty(5, 0), ValueError, r"not \(5, 0\)"),
    "one flat image": (torch.rand(5), ValueError, r"shape \(cases, ...\) .*, not \(5,\)"),
    "a list": ([[0.5]], TypeError, "a tensor or a NumPy array, not list"),
}


@pytest.mark.parametrize("how", ["resampled", "fixed", "threshold"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_grey_image_is_refused(case, how):
    images, error, says = REFUSED[case]
    with pytest.raises(error, match=says):
        binarise(images, how)


def test_how_is_always_declared():
    with pytest.raises(ValueError, match="must be 'resampled', 'fixed' or 'threshold', not 'sampled'"):
        binarise(GREY, "sampled")
    with pytest.raises(TypeError, match="how"):
        binarise(GREY)


@pytest.mark.parametrize("threshold", [128, 1, -0.1, float("nan")])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(ValueError, match=f"at least 0 and below 1, found {threshold}"):
        binarise(GREY, "threshold", threshold=threshold)
