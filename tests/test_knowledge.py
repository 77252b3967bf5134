import pytest
from hypothesis import given
from hypothesis import strategies as st

from endless import must_end
from rlhalt.domains.countries import few_shot
from rlhalt.domains.countries.table import facts
from rlhalt.errors import InputError
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Fragment
from rlhalt.verifiers.knowledge import KnowledgeVerifier
from rlhalt.verifiers.table import Amount, plain

VERIFIER = KnowledgeVerifier(facts())


def judge(subject, text):
    fragments = sentences(text)
    return VERIFIER.verify(text, fragments, {"subject": subject})


CORRECT = """
Kenya | Kenya is in East Africa.
Norway | Norway is in Scandinavia.
Thailand | Thailand is situated in Southeast Asia.
Peru | Peru is in South America.
Fiji | Fiji is in the Pacific Ocean.
Iran | Iran is in the Middle East.
Oman | Oman borders Saudi Arabia.
Norway | Norway has a population of about 5.5 million.
Mali | Mali is a West African country.
Iran | Iran borders Turkey, Iraq and Afghanistan.
Switzerland | The official languages of Switzerland are German, French and Italian.
Nepal | Nepal shares borders with China and India.
Nigeria | Nigeria is a country located in West Africa, with a population of about 200 million.
Peru | The capital and largest city of Peru is Lima.
Peru | Spanish is the official language of Peru.
Peru | Lima is the capital of Peru.
Peru | The main language spoken in Peru is Spanish.
Peru | Peru's capital is Lima.
Peru | The Peruvian currency is the sol.
Peru | Its capital is Lima.
Peru | The country borders Chile.
Peru | It is in South America.
Peru | THE CAPITAL OF PERU IS LIMA.
Brazil | The capital of Brazil is Brasilia.
Ivory Coast | Côte d'Ivoire is in West Africa.
Netherlands | The capital of the Netherlands is Amsterdam.
Croatia | Croatia borders Serbia and Bosnia and Herzegovina.
United States | The capital of the United States is Washington, D.C.
Finland | Finland is in the northern part of Europe.
Finland | The official language of Finland is Finnish and the currency of Finland is the euro.
Laos | Laos is a landlocked country in Southeast Asia.
Bulgaria | Bulgaria is a European country bordering Romania.
Guyana | GUYANA is a Latin American country.
Canada | Canada has two official languages, English and French.
Georgia | The capital of Georgia is Tbilisi.
Kazakhstan | The capital of Kazakhstan is Astana.
Togo | The currency of Togo is the CFA franc.
Mongolia | Mongolia has an area of about 600,000 square miles.
Mongolia | Mongolia covers an area of 1,564,116 km².
Guinea-Bissau | Guinea-Bissau borders Guinea.
Denmark | The currency of Denmark is the kroner.
Cuba | Cuba is an island nation in the Caribbean.
Syria | Syria is a country in the Middle East; its capital is Damascus.
South Africa | The capital of South Africa is Cape Town.
Angola | Angola is in Southern Africa.
Solomon Islands | The Solomon Islands have a population of about 700,000.
Ukraine | The country of Ukraine also has a population of about 33 million.
New Zealand | The official language of New Zealand is New Zealand Sign Language.
Kenya | Ken\u200bya is in East Afri\u00adca.
Kenya | The currency of Kenya is Kenyan shillings.
United Kingdom | The currency of the United Kingdom is pounds sterling.
Russia | The currency of Russia is the Russian rouble.
Kenya | **Capital:** Nairobi
Kenya | **Capital City:** The capital city of Kenya is Nairobi.
Kenya | **Official languages**: English and Swahili
Kenya | **Population:** about 54 million people (2023)
Kenya | Nairobi is the capital.
Kenya | The Kenyan shilling (KES) is the official currency.
Kenya | Kenya is bordered by Ethiopia to the north, Somalia to the east, Tanzania to the south and Uganda to the west.
Kenya | Kenya is bordered to the north by Ethiopia and to the south by Tanzania.
Kenya | Kenya, a country in East Africa, borders Uganda.
Kenya | Kenya, officially the Republic of Kenya, is a country in East Africa.
Kenya | The capital of Kenya is [Nairobi](https://example.org/nairobi).
Kenya | The capital of Kenya is <b>Nairobi</b> [1].
Kenya | Kenya's population is 55 000 000.
Kenya | Kenya has 55M inhabitants.
Kenya | The population of Kenya is around 55 mn (as of 2023).
India | India has over 140 crore people.
Kenya | Kenya has a population of over 54 million.
Kenya | The population of Kenya is 50-55 million.
Kenya | Kenya has fewer than 60 million people.
Kenya | The population of Kenya is fifty-five million.
South Africa | South Africa has three capitals: Pretoria, Cape Town and Bloemfontein.
Brazil | Brasília, not Rio de Janeiro, is the capital of Brazil.
Turkey | The capital of Turkey is Ankara rather than Istanbul.
Uruguay | Uruguay borders two countries: Argentina and Brazil.
Luxembourg | Luxembourg lies between Belgium, France and Germany.
Croatia | Croatia adopted the euro in January 2023.
Ecuador | Ecuador has used the US dollar as its official currency since 2000.
Morocco | The official languages of Morocco are Arabic and Berber (Amazigh).
Vietnam | Its capital is Hanoi, while Ho Chi Minh City is its largest city.
"""

