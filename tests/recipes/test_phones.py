"""Every step of phones on made-up sounds; its standard errors, its halved rates and its corpora against plain arithmetic."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from harmonium.data import speechocean, timit
from harmonium.data.speech import ARPABET, Corpus, Utterance
from harmonium.files import read_tensors
from harmonium.recipes.phones import heard_speech, recipe
from harmonium.recipes.phones.heard_speech import between_words, load, stand_in
from harmonium.recipes.phones.mixture_phones import parts_of
from harmonium.recipes.phones.phone_nets import Newbob
from harmonium.recipes.phones.recipe import KINDS, REALIGNED, Phones, judged_so_far
from harmonium.recipes.phones.recognition import GMM, PRIORS, WEIGHTS, Task, choose, ratio, read
from harmonium.runs.folder import Run
from harmonium.sequence import PhoneHMM, bigram, decode, phone_errors

pytestmark = pytest.mark.filterwarnings("ignore::harmonium.Advice")


@pytest.fixture
def options(tmp_path: Path) -> Phones:
    return Phones(out=tmp_path / "run", smoke=True, threads=1, realign=True)


def test_every_step_on_made_up_sounds(options: Phones) -> None:
    run = Run.begin("phones", options)
    found = options.run(run)
    metrics = {name: each["value"] for name, each in found["metrics"].items()}
    assert set(options.headline_metrics) <= metrics.keys()
    names = [GMM, *(f"{kind} {depth}" for kind in KINDS for depth in (1, 2)), REALIGNED]
    judged = judged_so_far(run, options.plan(), [""])
    assert list(judged) == names
    said = sum(len(each.transcript) - 2 for each in stand_in(options.seed).test)
    for name, each in judged.items():
        assert int(each.counts[:, 3].sum()) == said
        word = name.replace(" ", "_")
        if name != GMM:
            assert metrics[f"test_phone_error_percent_{word}"] == pytest.approx(100 * int(each.errors.sum()) / said)
    assert metrics["test_phone_error_percent_gmm"] < 25  # of tones that mixtures tell apart
    best = min((1, 2), key=lambda depth: metrics[f"validation_phone_error_percent_dnn_{depth}"])
    assert metrics["test_phone_error_percent_dnn"] == metrics[f"test_phone_error_percent_dnn_{best}"]
    difference = metrics["test_phone_error_percent_gmm"] - metrics["test_phone_error_percent_dnn"]
    assert metrics["test_phone_error_gmm_less_dnn"] == pytest.approx(difference)
    assert found["setting"] == "smoke"
    report = (run.folder / "report.html").read_text()
    assert report.count("<img") >= 3
    assert "DBN-DNN, realigned" in report

    run.checkpoint("dbn_dnn 1 judged").unlink()  # as if the run had been interrupted there
    run.checkpoint("dbn_dnn 2").unlink()
    run.release()
    again = options.run(Run.begin("phones", options))
    assert again["metrics"] == found["metrics"]


def test_a_report_of_an_unfinished_run(options: Phones) -> None:
    run = Run.begin("phones", options)
    options.report(run)
    assert "has not finished" in (run.folder / "report.html").read_text()


def test_standard_errors_over_speakers() -> None:
    draw = np.random.default_rng(0)
    errors, said = torch.from_numpy(draw.integers(0, 30, 12)), torch.full((12,), 50)
    value, error = ratio(errors, said)
    shares = 100 * errors.numpy() / 50
    assert value == pytest.approx(shares.mean())
    assert error == pytest.approx(shares.std(ddof=1) / np.sqrt(12))
    uneven = torch.from_numpy(draw.integers(20, 80, 400))
    wrong = torch.from_numpy(draw.binomial(uneven.numpy(), draw.uniform(0.2, 0.4, 400)))
    value, error = ratio(wrong, uneven)
    assert value == pytest.approx(100 * wrong.sum() / uneven.sum())
    drawn = draw.integers(0, 400, (4000, 400))
    bootstrap = 100 * wrong.numpy()[drawn].sum(1) / uneven.numpy()[drawn].sum(1)
    assert error == pytest.approx(bootstrap.std(), rel=0.05)  # its own standard error is 1.1 %


def test_rates_are_halved_after_small_gains_from_the_best_weights() -> None:
    model, group = torch.nn.Linear(1, 1), {"lr": 0.8}
    state = SimpleNamespace(model=model, best=None, optimizer=SimpleNamespace(param_groups=[group]), history=[], stopped=False)
    newbob = Newbob(0.5, 0.1)

    def epoch(error: float) -> tuple[float, float, bool]:
        with torch.no_grad():
            model.weight.fill_(error)
        if not state.history or error < min(row["validation_error_percent"] for row in state.history):
            state.best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        state.history.append({"validation_error_percent": error})
        newbob.on_epoch(state)
        return pytest.approx(model.weight.item()), group["lr"], state.stopped

    assert epoch(60.0) == (60.0, 0.8, False)
    assert epoch(59.0) == (59.0, 0.8, False)  # a point better
    assert epoch(61.0) == (59.0, 0.4, False)  # worse: back, and halved from here on
    assert epoch(60.0) == (59.0, 0.2, False)  # worse again: no reason to end, as half of the rate may do
    assert epoch(57.0) == (57.0, 0.1, False)  # two points better, and halved all the same
    assert epoch(56.8) == (56.8, 0.05, False)
    assert epoch(56.75) == (56.75, 0.025, True)


def test_five_epochs_in_a_row_that_err_more_end_learning() -> None:
    model, optimizer = torch.nn.Linear(1, 1), SimpleNamespace(param_groups=[{"lr": 0.8}])
    state = SimpleNamespace(model=model, best=model.state_dict(), optimizer=optimizer, history=[], stopped=False)
    ended = []
    for error in (60.0, 61.0, 60.5, 59.0, 61.0, 60.0, 59.5, 59.0, 59.1):
        state.history.append({"validation_error_percent": error})
        Newbob(0.5, 0.1).on_epoch(state)
        ended.append(state.stopped)
    assert ended == [False] * 8 + [True]


def test_weight_penalty_and_priors_err_least_in_their_rows_on_validation() -> None:
    train, validation, _ = parts_of(stand_in(0), 1, "cepstra")
    hmm = PhoneHMM.alike(("sil", *heard_speech.MADE_UP), states=1, silence="sil")
    language = bigram([heard_speech.spoken(each) for each in train.transcripts], hmm.phones)
    log_priors, generator = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1]).log(), torch.Generator().manual_seed(0)
    scores = [torch.randn(len(each), 5, generator=generator) for each in validation.features]
    task = Task(hmm, heard_speech.spoken, language, log_priors, validation, validation, [])
    found = choose(task, scores)

    def error(weight: float, penalty: float, prior: float) -> float:
        paths = decode(hmm, [each + prior * log_priors for each in scores], language, weight=weight, penalty=penalty)
        counts = phone_errors(
            *([heard_speech.spoken(each) for each in part] for part in (validation.transcripts, [each.phones for each in paths]))
        )
        return 100 * sum(each.errors for each in counts) / sum(each.phones for each in counts)

    least = found["validation_phone_error_percent"]
    assert least == error(found["weight"], found["penalty"], found["prior"])
    assert least == min(error(found["weight"], found["penalty"], prior) for prior in PRIORS)
    assert least <= min(error(weight, 0.0, 0.0) for weight in WEIGHTS)


def said(name: str, speaker: str, phones: str, **more: object) -> Utterance:
    return Utterance(name, speaker, Path(f"{name}.wav"), 16000, phones.split(), **more)  # type: ignore[arg-type]


def test_silences_may_be_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    utterance = said("1", "ann", "HH AY DH EH R", words=["HI", "THERE"], of_words=[2, 3])
    assert between_words(utterance) == ["|", "HH", "AY", "|", "DH", "EH", "R", "|"]
    monkeypatch.setattr(speechocean, "load", lambda data_dir: Corpus([utterance], [utterance], [utterance]))
    found = load("speechocean762", None)[""]
    assert found.phones == ("sil", *ARPABET)
    assert found.counted(found.test[0].transcript) == ["HH", "AY", "DH", "EH", "R"]


def test_timits_phones_are_folded_where_errors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    utterance = said("1", "ann", "h# sh ix hv eh dcl q axr h#")
    monkeypatch.setattr(timit, "load", lambda data_dir: Corpus([utterance], [utterance], [utterance]))
    found = load("timit", None)[""]
    assert len(found.phones) == 61
    assert found.silence is None
    assert found.counted(found.test[0].transcript) == ["sil", "sh", "ih", "hh", "eh", "sil", "er", "sil"]


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    for speaker in range(5):
        (tmp_path / f"s{speaker}").mkdir()
        wavfile.write(tmp_path / f"s{speaker}" / f"u{speaker}.wav", 16000, np.zeros(8000, np.int16))
    (tmp_path / "text").write_text("".join(f"u{speaker} b a\n" for speaker in range(5)))
    found = load("folder", tmp_path)[""]
    assert [[each.speaker for each in part] for part in found[:3]] == [["s0", "s1", "s2"], ["s3"], ["s4"]]
    assert found.phones == ("sil", "a", "b")
    assert found.train[0].transcript == ["|", "b", "a", "|"]
    assert found.train[0].samples().shape == (8000,)
    (tmp_path / "utt2spk").write_text("".join(f"u{speaker} one\n" for speaker in range(5)))
    with pytest.raises(ValueError, match="has 1 speakers, and five are needed"):
        load("folder", tmp_path)
    with pytest.raises(ValueError, match="takes --data-dir"):
        load("folder", None)


def test_three_readers_are_left_out_one_after_another(tmp_path: Path) -> None:
    for reader in ("19", "26", "27"):
        (tmp_path / reader).mkdir()
        for number in range(10):
            name = tmp_path / reader / f"{reader}-198-{number:04}"
            name.with_suffix(".lab").write_text("OH HARMONIUM\n" if number == 9 else "A HOUSE\n")
            wavfile.write(name.with_suffix(".wav"), 16000, np.zeros(800, np.int16))
    (tmp_path / "cmudict.dict").write_text("a AH0\noh OW1\nhouse HH AW1 S\n")
    found = load("librispeech-demo", tmp_path)
    assert list(found) == ["without 19", "without 26", "without 27"]
    for left_out, (train, validation, test, *_) in found.items():
        assert {each.speaker for each in test} == {left_out.removeprefix("without ")}
        assert len(test) == 9  # and not the sentence with a word that the dictionary lacks
        assert not {each.speaker for each in test} & {each.speaker for each in (*train, *validation)}
        assert (len(train), len(validation)) == (16, 2)
        assert not {each.id for each in train} & {each.id for each in validation}
    assert found["without 19"].test[0].transcript == ["|", "AH", "|", "HH", "AW", "S", "|"]
    (tmp_path / "cmudict.dict").unlink()
    with pytest.raises(FileNotFoundError, match=r"cmudict .*put cmudict\.dict into a folder"):
        load("librispeech-demo", tmp_path)


def test_speakers_left_out_are_judged_together(options: Phones, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: stand_in(seed) for seed, name in enumerate(("without 1", "without 2"))}
    monkeypatch.setattr(Phones, "speech", lambda self: few)
    once = dataclasses.replace(options, realign=False, precision="bfloat16")
    run = Run.begin("phones", once)
    found = once.run(run)
    assert found["setting"] == "smoke, bfloat16"
    assert {read_tensors(run.checkpoint(f"{one} {name}"))[1]["settings"]["precision"] for one in few for name in ("dnn 2", "layer 1")} == {
        "bfloat16"
    }
    judged = judged_so_far(run, once.plan(), few)
    assert list(judged) == [GMM, *(f"{kind} {depth}" for kind in KINDS for depth in (1, 2))]
    for name, each in judged.items():
        one, two = (read(run, f"{left_out} {name}") for left_out in few)
        assert each.counts.tolist() == [*one.counts.tolist(), *two.counts.tolist()]
        assert each.chosen["weight"] == (one.chosen["weight"] + two.chosen["weight"]) / 2
    said = sum(len(each.transcript) - 2 for spoken in few.values() for each in spoken.test)
    errors = 100 * int(judged[GMM].errors.sum()) / said
    assert found["metrics"]["test_phone_error_percent_gmm"]["value"] == pytest.approx(errors)
    assert (run.folder / "report.html").read_text().count("<img") >= 3


def test_nets_see_filter_banks_where_they_are_to() -> None:
    part, _, _ = parts_of(stand_in(3), 3, "filter bank")
    assert {each.shape[1] for each in part.features} == {39}
    assert [each.shape for each in part.inputs] == [(len(each), 123) for each in part.features]
    own = torch.cat([each for each, who in zip(part.inputs, part.speakers, strict=True) if who == part.speakers[0]])
    np.testing.assert_allclose(own.std(0, correction=0), 1, atol=1e-3)


def test_features_are_standardised_and_short_recordings_left_out() -> None:
    made = stand_in(3)
    train, validation, test = parts_of(made, 3, "cepstra")
    assert [len(part.features) for part in (train, validation, test)] == [12, 12, 12]
    for speaker in set(test.speakers):
        own = torch.cat([each for each, who in zip(test.features, test.speakers, strict=True) if who == speaker])
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(own.std(0, correction=0), 1, atol=1e-3)
    short = made.train[0]._replace(samples=lambda: made.train[0].samples()[:2000])
    fewer, _, _ = parts_of(made._replace(train=[short, *made.train[1:]]), 3, "cepstra")
    assert fewer.ids == [each.id for each in made.train[1:]]


def test_the_settings_have_names_and_a_tuning_run_never_sees_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Phones().setting == "full"
    assert Phones(quick=True, realign=True).setting == "quick, realigned"
    assert Phones(quick=True, corpus="timit", tuning=True).setting == "quick, timit, tuning"
    parts = [[heard._replace(speaker=f"{heard.speaker}") for heard in part] for part in stand_in(0)[:3]]
    monkeypatch.setattr(
        recipe, "load", lambda corpus, data_dir: {"": stand_in(0)._replace(train=parts[0], validation=parts[1], test=parts[2])}
    )
    tuning = Phones(quick=True, tuning=True).speech()[""]
    assert not {each.id for each in tuning.test} & {each.id for each in parts[2]}
    quick = dataclasses.replace(Phones(), quick=True).speech()[""]
    assert [each.id for each in quick.train] == [each.id for each in parts[0][::2]]
    assert json.loads(json.dumps(Phones.choices)) == ["quick", "corpus", "realign", "tuning"]
