"""Nothing that is loaded is executed, unpacked to disk or fetched without a checksum: the package's own code has no means to."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import harmonium.data
from harmonium.data import fetch

PACKAGE = Path(__file__).parents[1] / "src" / "harmonium"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "yaml",
    "tarfile",
    "code",
    "codeop",
    "runpy",
}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"extractall", "extract", "unpack_archive", "loadmat", "urlopen", "urlretrieve"}
QUALIFIED = {
    "os.system",
    "os.popen",
    "torch.load",
    "torch.save",
    "np.fromregex",
    "torch.hub",
    "pooch.Untar",
    "pooch.Unzip",
    "pandas.read_pickle",
}


def faults(tree: ast.AST) -> Iterator[str]:
    """What in a module could execute a file, unpack it or fetch it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            whence = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            yield from (f"import of {name}" for name in whence if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Attribute):
            if node.attr in METHODS or ast.unparse(node) in QUALIFIED:
                yield ast.unparse(node)
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    given = {each.arg: ast.unparse(each.value) for each in node.keywords if each.arg}
    if name in BUILTINS:
        yield f"{name}()"
    if given.get("shell", "False") != "False" or given.get("allow_pickle", "False") != "False":
        yield ast.unparse(node)
    if name in ("np.load", "numpy.load") and "allow_pickle" not in given:
        yield f"{name} without allow_pickle=False"


BAD = (
    "import pickle",
    "from yaml import safe_load",
    "eval(words)",
    "exec(words)",
    "archive.extractall(folder)",
    "torch.load(path)",
    "np.load(path)",
    "np.load(path, allow_pickle=True)",
    "subprocess.run(words, shell=True)",
    "os.system(words)",
)


@pytest.mark.parametrize("code", BAD)
def test_the_fault_is_seen(code: str) -> None:
    assert list(faults(ast.parse(code)))


def test_what_is_harmless_is_not_one() -> None:
    assert not list(faults(ast.parse("net.eval(); re.compile(words); np.load(path, allow_pickle=False); subprocess.run(words)")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_can_execute_what_it_reads(path: Path) -> None:
    assert not list(faults(ast.parse(path.read_text())))


def test_there_is_one_download_and_it_has_a_checksum() -> None:
    calls = [
        (path, node)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("retrieve")
    ]
    assert [path for path, _ in calls] == [PACKAGE / "data" / "fetch.py"]
    assert [ast.unparse(each.value) for each in calls[0][1].keywords if each.arg == "known_hash"] == ["f'sha256:{sha256}'"]


def test_addresses_are_https() -> None:
    names = [each.name for each in pkgutil.iter_modules(harmonium.data.__path__)]
    modules = [importlib.import_module(f"harmonium.data.{name}") for name in names]
    found = [text for module in modules for text in _texts(vars(module)) if "://" in text and " " not in text]
    assert found
    assert all(text.startswith("https://") for text in found)


def _texts(held: dict[str, object]) -> Iterator[str]:
    """The texts among a module's constants."""
    for name, value in held.items():
        if name.isupper():
            yield from (each for each in (value if isinstance(value, list | tuple) else [value]) if isinstance(each, str))


def test_a_download_by_another_way_or_without_a_checksum_is_refused(tmp_path: Path) -> None:
    for url, checksum in (("http://example.org", "0" * 64), ("ftp://example.org", "0" * 64), ("https://example.org", "")):
        with pytest.raises(ValueError, match="https"):
            fetch._download("file", checksum, [url], tmp_path)
