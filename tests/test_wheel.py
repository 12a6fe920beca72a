"""The wheel: small, complete, without upper pins, and imported without a source tree; and what the import costs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
MOST_BYTES, MOST_SECONDS = 1_300_000, 0.3  # 1 MB before speech, motion, music, texts and ratings; text alone, of 590 modules
LEARN = """
import sys, warnings
sys.path.insert(0, {folder!r})
import harmonium as hm
from importlib import metadata, resources
from pathlib import Path
assert Path(hm.__file__).is_relative_to({folder!r}), hm.__file__
assert metadata.version("harmonium") == hm.__version__, hm.__version__
import torch, harmonium.cli
warnings.simplefilter("ignore", hm.Advice)
hm.fit(hm.RBM(4, 3), torch.eye(4), updates=2, progress=False)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what a source archive has, without the network."""
    setuptools = pytest.importorskip("setuptools", reason="the wheel is built by setuptools, which is not installed")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip(f"the wheel is built by setuptools 77 or later, found {setuptools.__version__}")
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("the wheel is built by pip, which is not installed")
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "src" / "harmonium", source / "src" / "harmonium", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", "out"]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = (source / "out").glob("harmonium-*-py3-none-any.whl")
    return found


def test_it_is_small_and_has_every_file_of_the_package(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    own = {path for path in (ROOT / "src" / "harmonium").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {path.relative_to(ROOT / "src").as_posix() for path in own}


def test_no_requirement_has_an_upper_bound(wheel: Path) -> None:
    archive = ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    required = re.findall(r"^Requires-Dist: (.*)$", archive.read(metadata).decode(), flags=re.MULTILINE)
    assert any(each.startswith("torch>=") for each in required)
    for each in required:
        assert not re.search(r"<|==|~=|===", each.split(";")[0]), each


def test_it_is_imported_without_a_source_tree(wheel: Path, tmp_path: Path) -> None:
    """Isolated, in an empty folder: neither the working folder nor the environment's variables are looked at."""
    (tmp_path / "empty").mkdir()
    ZipFile(wheel).extractall(tmp_path / "site")
    program = LEARN.format(folder=str(tmp_path / "site"))
    done = subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path / "empty", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_import_costs_little_more_than_that_of_torch() -> None:
    """In processor time, which does not count what other programs do: of `import harmonium`, and of the names that every program uses."""
    program = "\n".join(
        [
            "import sys, time",
            f"sys.path.insert(0, {str(ROOT / 'src')!r})",
            "import torch",
            "began = time.process_time()",
            "import harmonium as hm",
            "hm.RBM, hm.Bernoulli, hm.fit, hm.PersistentCD",
            "print(time.process_time() - began)",
        ]
    )
    command = [sys.executable, "-I", "-c", program]
    seconds = (float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3))
    assert any(each < MOST_SECONDS for each in seconds)  # the first is enough


def test_learning_imports_neither_frame_libraries_nor_torch_s_compiler(tmp_path: Path) -> None:
    """Each of them takes a second or so of every process that learns."""
    program = (
        "import sys, torch, harmonium as hm\n"
        "hm.fit(hm.RBM(2, 2), torch.eye(2), updates=2, progress=False, checkpoint=sys.argv[1])\n"
        "print(*sys.modules.keys() & {'pandas', 'polars', 'torch._dynamo'})"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "state")], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
