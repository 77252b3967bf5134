"""Where a solution states its answer, and what number the answer is."""

from __future__ import annotations

import functools

import pytest

from rlhalt.fragments.steps import steps
from rlhalt.verifiers.equality import equal
from rlhalt.verifiers.formulas import agree
from rlhalt.verifiers.maths import MathsVerifier


def never(gold, answer):
    raise AssertionError(f"{answer!r} needs no worker")


plain = functools.partial(equal, ask=never)
EGGS = {"answer": "16-3-4 = <<16-3-4=9>>9\n9*2 = <<9*2=18>>18\n#### 18"}


def answers(text):
    fragments = steps(text)
    verdicts = MathsVerifier(never).verify(text, fragments, EGGS)
    return [two.label for one, two in zip(fragments, verdicts, strict=True) if one.kind == "answer"]


@pytest.mark.parametrize(
    "ending",
    [
        *(
            "A: 18",
            "#### 18",
            "Answer: 18",
            "Answer:18",
            "**Answer:** **18**",
            "Ans: 18",
            "Answer - 18",
            "[18]",
            "(18)",
        ),
        *("The answer is 18", "the answer is **18**.", "So the final answer is: 18", "Therefore: 18", "Result: 18"),
        *("**Final Answer**\n18", "### Answer\n\n18 dollars", "Answer:\n18", "The answer\nis 18.", "Final result = 18"),
        *(
            "\\boxed{18}",
            "$$\\boxed{\\$18}$$",
            "So she makes $\\boxed{18}$ a day.",
            "\\fbox{18}",
            "<answer> $18 </answer>",
        ),
        *(
            "**She makes $18.**",
            "She makes $18.",
            "18 dollars is what she makes every day.",
            "✅ **$18**",
            "`18`",
            "18.",
        ),
        *("Total = $18", "x = 18", "- **Total: $18**", "= $18/day", "It's 18.", "答案是 18。", "La respuesta es 18."),
        *("She will make eighteen dollars.", "She makes $18! 🎉", "So she earns 18 dollars every day", "$18"),
        "She makes $18. Let me know if you have questions!",
        "The correct answer to the question is 18.",
    ],
)
def test_an_ending_is_found(ending):
    text = f"16 - 3 - 4 = 9 eggs are left.\n{ending}"
    assert answers(text)[-1:] == ["correct"]
    assert answers(text.replace("18", "26").replace("eighteen", "twenty"))[-1:] == ["incorrect"]


@pytest.mark.parametrize(
    "text",
    [
        "Janet sells 16 - 3 - 4 = 9 eggs a day. She sells them for",
        "3*8 = 24\nJanet sells 9 eggs for 2",
        "3*8 = 24\nUnsure from here.",
        "The result is 24 eggs.\nThen we add 4 more and get",
        "To find the answer, we multiply 3 by 8",
        "I do not know.",
        "",
    ],
)
def test_no_ending_is_invented(text):
    assert answers(text) == []


def test_a_label_may_open_a_solution():
    assert answers("Answer: Janet sells 16 - 3 - 4 = 9 eggs.\nShe makes 9 * 2 = 18 dollars.") == ["correct"]
    assert answers("Solution:\nThere are 3 boxes.\n16-3-4 = 9\nThe answer is 18.") == ["correct"]


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        *(
            ("18", one, True)
            for one in ("\\$18 per day.", "18 = 9 × 2", "$9 + $9 = $18", "18 dollars per 1 day", "18.00 €")
        ),
        *(
            ("18", one, True)
            for one in ("9*2 = $18 a day", "18, not 26", "18 (dollars)", "option B, 18", "eighteen", "18/day")
        ),
        *(
            ("18", one, False)
            for one in ("26, not 18", "26 = 18 + 8", "18 + 8", "1/18", "18 thousand", "2(18)", "twice 18")
        ),
        *(("18", one, False) for one in ("half of 18", "18k", "18 1/2", "26 (I first had 18)", "18 hundred", "-18")),
        *(("18", one, None) for one in ("18 or 26", "probably 18", "18 eggs and 3 ducks", "17, 18, 19", "18!")),
        ("2", "2 2/3", False),
        ("2.5", "2 1/2 hours", True),
        ("2.5", "2 hours and 30 minutes", True),
        ("150", "2 hours and 30 minutes", True),
        ("2.5", "2,5", True),
        ("1200", "1.200,00 €", True),
        ("1200", "$1.2 \\times 10^3$", True),
        ("1200", "1.2k", True),
        ("12345", "12 345", True),
        ("0.5", "50%", True),
        ("70", "0.7", False),
        ("70", "70%", True),
        ("24", "2 dozen", True),
        ("206", "two hundred and six", True),
        ("-3", "a loss of $3", True),
        ("5", "5 at the end of day 2", True),
        ("5", "5 km^2", True),
        ("120", "120 = 5!", True),
        ("9/7", "9/7.", True),
        ("5/4", "1 1/4", True),
        ("33.3", "$\\frac{100}{3}$", True),
        ("1/3", "0.33", None),
        ("10", "10:00", True),
        ("3:30", "3:30 pm", True),
        ("5", "between 4 and 6", False),
        ("x+1", "X + 1.", None),
    ],
)
def test_plain_answers_need_no_worker(gold, answer, expected):
    if expected is None and gold == "x+1":
        assert equal(gold, answer, lambda gold, answer: True) is None  # the second opinion knows another letter
    else:
        assert plain(gold, answer) is expected


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ("1-1/e", "1+1/e", False),
        ("\\frac{1}{2004!}", "\\frac{1}{2006!}", False),
        ("\\sqrt{8}", "2\\sqrt{2}", True),
        ("\\sqrt{17}", "4.123105625617661", True),
        ("x+1", "1+x", True),
        ("3*x-1*y+13=0", "3x + 4y + 14=0", False),
        ("-34x-45y+20z-100=0", "34x+45y-20z+100=0", True),
        ("(3, \\frac{\\pi}{2})", "(3, \\frac{2\\pi}{3})", False),
        ("\\{1,2\\}", "\\{2,1\\}", True),
        ("(1,2)", "(2,1)", False),
        ("\\pm 2021", "2021", False),
        ("4", "some words", None),
        ("1", "9^{9^{9}}", None),
    ],
)
def test_the_second_opinion(gold, answer, expected):
    assert agree(gold, answer) is expected


def test_two_opinions_that_disagree_leave_it_open():
    assert equal("4", "4\\sqrt(2)", lambda gold, answer: True) is None
    assert equal("1-1/e", "1+1/e", lambda gold, answer: True) is None
    assert equal("\\sqrt{8}", "2\\sqrt{2}", lambda gold, answer: True) is True
