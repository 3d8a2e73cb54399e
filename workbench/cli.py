"""``python -m workbench.cli VERB ...``: read the arguments, then hand over to the verb.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 cancelled.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module

from workbench.contract import Cancelled, UserError, unknown
from workbench.fields import describe, fields_of
from workbench.settings import Settings, load_settings
from workbench.verbs import CANCELLED, FAILED, WRONG_USE, Verb, WrongUse, asked

MODULES = {"serve": "serve", "test": "test", "run": "run", "tasks": "tasks", "runs": "runs", "cancel": "runs",
           "models": "models", "data": "models", "reproduce": "evidence", "bench": "evidence", "doctor": "doctor"}
EXAMPLES = """examples:
  python3 launch.py                                   open the page
  python3 launch.py tasks                             what it can do
  python3 launch.py run sweetiechat.dialogue.v1 --example
  python3 launch.py run sweetiechat.dialogue.v1 --set seed=3 --set decoding.temperature=0.5
  python3 launch.py runs                              what was done"""


def verb(name: str) -> Verb:
    """The verb of this name, its module imported now."""
    if name not in MODULES:
        raise unknown("verb", name, MODULES)
    found: Verb = import_module(f"workbench.verbs.{MODULES[name]}").VERBS[name]
    return found


def parser_of(name: str) -> ArgumentParser:
    """The parser of one verb: its own arguments, and a flag for every setting."""
    found = verb(name)
    parser = ArgumentParser(prog=f"launch.py {name}", description=found.help, allow_abbrev=False)
    found.arguments(parser)
    group = parser.add_argument_group("settings (flag > WORKBENCH_* > settings.toml > default)")
    for spec in fields_of(Settings):
        optional = {"nargs": "?", "const": "true"} if spec.kind is bool else {}
        group.add_argument(f"--{spec.name.replace('_', '-')}", dest=f"setting_{spec.name}", metavar="X",
                           help=f"{spec.knob.help} ({describe(spec.kind)})", **optional)  # type: ignore[arg-type]
    return parser


def overview() -> ArgumentParser:
    """The help that lists every verb."""
    lines = [f"  {name:<11}{verb(name).help}" for name in MODULES]
    text = "\n".join(["verbs (serve when none is given):", *lines, "", EXAMPLES])
    return ArgumentParser(prog="launch.py", usage="python3 launch.py [VERB] [arguments]", description=text,
                          epilog="VERB --help lists its arguments. --no-setup uses this Python as it is.",
                          formatter_class=RawDescriptionHelpFormatter)


def settings_of(options: Namespace) -> Settings:
    """The settings, with the flags that were given on top."""
    flags = {name.removeprefix("setting_"): value for name, value in vars(options).items()
             if name.startswith("setting_")}
    with asked():
        return load_settings(flags)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one command; returns its exit code. Errors that a person can put right are one sentence on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _do(given)
    except WrongUse as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except UserError as error:
        print(error, file=sys.stderr)
        return FAILED
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled.", file=sys.stderr)
        return CANCELLED
    except BrokenPipeError:  # `launch.py runs | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _do(given: list[str]) -> int:
    if given[:1] in (["-h"], ["--help"], ["help"]):
        overview().print_help()
        return 0
    name = given.pop(0) if given and not given[0].startswith("-") else "serve"
    with asked():
        parser = parser_of(name)
    try:
        options = parser.parse_args(given)
    except SystemExit as ended:  # argparse has said what is wrong, or printed the help
        return WRONG_USE if ended.code else 0
    return verb(name).run(options, settings_of(options))


if __name__ == "__main__":
    sys.exit(main())
