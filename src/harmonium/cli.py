"""The command `harmonium`: what it offers, and errors in one sentence.

Nothing that this module imports takes PyTorch, so that help, the list of recipes and a mistyped word are answered at once; what a command
does is in `harmonium.commands`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import warnings
from pathlib import Path

from harmonium import __version__
from harmonium.recipes import REGISTRY
from harmonium.stopping import leaving_with
from harmonium.usage import HELP, UsageError, suggestion

COMMANDS = {
    "run": "RECIPE    reproduce a published result, into a folder of its own",
    "train": "DATA      learn a model of your own data: an RBM, a stack or a classifier",
    "features": "RUN DATA  write the means of such a model's hidden units for each row",
    "predict": "RUN DATA  write the label of each row, by such a classifier",
    "impute": "RUN DATA  fill the gaps of a table by such a model",
    "resume": "RUN       go on with a run from its last checkpoint, to the same bits",
    "evaluate": "RUN       how good a finished run is: its errors, and its likelihood",
    "sample": "RUN       draw samples of a run's model into samples.png",
    "report": "RUN       draw a run's report again, from whatever it has learnt",
    "page": "RUN       write a run's net as one interactive HTML file, which opens from disk",
    "watch": "RUN       serve that page while the run learns, to this machine alone",
    "compare": "RUN RUN   two runs side by side: settings that differ, and figures",
    "list": "[RECIPE]  the recipes; or all that is recorded of one",
    "record": "ACTION    look after the recorded outcomes in results/",
}
"""Each command, with what it takes and does."""
ON_A_RUN = ("resume", "evaluate", "sample", "report", "page", "watch", "features", "predict", "impute", "compare")
NO_MEMORY = "harmonium: there is not enough memory for this: take fewer units, fewer chains or a smaller batch"
FAULT, TRACEBACK = "a fault of the program itself", "HARMONIUM_TRACEBACK"
CONFIGURATION = "config.json"  # what makes a folder a run's


def overview() -> str:
    """The help of the whole program."""
    lines = [f"  {name:<9} {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: harmonium COMMAND ...",
            "",
            "Deep generative models learnt one layer of features at a time.",
            "",
            *lines,
            "",
            "harmonium COMMAND --help says what a command takes; harmonium run RECIPE --help, what a recipe does.",
            "harmonium --version says the version. Begin with `harmonium run digits`.",
        ]
    )


def check_recipe(name: str) -> None:
    """Asks the register for a recipe's name.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    names = [entry.name for entry in REGISTRY]
    if name not in names:
        near = suggestion(name, names) or "; `harmonium list` shows them all"
        raise UsageError(f"there is no recipe {name!r}{near}")


def check_run(folder: str) -> None:
    """Looks whether a folder holds a run, before anything is imported that could open it.

    Raises
    ------
    FileNotFoundError
        It does not.
    """
    path = Path(folder)
    if (path / CONFIGURATION).is_file():
        return
    here = {str(each.parent) for parent in {path.parent, Path("runs")} for each in parent.glob(f"*/{CONFIGURATION}")}
    named = {Path(each).name: each for each in here}
    near = suggestion(folder, here) or suggestion(path.name, named)
    if near and (word := near.removeprefix("; did you mean ").removesuffix("?")) in named:
        near = f"; did you mean {named[word]}?"
    raise FileNotFoundError(f"{folder} holds no run (there is no {path / CONFIGURATION}){near or '; `harmonium run RECIPE` makes one'}")


def answer(words: list[str]) -> str | None:
    """What can be said without PyTorch.

    Parameters
    ----------
    words
        Of the command line, the program's name left out.

    Returns
    -------
    str or None
        What to print, or None where the command is to be carried out.

    Raises
    ------
    UsageError
        There is no such command or recipe, or a word is missing.
    FileNotFoundError
        A folder holds no run.
    """
    if not words or words[0] in HELP:
        return overview()
    if words[0] == "--version":
        return f"harmonium {__version__}"
    command, *rest = words
    if command not in COMMANDS:
        near = suggestion(command, COMMANDS) or "; `harmonium --help` names them all"
        raise UsageError(f"there is no command {command!r}{near}")
    asked = bool(set(rest) & set(HELP))
    first = rest[0] if rest and not rest[0].startswith("-") else None
    if command in ("run", "list"):
        if first is not None:
            check_recipe(first)
        elif asked:
            return recipes(command)
        elif command == "run":
            raise UsageError("run takes the name of a recipe, and none was given: `harmonium list` shows them, digits is the shortest")
        elif not rest:
            from harmonium.recipes.listing import listing

            stars = "* published of another protocol or model; harmonium list RECIPE shows all that is recorded of one"
            return f"{listing(shutil.get_terminal_size().columns)}\n{stars}"
    elif command == "train" and not asked and first is None:
        raise UsageError("train takes a file or a folder of data first, and none was given: `harmonium train table.csv`, say")
    elif command in ON_A_RUN and not asked:
        if first is None:
            raise UsageError(f"{command} takes the folder of a run, and none was given: `harmonium {command} runs/digits`, say")
        check_run(first)
    return None


def recipes(command: str) -> str:
    """The help of a command that takes a recipe."""
    head = {"run": "usage: harmonium run RECIPE [options]", "list": "usage: harmonium list [RECIPE]"}[command]
    lines = [f"  {entry.name:<16} {entry.sentence}" for entry in REGISTRY]
    return "\n".join([head, "", *lines, "", "harmonium run RECIPE --help shows its options, with their defaults."])


def wait_quietly() -> None:
    """Has threads that wait for each other sleep where the machine has more work than processors, unless the user says how they wait.

    Else they wait in a loop, and take the time of the work that they wait for. Their library asks once, as it is loaded.
    """
    with contextlib.suppress(OSError, AttributeError):  # where the system does not count its load
        if os.getloadavg()[0] > (os.cpu_count() or 1):
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """The entry point. Every error that a user can mend is one sentence; exit code 2 for the words of a command, 1 for what it met."""
    usual = warnings.formatwarning
    warnings.formatwarning = sentence
    try:
        said = answer(sys.argv[1:])
        if said is not None:
            print(said)
            return
        wait_quietly()
        with leaving_with("Stopped."):
            from harmonium.commands import carry_out

            carry_out(sys.argv[1:])
    except UsageError as error:
        print(f"harmonium: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # a pager that was left, or head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains as it flushes
        sys.exit(1)
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.strerror and error.filename else str(error)
        sys.exit(f"harmonium: {said}")
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"harmonium: {error}")
    except MemoryError:
        sys.exit(NO_MEMORY)
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        if "can't allocate memory" in str(error):  # how PyTorch says it
            sys.exit(NO_MEMORY)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        sys.exit(f"harmonium: {FAULT} ({what}); with the environment variable {TRACEBACK}=1 it says where")
    finally:
        warnings.formatwarning = usual


def sentence(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """A warning on the command line: what it says, without the place in the code. The parameters are those of `warnings.formatwarning`."""
    return f"harmonium: {message}\n"


if __name__ == "__main__":
    main()
