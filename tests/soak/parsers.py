"""Every parser of the package: small valid files of its formats, and the call that reads one."""

from __future__ import annotations

import datetime
import functools
import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image

import harmonium as hm
from harmonium import cli, parsing
from harmonium.commands import options_of
from harmonium.data import amat, binary_density, cifar10, documents, matlab, midi, ratings, speech
from harmonium.data.binary_matrix import read_binary_matrix, write_binary_matrix
from harmonium.data.idx import read_idx
from harmonium.data.pictures import decoded
from harmonium.data.readers import read as read_data
from harmonium.data.speech import transcripts
from harmonium.files import WITHOUT_CHECKSUM, read_tensors
from harmonium.recipes import find
from harmonium.runs import Options, Run
from harmonium.runs.metrics_file import line
from tests.data import test_matlab_reader, test_speech_sounds
from tests.data.idx_files import idx_bytes


@dataclass(frozen=True)
class Parser:
    """One kind of file.

    `share`: of all inputs, by what one costs. `name`: of the file that is read. `mend`: gives a mutated file again what every reader looks
    at first, so that more than the first look is tried.
    """

    share: int
    name: str
    originals: Callable[[Path], Sequence[bytes]]
    read: Callable[[Path], object]
    mend: Callable[[bytes], bytes] | None = None


def _idx(folder: Path) -> list[bytes]:
    plain = [idx_bytes(np.arange(24, dtype=kind).reshape(shape)) for kind, shape in (("u1", (2, 3, 4)), ("i4", (24,)), ("f8", (4, 6)))]
    return [*plain, gzip.compress(plain[0], mtime=0)]


def _matlab(folder: Path) -> list[bytes]:
    names = list(test_matlab_reader.VARIABLES)
    plain = [test_matlab_reader.written(name, compressed=False) for name in names]
    return [*plain, test_matlab_reader.written(*names), test_matlab_reader.written(*names, compressed=False)]


def _norb(folder: Path) -> list[bytes]:
    found = []
    for array in (np.arange(24, dtype=np.int32), np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.eye(3, dtype=np.float32)):
        write_binary_matrix(folder / "matrix", array)
        found.append((folder / "matrix").read_bytes())
    return found


def _images(*kinds: str) -> Callable[[Path], list[bytes]]:
    def made(folder: Path) -> list[bytes]:
        grey, found = np.arange(48, dtype=np.uint8).reshape(6, 8), []
        for kind in kinds:
            for pixels in (Image.fromarray(grey), Image.fromarray(np.stack([grey] * 3, 2)), Image.fromarray(grey).convert("P")):
                if kind not in ("JPEG", "PPM") or pixels.mode != "P":
                    file = io.BytesIO()
                    pixels.save(file, kind)
                    found.append(file.getvalue())
        return found

    return made


def _sounds(folder: Path) -> list[bytes]:
    import soundfile  # here, as polars below: of an extra

    others = [test_speech_sounds.sphere(test_speech_sounds.TONE, order) for order in ("01", "10")]
    for form in (("FLAC", "PCM_16"), ("OGG", "OPUS"), ("OGG", "VORBIS")):
        soundfile.write(folder / "sound", np.sin(np.arange(400) / 5), 16000, form[1], format=form[0])
        others.append((folder / "sound").read_bytes())
    return [content for content, _ in test_speech_sounds.FORMS.values()] + others


def _models(folder: Path) -> list[bytes]:
    dense = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=0)
    groups = hm.RBM(hm.Groups(hm.Gaussian(3), hm.Softmax(1, categories=3)), hm.NoisyReLU(4), seed=0)
    image = hm.RBM(hm.Bernoulli((1, 6, 6)), hm.Bernoulli((2, 4, 4)), hm.Convolutional((1, 6, 6), 2, kernel=3), seed=0)
    dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=0), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1)])
    net = hm.nets.classifier(dbn, classes=3)
    found = []
    for model in (dense, groups, image, dbn, net):
        hm.save(model, folder / "model")
        found.append((folder / "model").read_bytes())
        found.append(_without_checksum(folder / "model"))
    return found


def _without_checksum(path: Path) -> bytes:
    """As an earlier version wrote it, and as whoever forges a checksum can: whatever is in it is looked at."""
    tensors, header = read_tensors(path)
    return safetensors.torch.save(tensors, {"format": WITHOUT_CHECKSUM, "harmonium": json.dumps(header)})


