import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endless import must_end
from rlhalt.fragments.code import code, layouts, program


def texts(text):
    return [fragment.text for fragment in code(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\ny = 2", ["x = 1", "y = 2"]),
        ("x = 1; y = 2;", ["x = 1", "y = 2"]),
        ("def f(x):\n    return x", ["def f(x):", "return x"]),
        ("def f(x): return x; y = 1", ["def f(x):", "return x", "y = 1"]),
        ("@a\n@b(c, {1: 2})\ndef f(x):\n    pass", ["@a\n@b(c, {1: 2})\ndef f(x):", "pass"]),
        ("@a\nclass A(B):\n    x: int = 1", ["@a\nclass A(B):", "x: int = 1"]),
        ("def f(\n    x,  # first: a\n    y=lambda z: z,\n) -> {1: 2}:\n    pass", None),
        ("if x: a()\nelif y: b()\nelse: c()", ["if x:", "a()", "elif y:", "b()", "c()"]),
        ("if x:\n    a()\nelse:\n    if y:\n        b()", ["if x:", "a()", "if y:", "b()"]),
        ("for i in x[1:2]:\n    a()\nelse:\n    b()", ["for i in x[1:2]:", "a()", "b()"]),
        ("while True:\n    break", ["while True:", "break"]),
        (
            "try:\n    a()\nexcept (A, B) as e:\n    raise\nexcept:\n    b()\nelse:\n    c()\nfinally:\n    d()",
            ["a()", "except (A, B) as e:", "raise", "except:", "b()", "c()", "d()"],
        ),
        ("with a as b, c({1: 2}):\n    d()", ["with a as b, c({1: 2}):", "d()"]),
        (
            "match x:\n    case {1: y} if y:\n        a()\n    case _: b()",
            ["match x:", "case {1: y} if y:", "a()", "case _:", "b()"],
        ),
        ("async def f():\n    async for x in y: await x", ["async def f():", "async for x in y:", "await x"]),
        ('def f():\n    """A docstring: x."""\n    return 1', ["def f():", "return 1"]),
        ("x = [1,\n     2]\ny = '''a\nb'''", ["x = [1,\n     2]", "y = '''a\nb'''"]),
        ("x = 1 \\\n    + 2", ["x = 1 \\\n    + 2"]),
        ("# a comment\nx = 1  # another\n\n...\n'text'\n", ["x = 1"]),
        ("é = 'ü東𝔸'; y = {'é': é}\nif é: 東 = 1", ["é = 'ü東𝔸'", "y = {'é': é}", "if é:", "東 = 1"]),
        ("if x:\r\n\ty = 1\r\nz = 2\r\n", ["if x:", "y = 1", "z = 2"]),
        ("x = 1\ry = 2", ["x = 1", "y = 2"]),
        ("x = 1\n\x0cy = 2\n", ["x = 1", "y = 2"]),
        ("\tx = 1\n\treturn x", ["x = 1", "return x"]),
        ("    total = 0\n    return total\n", ["total = 0", "return total"]),
        ("total = 0\n    return total\n", ["total = 0", "return total"]),
        ("    return g(x)\n\ndef g(x):\n    return x", ["return g(x)", "def g(x):", "return x"]),
        ("return x", ["return x"]),
        ("", []),
        ("\n \n", []),
        ("I do not know.", []),
        ("Unknown", []),
        ("A list, maybe", []),
    ],
)
def test_statements(text, expected):
    if expected is None:
        expected = [text.removesuffix("\n    pass"), "pass"]
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\ny = (\nz", [("statement", "x = 1"), ("line", "y = ("), ("line", "z")]),
        ("def f(x):\n    for i in x:", [("header", "def f(x):"), ("header", "for i in x:")]),
        ("def f(x):\n    if x ==", [("header", "def f(x):"), ("line", "if x ==")]),
        ("def f(x):\n    return 'a\n    # b\n    c", [("header", "def f(x):"), ("line", "return 'a"), ("line", "c")]),
        ("print 'x'\nreturn", [("line", "print 'x'"), ("line", "return")]),
        ("x = 1\n\x00", [("line", "x = 1"), ("line", "\x00")]),
    ],
)
def test_lines_where_it_does_not_parse(text, expected):
    assert [(one.kind, one.text) for one in code(f"```python\n{text}\n```")] == expected


