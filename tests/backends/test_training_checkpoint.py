"""Checkpoints and what is saved: whole or not at all, damaged ones passed over, models that open again."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch

from backends.common.engine import LocalModel
from backends.common.language import Decoding, Message, Prompt
from backends.common.training import checkpoint
from backends.common.training.weights import Lora, groups, open_trainee, restore, save_adapter, save_model, snapshot
from tests.tiny import make_tiny_lm
from workbench.contract import UserError
from workbench.hub_local import card_of, check_weights

WEIGHTS = {"a": torch.arange(3.0), "b": torch.ones(2, 2, dtype=torch.bfloat16)}
MOMENTS = {f"a|{name}": torch.full((3,), float(n)) for n, name in enumerate(("exp_avg", "exp_avg_sq"))} | {
    "a|step": torch.tensor(2.0)}


def write(folder: Path, step: int, **state) -> Path:
    return checkpoint.save(folder, {**WEIGHTS, "a": WEIGHTS["a"] + step}, MOMENTS, {"step": step, "plan": "p", **state},
                           {})


def test_what_was_saved_comes_back_exactly(tmp_path: Path) -> None:
    write(tmp_path, 3, first=0.1 + 0.2)
    saved = checkpoint.latest(tmp_path, "p")
    assert saved is not None and saved.state["step"] == 3 and saved.state["first"] == 0.1 + 0.2
    assert torch.equal(saved.weights["a"], WEIGHTS["a"] + 3) and saved.weights["b"].dtype == torch.bfloat16
    assert all(torch.equal(saved.optimizer[name], MOMENTS[name]) for name in MOMENTS) and saved.best == {}


def test_the_newest_two_stay_and_no_pickle_is_written(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        write(tmp_path, step)
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-00000002", "step-00000010"]
    assert {p.suffix for p in tmp_path.rglob("*") if p.is_file()} == {".safetensors", ".json"}


def test_the_best_weights_travel_along(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, WEIGHTS, MOMENTS, {"step": 1, "plan": "p"}, {"a": torch.zeros(3)})
    saved = checkpoint.latest(tmp_path, "p")
    assert saved is not None and torch.equal(saved.best["a"], torch.zeros(3))


@pytest.mark.parametrize("damage", ["state.json", "weights.safetensors", "optimizer.safetensors", "truncate",
                                    "missing"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, damage: str) -> None:
    write(tmp_path, 1)
    newest = write(tmp_path, 2)
    if damage == "truncate":
        file = newest / "weights.safetensors"
        file.write_bytes(file.read_bytes()[:-5])
    elif damage == "missing":
        (newest / "optimizer.safetensors").unlink()
    else:
        (newest / damage).write_bytes(b"\x00nothing of use")
    saved = checkpoint.latest(tmp_path, "p")
    assert saved is not None and saved.state["step"] == 1


def test_half_a_checkpoint_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)

    def dies(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "_sync", dies)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 2)
    monkeypatch.undo()
    assert [p.name for p in checkpoint.steps(tmp_path)] == ["step-00000001"]
    write(tmp_path, 2)
    assert len(checkpoint.steps(tmp_path)) == 2, "the leftovers are no obstacle"


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)

    def full(tensors, path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(UserError, match="disk is full"):
        write(tmp_path, 2)
    saved = checkpoint.latest(tmp_path, "p")
    assert saved is not None and saved.state["step"] == 1


def test_another_plan_is_refused_and_nothing_is_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path / "absent", "p") is None
    write(tmp_path, 1)
    with pytest.raises(UserError, match="other settings"):
        checkpoint.latest(tmp_path, "q")


def test_fingerprints_depend_on_values_and_not_on_order() -> None:
    assert checkpoint.fingerprint({"a": 1, "b": 2}) == checkpoint.fingerprint({"b": 2, "a": 1})
    assert checkpoint.fingerprint({"a": 1}) != checkpoint.fingerprint({"a": 2})


def test_adam_goes_on_where_it_was(tiny_lm: Path) -> None:
    found = []
    for split in (False, True):
        trainee = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(2, 4, 0.0))
        optimizer = torch.optim.AdamW(groups(trainee, 0.1), lr=1e-2)
        for step in range(4):
            if split and step == 2:
                names = {id(p): name for name, p in trainee.trained().items()}
                weights, moments = snapshot(trainee), checkpoint.optimizer_tensors(optimizer, names)
                trainee = open_trainee(tiny_lm, "lora", seed=9, lora=Lora(2, 4, 0.0))
                restore(trainee, weights)
                optimizer = torch.optim.AdamW(groups(trainee, 0.1), lr=1e-2)
                checkpoint.restore_optimizer(optimizer, moments, trainee.trained())
            for name, parameter in trainee.trained().items():
                parameter.grad = torch.full_like(parameter, float(len(name) + step))
            optimizer.step()
        found.append(snapshot(trainee))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_decay_is_for_matrices_only(tiny_lm: Path) -> None:
    matrices, vectors = groups(open_trainee(tiny_lm, "full", seed=1), 0.1)
    assert matrices["weight_decay"] == 0.1 and vectors["weight_decay"] == 0.0
    assert {p.dim() for p in matrices["params"]} == {2} and {p.dim() for p in vectors["params"]} == {1}


def test_an_adapter_starts_as_no_change_from_its_seed(tiny_lm: Path) -> None:
    ids = torch.tensor([[5, 6, 7, 8]])
    one, again, other = (open_trainee(tiny_lm, "lora", seed=s, lora=Lora(4, 8, 0.0)) for s in (1, 1, 2))
    base = open_trainee(tiny_lm, "full", seed=1)
    with torch.no_grad():
        assert torch.allclose(one.model(input_ids=ids).logits, base.model(input_ids=ids).logits, atol=1e-6)
    assert all(torch.equal(snapshot(one)[n], snapshot(again)[n]) for n in one.names)
    assert any(not torch.equal(snapshot(one)[n], snapshot(other)[n]) for n in one.names)
    trained, total = one.counts()
    assert 0 < trained < total / 2 and base.counts()[0] == base.counts()[1]
    assert any("gate_proj" in n for n in one.names) and any("o_proj" in n for n in one.names)


@pytest.mark.parametrize("change", ["rank", "missing"])
def test_weights_of_another_model_are_not_put_in(tiny_lm: Path, change: str) -> None:
    one = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(4, 8, 0.0))
    two = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(2 if change == "rank" else 4, 8, 0.0))
    weights = snapshot(one)
    if change == "missing":
        weights.pop(one.names[0])
    with pytest.raises(UserError, match="do not fit"):
        restore(two, weights)


def test_gradient_checkpointing_gives_the_same_gradient(tiny_lm: Path) -> None:
    found = []
    for on in (False, True):
        trainee = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(4, 8, 0.0), gradient_checkpointing=on)
        trainee.model(input_ids=torch.tensor([[5, 6, 7]]), use_cache=False).logits.sum().backward()
        found.append({n: p.grad.clone() for n, p in trainee.trained().items()})
    assert all(torch.allclose(found[0][n], found[1][n], atol=1e-5) for n in found[0])


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_saved_model_opens_as_any_other_and_answers_as_it_did_in_training(tiny_lm, tmp_path: Path, method) -> None:
    trainee = open_trainee(tiny_lm, method, seed=1, lora=Lora(4, 8, 0.0))
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in trainee.trained().values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    trainee.model.eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        expected = trainee.model(input_ids=ids).logits
    card = "---\nlicense: apache-2.0\nlanguage:\n- en\nmodel_name: Tuned\n---\nA card.\n"
    out = save_model(trainee, tmp_path / "model", card, {"variant": "joint"})
    check_weights(out)
    found = card_of(f"path:{out}", out)
    assert (found.kind, found.languages, found.title, found.licence) == ("chat", ("en",), "Tuned", "apache-2.0")
    assert json.loads((out / "training.json").read_text()) == {"variant": "joint"}
    reopened = open_trainee(out, "full", seed=1).model.eval()
    with torch.no_grad():
        assert torch.allclose(reopened(input_ids=ids).logits, expected, atol=1e-4)
    model = LocalModel(out, threads=1, dtype="float32", device="cpu")
    (reply,) = model.generate([Prompt(messages=(Message("user", "hello"),))], Decoding(max_new_tokens=3, temperature=0))
    assert reply.tokens >= 1
    assert not list(tmp_path.glob(".*.part")) and not list(out.glob("*.bin"))


def test_an_adapter_alone_is_small_and_loads_with_peft(tiny_lm: Path, tmp_path: Path) -> None:
    trainee = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(4, 8, 0.0))
    out = save_adapter(trainee, tmp_path / "adapter", "a card")
    names = {p.name for p in out.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "README.md"} <= names
    assert (out / "README.md").read_text() == "a card" and not any(n.endswith(".bin") for n in names)
    from peft import PeftModel

    from backends.common.loading import open_weights

    again = PeftModel.from_pretrained(open_weights(tiny_lm, "float32", "cpu"), out)
    assert any("lora_A" in n for n, _ in again.named_parameters())


def test_a_failed_save_leaves_the_folder_that_was_there(tiny_lm: Path, tmp_path: Path, monkeypatch) -> None:
    trainee = open_trainee(tiny_lm, "full", seed=1)
    out = save_model(trainee, tmp_path / "model", "first", {})

    def fails(*args, **kwargs) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(type(trainee.model), "save_pretrained", fails)
    with pytest.raises(OSError, match="full"):
        save_model(trainee, out, "second", {})
    assert (out / "README.md").read_text() == "first" and not list(tmp_path.glob(".*.part"))


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_lm(tmp_path / "m")
    config = json.loads((folder / "tokenizer.json").read_text())
    config["added_tokens"].append({"id": 258, "content": "<|extra|>", "single_word": False, "lstrip": False,
                                   "rstrip": False, "normalized": False, "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="259 tokens, the model 258 rows"):
        open_trainee(folder, "full", seed=1)
