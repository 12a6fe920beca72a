"""Corpora written here in their original layouts, read again; and the real ones where they are."""

import os
from pathlib import Path

import pytest

from harmonium.data import fsdd, librispeech, speech, speechocean, timit
from tests.data.test_speech_sounds import shorts, sphere, wav


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# TIMIT ---------------------------------------------------------------------------------------------------------------------------------

PHN = "0 800 h#\n800 1600 sh\n1600 2000 ix\n2000 2400 q\n2400 3200 h#\n"
CASES = {"capitals": str.upper, "small letters": str.lower}


def write_timit(root, cased=str.upper):
    """Two speakers to learn from, and all speakers of the two tests, and one more; SA, SI and SX of each."""
    people = [("train", "dr2", "mabc0"), ("train", "dr1", "fcjf0"), ("test", "dr1", "mzzz0")]
    people += [("test", f"dr{1 + number % 8}", name) for number, name in enumerate((*timit.CORE, *timit.VALIDATION))]
    for place in people:
        for sentence in ("sa1", "si648", "sx37"):
            folder = root.joinpath(*map(cased, place))
            write(folder / cased(f"{sentence}.wav"), sphere([100] * 3200))
            write(folder / cased(f"{sentence}.phn"), PHN)
            write(folder / cased(f"{sentence}.txt"), '0 3200 She had Don\'s, self-made "suit"?\n')
    return root


@pytest.mark.parametrize("cased", CASES)
def test_timit_in_its_layout(tmp_path, cased):
    write_timit(tmp_path / "timit", CASES[cased])
    train, validation, test = timit.load(tmp_path)
    assert [each.id for each in train] == ["fcjf0_si648", "fcjf0_sx37", "mabc0_si648", "mabc0_sx37"]
    assert len(validation) == 100
    assert {each.speaker for each in validation} == set(timit.VALIDATION)
    assert [each.speaker for each in test] == [name for name in timit.CORE for _ in range(2)]
    said = test[1]
    assert said.phones == ["h#", "sh", "ix", "q", "h#"]
    assert said.times == [(0, 800), (800, 1600), (1600, 2000), (2000, 2400), (2400, 3200)]
    assert said.words == ["she", "had", "don's", "self-made", "suit"]
    pytest.importorskip("soundfile", reason="the extra speech")
    assert said.samples().tolist() == [100 / 32768] * 3200
    assert timit.load(tmp_path / "timit").train == train


TIMIT_FAULTS = {
    "an unknown phone": ("SX37.PHN", PHN.replace("ix", "xx"), ValueError, r"SX37\.PHN, line 3: 'xx' is not one of the 61 phones"),
    "no times": ("SX37.PHN", "0 800 h#\nsh\n", ValueError, r"SX37\.PHN, line 2: expected the first sample, .* found 'sh'"),
    "an overlap": ("SX37.PHN", "0 800 h#\n700 900 sh\n", ValueError, r"SX37\.PHN, line 2: sh begins at sample 700, before .* ends at 800"),
    "an empty transcript": ("SX37.TXT", "", ValueError, r"SX37\.TXT is empty"),
    "no text": ("SX37.TXT", b"0 9 \xff\n", ValueError, r"SX37\.TXT is no text in UTF-8"),
    "no sound": ("SX37.WAV", None, FileNotFoundError, r"FCJF0 lacks SX37\.WAV, which belongs to the sentence SX37"),
    "no phones": ("SX37.PHN", None, FileNotFoundError, r"FCJF0 lacks SX37\.PHN"),
}


@pytest.fixture(scope="module")
def small_timit(tmp_path_factory):
    return write_timit(tmp_path_factory.mktemp("timit"))


@pytest.mark.parametrize("fault", TIMIT_FAULTS)
def test_what_is_wrong_with_timit_is_named(small_timit, fault):
    name, content, kind, message = TIMIT_FAULTS[fault]
    path = small_timit / "TRAIN" / "DR1" / "FCJF0" / name
    kept = path.read_bytes()
    path.unlink()
    if content is not None:
        write(path, content)
    try:
        with pytest.raises(kind, match=message):
            timit.load(small_timit)
    finally:
        path.write_bytes(kept)


def test_timit_that_is_missing_or_not_all_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=r"TIMIT is not on this machine .*put its folders TRAIN and TEST into a folder"):
        timit.load(tmp_path)
    root = write_timit(tmp_path / "cache" / "timit")
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    assert len(timit.load().test) == 48
    (root / "TEST" / "DR1" / "MDAB0").rename(root / "TEST" / "DR1" / "MDAB1")
    with pytest.raises(FileNotFoundError, match="is not all of TIMIT: TEST lacks mdab0"):
        timit.load()


