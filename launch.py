"""Start the workbench: `python3 launch.py` sets it up where need be and opens the page. Standard library only.

The environment is made beside this file, in .venv, from the exact versions of requirements.txt, and is made again
only when those or the Python change. `python3 launch.py --help` lists what else can follow; `--no-setup` uses the
Python it is called with as it is.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
ROOT = Path(__file__).resolve().parent


def check_python() -> None:
    """End with a sentence where this Python is too old or too new for the pinned packages."""
    if os.name != "posix":
        sys.exit("The workbench needs Linux or macOS. On Windows, run it inside WSL.")
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = next((name for name in names if shutil.which(name)), "")
    advice = f"Run `{found} launch.py`; it is here." if found else "Install one of those and run launch.py with it."
    dotted = [f"{numbers[0]}.{numbers[1]}" for numbers in (sys.version_info, OLDEST, NEWEST)]
    sys.exit(f"This is Python {dotted[0]}; the workbench needs {dotted[1]} to {dotted[2]}. {advice}")


def main(arguments: list[str]) -> None:
    """Set up where need be, then become ``python -m workbench.cli`` with the same arguments."""
    check_python()
    sys.path.insert(0, str(ROOT))
    from workbench import environment

    own = "--no-setup" in arguments
    arguments = [argument for argument in arguments if argument != "--no-setup"]
    wanted = ("base", "test") if arguments[:1] == ["test"] else ("base",)
    if not own and not {"-h", "--help"} & set(arguments):
        environment.ensure(ROOT, wanted)
    made = environment.python_of(ROOT)
    python = sys.executable if own or not made.exists() else str(made)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.execve(python, [python, "-m", "workbench.cli", *arguments], {**os.environ, "PYTHONPATH": path})


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        sys.exit(130)