INCORRECT = """
Peru | The currency of Peru is the puro.
Kenya | The currency of Kenya is the Kenyan dollar.
Mali | The official language of Mali is KARAMALAU.
Chad | Chad is bordered by Africa to the north and south.
Nepal | Nepal is in India.
Togo | Togo is southern Africa bordering Senegal.
Togo | The capital of Togo is Port-au-Prince.
Chad | The capital of Chad is Chad.
Mongolia | The capital of Mongolia is Ulaanber.
Mongolia | Ulaanber is the capital of Mongolia.
Poland | The currency of Poland is the zlącz.
Nepal | The official language of Nepal is Nepaliya.
Kenya | Kenya is not in Africa.
Peru | Peru is in South America and the capital of Peru is Cusco.
Cuba | Cuba is located in the eastern Caribbean area of North America.
Australia | The capital of Australia is Sydney.
Canada | Canada has a population of about 1.54 billion.
Angola | Angola is in South Africa.
Togo | The currency of Togo is the Central African CFA franc.
Denmark | Denmark borders Norway.
Kenya | Kenya does not border Uganda.
Benin | Benin is a landlocked country in West Africa.
Kenya | Kenya is an island nation.
Saudi Arabia | The official languages of Saudi Arabia are Arabic and English.
Barbados | Barbados is a country located in West Africa.
Mongolia | Mongolia has an area of 500 square kilometers.
Bhutan | The capital of Bhutan is Bhutan.
Guinea | Guinea borders Ghana.
Fiji | Fiji borders Indonesia.
Australia | The capital and largest city of Australia is Canberra.
Ireland | The currency of Ireland is the pound.
Italy | Venice is the capital of Italy.
Tajikistan | It borders India.
Tajikistan | The language of Tajikistan is Pashto.
Libya | The currency of Libya is the Libija or the Libi.
Kenya | Kenya is in Asia or Europe.
Turkey | Istanbul, not Ankara, is the capital of Turkey.
Kenya | **Capital:** Mombasa
Kenya | **Capital**: [Kampala](https://example.org/kampala)
Kenya | The Ugandan shilling is the official currency.
Canada | Canada's capital, Toronto, lies in Ontario.
Ethiopia | Ethiopia, whose capital is Asmara, is landlocked.
Croatia | Croatia still uses the kuna.
Sweden | Sweden adopted the euro in 1999.
Pakistan | Karachi has been the capital of Pakistan since 1967.
India | India has fewer than one billion inhabitants.
Kenya | Kenya has over 90 million people.
Senegal | Senegal's population is approximately one hundred million.
Zambia | Zambia has a coastline on the Indian Ocean.
Bolivia | Bolivia is not landlocked.
Kenya | Nairobi isn't the capital of Kenya.
Georgia | Georgia borders North Carolina.
Canada | Canada shares its only land border with the United States and Mexico.
Kenya | The official languages of Kenya are English and French.
Kenya | Kenya is bordered by Chad to the north.
"""

