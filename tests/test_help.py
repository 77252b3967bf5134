"""The help of every verb and every training: defaults, examples that are parsed, near words, completion, exit codes."""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from rlhalt import errors
from rlhalt.cli import _parser, main
from rlhalt.cli.flags import KINDS
from rlhalt.cli.overview import EXIT_CODES
from rlhalt.errors import InputError
from rlhalt.recipes.recipe import load_recipe, recipe_names

ROOT = Path(__file__).parents[1]
VERBS = list(_parser().verbs)


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a command prints that ends well."""
    code: object = 0
    try:
        code = main(list(argv))
    except SystemExit as end:
        code = end.code
    assert code == 0
    return capsys.readouterr().out


def flags(text: str) -> list[str]:
    """The lines of a help, what is said of a flag on one line."""
    return re.sub(r"\n {10,}", " ", text).splitlines()


def examples(text: str) -> list[list[str]]:
    """The commands below `examples:`, without the name of the program and what the shell does with its output."""
    lines = text.partition("examples:\n")[2].partition("\n\n")[0].splitlines()
    words = [shlex.split(re.sub(r'^eval "\$\((.*)\)"$', r"\1", line.strip()).partition(" > ")[0]) for line in lines]
    return [one[one.index("rlhalt") + 1 :] for one in words]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_two_examples_that_its_parser_takes(capsys, verb):
    found = examples(shown(capsys, verb, "--help"))
    assert len(found) == 2
    for argv in found:
        parser = _parser()
        parser.verbs[verb].refuse_unknown(argv[1:] if verb not in ("doctor", "train") else [])
        args, keys = parser.parse_known_args(argv)
        assert argv[0] == verb
        assert not keys or args.takes_keys or verb == "train"
        for word in argv:
            if word.startswith(("configs/", "reward/")):
                assert (ROOT / word).exists(), word
        if verb == "run":
            assert args.recipe in recipe_names() or args.recipe.endswith(".yaml")


def test_the_recipes_that_the_examples_of_rounds_name_are_of_one_domain(capsys):
    found = [_parser().parse_args(argv).config for argv in examples(shown(capsys, "rounds", "--help"))]
    known = [load_recipe(one) for one in found if one in recipe_names()]
    assert known
    assert all(len(one.domains) == 1 for one in known)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_of_each_flag_what_it_is_and_its_default(capsys, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "2000")
    text = shown(capsys, verb, "--help")
    for action in _parser().verbs[verb]._actions:
        listed = f"{{{','.join(action.choices)}}}" if action.choices else action.dest
        name = action.option_strings[-1] if action.option_strings else listed
        line = next(one for one in flags(text) if re.match(rf"  (-h, )?{re.escape(name)}(?=[ =]|$)", one))
        assert action.help, name
        if action.option_strings and action.required:
            assert line.endswith("(required)"), line
        elif action.nargs != 0 and action.default not in (None, []):
            values = action.default if isinstance(action.default, list) else [action.default]
            assert line.endswith(f"(default: {' '.join(map(str, values))})"), line


def test_defaults_in_words_are_those_of_the_engines(capsys, monkeypatch):
    from rlhalt.sampling.openai import OpenaiEngine
    from rlhalt.sampling.vllm import LONGEST, VllmEngine

    monkeypatch.setenv("COLUMNS", "2000")
    text = shown(capsys, "sample", "--help")
    served, vllm = (inspect.signature(one).parameters for one in (OpenaiEngine, VllmEngine))
    for flag, default in {
        "--key": served["key_variable"].default,
        "--concurrency": served["concurrency"].default,
        "--timeout": int(served["timeout"].default),
        "--tensor-parallel": vllm["tensor_parallel"].default,
        "--dtype": vllm["dtype"].default,
        "--longest": f"{LONGEST}, or what the model can read",
    }.items():
        line = next(one for one in flags(text) if one.startswith(f"  {flag} "))
        assert line.endswith(f"(default: {default})"), line


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_the_overview(capsys, argv):
    text = shown(capsys, *argv)
    assert re.findall(r"^    ([a-z]+) ", text, re.MULTILINE) == VERBS
    for code, told in EXIT_CODES.items():
        assert re.search(rf"^ +{code}  {re.escape(told)}$", text, re.MULTILINE)
    # A terminal of 100 columns shows it unbroken.
    assert max(map(len, text.splitlines())) <= 100


def test_the_exit_codes_are_those_of_the_errors():
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.RlhaltError)]
    assert {one.exit_code for one in kinds} | {0, 130} == set(EXIT_CODES)
    table = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [int(one) for one in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(EXIT_CODES)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["smaple"], "VERB: invalid choice 'smaple'; did you mean 'sample'?"),
        (["astrology"], "VERB: invalid choice 'astrology'; choose from quickstart, run,"),
        (["pairs", "--treshold", "0.5"], "unrecognized arguments: --treshold; did you mean '--threshold'?"),
        (["pairs", "--treshold=0.5"], "unrecognized arguments: --treshold; did you mean '--threshold'?"),
        (["pairs", "--scored", "a", "--output", "b", "--zzz"], "unrecognized arguments: --zzz; see rlhalt pairs"),
        (["sample", "--judge-model", "x"], "unrecognized arguments: --judge-model; did you mean '--model'?"),
        (["pairs", "--reading", "asending"], "--reading: invalid choice 'asending'; did you mean 'ascending'?"),
        (["train", "dop"], "kind: invalid choice 'dop'; did you mean 'dpo'?"),
        (["list", "recipe"], "kind: invalid choice 'recipe'; did you mean 'recipes'?"),
        (["doctor", "dpo", "--confg", "x"], "the following arguments are required: --config"),
        (["pairs"], "the following arguments are required: --scored, --output; see rlhalt pairs --help"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest(capsys, argv, says):
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_help_of_a_training_begins_with_the_keys_of_rlhalt(capsys, monkeypatch, kind):
    from rlhalt.training.kinds import kinds

    monkeypatch.setenv("COLUMNS", "2000")
    text = shown(capsys, "train", kind, "--help")
    assert text.startswith(f"usage: rlhalt train {kind} --config FILE [--key value …]\n")
    headings = re.findall(r"^(\S.*):$", text, re.MULTILINE)
    own, trainer, model = kinds(kind)
    assert headings[-3:] == [
        "keys of rlhalt",
        f"keys of TRL's {trainer.__name__}",
        f"the model: keys of TRL's {model.__name__}",
    ]
    section = text.partition("\nkeys of rlhalt:\n")[2].partition("\n\n")[0]
    names = re.findall(r"^  --(\w+)", section, re.MULTILINE)
    assert sorted(names) == sorted(own.__dataclass_fields__)
    assert section.lstrip().startswith("--train_file")
    for name, field in own.__dataclass_fields__.items():
        line = next(one for one in flags(section) if one.startswith(f"  --{name} "))
        if isinstance(field.default, str | int | float):
            assert line.endswith(f"(default: {field.default})"), line


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_of_a_training_are_taken_by_its_parser(kind):
    from trl import TrlParser

    from rlhalt.training.help import examples as commands
    from rlhalt.training.kinds import kinds, settings_of

    found = [shlex.split(one) for one in commands(kind)]
    assert len(found) == 2
    for words in found:
        assert words[words.index("rlhalt") :][:3] == ["rlhalt", "train", kind]
        config, *keys = words[words.index("--config") + 1 :]
        parser = TrlParser(list(kinds(kind)))
        for action in parser._actions:
            action.required = action.required and action.dest not in settings_of(kinds(kind), ROOT / config)
        args, unknown = argparse.ArgumentParser.parse_known_args(parser, keys)
        assert not unknown
        assert args.train_file


def test_an_unknown_key_of_a_training_is_answered_with_the_nearest(capsys, tmp_path):
    argv = ["train", "sft", "--train_file", "a", "--output_dir", str(tmp_path / "out")]
    assert main([*argv, "--learning_rte", "1"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "--learning_rte; did you mean '--learning_rate'?" in error


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["sa"], "sample"),
        (["pairs", "--thr"], "--threshold"),
        (["train", "d"], "dpo decisions"),
        (["pairs", "--reading", ""], "ascending descending"),
    ],
)
def test_a_shell_completes_verbs_flags_and_values(capsys, tmp_path, words, completed):
    (tmp_path / "completion").write_text(shown(capsys, "completion", "bash"), encoding="utf-8")
    line = " ".join(map(shlex.quote, ["rlhalt", *words]))
    script = f". {tmp_path}/completion; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _shtab_rlhalt"
    script += '; echo "${COMPREPLY[*]}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == completed


def test_a_key_in_the_place_of_a_variable_is_not_repeated(capsys, monkeypatch, tmp_path):
    from rlhalt.judge_arguments import JudgeArguments
    from rlhalt.llm import Server

    out = ["--output", str(tmp_path / "out.jsonl")]
    for key in ("sk-proj-9f8e7d6c5b4a", "hf_abcdefghijklmnopqrst", "AKIA" + 60 * "A", "gsk123", "two words", ""):
        for argv in (
            ["sample", "--model", "m", "--prompts", "p.jsonl", "--key", key, *out],
            ["score", "--responses", "r.jsonl", "--judge-key", key, *out],
        ):
            assert main(argv) == 2
            error = capsys.readouterr().err
            assert "expected the name of the environment variable" in error
            assert error.count("\n") == 1
            assert not key or key not in error
        for make in (lambda key=key: JudgeArguments(judge_key=key), lambda key=key: Server("http://a/v1", "m", key)):
            with pytest.raises(InputError, match="expected the name of the environment variable") as caught:
                make()
            assert not key or key not in str(caught.value)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("my_key", "secret")
    for name in ("OPENAI_API_KEY", "JUDGE_KEY_2", "my_key"):
        assert JudgeArguments(judge_key=name).judge_key == name