def test_folding_is_that_of_lee_and_hon():
    """Their groups, written from the paper's table: phones in brackets are one; the rest are themselves."""
    merged = "uw ux/axr er/m em/n nx/ng eng/hh hv/ax ax-h/pcl tcl kcl/bcl dcl gcl/h# pau"
    further = "cl vcl epi sil/l el/n en/sh zh/aa ao/ih ix/ah ax"
    of_48 = {phone: group for group in merged.split("/") for phone in group.split()}
    phones = [each for each in timit.PHONES if each != "q"]
    kinds = timit.fold(phones, 48)
    for one, first in zip(phones, kinds, strict=True):
        for other, second in zip(phones, kinds, strict=True):
            assert (first == second) == (of_48.get(one, one) == of_48.get(other, other))
    assert (len(timit.PHONES), len(set(kinds)), len(set(timit.fold(phones)))) == (61, 48, 39)
    of_39 = {phone: group for group in further.split("/") for phone in group.split()}
    for one, first in zip(kinds, timit.fold(kinds), strict=True):
        for other, second in zip(kinds, timit.fold(kinds), strict=True):
            assert (first == second) == (of_39.get(one, one) == of_39.get(other, other))
    assert timit.fold(phones) == timit.fold(kinds)
    assert timit.fold(["q", "pau", "q"]) == ["sil"]
    with pytest.raises(ValueError, match="'xx' is not one of TIMIT's phones"):
        timit.fold(["xx"])
    with pytest.raises(ValueError, match="folded to 48 or 39, found to=61"):
        timit.fold([], to=61)


# speechocean762 -----------------------------------------------------------------------------------------------------------------------


def write_speechocean(root):
    """Eight adults and a child to learn from, one sentence each; a test of two, of whom one reads a sentence of the other part."""
    write(root / "resource" / "lexicon.txt", "A\tAH0\n")
    spoken, lists = [], {part: {name: [] for name in ("text", "utt2spk", "spk2age", "wav.scp")} for part in ("train", "test")}
    people = [("train", f"{number:04}", 9 if number == 3 else 20 + number, f"A {'B' * number}") for number in range(1, 10)]
    people += [("test", "0020", 18, "A BB"), ("test", "0021", 30, "A C")]
    for part, speaker, age, words in people:
        name = f"{speaker}00001"
        for of, value in (("text", words), ("utt2spk", speaker), ("wav.scp", f"WAVE/SPEAKER{speaker}/{name}.WAV")):
            lists[part][of].append(f"{name}\t{value}\n")
        lists[part]["spk2age"].append(f"{speaker}\t{age}\n")
        spoken += [f"{name}.0\tAH0_S\n", f"{name}.1\tB_B IY1_E\n"]
    for part, of in lists.items():
        for name, lines in of.items():
            write(root / part / name, "".join(lines))
    write(root / "resource" / "text-phone", "".join(spoken))
    return root


def test_speechocean_in_its_layout(tmp_path):
    write_speechocean(tmp_path / "speechocean762")
    train, validation, test = speechocean.load(tmp_path)
    assert [each.speaker for each in train] == ["0001", "0002", "0004", "0005", "0006", "0007", "0009"]
    assert [each.speaker for each in validation] == ["0008"]  # the seventh adult
    assert [each.id for each in test] == ["002100001"]
    assert (test[0].words, test[0].phones) == (["A", "C"], ["AH", "B", "IY"])
    assert test[0].of_words == [1, 2]
    assert test[0].path == tmp_path / "speechocean762" / "WAVE" / "SPEAKER0021" / "002100001.WAV"


OCEAN_FAULTS = {
    "an unknown phone": ("resource/text-phone", "AH0_S", "XX0_S", r"text-phone, line 1: 'XX' is not one of the 39 phones"),
    "no phones": ("resource/text-phone", "000100001.1\tB_B IY1_E\n", "", r"text, line 1: 000100001 has 2 words, and text-phone .* of 1"),
    "no word's number": ("resource/text-phone", "000100001.1", "000100001", r"text-phone, line 2: expected an utterance and the number"),
    "no speaker": ("train/utt2spk", "000100001\t0001\n", "", r"utt2spk has no line for 000100001"),
    "no sound": ("train/wav.scp", "000200001", "000200009", r"wav\.scp has no line for 000200001"),
    "no age": ("train/spk2age", "0002\t22", "0002\tx", r"spk2age, line 2: expected a speaker and an age in years, found 'x'"),
    "nothing said": ("train/text", "000200001\tA BB", "000200001", r"text, line 2: expected an id and what belongs to it"),
    "said twice": ("train/text", "000200001\tA BB", "000100001\tA BB", r"text, line 2: 000100001 is listed a second time, after line 1"),
}