UNVERIFIABLE = """
Chad | The capital of Nigeria is Abuja.
France | France is a country.
Fiji | Fiji is a beautiful place.
Fiji | Fiji borders the Pacific Ocean.
Fiji | It is known for its beaches.
Egypt | Egypt is the largest country in Africa.
Oman | The capital, Muscat, is located at the Arabian Sea, and the area of Dubai is nicknamed Oman.
Ghana | Ghana gained independence in 1960.
Australia | Australia is an island continent.
Kenya | The capital of Kenyaa is Nairobi.
Kenya | Kenife is in East Africa.
Kenya | The main language spoken in Kenya is Kikuyu.
Croatia | Croatia is in Croatia.
Morocco | The currency of Morocco is not recognized.
Mozambique | The capital of Morocco is Cairo.
Gambia | Gabon is in Africa.
Ghana | The flag of Ghana is in Africa.
Kenya | Kenya has a population of Somalia.
Malawi | The currency of Malawi is the
Kenya | The capital of Kenya is a beautiful city.
Kenya | Kenya is in East Africa and is famous for its lions.
Democratic Republic of the Congo | The capital of the DLC is Kinshasa.
Mali | The official language of Mali is French.
Nigeria | The largest religion is Islam.
San Marino | San Marino is a sovereign state within Italy.
Bahrain | Bahrain borders Saudi Arabia.
Italy | The president of Italy is in Africa.
Kenya | Kenya is not in Europe.
Kenya | Kenya is not landlocked.
Kenya | Kenya does not border France.
Kenya | Kenya is in Africa or Asia.
Turkey | Turkey is in Europe or Asia.
Kenya | The capital of Kenya is either Nairobi or Mombasa.
Kenya | Is Kenya in Africa?
Kenya | The capital of Kenya is Nairobi?
Kenya | Kenya is in Africa, perhaps.
Kenya | Kenya is in the world.
Kenya | Kenya has a capital.
Kenya | Kenya borders other countries.
Kenya | The capital of Kenya is famous for its national park.
Kenya | Kenya's capital was founded in 1899 as a railway depot.
Kenya | The currency of Kenya is subdivided into 100 cents.
Kenya | The currency of Kenya is stable.
Kenya | The currency of Kenya is the strongest.
Kenya | The official language of Kenya is taught in schools.
Egypt | Egypt's capital is Africa's second-largest city.
Kenya | The capital of Kenya might be Mombasa.
Kenya | The capital of Kenya is Mombasa, I think.
Kenya | It is false that the capital of Kenya is Mombasa.
Kenya | If the capital of Kenya is Mombasa, then I am the queen.
Kenya | According to legend, the capital of Kenya is Mombasa.
Brazil | Rio de Janeiro was the capital of Brazil until 1960.
Brazil | The capital of Brazil was formerly Rio de Janeiro.
Nigeria | The population of Nigeria was about 45 million in 1960.
Nigeria | Nigeria had a population of 45 million in 1960.
Croatia | Before 2023 the currency of Croatia was the kuna.
Croatia | Croatia adopted the kuna in 1994.
Croatia | Croatia adopted the euro in 2011.
Indonesia | Indonesia's capital is being moved from Jakarta to Nusantara.
Netherlands | The capital of the Netherlands is The Hague.
Japan | Japan uses the metric system.
Kenya | Kenya uses M-Pesa for mobile payments.
Norway | Norway is not a member of the European Union.
Norway | Norway is not part of the European Union.
Kenya | Kenya lies on the Indian Ocean.
Norway | Norway lies on the North Sea.
Iraq | Iraq is mostly landlocked.
United Kingdom | The United Kingdom borders Spain at Gibraltar.
France | France borders Brazil.
Australia | Australia's neighbours include Indonesia and New Zealand.
Qatar | Qatar is home to about 350,000 citizens.
Kenya | Kenya has fewer than 52 million people.
Kenya | Kenya has more than 10 million people.
Kenya | Kenya borders Ethiopia to the south.
Kenya | Kenya has three official languages: English and Swahili.
Kenya | Kenya has a population of 20 million cattle.
Kenya | Kenya borders Tanzania, which has Dodoma as its capital.
Kenya | Kenya borders Tanzania; in Tanzania, the capital is Dodoma.
Kenya | Kenya's largest city is Nairobi, with about 4.4 million people.
Kenya | Nairobi, the capital of Kenya, has a population of over 4 million.
Spain | The capital of Spain is Madrid; the capital of Portugal is Lisbon.
Portugal | The capital of Portugal is Lisboa.
Iran | The capital of Iran is Teheran.
Kenya | The capital of Kenya is Nairobi City County.
Kenya | The capital of Kenya is Nairobi/Mombasa.
South Korea | North Korea's capital is Pyongyang.
"""


def cases(text):
    return [tuple(line.split(" | ")) for line in text.strip().splitlines()]


@pytest.mark.parametrize(("subject", "text"), cases(CORRECT))
def test_correct(subject, text):
    (verdict,) = judge(subject, text)
    assert verdict.label == "correct", verdict.evidence


