"""Sound files written byte for byte, read again; and what is wrong with others."""

import struct
import sys

import numpy as np
import pytest

from harmonium.data import speech

TONE = [0, 8192, -16384, 32767, -32768, 5]


def wav(samples, rate=16000, channels=1, kind=1, bits=16, said=None):
    """A RIFF file of these bytes, which says that it has `said` of them."""
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    count = len(samples) if said is None else said
    data = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", count) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(data) - len(samples) + count) + b"WAVE" + data


def sphere(samples, order="01", coding="pcm", count=None, rate=16000, channels=1):
    """A NIST SPHERE file of these 16-bit samples, as its specification says."""
    lines = [
        "NIST_1A",
        "   1024",
        "database_id -s5 TIMIT",
        f"channel_count -i {channels}",
        f"sample_count -i {len(samples) if count is None else count}",
        f"sample_rate -i {rate}",
        "sample_n_bytes -i 2",
        f"sample_byte_format -s2 {order}",
        "sample_sig_bits -i 16",
        f"sample_coding -s{len(coding)} {coding}",
        "end_head",
    ]
    header = "".join(f"{line}\n" for line in lines).encode().ljust(1024)
    return header + b"".join(struct.pack("<h" if order == "01" else ">h", each) for each in samples)


def shorts(samples):
    return struct.pack(f"<{len(samples)}h", *samples)


FORMS = {
    "16 bits": (wav(shorts(TONE)), 16),
    "8 bits": (wav(bytes([128, 160, 64, 255, 0, 129]), bits=8), 8),
    "24 bits": (wav(b"".join(struct.pack("<i", each << 8)[:3] for each in TONE), bits=24), 16),
    "32 bits": (wav(struct.pack("<6i", *(each << 16 for each in TONE)), bits=32), 16),
    "floats": (wav(struct.pack("<6f", *(each / 32768 for each in TONE)), kind=3, bits=32), 16),
    "other chunks": (wav(shorts(TONE)) + b"LIST" + struct.pack("<I", 4) + b"abcd", 16),
}


@pytest.mark.parametrize("form", FORMS)
def test_wav(tmp_path, form):
    content, bits = FORMS[form]
    (tmp_path / "a.wav").write_bytes(content)
    samples, rate = speech.read(tmp_path / "a.wav")
    expected = np.array([0, 32, -64, 127, -128, 1]) / 128 if bits == 8 else np.array(TONE) / 32768
    assert (samples.dtype, rate) == (np.float32, 16000)
    np.testing.assert_array_equal(samples, expected.astype(np.float32))


@pytest.mark.parametrize("order", ["01", "10"])
def test_sphere_of_either_byte_order(tmp_path, order):
    pytest.importorskip("soundfile", reason="the extra speech")
    (tmp_path / "SX37.WAV").write_bytes(sphere(TONE, order))
    samples, rate = speech.read(tmp_path / "SX37.WAV")
    np.testing.assert_array_equal(samples, np.array(TONE, np.float32) / 32768)
    assert rate == 16000


def test_flac_is_without_loss_and_ogg_is_near(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="the extra speech")
    tone = 0.5 * np.sin(np.arange(16000) / 5)
    soundfile.write(tmp_path / "a.flac", tone, 16000)
    soundfile.write(tmp_path / "a.ogg", tone, 16000, format="OGG", subtype="OPUS")
    assert np.abs(speech.read(tmp_path / "a.flac").samples - tone).max() <= 2**-15
    assert np.corrcoef(speech.read(tmp_path / "a.ogg").samples, tone)[0, 1] > 0.99


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_an_ogg_file_that_is_cut_off_is_refused_wherever_it_is_cut(tmp_path, subtype):
    """The decoder reads what is left in silence."""
    soundfile = pytest.importorskip("soundfile", reason="the extra speech")
    soundfile.write(tmp_path / "whole", np.random.default_rng(0).normal(0, 0.2, 48000), 16000, format="OGG", subtype=subtype)
    content = (tmp_path / "whole").read_bytes()
    pages = [place for place in range(len(content)) if content.startswith(b"OggS", place)]
    assert len(pages) > 3
    assert len(speech.read(tmp_path / "whole").samples) >= 48000
    inside = np.random.default_rng(1).integers(4, len(content), 40).tolist()
    for end in [*pages[1:], *inside, len(content) - 1]:  # between two pages, and within one
        (tmp_path / "cut").write_bytes(content[:end])
        with pytest.raises(ValueError, match="cut is cut off or damaged"):
            speech.read(tmp_path / "cut")


