"""What is refused, shown on a real server process through plain HTTP, layer by layer."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pageserver import PageServer
from workbench import security, web
from workbench.contract import UserError
from workbench.settings import Settings

PUBLIC = Path(__file__).with_name("public_api.txt")
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    home = tmp_path_factory.mktemp("security") / "home"
    home.mkdir()
    server = PageServer(home, {"WORKBENCH_UPLOAD_MB": "1", "WORKBENCH_ALLOWED_HOSTS": "bench.example"}).start()
    yield server
    server.stop()


# -- host ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost", 200),
        ("LOCALHOST", 200),
        ("bench.example", 200),
        ("[::1]", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost.evil.example", 400),
        ("", 400),
        ("evil.example#127.0.0.1", 400),
        ("user@localhost", 400),
    ],
)
def test_only_our_own_names_are_answered(server: PageServer, host: str, status: int) -> None:
    for port in ("", f":{server.port}") if host else ("",):
        assert server.ask("/workbench/health", headers={"Host": host + port}).status == status


def test_a_refused_host_learns_nothing_of_the_page(server: PageServer) -> None:
    answer = server.ask("/", headers={"Host": "evil.example"})
    assert answer.status == 400 and "gradio" not in answer.text.lower() and "set-cookie" not in answer.headers


# -- origin -------------------------------------------------------------------------------------------------------

ORIGINS = [
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "https://localhost.evil.example"}, 403),
    ({"Origin": "http://localhost:1"}, 403),
    ({"Origin": "file://"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({}, 200),
]


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
def test_another_sites_request_is_refused(server: PageServer, headers: dict[str, str], status: int) -> None:
    assert server.ask("/workbench/health", headers=headers).status == status
    assert server.call("tasks", [], headers).status == status


def test_our_own_origin_is_answered_under_every_name_of_ours(server: PageServer) -> None:
    for name in ("127.0.0.1", "localhost", "bench.example"):
        host = f"{name}:{server.port}"
        assert server.ask("/workbench/health", headers={"Host": host, "Origin": f"http://{host}"}).status == 200


def test_a_link_on_another_site_opens_the_page_but_sends_nothing(server: PageServer) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert server.ask("/", headers=link).status == 200
    assert server.ask("/gradio_api/run/tasks", "POST", link, {"data": []}).status == 403
    assert server.ask("/", headers={**link, "Sec-Fetch-Dest": "iframe"}).status == 403


def test_no_cross_origin_permission_is_ever_given(server: PageServer) -> None:
    for headers in ({"Origin": f"http://127.0.0.1:{server.port}"}, {"Origin": "http://evil.example"}):
        for method in ("GET", "OPTIONS"):
            answer = server.ask("/", method, {**headers, "Access-Control-Request-Method": "POST"})
            assert not [name for name in answer.headers if name.startswith("access-control")]


# -- routes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/docs",
        "/redoc",
        "/openapi.json",
        "/gradio_api/openapi.json",
        "/gradio_api/runs",
        "/gradio_api/mcp/",
        "/gradio_api/proxy=https://x.hf.space/",
        "/gradio_api/deep_link?session_hash=x",
        "/gradio_api/dev/reload",
        "/monitoring",
        "/gradio_api/user",
        "/gradio_api/token",
        "/login",
        "/logout",
        "/gradio_api/run-history/records",
        "/gradio_api/vibe-code/",
        "/manifest.json",
        "/gradio_api/custom_component/a/client/b/c",
        "/gradio_api/stream/a/b/1/playlist.m3u8",
        "/.env",
    ],
)
def test_what_the_page_does_not_use_is_not_there(server: PageServer, path: str) -> None:
    assert server.ask(path).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../etc/passwd",
        "/gradio_api/file=%2e%2e/%2e%2e/etc/passwd",
        "/gradio_api/file=..%252f..%252fetc%252fpasswd",
        "/gradio_api/file=C:%5Cwindows",
        "/gradio_api/file=\\etc\\passwd",
        "/gradio_api/file=file:///etc/passwd",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/file=/proc/self/environ",
        "/static/../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/workbench/static/..%2ftheme.py",
        "/workbench/static/%2e%2e%2f%2e%2e%2fworkbench%2fshell.py",
        "/workbench/runs/x/..%2f..%2fstate.json",
        "/svelte/../../x",
    ],
)
def test_no_way_out_of_the_apps_own_files(server: PageServer, path: str) -> None:
    answer = server.ask(path)
    assert answer.status in (400, 403, 404) and b"root:" not in answer.body and b"PATH=" not in answer.body


def test_files_of_the_home_are_not_served_by_path(server: PageServer) -> None:
    visitor = server.visitor()
    run = server.submit(visitor, steps=2)
    assert server.wait(visitor, run)["status"] == "succeeded"
    for inside in (f"runs/{run}/state.json", f"runs/{run}/artifacts/count.json", "index.sqlite"):
        path = server.home / inside
        assert path.exists()
        assert server.ask(f"/gradio_api/file={path}", headers=visitor).status in (403, 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
def test_other_methods_are_refused(server: PageServer, method: str) -> None:
    assert server.ask("/", method).status in (403, 404, 405)


def test_public_endpoints_are_the_checked_in_list(server: PageServer) -> None:
    info = server.ask("/gradio_api/info").json()
    assert security.public_names(list(info["named_endpoints"])) == PUBLIC.read_text(encoding="utf-8").split()
    assert not info["unnamed_endpoints"]
    config = server.ask("/config").json()
    named = [d["api_name"] for d in config["dependencies"] if d["api_visibility"] == "public"]
    assert security.public_names(named) == PUBLIC.read_text(encoding="utf-8").split()


# -- size ---------------------------------------------------------------------------------------------------------


def form(size: int) -> tuple[dict[str, str], bytes]:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
        + b"x" * size
        + b"\r\n--b--\r\n"
    )
    return {"Content-Type": "multipart/form-data; boundary=b"}, body


def test_an_upload_within_the_cap_is_taken_and_one_above_is_not(server: PageServer) -> None:
    headers, body = form(1000)
    taken = server.ask("/gradio_api/upload", "POST", headers, body)
    assert taken.status == 200
    assert server.ask(f"/gradio_api/file={taken.json()[0]}").body == b"x" * 1000
    headers, body = form(2**20 + 1)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before it was sent: just as good
        assert server.ask("/gradio_api/upload", "POST", headers, body).status == 413


@pytest.mark.parametrize("length", ["99999999999", "-5", "abc"])
def test_a_declared_length_above_the_cap_is_refused_before_it_is_read(server: PageServer, length: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status in (400, 413)
    connection.close()


def test_a_streamed_body_is_cut_at_the_cap(server: PageServer) -> None:
    headers, body = form(3 * 2**20)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    pieces = (body[i : i + 65536] for i in range(0, len(body), 65536))
    try:
        connection.request("POST", "/gradio_api/upload", body=pieces, headers=headers, encode_chunked=True)
        status = connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        status = 413
    assert status in (400, 413)
    assert server.ask("/workbench/health").status == 200


def test_a_long_scenario_still_fits(server: PageServer) -> None:
    answer = server.call("start", ["toys.count.v1", {"note": "x" * 100_000}], server.visitor())
    assert answer.status == 500 and "100000 characters" in answer.text  # refused by the field's own limit, in words


# -- visitors -----------------------------------------------------------------------------------------------------


def test_the_visitor_cookie_is_random_hidden_from_scripts_and_kept(server: PageServer) -> None:
    lines = [server.ask("/").headers["set-cookie"] for _ in range(3)]
    names = {
        re.fullmatch(r"wb_visitor=([0-9a-f]{32}); Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax", line)[1]
        for line in lines
    }
    assert len(names) == 3
    known = server.ask("/", headers={"Cookie": f"other=1; wb_visitor={names.pop()}"})
    assert "set-cookie" not in known.headers


@pytest.mark.parametrize(
    "cookie",
    [
        "wb_visitor=",
        "wb_visitor=short",
        f"wb_visitor={TOKEN}0",
        "wb_visitor=../../x",
        "\x7f;;=",
        f"wb_visitor={TOKEN.upper()}",
    ],
)
def test_a_made_up_cookie_is_replaced(server: PageServer, cookie: str) -> None:
    assert "wb_visitor=" in server.ask("/workbench/health", headers={"Cookie": cookie}).headers["set-cookie"]


def test_two_visitors_see_each_others_runs_only_when_shared(server: PageServer) -> None:
    ann, bob = server.visitor(), server.visitor()
    run = server.submit(ann, steps=2)
    assert server.wait(ann, run)["status"] == "succeeded"
    unknown = server.call("run", ["20200101T000000-000000"], bob)
    hidden = server.call("run", [run], bob)
    assert hidden.status == unknown.status and hidden.text == unknown.text.replace("20200101T000000-000000", run)
    file, chart = f"/workbench/runs/{run}/count.json", f"/workbench/charts/{run}"
    assert run not in server.call("runs", [50, 0], bob).text and run in server.call("runs", [50, 0], ann).text
    assert [server.ask(path, headers=bob).status for path in (file, chart)] == [404, 404]
    assert server.call("cancel", [run], bob).status == server.call("result", [run], bob).status == 500
    got = server.ask(file, headers=ann)
    assert got.status == 200 and got.json()["counted"] == 2
    assert got.headers["content-disposition"].startswith("attachment") and "no-store" in got.headers["cache-control"]
    assert server.ask(chart, headers=ann).status == 200
    share(server.home, run)
    assert server.state(bob, run)["status"] == "succeeded" and server.ask(file, headers=bob).status == 200
    assert server.call("cancel", [run], bob).status == 500, "seeing is not owning"


def share(home: Path, run: str) -> None:
    from workbench.service import CLI, Service

    Service(Settings(home=home)).share(CLI, run, True)


def test_an_artifact_that_is_not_listed_is_not_there(server: PageServer) -> None:
    ann = server.visitor()
    run = server.submit(ann, steps=1)
    server.wait(ann, run)
    for name in ("state.json", "log.txt", "..%2fstate.json", "artifacts/count.json", "nothing"):
        assert server.ask(f"/workbench/runs/{run}/{name}", headers=ann).status == 404


# -- headers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/workbench/health", "/nowhere", "/config", "/gradio_api/info"])
def test_every_answer_carries_the_policy(server: PageServer, path: str) -> None:
    headers = server.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "http" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    for name, value in security.POLICY.items():
        assert headers[name] == value
    assert "server" not in headers


def test_every_script_of_the_document_has_the_answers_nonce(server: PageServer) -> None:
    first, second = server.ask("/"), server.ask("/")
    nonces = set(re.findall(r"<script[^>]*?nonce=\"([^\"]+)\"", first.text))
    assert len(nonces) == 1 and f"'nonce-{nonces.pop()}'" in first.headers["content-security-policy"]
    assert len(re.findall(r"<script(?=[\s>])", first.text)) == first.text.count("<script nonce=")
    assert first.headers["content-security-policy"] != second.headers["content-security-policy"]


def test_the_document_names_no_outside_address_to_load(server: PageServer) -> None:
    text = server.ask("/").text.split("window.gradio_config")[0]
    assert not re.search(r"(?:src|href|content)=\"https?://", text)
    config = server.ask("/config").json()
    assert config["analytics_enabled"] is False and config["run_history"] is False and config["mcp_server"] is False
    shares = [c["props"] for c in config["components"] if "share" in (c["props"].get("buttons") or [])]
    assert not shares


def test_the_server_process_never_loads_torch(server: PageServer) -> None:
    assert server.ask("/workbench/health").json()["torch"] is False
    maps = Path(f"/proc/{server.process.pid}/maps")
    if maps.exists():
        assert "libtorch" not in maps.read_text(encoding="utf-8")


# -- an address open to other machines -----------------------------------------------------------------------------


def test_an_open_address_wants_names_and_a_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="allowed-hosts"):
        security.host_names(Settings(home=tmp_path, host="0.0.0.0"))
    assert "gpu-box.lan" in security.host_names(Settings(home=tmp_path, host="0.0.0.0", allowed_hosts=("gpu-box.lan",)))
    assert security.host_names(Settings(home=tmp_path, host="192.168.1.20"))[-1] == "192.168.1.20"
    assert web.access_key(Settings(home=tmp_path)) == ""
    key = web.access_key(Settings(home=tmp_path, host="192.168.1.20"))
    assert len(key) == 32 and web.access_key(Settings(home=tmp_path, host="192.168.1.20")) == key
    assert stat.S_IMODE((tmp_path / "access.key").stat().st_mode) == 0o600


def test_without_the_key_an_open_page_shows_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    server = PageServer(home, {"WORKBENCH_HOST": "0.0.0.0", "WORKBENCH_ALLOWED_HOSTS": "127.0.0.1"})
    server.start()
    try:
        key = (home / "access.key").read_text(encoding="ascii")
        for path in ("/", "/?key=wrong", "/config", "/workbench/health", "/gradio_api/info"):
            assert server.ask(path).status == 401
        assert server.call("tasks", [], {}).status == 401
        opened = server.ask(f"/?key={key}")
        assert opened.status == 303 and opened.headers["location"] == "/" and "HttpOnly" in opened.headers["set-cookie"]
        assert server.ask("/", headers={"Cookie": f"wb_key={key}"}).status == 200
    finally:
        server.stop()


# -- the layers alone ----------------------------------------------------------------------------------------------


def test_a_websocket_is_closed() -> None:
    import asyncio

    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    async def never(*_: object) -> None:
        raise AssertionError("reached the app")

    asyncio.run(security.Hosts(never, ("localhost",))({"type": "websocket", "headers": []}, never, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(("cookie", "owner"), [(TOKEN, True), ("", False), ("x" * 32, False), (TOKEN[:-1], False)])
def test_owner_ids_do_not_give_the_cookie_away(cookie: str, owner: bool) -> None:
    made = security.visitor_id(cookie)
    assert bool(made) == owner and (not owner or cookie not in made) and security.visitor_id(cookie) == made


def test_many_visitors_at_once_get_different_names(server: PageServer) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(server.visitor()["Cookie"])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 12


def test_a_bad_call_is_answered_in_words_and_the_page_goes_on(server: PageServer) -> None:
    visitor = server.visitor()
    for values, words in (
        (["no.such.task", {}], "There is no task"),
        (["toys.count.v1", {"stepz": 1}], "stepz"),
        (["toys.count.v1", {"steps": 0}], "steps is 0"),
    ):
        answer = server.call("start", values, visitor)
        assert answer.status == 500 and words in json.loads(answer.text)["error"]
    assert server.call("tasks", [], visitor).status == 200