@pytest.mark.parametrize(("subject", "text"), cases(INCORRECT))
def test_incorrect(subject, text):
    (verdict,) = judge(subject, text)
    assert verdict.label == "incorrect", verdict.evidence


@pytest.mark.parametrize(("subject", "text"), cases(UNVERIFIABLE))
def test_unverifiable(subject, text):
    (verdict,) = judge(subject, text)
    assert verdict.label == "unverifiable", verdict.evidence


def test_another_subject_is_named_as_the_reason():
    assert judge("Chad", "The capital of Nigeria is Abuja.")[0].evidence == "about another subject"


def test_few_shot_answers_are_correct():
    messages = few_shot()
    for subject, answer in zip(("France", "Japan", "Brazil"), messages[1::2], strict=True):
        assert [verdict.label for verdict in judge(subject, answer["content"])] == ["correct"] * 5


def test_repetition_earns_nothing():
    first, second, third = judge(
        "Cuba", "The capital of Cuba is Havana. Havana is the capital of Cuba. Cuba is in the Caribbean."
    )
    assert (first.label, second.label, third.label) == ("correct", "unverifiable", "correct")
    assert second.evidence.startswith("repeats “The capital")


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("Kenya", "Kenya is in Africa. Kenya is in East Africa. Kenya is in Asia.", "+?-"),
        ("Kenya", "The capital of Kenya is Mombasa. The capital of Kenya is Nairobi.", "-?"),
        ("South Africa", "The capital of South Africa is Pretoria. Its capital is Cape Town.", "+?"),
        ("Peru", "Its capital is Lima. Its largest city is Lima. Its capital and largest city is Lima.", "++?"),
        ("Peru", "Its capital is Lima. Its capital and largest city is Lima. Its largest city is Lima.", "++?"),
        ("Iran", "Its official language is Persian. The main language of Iran is Farsi.", "+?"),
        ("Kenya", "Its official language is English. Its official language is Swahili.", "++"),
        ("Kenya", "Kenya borders Uganda. Kenya borders Uganda and Somalia. Kenya borders Somalia.", "++?"),
        ("Kenya", "Kenya is not in Europe. Kenya is in Africa. Kenya is not in Africa.", "?+-"),
        ("Kenya", "Kenya is in Africa and has many lions. Kenya is in Africa.", "?+"),
        ("Kenya", "Kenya is in the world. Kenya is in Africa.", "?+"),
        ("Nepal", "Nepal is a landlocked country and is not in Europe.", "+"),
    ],
)
def test_what_is_stated_once_is_paid_once(subject, text, expected):
    marks = {"correct": "+", "incorrect": "-", "unverifiable": "?"}
    assert "".join(marks[verdict.label] for verdict in judge(subject, text)) == expected


def test_a_second_guess_is_named_as_the_reason():
    second = judge("Kenya", "The capital of Kenya is Mombasa. The capital of Kenya is Nairobi.")[1]
    assert second.evidence == "another try at “The capital of Kenya is Mombasa.”"


def test_a_sentence_too_long_to_read_is_not_read():
    (verdict,) = judge("Kenya", "Kenya is in Africa and " * 30)
    assert verdict.evidence == "longer than 500 characters"


FORMS = {
    "region": "{} is in {}.",
    "capital": "The capital of {} is {}.",
    "largest city": "The largest city of {} is {}.",
    "currency": "The currency of {} is the {}.",
    "language": "The official language of {} is {}.",
    "spoken": "The main language spoken in {} is {}.",
    "neighbour": "{} borders {}.",
}


@given(st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(facts().entries)), st.data())
def test_what_is_right_of_one_is_right_or_wrong_of_another(fact, subject, data):
    """A value that is paid where it is right and free where it is wrong would pay for guessing."""
    entries = facts().entries
    other = data.draw(st.sampled_from(sorted(entries)))
    if not entries[other].facts[fact]:
        return
    value = data.draw(st.sampled_from(sorted(entries[other].facts[fact])))
    (verdict,) = judge(subject, FORMS[fact].format(subject, value))
    if value in entries[subject].facts[fact]:
        assert verdict.label == "correct", verdict.evidence
    elif value in entries[subject].disputed.get(fact, ()) or value in entries[subject].names:
        assert verdict.label == "unverifiable", verdict.evidence
    elif not verdict.evidence.startswith("cannot tell"):  # "pound sterling" where it is the pound
        assert verdict.label == "incorrect", verdict.evidence