PROGRAM = "def f(x):\n    return x"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{PROGRAM}\n```",
        f"Sure! Here it is:\n\n```py\n{PROGRAM}\n```\nIt returns x = x.",
        f"```\n{PROGRAM}\n```",
        f"~~~ python3 title=x\n{PROGRAM}\n~~~",
        f"  ```python\n{PROGRAM}\n  ```",
        f"Cut off:\n```python\n{PROGRAM}",
        f"```bash\npip install x\n```\n```python\n{PROGRAM}\n```\n```text\n5\n```",
        f"```python\r\n{PROGRAM}\n```\r\nIt returns x = x.\r\n",
        f"Sure, here it is:\n\n{PROGRAM}\n\nThis returns its argument.",
        PROGRAM,
    ],
)
def test_the_program_of_a_response(text):
    assert texts(text) == ["def f(x):", "return x"]


DRAFT = "A draft:\n```python\nimport math\n\ndef f(x):\n    return 2\n```\n"
CASE = "class T(unittest.TestCase):\n    pass\n"
TESTS = f"Tests:\n```python\nimport unittest\n\ndef test_f():\n    assert f(1) == 1\n\n{CASE}```"
BLOCK = f"```python\n{PROGRAM}\n```\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{DRAFT}Better:\n{BLOCK}```python\nf(1)\n```", ["def f(x):", "return x"]),
        (f"{BLOCK}{TESTS}", ["def f(x):", "return x"]),
        (f"{BLOCK}{TESTS}".replace("\n", "\r\n"), ["def f(x):", "return x"]),
        (f"{TESTS}\n{BLOCK}", ["def f(x):", "return x"]),
        (f"{BLOCK}\n```\nOutput: 1\n```", ["def f(x):", "return x"]),
        (f"{BLOCK}```python\nf = cache(f)\n```", ["def f(x):", "return x"]),
        (f"```python\n    return x\n```\n{TESTS}", ["return x"]),
        (
            "```python\nimport math\nprint(f(1))\n```\n```python\ndef f(x):\n    return math.sqrt(x)\n```",
            ["import math", "def f(x):", "return math.sqrt(x)"],
        ),
        (
            "```python\nfrom math import sqrt as root\n\ndef g(x):\n    return root(x)\n\ng(input())\n```\n"
            "```python\ndef f(x):\n    return g(x)\n```",
            ["from math import sqrt as root", "def g(x):", "return root(x)", "def f(x):", "return g(x)"],
        ),
        (
            "```python\ndef f(x):\n    return g(x)\n```\nwith\n```python\ndef g(x):\n    return x\n\nassert f(1)\n```",
            ["def f(x):", "return g(x)", "def g(x):", "return x"],
        ),
        (
            "1. First:\n   ```python\n   import math\n   ```\n\n```python\ndef f(x):\n    return math.pi\n```",
            ["import math", "def f(x):", "return math.pi"],
        ),
        (
            "```python\nimport math\n```\n```python\n    y = math.pi\n    return y\n```",
            ["import math", "y = math.pi", "return y"],
        ),
        ("```python\nN = 3\n```\n```\ndef f(x):\n    return N\n```", ["N = 3", "def f(x):", "return N"]),
    ],
)
def test_the_program_is_the_block_that_defines_the_function_with_what_it_needs_of_others(text, expected):
    found = program(text, "f")
    assert found is not None
    assert [one.text for one in code(text) if found.holds(one)] == expected
    assert all(text[start:].startswith(line) for start, line in found.lines() if line.strip() and "#``" not in line)


def test_all_blocks_are_cut_into_fragments():
    found = texts(f"{DRAFT}Unsure from here.\n{BLOCK}")
    assert found == ["import math", "def f(x):", "return 2", "Unsure from here.", "def f(x):", "return x"]


def test_a_response_without_a_program():
    assert program("```text\nx = 1\n```") is None
    assert program("No idea, sorry.") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Unsure from here.", ["Unsure from here."]),
        ("x = 1\nUnsure from here.", ["x = 1", "Unsure from here."]),
        ("def f(x):\n    y = x\n    unsure from here", ["def f(x):", "y = x", "unsure from here"]),
        ("def f(x):\n    for i in x:\nUnsure from here.", ["def f(x):", "for i in x:", "Unsure from here."]),
        ("def f(x):\n    # Unsure from here.\n    return x", ["def f(x):", "Unsure from here.", "return x"]),
        ("x = 1  # Unsure from here.", ["x = 1", "Unsure from here."]),
        ("x = 1  # I think. Unsure from here.", ["x = 1", "Unsure from here."]),
        ("```python\nx = 1\n```\nUnsure from here.", ["x = 1", "Unsure from here."]),
        ("Unsure from here.\n```python\nx = 1\n```", ["Unsure from here.", "x = 1"]),
        ("x = (1,\n  # Unsure from here.\n)", ["x = (1,\n  # Unsure from here.\n)"]),
        ("x = '''\nUnsure from here.\n'''", ["x = '''\nUnsure from here.\n'''"]),
        ("print('Unsure from here.')", ["print('Unsure from here.')"]),
    ],
)
def test_halting_phrase(text, expected):
    assert texts(text) == expected
    assert [one.text for one in code(text) if one.kind == "halt"] == [one for one in expected if one.lower() in HALTS]