def _with_length(content: bytes) -> bytes:
    """A safetensors file whose header has the length that it says, if it still is JSON."""
    text = content[8:].decode("latin-1")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return content
    end += len(text[end:]) - len(text[end:].lstrip(" "))
    return end.to_bytes(8, "little") + content[8:]


def _learn(path: Path) -> object:
    """Learns an epoch, or goes on from what is there."""
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=0)
    sgd = functools.partial(torch.optim.SGD, lr=0.1, momentum=0.5)
    chains = hm.PersistentCD(chains=5)
    return hm.fit(rbm, torch.eye(6), negative=chains, optimizer=sgd, batch_size=6, epochs=1, checkpoint=path, seed=1, progress=False)


def _checkpoints(folder: Path) -> list[bytes]:
    _learn(folder / "state")
    return [(folder / "state").read_bytes(), _without_checksum(folder / "state")]


def _configurations(folder: Path) -> list[bytes]:
    found = []
    for name in ("digits", "mnist-rbm"):
        options: Options = find(name)(threads=1, out=folder / name)
        Run.begin(name, options).release()
        found.append((folder / name / "config.json").read_bytes())
    return found


def _open(path: Path) -> object:
    return options_of(Run.open(path.parent))


def _words(folder: Path) -> list[bytes]:
    lines = (
        "run digits --seed 3 --threads 1 --smoke",
        "run digits --layers.units 30 20 --layers.epochs 4 --out runs/x",
        "list digits",
        "list",
    )
    return [each.replace(" ", "\n").encode() for each in lines]


def _answer(path: Path) -> object:
    words = [word for word in path.read_bytes().decode(errors="replace").split("\n") if word not in ("-h", "--help")]
    said = cli.answer(words)
    return said if said is not None or words[0] != "run" else parsing.parse(find(words[1]), words[2:], "harmonium run")


def _notes(folder: Path) -> list[bytes]:
    midi.write(folder / "notes.mid", torch.eye(88)[[39, 43, 46, 39]])
    return [(folder / "notes.mid").read_bytes()]


def _arrays(folder: Path) -> list[bytes]:
    found = []
    for array in (np.eye(3), np.arange(6, dtype=np.uint8).reshape(2, 3), np.array([True, False])):
        np.save(folder / "array.npy", array)
        found.append((folder / "array.npy").read_bytes())
    return found


def _archives(folder: Path) -> list[bytes]:
    np.savez(folder / "arrays.npz", one=np.eye(3))
    np.savez_compressed(folder / "packed.npz", one=np.eye(3))
    return [(folder / "arrays.npz").read_bytes(), (folder / "packed.npz").read_bytes()]


COUNTS = {
    "format": np.array(b"csr"),
    "shape": np.array([2, 2]),
    "data": np.array([1, 2, 3]),
    "indices": np.array([0, 0, 1]),
    "indptr": np.array([0, 1, 3]),
}


def _counts(folder: Path) -> list[bytes]:
    """Members of a sparse matrix's archive, each after its name."""
    return [name.encode() + b"\n" + _array_file(array) for name, array in COUNTS.items()]