@pytest.mark.parametrize("fault", OCEAN_FAULTS)
def test_what_is_wrong_with_speechocean_is_named(tmp_path, fault):
    name, old, new, message = OCEAN_FAULTS[fault]
    path = write_speechocean(tmp_path) / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        speechocean.load(tmp_path)


def test_speechocean_without_a_list(tmp_path):
    (write_speechocean(tmp_path) / "test" / "text").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*text"):
        speechocean.load(tmp_path)


# LibriSpeech --------------------------------------------------------------------------------------------------------------------------


def test_librispeech_by_words_and_by_a_dictionary(tmp_path):
    for name, words in {"19/19-198-0000": "A HOUSE\n", "19/19-198-0001": "MISTER O'HARA'S HOUSE", "26/26-495-0000": "HOUSE A"}.items():
        write(tmp_path / f"{name}.lab", words)
        write(tmp_path / f"{name}.flac", b"fLaC")
    found = librispeech.load(tmp_path)
    assert [(each.id, each.speaker, each.words) for each in found][1:] == [
        ("19-198-0001", "19", ["MISTER", "O'HARA'S", "HOUSE"]),
        ("26-495-0000", "26", ["HOUSE", "A"]),
    ]
    assert found[0].path.suffix == ".flac"
    assert not any(each.phones for each in found)
    lexicon = write(tmp_path / "cmu.dict", ";;; comment\n# another\nA  AH0\nA(2)  EY1\nhouse HH AW1 S # a home\n")
    with pytest.raises(ValueError, match=r"cmu\.dict lacks 2 of the words, such as MISTER, O'HARA'S: add them, or leave"):
        librispeech.load(tmp_path, lexicon=lexicon)
    kept = librispeech.load(tmp_path, lexicon=lexicon, unknown="leave out")
    assert [each.phones for each in kept] == [["AH", "HH", "AW", "S"], ["HH", "AW", "S", "AH"]]
    assert [each.of_words for each in kept] == [[1, 3], [3, 1]]
    with pytest.raises(ValueError, match="found 'ignore'"):
        librispeech.load(tmp_path, unknown="ignore")
    (tmp_path / "26" / "26-495-0000.flac").unlink()
    with pytest.raises(FileNotFoundError, match=r"26-495-0000\.lab has no sound beside it"):
        librispeech.load(tmp_path)
    write(tmp_path / "26" / "26-495-0000.lab", "\n")
    with pytest.raises(ValueError, match=r"26-495-0000\.lab has no words"):
        librispeech.load(tmp_path)


def test_a_dictionary_with_an_unreadable_line(tmp_path):
    with pytest.raises(ValueError, match=r"cmu\.dict, line 2: 'XX' is not one of the 39 phones"):
        speech.read_lexicon(write(tmp_path / "cmu.dict", "A AH0\nB XX1\n"))
    with pytest.raises(ValueError, match=r"cmu\.dict, line 1: expected a word and its phones, found 'A'"):
        speech.read_lexicon(write(tmp_path / "cmu.dict", "A\n"))


# Spoken digits ------------------------------------------------------------------------------------------------------------------------


def test_spoken_digits_by_their_names(tmp_path):
    for name in ("7_theo_10", "7_theo_9", "0_george_0", "7_lucas_3"):
        write(tmp_path / "fsdd" / "recordings" / f"{name}.wav", wav(shorts([5]), rate=8000))
    found = fsdd.load(tmp_path)
    assert [(each.id, each.speaker, each.words) for each in found] == [
        ("0_george_0", "george", ["0"]),
        ("7_lucas_3", "lucas", ["7"]),
        ("7_theo_9", "theo", ["7"]),
        ("7_theo_10", "theo", ["7"]),
    ]
    assert found[0].samples().tolist() == [5 / 32768]
    write(tmp_path / "fsdd" / "recordings" / "theo.wav", b"")
    with pytest.raises(ValueError, match=r"theo\.wav is not of this data set: expected a name such as 3_theo_12\.wav"):
        fsdd.load(tmp_path)


