"""The workbench's own addresses, asked directly: what is served, how it is cached, who may have which file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from workbench import web
from workbench.runs import change_state, create_run
from workbench.security import visitor_id
from workbench.service import Service
from workbench.settings import Settings
from workbench.theme import FOLDER, stylesheet

ANN, BOB = "a" * 32, "b" * 32


@pytest.fixture
def service(settings: Settings, toys: str) -> Service:
    return Service(settings)


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(Starlette(routes=web.routes(service, "boot-1")))


@pytest.fixture
def run(service: Service) -> str:
    """A finished run of Ann's with one file and one curve, written by hand: no child process is needed here."""
    made = create_run(service.settings.home, "toys.count.v1", {"steps": 1}, owner=visitor_id(ANN), title="Cöunt")
    (made.path / "artifacts" / "out.json").write_text('{"n": 1}', encoding="utf-8")
    line = {"name": "out.json", "path": "artifacts/out.json", "kind": "json"}
    (made.path / "artifacts.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    (made.path / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n', encoding="utf-8")
    change_state(made.path, {"status": "succeeded"})
    service.index.refresh(made.path)
    return made.id


def cookie(token: str) -> dict[str, str]:
    return {"cookie": f"wb_visitor={token}"}


def test_health_names_this_run_of_the_server(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)  # an earlier test of this process may have needed it
    answer = client.get("/workbench/health")
    assert answer.json() == {"boot": "boot-1", "torch": False} and answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["page.js", "answers.js", "mark.svg", "style.css", "runs.css"])
def test_static_files_are_kept_for_good_under_their_stamp(client: TestClient, name: str) -> None:
    answer = client.get(f"/workbench/static/{name}")
    assert answer.status_code == 200 and answer.headers["cache-control"] == web.KEEP and answer.text
    assert answer.headers["content-type"].split(";")[0] == web.STATIC[Path(name).suffix]


def test_the_stylesheet_is_one_file_of_all(client: TestClient) -> None:
    shown = client.get("/workbench/static/style.css").text
    assert shown == stylesheet()
    for path in FOLDER.glob("*.css"):
        assert path.read_text(encoding="utf-8") in shown, path.name


@pytest.mark.parametrize("name", ["nothing.js", "theme.py", "..", "%2e%2e%2fen.json", ".hidden", "page.js%00", "page"])
def test_nothing_else_is_static(client: TestClient, name: str) -> None:
    assert client.get(f"/workbench/static/{name}").status_code == 404


def test_an_artifact_goes_to_its_owner_as_a_download(client: TestClient, run: str) -> None:
    answer = client.get(f"/workbench/runs/{run}/out.json", headers=cookie(ANN))
    assert answer.json() == {"n": 1} and answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="out.json"'
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("token", [BOB, "", "x", ANN.upper()])
def test_an_artifact_goes_to_nobody_else(client: TestClient, run: str, token: str) -> None:
    for path in (f"/workbench/runs/{run}/out.json", f"/workbench/charts/{run}"):
        answer = client.get(path, headers=cookie(token))
        assert answer.status_code == 404 and "There is no run" in answer.text


def test_a_shared_artifact_goes_to_everybody(client: TestClient, service: Service, run: str) -> None:
    service.share(visitor_id(ANN), run, True)
    assert client.get(f"/workbench/runs/{run}/out.json", headers=cookie(BOB)).status_code == 200


def test_a_file_that_is_gone_is_said_in_words(client: TestClient, service: Service, run: str) -> None:
    (service.run(visitor_id(ANN), run).path / "artifacts" / "out.json").unlink()
    answer = client.get(f"/workbench/runs/{run}/out.json", headers=cookie(ANN))
    assert answer.status_code == 404 and "gone" in answer.text


def test_a_link_out_of_the_run_is_not_followed(client: TestClient, service: Service, run: str) -> None:
    inside = service.run(visitor_id(ANN), run).path / "artifacts" / "out.json"
    inside.unlink()
    inside.symlink_to("/etc/passwd")
    assert client.get(f"/workbench/runs/{run}/out.json", headers=cookie(ANN)).status_code == 404


def test_the_chart_of_a_run_is_one_file(client: TestClient, run: str) -> None:
    answer = client.get(f"/workbench/charts/{run}", headers=cookie(ANN))
    assert answer.status_code == 200 and "Plotly.newPlot" in answer.text and "Cöunt" in answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="curves-{run}.html"'


def test_a_kept_key_that_somebody_emptied_is_not_taken_for_an_open_door(tmp_path: Path) -> None:
    (tmp_path / "access.key").write_text("", encoding="ascii")
    assert len(web.access_key(Settings(home=tmp_path, host="192.168.1.20"))) == 32
