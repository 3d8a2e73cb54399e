"""Opening model folders, choosing the runner, packing linear layers, and measuring what is fastest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from backends.common import linear, loading, threads
from backends.common.linear import pack_linears
from backends.common.loading import end_tokens, open_folder
from backends.common.runner import PackedRunner, PlainRunner
from backends.common.threads import best, choose_speed, machine, pick_device, remember, remembered
from tests.backends.engine_cases import chat, open_local
from workbench.contract import MissingResource, UserError


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="no model folder"):
        open_folder(tmp_path / "none", "float32", "cpu", 0)


def test_a_folder_without_a_tokenizer_or_weights(tmp_path: Path, tiny_lm: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer in .* cannot be read"):
        open_folder(tmp_path, "float32", "cpu", 0)
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((tiny_lm / name).read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"no \*.safetensors file.*can run code"):
        open_folder(tmp_path, "float32", "cpu", 0)
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(UserError, match=r"model in .* cannot be read"):
        open_folder(tmp_path, "float32", "cpu", 0)


def test_what_is_known_of_a_model(tiny_lm: Path) -> None:
    loaded = open_folder(tiny_lm, "bfloat16", "cpu", 1000)
    assert (loaded.window, loaded.vocabulary, loaded.ends, loaded.packed) == (4096, 258, (1,), True)
    assert isinstance(loaded.runner, PackedRunner) and loaded.runner.store.limit == 1000
    assert isinstance(open_folder(tiny_lm, "float32", "cpu", 0, fast=False).runner, PlainRunner)


def test_a_packed_path_that_disagrees_is_not_taken(tiny_lm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = loading.probe
    monkeypatch.setattr(loading, "probe", lambda *a: honest(*a) + 0.5)
    assert not open_folder(tiny_lm, "float32", "cpu", 0).packed
    monkeypatch.setattr(loading, "probe", lambda *a: 1 / 0)
    assert not open_folder(tiny_lm, "float32", "cpu", 0).packed


def test_both_runners_say_the_same(tiny_lm: Path) -> None:
    from backends.common.engine import Engine
    from backends.common.language import Decoding

    fast = open_local(tiny_lm)
    sure = open_local(tiny_lm)
    sure.engine = Engine(open_folder(tiny_lm, "float32", "cpu", 0, fast=False), fast.engine.choice)
    prompts, decoding = [chat(t) for t in ("one", "two three", "四")], Decoding(temperature=0.9, max_new_tokens=12)
    assert [c.text for c in fast.generate(prompts, decoding)] == [c.text for c in sure.generate(prompts, decoding)]
    for one, two in zip(fast.score(prompts, [["ab", "c"]] * 3), sure.score(prompts, [["ab", "c"]] * 3), strict=True):
        assert [v for row in one for v in row] == pytest.approx([v for row in two for v in row], abs=1e-4)
    assert sure.engine.info()["packed"] is False
    assert sure.engine.info()["bytes"] == {"slots": 0, "kept": 0}
    assert fast.engine.info()["bytes"]["slots"] > 0


@pytest.mark.parametrize(("named", "own", "ends"), [(5, 5, (5,)), ([5, 7], 1, (1, 5, 7)), (None, 3, (3,)),
                                                    (None, None, ())])
def test_every_end_token_counts(named, own, ends: tuple[int, ...]) -> None:
    class Thing:
        def __init__(self, **fields) -> None:
            vars(self).update(fields)

    model = Thing(generation_config=Thing(eos_token_id=named))
    assert end_tokens(model, Thing(eos_token_id=own)) == ends


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 16, 70])
def test_packed_linears_give_the_same_products(dtype: torch.dtype, bias: bool, rows: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 40, bias=bias), nn.Linear(40, 8, bias=bias)).to(dtype).eval()
    x = torch.randn(2, rows, 24).to(dtype)
    with torch.inference_mode():
        before = model(x)
        assert pack_linears(model) in (0, 2)
        assert torch.allclose(model(x).float(), before.float(), atol=1e-5 if dtype == torch.float32 else 0.05)
    assert model[0].weight.dtype == dtype


def test_tied_weights_stay_where_the_embedding_needs_them() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
            self.head.weight = self.words.weight

    model = Tied().eval()
    with torch.inference_mode():
        words = model.words(torch.tensor([3])).clone()
        expected = model.head(words)
        pack_linears(model)
        assert torch.equal(model.words(torch.tensor([3])), words)
        assert torch.allclose(model.head(words), expected, atol=1e-6)


def test_subclasses_and_other_precisions_are_left_alone() -> None:
    class Special(nn.Linear):
        pass

    assert pack_linears(nn.Sequential(Special(4, 4), nn.Linear(4, 4).double())) == 0


def test_without_the_operator_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_product", lambda *a: (_ for _ in ()).throw(RuntimeError("gone")))
    assert pack_linears(nn.Linear(4, 4)) == 0
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not linear.available()


TIMES = {"float32 x 1": 30.0, "bfloat16 x 1": 20.0, "float32 x 2": 18.0, "bfloat16 x 2": 18.0, "load": 0.1}


@pytest.mark.parametrize(("times", "dtype", "count", "chosen"), [
    (TIMES, "auto", 0, ("bfloat16", 1)),  # 18 x 1.15 is slower than 20
    ({**TIMES, "bfloat16 x 2": 11.0}, "auto", 0, ("bfloat16", 2)),
    (TIMES, "float32", 0, ("float32", 2)), (TIMES, "auto", 1, ("bfloat16", 1)), (TIMES, "auto", 2, ("float32", 2)),
    (TIMES, "float32", 3, ("float32", 2))])
def test_the_fastest_is_chosen_and_more_threads_must_earn_it(times, dtype, count, chosen) -> None:
    assert best(times, dtype, count) == chosen


def test_a_measurement_is_made_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(threads, "measure", lambda: calls.append(1) or dict(TIMES))
    memo = tmp_path / "deep" / "speed.json"
    first, second = (choose_speed(tmp_path, {"memo": str(memo), "device": "cpu"}) for _ in range(2))
    assert first == second and len(calls) == 1
    assert (first.dtype, first.threads, first.measured["float32 x 1"]) == ("bfloat16", 1, 30.0)
    assert choose_speed(tmp_path, {"dtype": "float32", "threads": 1, "device": "cpu"}).measured == {}
    assert len(calls) == 1, "what is set by hand is not measured"
    assert choose_speed(tmp_path, {"memo": str(memo), "threads": 5, "device": "cpu"}).threads == 5


def test_another_machine_or_a_busy_one_is_measured_anew(tmp_path: Path) -> None:
    memo = tmp_path / "speed.json"
    remember(memo, TIMES)
    assert remembered(memo) == TIMES
    remember(memo, {**TIMES, "load": 99.0})
    assert remembered(memo) == {}
    memo.write_text(json.dumps({"machine": {**machine(), "cores": 4096}, "milliseconds": TIMES}))
    assert remembered(memo) == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"milliseconds": 3}', '{"milliseconds": {"a": "b"}}'])
def test_a_memo_edited_by_hand_is_no_harm(tmp_path: Path, text: str) -> None:
    memo = tmp_path / "speed.json"
    memo.write_text(text)
    assert remembered(memo) == {}


def test_a_memo_that_cannot_be_written_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "speed.json", TIMES)
    assert remembered(tmp_path / "file" / "speed.json") == {}


def test_a_real_measurement_has_every_pair_and_leaves_the_threads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LAYERS", 1)
    before = torch.get_num_threads()
    times = threads.measure()
    assert {"float32 x 1", "bfloat16 x 1", "load"} <= set(times)
    assert all(value > 0 for name, value in times.items() if name != "load")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("settings", "says"), [
    ({"dtype": "int3"}, "dtype is 'int3'"), ({"device": "tpu"}, "device is 'tpu'")])
def test_settings_that_make_no_sense(tmp_path: Path, settings: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        choose_speed(tmp_path, settings)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [pick_device(d) for d in ("auto", "cuda", "cuda:1", "cpu")] == ["cuda:0", "cuda:0", "cuda:1", "cpu"]
    assert choose_speed(Path(), {}).dtype == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == "cpu"
    with pytest.raises(UserError, match="sees no GPU"):
        pick_device("cuda:0")