def _array_file(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _count(path: Path) -> object:
    """A sparse matrix one of whose members is the input: what a mutated archive's checksums would hide."""
    name, _, content = path.read_bytes().partition(b"\n")
    members = {each: content if each.encode() == name else _array_file(array) for each, array in COUNTS.items()}
    whole = path.with_name("whole.npz")  # the input stays as it is
    with zipfile.ZipFile(whole, "w") as archive:
        for each, member in members.items():
            archive.writestr(f"{each}.npy", member)
    return documents.load(whole)


def _frames(folder: Path) -> list[bytes]:
    """Tables of several kinds of columns, packed in several ways."""
    import polars

    people = {
        "height": [1.7, None, 1.5, 1.6],
        "eyes": ["blue", "brown", None, "blue"],
        "children": [0, 2, 1, 3],
        "born": [datetime.date(2000, 1, day) for day in (1, 2, 4, 8)],
        "glasses": [True, False, True, None],
    }
    made = []
    for packed in ("uncompressed", "snappy", "gzip", "zstd", "lz4", "brotli"):
        polars.DataFrame(people).write_parquet(folder / packed, compression=packed)
        made.append((folder / packed).read_bytes())
    return made


def _texts(*texts: str) -> Callable[[Path], list[bytes]]:
    return lambda folder: [text.encode() for text in texts]


SHEETS = ("height;eyes\n1.7;blue\n;brown\n1.5;\n", "a,b,c\n1,2,3\n4,,6\n", '1\t2\n3\t"4 x"\n', "when,n\n2020-01-02,3\nNA,4\n2020-01-03,5\n")
MATRIX = (
    "%%MatrixMarket matrix coordinate real general\n3 3 2\n1 1 0.5\n3 2 -1\n",
    "%%MatrixMarket matrix array integer general\n2 2\n1\n2\n3\n4\n",
    "%%MatrixMarket matrix coordinate pattern symmetric\n% words\n3 3 2\n1 1\n3 2\n",
)
RATINGS = ("user,item,rating\nann,tea,4\nbob,tea,5\nann,milk,2\n", "1,1,1\n1,2,5\n2,1,3\n")
TALK = ("cats and dogs\ndogs\nmore cats, and cats\n", "one word is\nfew words are\n")
LEXICON = (";;; comment\nCAT  K AE1 T\nDOG  D AO1 G\nDOG(2)  D AA1 G # other\n",)
CASES = ("0 0.5 1 0.25 2\n1 1 0 0 0\n0.1 0.2 0.3 0.4 1\n",)
ROWS = ("".join(line({"phase": "layer 1", "epoch": float(epoch), "error": 1 / epoch}) for epoch in (1, 2, 3)),)


def _record(folder: Path) -> list[bytes]:
    return [bytes([label]) + bytes(range(256)) * 12 for label in (3, 9)]


PARSERS = {
    "idx": Parser(14, "a", _idx, read_idx),
    "matlab": Parser(14, "a.mat", _matlab, lambda path: matlab.arrays(path, [f"v_{name}" for name in test_matlab_reader.VARIABLES])),
    "binary-matrix": Parser(8, "a.mat", _norb, lambda path: read_binary_matrix(path).sum()),
    "cifar": Parser(3, "a.bin", _record, lambda path: cifar10._records([path], 1)),
    "amat": Parser(7, "a.amat", _texts(*CASES), lambda path: amat.read_amat(path, cases=3, width=4, classes=3)),
    "density": Parser(7, "a.data", _texts("0,1,1\n1,0,0\n", "1\n0\n"), binary_density._read),
    "image": Parser(10, "a", _images("PNG", "JPEG", "PPM", "TIFF"), lambda path: decoded(path, ["PNG", "JPEG", "PPM", "TIFF"])),
    "image-folder": Parser(5, "a.png", _images("PNG", "JPEG"), lambda path: read_data(path.parent)),
    "sound": Parser(6, "a.wav", _sounds, speech.read),
    "model": Parser(5, "model", _models, hm.load, _with_length),
    "checkpoint": Parser(2, "state", _checkpoints, _learn, _with_length),
    "configuration": Parser(4, "config.json", _configurations, _open),
    "command-line": Parser(1, "words", _words, _answer),
    "ratings": Parser(6, "a.csv", _texts(*RATINGS), ratings.read),
    "documents": Parser(3, "a.txt", _texts(*TALK), documents.load),
    "counts": Parser(2, "a.npz", _counts, _count),
    "midi": Parser(5, "a.mid", _notes, midi.read),
    "sheet": Parser(7, "a.csv", _texts(*SHEETS), lambda path: hm.data.from_frame(read_data(path))),
    "parquet": Parser(3, "a.parquet", _frames, lambda path: hm.data.from_frame(read_data(path))),
    "array": Parser(4, "a.npy", _arrays, read_data),
    "archive": Parser(3, "a.npz", _archives, read_data),
    "matrix-market": Parser(3, "a.mtx", _texts(*MATRIX), read_data),
    "rows": Parser(4, "metrics.jsonl", _texts(*ROWS), lambda path: Run(path.parent, "", {}, []).histories()),
    "transcripts": Parser(2, "text", _texts("a1 one two\na2 three\n"), transcripts.table),
    "lexicon": Parser(2, "lexicon", _texts(*LEXICON), speech.read_lexicon),
}
"""By name: the folder of the corpus that keeps what a parser failed at."""


def originals_of(parser: Parser) -> list[bytes]:
    """Valid files of one kind; a parser that refuses one of them is no parser."""
    with tempfile.TemporaryDirectory() as folder:
        return list(parser.originals(Path(folder)))


def shares(inputs: int, names: Sequence[str] = tuple(PARSERS)) -> dict[str, int]:
    """How many inputs each of the parsers has, of so many in all."""
    parts = {name: PARSERS[name].share for name in names}
    counts = {name: inputs * part // sum(parts.values()) for name, part in parts.items()}
    first = next(iter(counts))
    return {**counts, first: counts[first] + inputs - sum(counts.values())}
