import pytest
from hypothesis import given
from hypothesis import strategies as st

from endless import must_end
from rlhalt.fragments.steps import steps


def texts(text):
    return [fragment.text for fragment in steps(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "In May she sold half, so 48/2 = 24 clips in May. 48+24 = 72.\nA: 72",
            ["In May she sold half, so 48/2 = 24 clips in May.", "48+24 = 72.", "A: 72"],
        ),
        ("He eats 3+4 = <<3+4=7>>7 eggs\n\nSo 16-7 = 9", ["He eats 3+4 = <<3+4=7>>7 eggs", "So 16-7 = 9"]),
        ("1. 3+4 = 7\n2) 16-7 = 9\n(3) 9*2 = 18", ["3+4 = 7", "16-7 = 9", "9*2 = 18"]),
        ("Step 1: 3+4 = 7\n**Step 2:** 16-7 = 9", ["3+4 = 7", "16-7 = 9"]),
        ("Step 1: 3+4 = 7 Step 2: 16-7 = 9", ["3+4 = 7", "16-7 = 9"]),
        ("Step 1\nAdd 3 and 4.", ["Add 3 and 4."]),
        ("The first step 1 takes is hard.", ["The first step 1 takes is hard."]),
        ("3(4+5) = 3*9 = 27 = 3^3", ["3(4+5) = 3*9", "= 27", "= 3^3"]),
        ("28/4=<<28/4=7.0>>7=21/3 years old.", ["28/4=<<28/4=7.0>>7", "=21/3 years old."]),
        ("x=28/4=<<28/4=7.0>>7 years old.", ["x=28/4=<<28/4=7.0>>7 years old."]),
        ("Total = 9 × $2 = $18 = $6 × 3", ["Total = 9 × $2 = $18", "= $6 × 3"]),
        ("```python\nx = 3*4\n```\nOutput: 12", ["x = 3*4", "Output: 12"]),
        ("\\frac{1}{2} \\cdot 10 = \\frac{10}{2} = 5", ["\\frac{1}{2} \\cdot 10 = \\frac{10}{2}", "= 5"]),
        ("2+3 = 5 apples and 5-1 = 4 are left.", ["2+3 = 5 apples and 5-1 = 4 are left."]),
        ("It is 2 hours * 60 = 120 minutes = 2 hours.", ["It is 2 hours * 60 = 120 minutes", "= 2 hours."]),
        ("x >= 3, y != 4, z == 5 => done", ["x >= 3, y != 4, z == 5 => done"]),
        ("$x = 1. y = 2$ holds. So $x+y = 3$.", ["$x = 1. y = 2$ holds.", "So $x+y = 3$."]),
        ("\\(a = 1. b = 2 = c\\) is given. Go on.", ["\\(a = 1. b = 2 = c\\) is given.", "Go on."]),
        ("$\\sum_{i=1}^{n} i = 6$ for n=3", ["$\\sum_{i=1}^{n} i = 6$ for n=3"]),
        ("\\[\nx = 5\n\\]", ["x = 5"]),
        (
            "It costs $1,200.50 in all. She has $5. He has $6.",
            ["It costs $1,200.50 in all.", "She has $5.", "He has $6."],
        ),
        ("There are 1.5 million people. Really.", ["There are 1.5 million people.", "Really."]),
        ("He adds 5 lbs. of sugar. It is 2 hrs. = 120 min.", ["He adds 5 lbs. of sugar.", "It is 2 hrs. = 120 min."]),
        ("From 8 a.m. to 11 a.m. there are 3 hours.", ["From 8 a.m. to 11 a.m. there are 3 hours."]),
        ("Mr. Smith has No. 5. Dr. Who, too.", ["Mr. Smith has No. 5.", "Dr. Who, too."]),
        ("Take .5*20 = 10.\n- 5 are left", ["Take .5*20 = 10.", "5 are left"]),
        ("Prices: <<1.5*2=3.0>>3.0 dollars. Done.", ["Prices: <<1.5*2=3.0>>3.0 dollars.", "Done."]),
        ("\n \n", []),
        ("...\n***\n=", []),
        ("", []),
    ],
)
def test_cuts(text, expected):
    assert texts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A: 26",
        "A: $1,200.50",
        "#### 26",
        "####26",
        "The answer is 26",
        "The final answer is: 26.",
        "So, the answer is 26 apples.",
        "Therefore the answer is $\\frac{1}{2}$.",
        "Answer: 26",
        "**Final Answer:** 26",
        "\\boxed{26}",
        "$\\boxed{26}$",
        "A: x = 3 = y",
    ],
)
def test_final_answers(text):
    (fragment,) = steps(text)
    assert (fragment.kind, fragment.text) == ("answer", text)


@pytest.mark.parametrize("text", ["A car has 4 wheels.", "Answering 5 questions takes 5*2 = 10 minutes", "B: 26"])
def test_what_is_no_final_answer(text):
    assert [one.kind for one in steps(f"{text}\nUnsure from here.")] == ["step", "halt"]


def test_an_answer_may_end_a_line_of_steps():
    assert [one.kind for one in steps("So 3+4 = 7. The answer is 7. Unsure from here.")] == ["step", "answer", "halt"]


@pytest.mark.parametrize(
    "text", ["Unsure from here.", "unsure from here", "... UNSURE FROM HERE!", "- Unsure  from here."]
)
def test_halting_phrase(text):
    assert [one.kind for one in steps(f"3+4 = 7\n{text}")] == ["step", "halt"]


PIECES = st.sampled_from(
    [
        *"abxZÉ東 .,=$\\{}()<>+-*/%\n\t0123456789\u2028",
        *("<<48/2=24>>", "= ", "Step 2: ", "1. ", "A: ", "#### ", "The answer is ", "Unsure from here."),
        *("\\frac{1}{2}", "\\(", "\\)", "$$", "$1,200.50 ", "lbs. "),
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_fragments_lie_in_order_inside_the_text(text):
    end = 0
    for fragment in steps(text):
        assert end <= fragment.start < fragment.end <= len(text)
        assert text[fragment.start : fragment.end] == fragment.text == fragment.text.strip()
        assert fragment.kind in ("step", "halt", "answer")
        end = fragment.end


NUMBERS = st.integers(0, 9999).map(str)


@given(st.lists(st.tuples(NUMBERS, st.sampled_from("+-*/"), NUMBERS, NUMBERS), max_size=6))
def test_plain_equations_are_found_again(parts):
    expected = [f"{a} {operator} {b} = {c}" for a, operator, b, c in parts]
    assert texts("\n".join(expected)) == expected


@pytest.mark.parametrize(
    "piece", ["=", "\\(", "$$", "$a ", "{", "<<1+1=2>>", "= a ", "{b}", "1+1=2 ", "Step 1: ", "A: "]
)
def test_hostile_text_comes_to_an_end(piece):
    with must_end():
        steps(piece * (100_000 // len(piece)))