def test_a_flac_file_that_is_cut_off_is_refused(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="the extra speech")
    soundfile.write(tmp_path / "whole", np.random.default_rng(0).normal(0, 0.2, 48000), 16000, format="FLAC")
    content = (tmp_path / "whole").read_bytes()
    for end in np.linspace(100, len(content) - 1, 20).astype(int):
        (tmp_path / "cut").write_bytes(content[:end])
        with pytest.raises(ValueError, match="cut"):
            speech.read(tmp_path / "cut")


FAULTS = {
    "empty": (b"", "is empty: expected a sound file"),
    "without a sample": (wav(b""), "is a sound file without a sample"),
    "cut off": (wav(shorts(TONE), said=400), "is not a readable WAV file: Reached EOF prematurely"),
    "cut off in its header": (wav(shorts(TONE))[:20], "is not a readable WAV file"),
    "two channels": (wav(shorts(TONE), channels=2), "has 2 channels: expected one"),
    "not a number": (wav(struct.pack("<2f", 0, float("nan")), kind=3, bits=32), "is damaged: expected finite samples"),
    "another kind": (b"GIF89a" * 9, "is not a readable sound file: .*Format not recognised"),
    "shortened": (sphere(TONE, coding="pcm,embedded-shorten-v2.00"), "is compressed by shorten: decompress it first, by NIST's sph2pipe"),
    "sphere, cut off": (sphere(TONE, count=9), "is cut off: its header promises 9 samples, found 6"),
    "sphere, empty": (sphere([]), "is a sound file without a sample"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_a_file_is_said_with_its_name(tmp_path, fault):
    content, message = FAULTS[fault]
    pytest.importorskip("soundfile", reason="the extra speech")
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        speech.read(path)
    assert str(caught.value).startswith(str(path))


def test_without_the_extra_one_sentence_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    (tmp_path / "a.wav").write_bytes(sphere(TONE))
    with pytest.raises(
        ModuleNotFoundError, match=r"a\.wav is no WAV file, and other formats need soundfile: pip install 'harmonium\[speech\]'"
    ):
        speech.read(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(wav(shorts(TONE)))
    assert len(speech.read(tmp_path / "a.wav").samples) == 6
    with pytest.raises(FileNotFoundError, match=r"there is no sound file .*b\.wav"):
        speech.read(tmp_path / "b.wav")


def test_an_utterance_of_another_rate_and_one_that_is_too_short(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(shorts(TONE), rate=8000))
    said = speech.Utterance("a", "ann", tmp_path / "a.wav", 16000)
    with pytest.raises(ValueError, match=r"a\.wav has 8000 samples per second, expected 16000: resample it"):
        said.samples()
    (tmp_path / "a.wav").write_bytes(wav(shorts(TONE)))
    assert len(said.samples()) == 6
    with pytest.raises(ValueError, match=r"a\.wav: expected samples of one channel, at least a window of 400"):
        speech.features([said], speech.mfcc)


def test_features_of_utterances_in_their_order(tmp_path):
    draws = np.random.default_rng(0)
    said = []
    for name, count in (("a", 4000), ("b", 2400)):
        (tmp_path / f"{name}.wav").write_bytes(wav(shorts(draws.integers(-9999, 9999, count).tolist())))
        said.append(speech.Utterance(name, "ann", tmp_path / f"{name}.wav", 16000))
    first, second = speech.features(said, speech.filter_bank)
    assert (first.shape, second.shape) == ((23, 123), (13, 123))
    np.testing.assert_array_equal(second, speech.filter_bank(said[1].samples(), 16000))
