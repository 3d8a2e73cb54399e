"""Tiny stand-ins for packaged models: real zip files with real checksums, and a converter that takes no torch."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.hub_cards import ModelCard, PackagedModel, Wheel

CONVERTER_SOURCE = '''
import json, os, sys, time
from pathlib import Path
gguf, out = Path(sys.argv[1]), Path(sys.argv[2])
log = Path(os.environ["FAKE_LOG"])
with log.open("a") as file:
    file.write(f"{os.getpid()} {gguf.name}\\n")
mode = os.environ.get("FAKE_MODE", "")
print("reading it", flush=True)
time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
if mode == "fail":
    print("this architecture is unknown", file=sys.stderr)
    sys.exit(1)
if mode == "killed":
    os.kill(os.getpid(), 9)
if mode == "full":
    print("OSError: [Errno 28] No space left on device", file=sys.stderr)
    sys.exit(1)
out.mkdir()
head = json.dumps({"w": {"dtype": "U8", "shape": [2, 3], "data_offsets": [0, 6]}}).encode()
(out / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + b"abcdef")
(out / "config.json").write_text(json.dumps({"model_type": "fake", "gguf_bytes": gguf.stat().st_size}))
print(json.dumps({"path": str(out), "parameters": 6}))
'''


@dataclass(frozen=True)
class Fake:
    """A packaged model whose wheels lie in ``folder``, and the converter to install it with."""

    model: PackagedModel
    folder: Path
    converter: tuple[str, ...]
    log: Path

    @property
    def conversions(self) -> int:
        """How often the converter ran."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def toml(self) -> str:
        """The catalogue entry, as a home's models.toml has it."""
        model, card = self.model, self.model.card
        lines = ["[[model]]", f'reference = "{card.reference}"', f'title = "{card.title}"', 'kind = "chat"',
                 'languages = ["en"]', f'version = "{model.version}"', f'gguf = "{model.gguf}"',
                 f"gguf_size = {model.gguf_size}", f'gguf_sha256 = "{model.gguf_sha256}"',
                 f"accept_licence = {str(card.accept_licence).lower()}", 'licence = "Test Terms"',
                 'licence_url = "https://terms.example"']
        for wheel in model.wheels:
            lines += ["[[model.wheel]]", *(f'{name} = {json.dumps(value)}' for name, value in vars(wheel).items())]
        return "\n".join(lines)


def sha256(data: bytes) -> str:
    """Hexadecimal sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def make_fake(tmp_path: Path, parts: int = 1, accept: bool = False) -> Fake:
    """A packaged model of so many wheels in ``tmp_path/wheels``, with its pins right."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    whole, wheels = b"", []
    for number in range(parts):
        name = "tiny-model" if parts == 1 else f"tiny-model-part{number}"
        module = name.replace("-", "_")
        inner, data = f"{module}/tiny.gguf.part{number}", b"GGUF" + bytes([number]) * 5000
        path = folder / f"{module}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(inner, data)
            archive.writestr(f"{module}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{module}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
                                                              "Tag: py3-none-any\n")
            archive.writestr(f"{module}-1.0.dist-info/RECORD", "")
        raw = path.read_bytes()
        whole += data
        wheels.append(Wheel(name, path.name, len(raw), sha256(raw), inner))
    card = ModelCard("package:tiny-model", "Tiny", "chat", ("en",), size_mb=1, disk_mb=1, licence="Test Terms",
                     licence_url="https://terms.example", accept_licence=accept)
    model = PackagedModel(card, "1.0", "tiny.gguf", len(whole), sha256(whole), tuple(wheels))
    script = tmp_path / "fake_convert.py"
    script.write_text(CONVERTER_SOURCE)
    return Fake(model, folder, (sys.executable, str(script)), tmp_path / "conversions.log")


def with_wheel(fake: Fake, **changes: object) -> Fake:
    """The same with other pins of its first wheel."""
    first, *rest = fake.model.wheels
    return replace(fake, model=replace(fake.model, wheels=(replace(first, **changes), *rest)))


def write_safetensors(path: Path, shapes: dict[str, list[int]]) -> None:
    """A safetensors file of one-byte numbers with these shapes."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = 1
        for length in shape:
            size *= length
        header[name] = {"dtype": "U8", "shape": shape, "data_offsets": [offset, offset + size]}  # type: ignore
        offset += size
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(offset))


def make_model_folder(path: Path, *, chat: bool = True, readme: str = "", weights: bool = True,
                      config: dict[str, object] | None = None) -> Path:
    """A folder that looks like a transformers model."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config or {"model_type": "llama", "max_position_embeddings": 512}))
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ x }}"} if chat else {}))
    if readme:
        (path / "README.md").write_text(readme, encoding="utf-8")
    if weights:
        write_safetensors(path / "model.safetensors", {"a": [4, 5], "b": [7]})
    return path