HALTS = ("unsure from here.", "unsure from here")


def test_layouts_keep_the_lines():
    lines = ["x = 1", "", "    y = 2"]
    assert list(layouts(lines)) == [lines, ["    x = 1", "", "    y = 2"]]
    assert list(layouts(["  x", "    y"])) == [["  x", "    y"], ["x", "  y"]]


PIECES = st.sampled_from(
    [
        *"abxé東𝔸 .,=:;()[]{}#'\"\\@\n\r\t\x0c\u2028",
        *(
            "\n    ",
            "\n        ",
            "\r\n",
            "if x:",
            "else:",
            "def f(x):\n",
            "return x\n",
            "class A:",
            "try:\n",
            "except:\n",
        ),
        *(
            "x = 1\n",
            "x = 1; ",
            "'''",
            "```python\n",
            "```\n",
            "~~~\n",
            "# ",
            "Unsure from here.",
            "# Unsure from here.\n",
        ),
        *("lambda: ", "@a\n", "for i in x:\n", "while 1:", "with a:\n", "match x:\n", "    case 1:\n", "pass\n", "1 +"),
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_fragments_lie_in_order_inside_the_text(text):
    end = 0
    for fragment in code(text):
        assert end <= fragment.start < fragment.end <= len(text)
        assert text[fragment.start : fragment.end] == fragment.text == fragment.text.strip()
        assert fragment.kind in ("statement", "header", "line", "halt")
        end = fragment.end


SIMPLE = st.sampled_from(["x = 1", "é = 'ü: 東'", "f(x)[1:2]", "return {1: 2}", "x: int = (1,\n 2)", "pass", "del x"])
HEADERS = st.sampled_from(["if x:", "while x[1:]:", "for i in {1: 2}:", "with a as b:", "def f(x: int = 1) -> int:"])
BLOCKS = st.recursive(
    st.lists(SIMPLE, min_size=1, max_size=3).map(lambda some: [(0, one) for one in some]),
    lambda inner: st.lists(
        st.tuples(HEADERS, inner).map(lambda block: [(0, block[0]), *((level + 1, one) for level, one in block[1])]),
        min_size=1,
        max_size=3,
    ).map(lambda blocks: [row for block in blocks for row in block]),
    max_leaves=8,
)


@given(BLOCKS, st.sampled_from(["    ", "\t", " "]), st.sampled_from(["\n", "\r\n", "\n\n", "  # note\n"]))
def test_well_formed_programs_are_found_again(rows, indent, end):
    text = "".join(indent * level + one.replace("\n", "\n" + indent * level) + end for level, one in rows)
    found = code(f"```python\n{text}```")
    expected = [one.replace("\n", "\n" + indent * level) for level, one in rows]
    assert [one.text for one in found] == expected
    assert [one.kind for one in found] == ["header" if one.endswith(":") else "statement" for one in expected]


@given(st.lists(PIECES).map("".join))
def test_every_statement_is_found_where_it_parses(text):
    found = program(text)
    if found is None:
        return
    try:
        tree = ast.parse(found.text)
    except (SyntaxError, ValueError):
        return
    simple = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and not hasattr(node, "body")
        and not isinstance(node, ast.Match)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    assert sum(one.kind == "statement" for one in code(text)) == len(simple)
    assert not any(one.kind == "line" for one in code(text))


HOSTILE = ("x=1\n", "(", "-", "a;", "if x: y\n", "```\n", "`", "# Unsure from here.\n", "Unsure from here.\n", "'''\n")
STRANGE = (" ", "é=", "\\\n", "\r", "@a\n", "if x:\n", "f(x)[", "lambda:")


@pytest.mark.parametrize("piece", HOSTILE + STRANGE)
def test_hostile_text_comes_to_an_end(piece):
    with must_end():
        code(piece * (100_000 // len(piece)))
        code("x = 1\n" + piece * (100_000 // len(piece)) + "x\n    y")
