"""A judge that cannot be asked stops the command before the first response is drawn, which may take hours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rlhalt.cli import main
from rlhalt.sampling import Completion, local
from tiny_training import TRAINING

KEYS = {**TRAINING, "max_steps": 2, "model_name_or_path": "m"}
RECIPE = {
    "domain": "truthfulqa",
    "output": "out",
    "thresholds": [0.5],
    "seeds": [0],
    "responses": 1,
    "best": 0.5,
    "temperature": 0.7,
    "evaluation_responses": 0,
    "train_file": "rows.jsonl",
    "sft": "keys.yaml",
    "dpo": "keys.yaml",
}
VERBS = {
    "run": "run recipe.yaml",
    "rounds": "rounds --config recipe.yaml --rounds 1 --output out",
    "evaluate": "evaluate --model {model} --name base --prompts heldout.jsonl --output out",
    "calibrate": "calibrate --model {model} --prompts heldout.jsonl --output out",
}


@pytest.mark.parametrize("how", ["refused", 401, 404])
@pytest.mark.parametrize("verb", VERBS)
def test_a_judge_that_is_not_there_is_told_before_the_first_response_is_drawn(
    verb, how, tiny_model, tmp_path, monkeypatch, server, capsys
):
    monkeypatch.chdir(tmp_path)
    drawn = []

    def complete(self, chats, **_):
        drawn.extend(chats)
        return [Completion("This is right.", 3, "stop") for _ in chats]

    monkeypatch.setattr(local.TransformersEngine, "complete", complete)
    asked = [
        {"question": f"Is {n} magic?", "best_answer": "No", "correct_answers": ["No"], "incorrect_answers": ["Yes"]}
        for n in range(16)
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked))
    prompts = ["prompts", "--domain", "truthfulqa", "--file", "rows.jsonl", "--split", "heldout"]
    assert main([*prompts, "--output", "heldout.jsonl"]) == 0
    Path("keys.yaml").write_text(yaml.safe_dump(KEYS))
    judge = {"judge_address": server.address, "judge_model": "m"}
    Path("recipe.yaml").write_text(yaml.safe_dump({**RECIPE, "model": str(tiny_model), "judge": judge}))
    if how == "refused":
        server.close()
    else:
        server.status = how
    argv = VERBS[verb].format(model=tiny_model).split()
    if verb not in ("run", "rounds"):
        argv += ["--judge-address", server.address, "--judge-model", "m"]
    capsys.readouterr()
    assert main(argv) == 2
    assert server.address in capsys.readouterr().err
    assert not drawn


def test_a_judge_that_is_busy_may_be_there_later(tiny_model, server, client):
    server.status = 503
    client.check()
    server.status = None
    client.check()
    client.check()  # it has answered
    assert len(server.requests) == 2
