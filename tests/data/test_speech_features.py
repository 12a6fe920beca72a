"""Features of waveforms against Kaldi's definition as another library computes it, and against slow loops."""

import math
from pathlib import Path

import numpy as np
import pytest

import harmonium as hm
from harmonium.data import speech

KALDI = Path(__file__).with_name("kaldi_features.npz")


def wave(rate):
    """A fifth of a second of a falling and rising tone with noise and an offset."""
    time, draws = np.arange(int(0.2 * rate)) / rate, np.random.default_rng(0)
    return 0.3 * np.sin(2 * np.pi * (200 + 4000 * time) * time) * np.exp(-3 * time) + 0.01 * draws.standard_normal(len(time)) + 0.02


@pytest.mark.parametrize("rate", [8000, 16000])
def test_as_torchaudio_computes_kaldis_features(rate):
    """The file holds what torchaudio 2.11.1 computed in float64.

    Its torchaudio.compliance.kaldi.fbank(32768 wave, num_mel_bins=40) and mfcc(..., num_ceps=13, num_mel_bins=23, cepstral_lifter=22), both
    with window_type="hamming", dither=0, use_energy=True, energy_floor=0, low_freq=20 and high_freq=0. Ours are of waves from -1 to 1.
    """
    scale = 2 * math.log(32768)
    with np.load(KALDI) as kaldi:
        banks, cepstra = kaldi[f"filter_bank_{rate}"], kaldi[f"mfcc_{rate}"]
    np.testing.assert_allclose(speech.filter_bank(wave(rate), rate, with_deltas=False) + scale, banks, atol=1e-4)
    found = speech.mfcc(wave(rate), rate, with_deltas=False)
    np.testing.assert_allclose(found + scale * (np.arange(13) == 0), cepstra, atol=1e-4)


def slow_log_banks(samples, rate, filters):
    """The definition, a sum at a time: frame, filter, frequency, sample."""
    length, shift, size = rate // 40, rate // 100, 1
    while size < length:
        size *= 2

    def mel(hertz):
        return 1127 * math.log(1 + hertz / 700)

    step = (mel(rate / 2) - mel(20)) / (filters + 1)
    found = []
    for start in range(0, len(samples) - length + 1, shift):
        frame = [x - sum(samples[start : start + length]) / length for x in samples[start : start + length]]
        row = [math.log(max(sum(x * x for x in frame), 2**-30))]
        sharp = [frame[0] - 0.97 * frame[0], *(frame[n] - 0.97 * frame[n - 1] for n in range(1, length))]
        shown = [x * (0.54 - 0.46 * math.cos(2 * math.pi * n / (length - 1))) for n, x in enumerate(sharp)]
        power = []
        for k in range(size // 2 + 1):
            real = sum(x * math.cos(2 * math.pi * k * n / size) for n, x in enumerate(shown))
            imaginary = sum(x * math.sin(2 * math.pi * k * n / size) for n, x in enumerate(shown))
            power.append(real**2 + imaginary**2)
        for number in range(1, filters + 1):
            centre = mel(20) + number * step
            weights = [max(0.0, 1 - abs(mel(k * rate / size) - centre) / step) for k in range(size // 2 + 1)]
            row.append(math.log(max(sum(w * p for w, p in zip(weights, power, strict=True)), 2**-30)))
        found.append(row)
    return np.array(found)


def test_filter_banks_and_cepstra_as_they_are_defined():
    samples = wave(8000)[:440]  # windows of 200 at 0, 80, 160, 240
    slow = slow_log_banks(samples.tolist(), 8000, 15)
    assert slow.shape == (4, 16)
    np.testing.assert_allclose(speech.filter_bank(samples, 8000, filters=15, with_deltas=False), slow, atol=1e-4)
    expected = slow[:, :1]
    for order in range(1, 6):
        cosines = [math.cos(math.pi * order * (n + 0.5) / 15) for n in range(15)]
        lifted = (1 + 11 * math.sin(math.pi * order / 22)) * math.sqrt(2 / 15) * slow[:, 1:] @ cosines
        expected = np.column_stack([expected, lifted])
    found = speech.mfcc(samples, 8000, cepstra=5, filters=15, with_deltas=False)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_deltas_are_slopes_of_least_squares():
    features = np.random.default_rng(1).standard_normal((7, 3))
    found = speech.deltas(features, window=2)
    for time in range(7):
        near = [features[min(max(time + n, 0), 6)] for n in range(-2, 3)]
        np.testing.assert_allclose(found[time], np.polyfit([-2, -1, 0, 1, 2], near, 1)[0], atol=1e-12)


def test_columns_are_features_deltas_and_their_deltas():
    alone, found = speech.mfcc(wave(16000), 16000, with_deltas=False), speech.mfcc(wave(16000), 16000)
    assert (found.shape, found.dtype) == ((18, 39), np.float32)
    slopes = speech.deltas(alone)
    np.testing.assert_allclose(found, np.column_stack([alone, slopes, speech.deltas(slopes)]), atol=1e-5)
    assert speech.filter_bank(wave(16000), 16000).shape == (18, 123)


def test_silence_has_a_logarithm():
    found = speech.filter_bank(np.zeros(8000), 16000)
    np.testing.assert_allclose(found[:, :41], -30 * math.log(2), rtol=1e-6)
    assert (found[:, 41:] == 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: speech.mfcc(np.zeros(399), 16000), r"at least a window of 400 at 16000 per second, found \(399,\)"),
        (lambda: speech.mfcc(np.zeros((800, 2)), 16000), r"samples of one channel, .* found \(800, 2\)"),
        (lambda: speech.filter_bank(np.full(800, np.nan), 16000), "finite samples"),
        (
            lambda: speech.filter_bank(np.zeros(800), 8000, filters=200),
            r"200 filters are too narrow .* filter \d+ has no frequency, take fewer",
        ),
        (lambda: speech.filter_bank(np.zeros(800), 8000, filters=0), "at least one filter, found filters=0"),
        (lambda: speech.mfcc(np.zeros(800), 8000, cepstra=23), "one fewer than the filters, found cepstra=23 of filters=23"),
        (lambda: speech.deltas(np.zeros(5)), r"deltas take \(frames, features\)"),
        (lambda: speech.deltas(np.zeros((5, 1)), window=0), "window=0"),
    ],
)
def test_what_has_no_features(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_each_feature_standardised_by_its_own_deviation():
    """Fitted to some cases, for others, as NumPy does it; and back."""
    draws = np.random.default_rng(2)
    train, test = (draws.standard_normal((count, 3)) * [1, 10, 100] + [5, 0, -5] for count in (400, 50))
    scale = hm.data.standardise(train, deviation="each")
    np.testing.assert_allclose(scale(test), (test - train.mean(0)) / train.std(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scale.inverse(scale(test)), test, rtol=1e-5, atol=1e-4)
    train[:, 1] = 3
    with pytest.raises(ValueError, match="must vary, found the same values of input 1 in each case"):
        hm.data.standardise(train, deviation="each")
    with pytest.raises(ValueError, match="found 'every'"):
        hm.data.standardise(train, deviation="every")
