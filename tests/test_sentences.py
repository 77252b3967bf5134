import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endless import must_end
from rlhalt.fragments.sentences import sentences


def texts(text):
    return [fragment.text for fragment in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kenya is in Africa. It is big.", ["Kenya is in Africa.", "It is big."]),
        ("The capital is St. John's. It is small.", ["The capital is St. John's.", "It is small."]),
        ("It has 1.5 million people. Yes.", ["It has 1.5 million people.", "Yes."]),
        (
            "Washington, D.C. is the capital. The U.S. dollar is used.",
            ["Washington, D.C. is the capital.", "The U.S. dollar is used."],
        ),
        (
            "The capital is Washington, D.C. The currency is the dollar.",
            ["The capital is Washington, D.C.", "The currency is the dollar."],
        ),
        (
            "It is used abroad, e.g. in Panama. Dr. Who says so.",
            ["It is used abroad, e.g. in Panama.", "Dr. Who says so."],
        ),
        ("Fiji is in the Pacific... Its capital is Suva.", ["Fiji is in the Pacific...", "Its capital is Suva."]),
        ("Yes… maybe.", ["Yes… maybe."]),
        (
            "Chad is in Africa.The capital is N'Djamena.The cur",
            ["Chad is in Africa.", "The capital is N'Djamena.", "The cur"],
        ),
        ("1. Mali is in Africa.\n2. Capital: Bamako\n", ["Mali is in Africa.", "Capital: Bamako"]),
        ("- Mali is in Africa\n• It is hot\n* Really", ["Mali is in Africa", "It is hot", "Really"]),
        ("Facts: 1. Mali is in Africa. 2. It is hot. 3) Dry", ["Facts:", "Mali is in Africa.", "It is hot.", "Dry"]),
        ('He said "Hello." Then he left!', ['He said "Hello."', "Then he left!"]),
        ("Is it so? Yes!! Good.", ["Is it so?", "Yes!!", "Good."]),
        ("The answer is no. It is No. 1.", ["The answer is no.", "It is No. 1."]),
        ("the capital is lima. the currency is the sol.", ["the capital is lima.", "the currency is the sol."]),
        ("The area is 3.5 sq. km. The rest is sea.", ["The area is 3.5 sq. km.", "The rest is sea."]),
        ("La capitale est Yaoundé. Élégant.", ["La capitale est Yaoundé.", "Élégant."]),
        ("東京は首都。はい。", ["東京は首都。", "はい。"]),
        ("Cuba is in North", ["Cuba is in North"]),
        ("1.\n ... \n\n", []),
        ("", []),
    ],
)
def test_cuts(text, expected):
    assert texts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Unsure from here.",
        "unsure from here",
        "… Unsure from here.",
        "... UNSURE FROM HERE!",
        '"Unsure from here."',
        "- Unsure  from here.",
    ],
)
def test_halting_phrase(text):
    (fragment,) = sentences(text)
    assert fragment.kind == "halt"


def test_halting_phrase_within_a_sentence_is_a_sentence():
    assert [one.kind for one in sentences("I am unsure from here. Unsure from here. Bye.")] == [
        "sentence",
        "halt",
        "sentence",
    ]


