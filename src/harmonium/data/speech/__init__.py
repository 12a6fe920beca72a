"""Speech: sound files, their features, and utterances with what is said in them."""

from harmonium.data.speech.arpabet import ARPABET, read_lexicon
from harmonium.data.speech.audio import Sound, read
from harmonium.data.speech.own_folder import folder
from harmonium.data.speech.spectra import deltas, filter_bank, mfcc
from harmonium.data.speech.utterances import Corpus, Utterance, features

__all__ = [
    "ARPABET",
    "Corpus",
    "Sound",
    "Utterance",
    "deltas",
    "features",
    "filter_bank",
    "folder",
    "mfcc",
    "read",
    "read_lexicon",
]