def test_halting_fragments():
    assert [verdict.label for verdict in judge("Cuba", "Cuba is in Asia. Unsure from here.")] == ["incorrect", "halt"]


def test_it_after_a_capital_may_be_the_capital():
    assert judge("Peru", "The capital of Peru is Lima. It has a population of 10 million.")[1].label == "unverifiable"
    assert judge("Peru", "Peru is in South America. It has a population of 10 million.")[1].label == "incorrect"


def test_it_after_another_country_is_not_the_subject():
    assert judge("Peru", "Brazil borders Colombia. It is in Asia.")[1].label == "unverifiable"


@pytest.mark.parametrize("reference", [{}, {"subject": "Atlantis"}])
def test_a_reference_the_table_does_not_know(reference):
    with pytest.raises(InputError, match=r"subject|without an entry"):
        VERIFIER.verify("x", [], reference)


def test_it_after_a_neighbour_is_the_neighbour():
    assert judge("Kenya", "Kenya's neighbour is Uganda. Its capital is Kampala.")[1].label == "unverifiable"
    assert judge("Kenya", "Kenya borders Uganda. It also borders Nigeria.")[1].label == "incorrect"


def test_bounds():
    amount = Amount((100.0,), 0.25)
    assert [amount.over(number) for number in (50, 80, 100, 110, 130)] == [None, True, True, None, False]
    assert [amount.under(number) for number in (70, 90, 100, 120, 150)] == [False, None, True, True, None]
    assert -40 in Amount((-38.83,), 0.05)


PHRASES = """
just over|slightly more than|about|the capital of|Kenya|, and|Nairobi,|which has|as well as|in the|one hundred|
55 000|million|and the|of the|official language|to the north by|a country in|has a population of|( |,|borders Uganda,|
eastern part of|** |- |1,|either|[x](|<b |55-|'s|United States and|a member of|no|covers about|sq km|its capital,
"""


@given(st.lists(st.sampled_from(PHRASES.replace("\n", "").split("|")), min_size=1, max_size=4), st.booleans())
def test_every_text_of_500_characters_comes_to_an_end(phrases, named):
    text = ("Kenya has a population of " if named else "") + " ".join(phrases * 500)[:470] + "x"
    fragments = [Fragment(0, len(text), "sentence", text)]
    with must_end(30):
        VERIFIER.verify(text, fragments, {"subject": "Kenya"})


def test_amounts_have_a_tolerance():
    assert 80 in Amount((100.0,), 0.25)
    assert 70 not in Amount((100.0,), 0.25)
    assert 150 in Amount((100.0, 150.0), 0.1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Capital of Côte d'Ivoire!", "capital of cote divoire"),
        ("Guinea-Bissau’s", "guinea bissau 's"),
        ("U.S.", "us"),
        ("isn't", "is not"),
        ("at -38.83 °C, 50–55 million", "at minus 38.83 °c, 50 to 55 million"),
        ("**Capital:** [Nairobi](https://x.org/a_b) 🇰🇪[2]", "capital: nairobi"),
        ("55 000 000 km²", "55000000 km2"),
    ],
)
def test_plain(text, expected):
    assert plain(text) == expected


VOCABULARY = "Peru the capital of is Lima not and , borders Chile population 5 million it a country in . ' ( official"
WORDS = st.lists(st.sampled_from(VOCABULARY.split()))


@given(st.one_of(st.text(), WORDS.map(" ".join)), st.sampled_from(["Peru", "Bosnia and Herzegovina", "Chad"]))
def test_any_text_gets_one_verdict_a_fragment(text, subject):
    fragments = sentences(text)
    verdicts = VERIFIER.verify(text, fragments, {"subject": subject})
    assert len(verdicts) == len(fragments)
    assert all(verdict.evidence for verdict in verdicts)
    assert verdicts == VERIFIER.verify(text, fragments, {"subject": subject})


@given(st.sampled_from(sorted(facts().entries)), st.data())
def test_every_accepted_capital_is_right_and_every_foreign_one_wrong(subject, data):
    entries = facts().entries
    other = data.draw(st.sampled_from(sorted(entries)))
    for phrase in entries[other].facts["capital"]:
        (verdict,) = judge(subject, f"The capital of {subject} is {phrase.title()}.")
        accepted = phrase in entries[subject].facts["capital"]
        if accepted:
            assert verdict.label == "correct", verdict.evidence
        else:
            assert verdict.label != "correct", verdict.evidence