PIECES = st.sampled_from(
    [
        *"abcZÉ東 .,!?…\n\t\"'()-•*#0123456789|`<>🎉\u200b।",
        "</p>",
        "```",
        "|-|",
        "[1]",
        "is\n",
        "\u2028",
        "U.S.",
        "St. ",
        "1. ",
        "Unsure from here.",
        "Africa.The ",
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_fragments_lie_in_order_inside_the_text(text):
    end = 0
    for fragment in sentences(text):
        assert end <= fragment.start < fragment.end <= len(text)
        assert text[fragment.start : fragment.end] == fragment.text == fragment.text.strip()
        end = fragment.end


@given(st.lists(st.from_regex(r"[a-z]{5,9}( [a-z]{5,9}){0,4}", fullmatch=True), max_size=6))
def test_plain_sentences_are_found_again(lines):
    expected = [line.capitalize() + "." for line in lines]
    assert texts(" ".join(expected)) == expected


# What follows was split otherwise than a reader does; `None`: the text is one sentence.
HARD = [
    (
        "He lives in Washington, D.C. Obama moved there in 2009.",
        ["He lives in Washington, D.C.", "Obama moved there in 2009."],
    ),
    (
        "She works in Washington D.C. Mayor Muriel Bowser praised her.",
        ["She works in Washington D.C. Mayor Muriel Bowser praised her."],
    ),
    ("The U.S. Congress is bicameral.", None),
    ("He said the U.S. Congress is bicameral.", None),
    ("He met U.S. President Joe Biden was told.", None),
    ("She served in the U.S. Army. The war ended.", ["She served in the U.S. Army.", "The war ended."]),
    ("The U.K. Parliament sits in London.", None),
    ("They moved to the U.K. London became their home.", ["They moved to the U.K.", "London became their home."]),
    ("He left the U.S.S.R. Stalin had died.", ["He left the U.S.S.R.", "Stalin had died."]),
    ("Its neighbour is the U.A.E. Oman borders it.", ["Its neighbour is the U.A.E.", "Oman borders it."]),
    ("The talk began at 9 a.m. Nobody came.", ["The talk began at 9 a.m.", "Nobody came."]),
    ("It starts at 9 a.m. Eastern Time and ends at 5 p.m. EST.", None),
    ("It starts at 9 a.m. on Monday.", None),
    ("It opens at 9 A.M. Visitors queue early.", ["It opens at 9 A.M.", "Visitors queue early."]),
    (
        "Lt. Col. John Smith met Maj. Gen. Doe and Sgt. Pepper. They ate.",
        ["Lt. Col. John Smith met Maj. Gen. Doe and Sgt. Pepper.", "They ate."],
    ),
    ("Brig. Gen. Ada Berg, Capt. Cook and Adm. Nelson sailed.", None),
    ("Nairobi is the capital.[1] It is big.[2][3]", ["Nairobi is the capital.[1]", "It is big.[2][3]"]),
    ("Nairobi is the capital. [1] It is big. [2]", ["Nairobi is the capital. [1]", "It is big. [2]"]),
    ("Nairobi is the capital.[citation needed] It is big.", ["Nairobi is the capital.[citation needed]", "It is big."]),
    ("Nairobi is the capital.¹ It is big.", ["Nairobi is the capital.¹", "It is big."]),
    ("Nairobi is the capital.🎉 It is big.", ["Nairobi is the capital.🎉", "It is big."]),
    ("Nairobi is the capital. 🎉 It is big. 👍🏽", ["Nairobi is the capital. 🎉", "It is big. 👍🏽"]),
    (
        "🌍 Kenya is in Africa. 💰 The currency is the shilling.",
        ["🌍 Kenya is in Africa.", "💰 The currency is the shilling."],
    ),
    ("नैरोबी केन्या की राजधानी है। यह बड़ा है।", ["नैरोबी केन्या की राजधानी है।", "यह बड़ा है।"]),
    ("یہ پاکستان ہے۔ دارالحکومت اسلام آباد ہے۔", ["یہ پاکستان ہے۔", "دارالحکومت اسلام آباد ہے۔"]),
    ("東京は首都です。大きい！本当？はい。", ["東京は首都です。", "大きい！", "本当？", "はい。"]),
    ("彼は「はい。」と言った。終わり。", ["彼は「はい。」と言った。", "終わり。"]),
    (
        "Kenya is in\nEast Africa and has a coast on\nthe Indian Ocean. Its capital is\nNairobi.",
        ["Kenya is in\nEast Africa and has a coast on\nthe Indian Ocean.", "Its capital is\nNairobi."],
    ),
    (
        "Kenya is a country in East Africa. Its capital is Nairobi, which is\nthe largest city. "
        "Its official languages are Swahili and English. The\nKenyan shilling is its currency.",
        [
            "Kenya is a country in East Africa.",
            "Its capital is Nairobi, which is\nthe largest city.",
            "Its official languages are Swahili and English.",
            "The\nKenyan shilling is its currency.",
        ],
    ),
    ("Kenya is in East\nAfrica.", None),
    (
        "The capital of Kenya is Nairobi\nThe currency is the shilling",
        ["The capital of Kenya is Nairobi", "The currency is the shilling"],
    ),
    ("the capital is lima\nthe currency is the sol", ["the capital is lima", "the currency is the sol"]),
    ("The capital is Lima\nthe currency is the sol", ["The capital is Lima", "the currency is the sol"]),
    ("Facts about Kenya\nKenya is in Africa.", ["Facts about Kenya", "Kenya is in Africa."]),
    ("Capital: Nairobi\nCurrency: shilling", ["Capital: Nairobi", "Currency: shilling"]),
    ("Nairobi\nMombasa\nKisumu", ["Nairobi", "Mombasa", "Kisumu"]),
    (
        "- Kenya is in Africa and\n  borders Uganda.\n- It is big.",
        ["Kenya is in Africa and\n  borders Uganda.", "It is big."],
    ),
    ("The capital is St.\nJohn's. It is small.", ["The capital is St.\nJohn's.", "It is small."]),
    (
        "| Fact | Value |\n|---|---|\n| Capital | Nairobi |\n| Currency | Kenyan shilling. |\n\nThat is all.",
        ["Fact | Value", "Capital | Nairobi", "Currency | Kenyan shilling.", "That is all."],
    ),
    ("Run:\n```python\nprint(1)\n```\nIt prints 1.", ["Run:", "print(1)", "It prints 1."]),
    ("~~~\nx = 1\n~~~\nDone.", ["x = 1", "Done."]),
    ("Kenya is big.  \nUganda is small.", ["Kenya is big.", "Uganda is small."]),
    ("It was led by George W. Bush. He won.", ["It was led by George W. Bush.", "He won."]),
    ("Written by J.R.R. Tolkien. It sold well.", ["Written by J.R.R. Tolkien.", "It sold well."]),
    ("He knew that J.R.R. Tolkien was born in 1892.", None),
    ("Oranges have vitamin C. They are good.", ["Oranges have vitamin C.", "They are good."]),
    ("So did I. She left.", ["So did I.", "She left."]),
    ("K. He et al. (2016) propose it. It works.", ["K. He et al. (2016) propose it.", "It works."]),
    (
        "Smith et al. found it. See Fig. 3 and Eq. 4 on p. 12.",
        ["Smith et al. found it.", "See Fig. 3 and Eq. 4 on p. 12."],
    ),
    ("He ate a fig. It was ripe.", ["He ate a fig.", "It was ripe."]),
    ("Roe v. Wade was decided in 1973. It was big.", ["Roe v. Wade was decided in 1973.", "It was big."]),
    ("Ada (b. 1902) painted. Bo (c. 1900–1980) sang.", ["Ada (b. 1902) painted.", "Bo (c. 1900–1980) sang."]),
    ("He was ranked no. 10 in 1990. Then no. 3.", ["He was ranked no. 10 in 1990.", "Then no. 3."]),
    ("On Sept. 5 he left. In Dec. The snow came.", ["On Sept. 5 he left.", "In Dec.", "The snow came."]),
    ("He came on Mon. Jan. 5. It rained.", ["He came on Mon. Jan. 5.", "It rained."]),
    (
        "Apple Inc. is big. He works at Apple Inc. The pay is good.",
        ["Apple Inc. is big.", "He works at Apple Inc.", "The pay is good."],
    ),
    (
        "Martin Luther King Jr. was born in Atlanta. We met King Jr. He spoke.",
        ["Martin Luther King Jr. was born in Atlanta.", "We met King Jr.", "He spoke."],
    ),
    ("Many countries (e.g. the U.S.) have coasts. Yes.", ["Many countries (e.g. the U.S.) have coasts.", "Yes."]),
    ('"Is it Nairobi?" he asked. "Yes."', ['"Is it Nairobi?" he asked.', '"Yes."']),
    ("Yahoo! is a company. What a day! it was great.", ["Yahoo! is a company.", "What a day!", "it was great."]),
    ("Mt. Kenya is 5,199 m. It is high.", ["Mt. Kenya is 5,199 m.", "It is high."]),
    ("The lake covers 500 sq. mi. Kenya owns a part.", ["The lake covers 500 sq. mi.", "Kenya owns a part."]),
    ("He ran 5 km. in an hour. He is 6 ft. tall.", ["He ran 5 km. in an hour.", "He is 6 ft. tall."]),
    ("Fruit, nuts, etc. Kenya exports them.", ["Fruit, nuts, etc.", "Kenya exports them."]),
    ("He died in 44 B.C. Rome was at war.", ["He died in 44 B.C.", "Rome was at war."]),
    ("In 44 B.C. Caesar was killed.", None),
    ("She holds a Ph.D. She teaches.", ["She holds a Ph.D.", "She teaches."]),
    ("It works with Node.js and ASP.NET. See README.md.", ["It works with Node.js and ASP.NET.", "See README.md."]),
    ("It costs $3.50. That is cheap.", ["It costs $3.50.", "That is cheap."]),
    ("Kenya became free in 1963.The capital is Nairobi.", ["Kenya became free in 1963.", "The capital is Nairobi."]),
    ("(a) Nairobi is the capital.\n(b) English is official.", ["Nairobi is the capital.", "English is official."]),
    ("a) Nairobi is the capital\nB) English is official", ["Nairobi is the capital", "English is official"]),
    ("A. Nairobi is the capital.\nB. English is official.", ["Nairobi is the capital.", "English is official."]),
    (
        "i. Nairobi is the capital.\nii. English is official.\niv. It is big.",
        ["Nairobi is the capital.", "English is official.", "It is big."],
    ),
    (
        "**1. Nairobi is the capital.**\n**2.** English is official.",
        ["**1. Nairobi is the capital.**", "English is official."],
    ),
    ("1️⃣ Nairobi is the capital.\n2️⃣ English.", ["Nairobi is the capital.", "English."]),
    ("- [x] Nairobi is the capital.\n> It is big.", ["Nairobi is the capital.", "It is big."]),
    ("## Capital\nNairobi is the capital.\n---\nIt is big.", ["Capital", "Nairobi is the capital.", "It is big."]),
    ("**Capital:** Nairobi **Currency:** shilling", ["**Capital:** Nairobi", "**Currency:** shilling"]),
    ("**Nairobi is the capital.** It is _big._ Yes.", ["**Nairobi is the capital.**", "It is _big._", "Yes."]),
    ("Nairobi is big.<br>It is old.<br/>Yes", ["Nairobi is big.", "It is old.", "Yes"]),
    ("<ul><li>Nairobi is big</li><li>It is old</li></ul>", ["<ul><li>Nairobi is big</li>", "<li>It is old</li>"]),
    ("Kenya is in Africa.\u00a0The capital is Nairobi.", ["Kenya is in Africa.", "The capital is Nairobi."]),
    ("Kenya is in Africa.\ufeff The capital is Nairobi.\u200f", ["Kenya is in Africa.", "The capital is Nairobi."]),
    ("\u200eKenya is in Africa.\u200e\nIt is big.", ["Kenya is in Africa.", "It is big."]),
    ("He paused . . . then went on. Yes.", ["He paused . . . then went on.", "Yes."]),
    ("Wait… what? No… Kenya is big.", ["Wait… what?", "No…", "Kenya is big."]),
    ("Dr.Smith met Mr.Jones. They talked.", ["Dr.Smith met Mr.Jones.", "They talked."]),
    ("He lives on Main St. The house is old.", ["He lives on Main St.", "The house is old."]),
    ("The capital is St. John's.", None),
    ("Unsure from here.", None),
    ("The capital is Nairobi.\n**Unsure from here**", ["The capital is Nairobi.", "**Unsure from here**"]),
    (
        "Gen. Kenyatta was president. Rev. King and Hon. Berg came.",
        ["Gen. Kenyatta was president.", "Rev. King and Hon. Berg came."],
    ),
    (
        "See https://en.wikipedia.org/wiki/Kenya. It is long.",
        ["See https://en.wikipedia.org/wiki/Kenya.", "It is long."],
    ),
    (
        "Kenya (pop. 55 million) is big. Est. 1963. Approx. 80% farm.",
        ["Kenya (pop. 55 million) is big.", "Est. 1963.", "Approx. 80% farm."],
    ),
    ("The so-called D.R. Congo is big.", None),
    ("What is the capital?Nairobi is.", ["What is the capital?", "Nairobi is."]),
    ("It is 3.5 million.It grew.", ["It is 3.5 million.", "It grew."]),
    ("1.Nairobi is the capital\n2.English is official", ["Nairobi is the capital", "English is official"]),
    ("“Nairobi is the capital.” It is big.", ["“Nairobi is the capital.”", "It is big."]),
    ("(It is big.) The rest is sea.", ["(It is big.)", "The rest is sea."]),
    ("E. coli is a bacterium. H. sapiens is not.", ["E. coli is a bacterium.", "H. sapiens is not."]),
    ("Vol. 2, No. 3, pp. 10–12. It is good.", ["Vol. 2, No. 3, pp. 10–12.", "It is good."]),
    ("Rs. 500 is cheap. It cost Rs. 20.", ["Rs. 500 is cheap.", "It cost Rs. 20."]),
    ("World War II. It ended in 1945.", ["World War II.", "It ended in 1945."]),
    ("Elizabeth I. She reigned long.", ["Elizabeth I.", "She reigned long."]),
    ("The temperature is 20 °C. It is warm.", ["The temperature is 20 °C.", "It is warm."]),
    ("It weighs 5 kg. Gold is heavy.", ["It weighs 5 kg.", "Gold is heavy."]),
    ("The U.S. dollar is used. In the U.S., it is.", ["The U.S. dollar is used.", "In the U.S., it is."]),
    ("He visited the U.S. Virgin Islands borders nothing.", None),
    ("Она живёт в Москве. Это столица.", ["Она живёт в Москве.", "Это столица."]),
    ("Africa.The capital is Nairobi!It is big?Yes.", ["Africa.", "The capital is Nairobi!", "It is big?Yes."]),
    ("Answer: **Nairobi**. It is big.", ["Answer: **Nairobi**.", "It is big."]),
    ("`Nairobi.` It is big.", ["`Nairobi.`", "It is big."]),
    ("Nairobi is big.* It is old.", ["Nairobi is big.*", "It is old."]),
    # Prose that a reader does not cut, and lines that a reader does not join.
    ("x+5=3x-5\nx=4", ["x+5=3x-5", "x=4"]),
    ("The Pope is Pius X. These five facts are odd.", None),
    ("Kenya has lions.\nnairobi is big.", ["Kenya has lions.", "nairobi is big."]),
    ("Kenya is a large country on the coast of the Indian Ocean, and\nNairobi is its capital.", None),
]


@pytest.mark.parametrize(("text", "expected"), HARD)
def test_cuts_as_a_reader_does(text, expected):
    assert texts(text) == (expected or [text])


def test_what_is_layout_only_is_in_no_fragment():
    assert texts("---\n```\n|---|---|\n```\n***\n<br>\n</ul>\n") == []


def test_a_fence_that_is_never_closed_hides_nothing():
    assert texts("```\nKenya is in Africa.\nIt is big.") == ["Kenya is in Africa.", "It is big."]


PHRASES = st.sampled_from(
    ["Kenya is ", "U.S. ", "the U.S. Kenya is ", "J. ", "a. ", "**a:** ", "| a ", "|-|\n", "```\n", "\n",
     "is\n", ". ", "…", "['1']",
     "<p>", "</p>", "🎉 ", "[1]", "- ", "1. ", "p.m. ", "St. ", "\u200b", ".\n", "x\n", "(", '"', ">", "A. B. "]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PHRASES, min_size=1, max_size=4).map("".join))
def test_every_phrase_that_is_repeated_comes_to_an_end(phrase):
    text = phrase * -(-500 // len(phrase))
    with must_end(30):
        sentences(text)


@pytest.mark.parametrize(
    "phrase", ["the U.S. Kenya is ", "is\n", "| a |\n|-|\n", ". . ", "<p>", "[1].", "a. ", ".🎉 ", "x" * 9]
)
def test_100_000_characters_come_to_an_end(phrase):
    with must_end():
        sentences(phrase * (100_000 // len(phrase)))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("The symbol of calcium is Ca. Its atomic number is 20.", "The symbol of calcium is Ca."),
        ("The symbol of platinum is Pt. It is dense.", "The symbol of platinum is Pt."),
        ("The symbol is Cf. It was made in 1950.", "The symbol is Cf."),
        ("He is Dr. No and lives there. It is late.", "He is Dr. No and lives there."),
        ("She met Dr. Our and left. It was late.", "She met Dr. Our and left."),
    ],
)
def test_a_symbol_that_looks_like_an_abbreviation_ends_a_sentence(text, first):
    assert sentences(text)[0].text == first