# One's own recordings -----------------------------------------------------------------------------------------------------------------


def test_own_recordings(tmp_path):
    write(tmp_path / "ann" / "a2.wav", wav(shorts([1, 2])))
    write(tmp_path / "bob" / "a1.WAV", wav(shorts([3])))
    write(tmp_path / "text", "a2 HH AY\na1 B AY\n")
    first, second = speech.folder(tmp_path, phones=speech.ARPABET)
    assert [(each.id, each.speaker, each.phones) for each in (first, second)] == [("a1", "bob", ["B", "AY"]), ("a2", "ann", ["HH", "AY"])]
    assert first.samples().tolist() == [3 / 32768]
    write(tmp_path / "utt2spk", "a1 bob\na2 bob\n")
    assert {each.speaker for each in speech.folder(tmp_path)} == {"bob"}
    write(tmp_path / "utt2spk", "a1 bob\n")
    with pytest.raises(ValueError, match="utt2spk has no line for a2"):
        speech.folder(tmp_path)


OWN_FAULTS = {
    "no transcript": ("text", "a1 HH\n", ValueError, r"a2\.wav has no transcript: add a line for a2 to .*text"),
    "no recording": ("text", "a1 HH\na2 AY\na3 AY\n", FileNotFoundError, r"text, line 3: .* has no recording a3\.wav"),
    "an unknown phone": ("text", "a1 HH\na2 AY QQ\n", ValueError, r"text, line 2: 'QQ' is not one of the 39 phones"),
    "one id twice": ("more/a1.wav", b"", ValueError, r"a1\.wav and .*a1\.wav have one id, a1"),
}


@pytest.mark.parametrize("fault", OWN_FAULTS)
def test_what_is_wrong_with_own_recordings_is_named(tmp_path, fault):
    name, content, kind, message = OWN_FAULTS[fault]
    for each in ("a1.wav", "a2.wav"):
        write(tmp_path / each, wav(shorts([1])))
    write(tmp_path / "text", "a1 HH\na2 AY\n")
    write(tmp_path / name, content)
    with pytest.raises(kind, match=message):
        speech.folder(tmp_path, phones=speech.ARPABET)
    with pytest.raises(FileNotFoundError, match="is not a folder: give the one that holds the recordings"):
        speech.folder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*said"):
        speech.folder(tmp_path, "said")


SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

# The real ones ------------------------------------------------------------------------------------------------------------------------


def here(name):
    folder = os.environ.get("HARMONIUM_DATA")
    return bool(folder) and (Path(folder) / name).is_file()


@pytest.mark.skipif(not here("speechocean762/resource/lexicon.txt"), reason="HARMONIUM_DATA is not set, or has no speechocean762")
def test_the_real_speechocean():
    """Counts of its README: 1,340 and 1,220 sentences, of which 40 are in both, of 67 speakers and 61; 28,056 phones of 39 kinds."""
    train, validation, test = speechocean.load()
    assert (len(train) + len(validation), len(test)) == (1340, 1220 - 40)
    people = [{each.speaker for each in part} for part in (train, validation, test)]
    assert (len(people[0]) + len(people[1]), len(people[1])) == (67, 9)
    assert not people[0] & people[1]
    assert not (people[0] | people[1]) & people[2]
    assert not {tuple(each.words) for each in train + validation} & {tuple(each.words) for each in test}
    phones = [phone for each in train + validation for phone in each.phones]
    assert (len(phones), len(set(phones))) == (28056, 39)
    assert all(each.path.is_file() for each in train + validation + test)
    pytest.importorskip("soundfile", reason="the extra speech")
    (found,) = speech.features(train[:1], speech.mfcc)
    assert found.shape == (328, 39)


@pytest.mark.skipif(not here("librispeech-demo/19/19-198-0000.lab"), reason="HARMONIUM_DATA is not set, or has no librispeech-demo")
def test_the_real_librispeech():
    found = librispeech.load()
    assert (len(found), sum(len(each.words) for each in found)) == (367, 10420)


@pytest.mark.skipif(not here("fsdd/recordings/0_george_0.wav"), reason="HARMONIUM_DATA is not set, or has no fsdd")
def test_the_real_spoken_digits():
    found = fsdd.load()
    assert len(found) == 3000
    assert {(each.speaker, each.words[0]) for each in found} == {(name, str(digit)) for name in SPEAKERS for digit in range(10)}
    assert sum(len(each.samples()) for each in found[::100]) > 30 * 1000
