"""Phones as hidden Markov models: learning from transcripts, alignment, decoding, and the errors of what is recognised."""

from harmonium.sequence.alignment import Segment, StatePath, align
from harmonium.sequence.chains import Chains, Posteriors, forward_backward, viterbi
from harmonium.sequence.decoding import decode
from harmonium.sequence.hybrid import scaled_log_likelihoods, state_log_priors
from harmonium.sequence.mixtures import GaussianMixtures
from harmonium.sequence.phone_bigram import Bigram, bigram
from harmonium.sequence.phone_errors import PhoneErrors, phone_errors
from harmonium.sequence.phone_hmm import PAUSE, PhoneHMM
from harmonium.sequence.phone_training import GMMHMM, EMStep, em_step, flat_start, train_phones

__all__ = [
    "GMMHMM",
    "PAUSE",
    "Bigram",
    "Chains",
    "EMStep",
    "GaussianMixtures",
    "PhoneErrors",
    "PhoneHMM",
    "Posteriors",
    "Segment",
    "StatePath",
    "align",
    "bigram",
    "decode",
    "em_step",
    "flat_start",
    "forward_backward",
    "phone_errors",
    "scaled_log_likelihoods",
    "state_log_priors",
    "train_phones",
    "viterbi",
]
