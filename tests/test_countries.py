import re
from pathlib import Path

from rlhalt.audit import agreement, decided_share, judge
from rlhalt.domains import load_domain
from rlhalt.domains.countries import few_shot, prompts
from rlhalt.domains.countries.table import borders, facts, names


def test_prompts_are_one_a_country_with_sixty_held_out():
    rows = prompts()
    subjects = [row.reference["subject"] for row in rows]
    assert len(rows) == len(set(subjects)) == len({row.key for row in rows}) == 194
    assert subjects == sorted(subjects)
    assert sum(row.split == "heldout" for row in rows) == 60
    assert {row.split for row in rows} == {"train", "heldout"}
    assert all(
        row.prompt == [{"role": "user", "content": f"State five facts about {name}."}]
        for row, name in zip(rows, subjects, strict=True)
    )
    assert prompts() == rows


def test_every_reference_answer_is_five_right_facts_in_the_words_of_the_examples():
    scorer = load_domain("countries").scorer()
    for one in prompts():
        labels = [fragment.label for fragment in scorer.judge(one.reference["answer"], one.reference)]
        assert labels == ["correct"] * 5, one.reference["answer"]
    told = {one.reference["subject"]: one.reference["answer"] for one in prompts()}
    assert told["Kenya"].startswith(
        "Kenya is in Africa. The capital of Kenya is Nairobi. The currency of Kenya is the "
    )
    assert told["Cape Verde"].endswith("Cape Verde has a population of about 540,000.")
    assert "capital" not in told["Israel"]


def test_few_shot_countries_are_not_asked():
    messages = few_shot()
    assert [message["role"] for message in messages] == ["user", "assistant"] * 3
    asked = {row.prompt[0]["content"] for row in prompts()}
    assert asked.isdisjoint(message["content"] for message in messages)
    assert messages[5]["content"].endswith("Brazil borders Argentina.")


def test_every_prompt_has_an_entry():
    assert {row.reference["subject"] for row in prompts()} | {"France", "Japan", "Brazil"} == set(facts().entries)


def test_borders_are_symmetric():
    found = borders()
    assert all(code in found[other] for code, others in found.items() for other in others)
    assert all(code not in others for code, others in found.items())
    assert found["TD"] == {"CF", "CM", "LY", "NE", "NG", "SD"}
    assert found["AU"] == set()
    assert "RS" not in found["AL"]


def test_every_entry_is_usable():
    for name, entry in facts().entries.items():
        for relation in ("region", "capital", "currency", "language", "largest city"):
            if (name, relation) != ("Israel", "capital"):
                assert entry.facts[relation], (name, relation)
        assert entry.amounts["population"].values[0] > 500, name
        assert entry.amounts["area"].values[0] > 0.4, name
        assert all(re.fullmatch(r"[a-z' ]+", one) for one in entry.names), entry.names


def test_landlocked_and_island_states_agree_with_their_borders():
    found = borders()
    for code, name in names().items():
        coast = facts().entries[name].facts["coast"]
        assert len(coast) <= 1
        assert "landlocked" not in coast or found[code], name


def test_known_errors_of_the_sources_are_corrected():
    entries = facts().entries
    assert "astana" in entries["Kazakhstan"].facts["capital"]
    assert "gitega" in entries["Burundi"].facts["capital"]
    assert "bujumbura" not in entries["Burundi"].facts["capital"]
    assert set(entries["South Africa"].facts["capital"]) >= {"pretoria", "cape town", "bloemfontein"}
    for country in ("Bulgaria", "Croatia", "Lithuania"):
        assert "euro" in entries[country].facts["currency"]
    assert "lev" not in entries["Bulgaria"].facts["currency"]
    assert "malay" in entries["Malaysia"].facts["language"]
    assert "russian" not in entries["Armenia"].facts["language"]


def test_the_audit_on_another_models_answers():
    """150 sentences of Gemma 3 270M, labelled by a language model that did not see the verdicts."""
    judged = judge(
        Path(__file__).parents[1] / "reward" / "countries" / "audit-gemma.jsonl",
        load_domain("countries").scorer(),
    )
    assert len(judged) == 150
    assert agreement(judged) >= 0.97
    assert decided_share(judged) >= 0.90
