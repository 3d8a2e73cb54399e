"""The quick form of a method's claims, as the command line runs it: every claim holds, on whatever data is here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 290


@pytest.mark.timeout(300)
def test_the_quick_claims_of_sweetiechat_hold(home: Path, smollm: str) -> None:
    done = subprocess.run([sys.executable, "-m", "workbench.cli", "reproduce", "sweetiechat", "--quick", "--json"],
                          cwd=ROOT, text=True, capture_output=True, timeout=SECONDS)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["name"] == "sweetiechat" and not [c["what"] for c in found["claims"] if not c["holds"]]
    parts = {claim["what"].split(":")[0] for claim in found["claims"]}
    assert parts == {"counselor", "conditioning", "metrics", "generation", "training", "agent"}
    assert smollm and home.is_dir()
