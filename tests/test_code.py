"""Verdicts on statements, programs that cheat, what is a failure and what is not."""

from __future__ import annotations

import threading

import pytest

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.fragments.code import code
from rlhalt.sandbox import Sandbox, works
from rlhalt.scoring import Scorer
from rlhalt.verifiers.code import CodeVerifier

if not works(Sandbox("bubblewrap")):
    pytest.skip("bubblewrap is missing or does not work here", allow_module_level=True)

RIGHT, WRONG, OPEN, HALT = "correct", "incorrect", "unverifiable", "halt"

SUM = {
    "prompt": 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """The sum of all."""\n',
    "test": "def check(candidate):\n"
    "    assert candidate([1, 2, 3]) == 6\n"
    "    assert candidate([]) == 0\n"
    "    assert candidate([-5, 5, 7]) == 7\n",
    "entry_point": "total",
}
LOOP = "    result = 0\n    for number in numbers:\n        result += number\n    return result\n"


def judged(text, reference=SUM, **options):
    fragments = Scorer(code, CodeVerifier(**{"cpu": 1.0, "wall": 10.0} | options)).judge(text, reference)
    assert not any(one.failed for one in fragments), [one.error for one in fragments]
    return fragments


def labels(text, reference=SUM, **options):
    return [one.label for one in judged(text, reference, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LOOP, [RIGHT] * 4),
        (f"def total(numbers: List[int]) -> int:\n{LOOP}", [RIGHT] * 5),
        (f"Here it is:\n```python\n{SUM['prompt']}{LOOP}```\nDone.", [OPEN] + [RIGHT] * 5),
        ("    return sum(numbers)", [RIGHT]),
        ("return sum(numbers)", [RIGHT]),
        ("result = sum(numbers)\nreturn result", [RIGHT, RIGHT]),
        (LOOP.strip(), [RIGHT] * 4),
        ("total = sum", [RIGHT]),
        ("from __future__ import annotations\ndef total(x: Nothing): return sum(x)", [RIGHT, RIGHT, RIGHT]),
        ("def total(x):\n    return add(x)\n\ndef add(x):\n    return sum(x)", [RIGHT] * 4),
        ("    # The sum.\n    return sum(numbers)  # all of them", [RIGHT]),
        ("    import sys\n    return sum(numbers)", [OPEN, RIGHT]),
        ("    x = 1; x = 2\n    pass\n    return sum(numbers)\n    return 5", [OPEN, OPEN, OPEN, RIGHT, OPEN]),
        ("    if not numbers:\n        return 0\n    return sum(numbers)", [OPEN, OPEN, RIGHT]),
        ("    return sum(numbers)\nUnsure from here.", [RIGHT, HALT]),
        ("Unsure from here.", [HALT]),
        ("", []),
        ("I do not know.", []),
    ],
)
def test_programs_that_pass(text, expected):
    assert labels(text) == expected


@pytest.mark.parametrize(
    ("text", "expected", "evidence"),
    [
        ("    return sum(numbers) + 1", [WRONG], "gives a wrong value: total([1, 2, 3]) is 7"),
        (LOOP.replace("= 0", "= 1"), [OPEN, OPEN, OPEN, WRONG], "gives a wrong value: total([1, 2, 3]) is 7"),
        ("    x = numbers[0]\n    return x + 1/0", [OPEN, WRONG], "raises ZeroDivisionError"),
        ("    é = '東'; x = numbers[99]; return x", [OPEN, WRONG, OPEN], "raises IndexError"),
        ("    if numbers:\n        return 6\n    return None[0]", [OPEN, OPEN, WRONG], "raises TypeError"),
        ("    return helper(numbers)\n\ndef helper(x):\n    return x.sum()", [OPEN, OPEN, WRONG], "AttributeError"),
        ("    return [][\n        numbers[0]\n    ]", [WRONG], "raises IndexError"),
        ("    for x in numbers:\n        pass", [WRONG, OPEN], "is None"),
        ("    return numbers +", [WRONG], "raises SyntaxError"),
        ("    x = 1\n    y = (\n    return x", [OPEN, WRONG, OPEN], "raises SyntaxError"),
        ("    return total(numbers)", [WRONG], "raises RecursionError"),
        ("    x = 9 ** 9 ** 9\n    return x", [WRONG, OPEN], "runs here when time is over"),
        ("    while True:\n        numbers = numbers\n    return 1", None, "runs here when time is over"),
        ("    return [0] * 10**10", [WRONG], "raises MemoryError"),
        ("import nothing\ndef total(x): return 6", [WRONG, OPEN, OPEN], "raises ModuleNotFoundError"),
        ("def sum_of(x):\n    return sum(x)", None, "gives a wrong value: total([1, 2, 3]) is None"),
        ("    import os\n    os._exit(0)", [OPEN, WRONG], "ends the test"),
        ("    import sys\n    sys.exit(0)", [OPEN, WRONG], "raises SystemExit"),
        ("    return {1: [].append}", [WRONG], "gives a wrong value"),
        ("    print(6)", [WRONG], "is None"),
    ],
)
def test_programs_that_fail(text, expected, evidence):
    found = judged(text)
    assert [one.label for one in found].count(WRONG) == 1
    assert expected is None or [one.label for one in found] == expected
    assert evidence is None or evidence in next(one.evidence for one in found if one.label == WRONG)


def test_time_to_sleep_is_limited_too():
    found = judged("    import time\n    time.sleep(1000)\n    return sum(numbers)", wall=1.0)
    assert [one.label for one in found] == [OPEN, WRONG, OPEN]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    result = 0\nUnsure from here.", [OPEN, HALT]),
        ("    for x in numbers:\nUnsure from here.", [OPEN, HALT]),
        ("    while True:\n        pass\n    # Unsure from here.", [OPEN, OPEN, HALT]),
        ("    return 5\nUnsure from here.", [WRONG, HALT]),
        ("    x = numbers[99]\nUnsure from here.", [WRONG, HALT]),
        ("    x = = 1\n    y = 2\nUnsure from here.", [WRONG, OPEN, HALT]),
        ("    # Unsure from here.\n    return sum(numbers)", [HALT, RIGHT]),
        ("    return None\n# Unsure from here.", [WRONG, HALT]),
        ("total = lambda x: 5\n# Unsure from here.", [WRONG, HALT]),
        ("total = lambda x: None\n# Unsure from here.", [WRONG, HALT]),
        ("from functools import partial\ntotal = partial(sum, start=1)\n# Unsure from here.", [OPEN, WRONG, HALT]),
        ("x = 1\ntotal = len\ny = 2\n# Unsure from here.", [OPEN, WRONG, OPEN, HALT]),
        ("exec('def total(x): return 5')\n# Unsure from here.", [WRONG, HALT]),
        ("def total(x):\n    yield 5\n# Unsure from here.", [WRONG, OPEN, HALT]),
        ("class total:\n    def __new__(cls, x):\n        return 5\n# Unsure from here.", [OPEN, OPEN, WRONG, HALT]),
        ("    import os\n    os._exit(0)\n# Unsure from here.", [OPEN, WRONG, HALT]),
        ("raise SyntaxError('half')\n# Unsure from here.", [WRONG, HALT]),
        ("total = sum\nwhile True:\n    pass\n# Unsure from here.", None),
        ("def helper(x):\n    return x\n# Unsure from here.", [OPEN, OPEN, HALT]),
        ("def total(x):\n    y = x\n# Unsure from here.", [OPEN, OPEN, HALT]),
        ("    return (numbers[\nUnsure from here.", [OPEN, HALT]),
    ],
)
def test_halting_is_unfinished_and_no_way_out(text, expected):
    found = labels(text)
    assert found == expected if expected else WRONG in found


def test_a_halt_where_the_function_is_missing_is_unfinished():
    nothing = {**SUM, "prompt": ""}
    assert labels("def helper(x):\n    return x\n# Unsure from here.", nothing) == [OPEN, OPEN, HALT]
    assert labels("def helper(x):\n    return x", nothing) == [OPEN, WRONG]


BLAME = {
    "it raises again what was raised elsewhere": """
def total(x):
    try:
        1 / 0
    except Exception as error:
        saved = error
    raise saved  # guilty
""",
    "it compiles code under the name of the program": """
def total(x):
    decoy = 1
    exec(compile(chr(10) + 'raise ValueError', 'solution', 'exec'))  # guilty
""",
    "it brings a traceback of its own": """
def total(x):
    try:
        1 / 0
    except Exception as error:
        trace = error.__traceback__  # guilty
    raise ValueError().with_traceback(trace)
""",
    "it turns tracing off": """
import sys
def total(x):
    decoy = 1
    sys.settrace(None)  # guilty
    return 5
""",
    "it answers for itself": """
import sys
frame = sys._getframe()  # guilty
while frame:
    for name in ("_answer", "_called"):
        if name in frame.f_globals:
            frame.f_globals[name] = lambda *_: {"value": 5, "at": [1, 0]}
    frame = frame.f_back
def total(x):
    return 5
""",
    "its own error says another line": """
class E(SyntaxError):
    def __init__(self):
        self.filename, self.lineno = 'solution', 2
def total(x):
    decoy = 1
    raise E()  # guilty
""",
}


@pytest.mark.parametrize("program", BLAME.values(), ids=BLAME)
def test_a_program_does_not_name_the_line_to_blame(program):
    text = f"```python\n{program}\n```"
    (wrong,) = (one for one in judged(text) if one.label == WRONG)
    assert text[wrong.end :].split("\n")[0].strip() == "# guilty"


CHEATS = {
    "prints what is expected": "def total(x):\n    print(6)\n    print('OK', 'passed', '[{\"passed\": true}]')",
    "exits when it is loaded": "import os\nos._exit(0)",
    "exits when it is called": "import sys\ndef total(x):\n    sys.exit(0)",
    "exits at its exit": "import atexit, os\natexit.register(os._exit, 0)\ndef total(x):\n    raise SystemExit",
    "kills whoever asks": "import os\ndef total(x):\n    os.kill(os.getppid(), 9)\n    os.kill(-1, 9)",
    "raises what tests might take": "def total(x):\n    raise AssertionError('6')",
    "raises what nothing takes": "def total(x):\n    raise KeyboardInterrupt",
    "an answer that equals everything": """
class Any(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __sub__(self, other): return 0
    __rsub__ = __abs__ = __sub__
    def __hash__(self): return 0
def total(x):
    return Any(5)
""",
    "an answer that equals everything and is no number": """
class Any:
    def __eq__(self, other): return True
def total(x):
    return Any()
""",
    "answers that lie to isinstance": """
class Any(float):
    __class__ = int
    def __float__(self): return 6.0
def total(x):
    return Any('nan')
""",
    "patches the builtins": """
import builtins, sys
builtins.AssertionError = type('A', (Exception,), {'__init__': lambda *_: None})
builtins.all = builtins.any = builtins.isinstance = builtins.abs = lambda *_: True
sys.modules['json'] = sys.modules['math'] = None
def total(x):
    return 5
""",
    "looks for the tests in its callers": """
import sys
def total(x):
    frame = sys._getframe()
    while frame:
        for space in (frame.f_globals, frame.f_locals):
            if 'check' in space or 'candidate' in space:
                space['check'] = lambda candidate: None
        frame = frame.f_back
    return 5
""",
    "looks for the tests in memory": """
import gc
def total(x):
    for one in gc.get_objects():
        if callable(one) and getattr(one, '__name__', '') in ('check', 'driver', '_examine'):
            one.__code__ = (lambda *_: [{'passed': True, 'seconds': 0.0}]).__code__
    return 5
""",
    "looks for the tests in its constants": """
import gc
def total(x):
    for one in gc.get_objects():
        if isinstance(one, (list, dict)) and 'assert' in str(one):
            return eval(str(one).split('== ')[1].split()[0])
    return 5
""",
    "looks for the tests in files": """
import glob
def total(x):
    for path in glob.glob('/**/*', recursive=True):
        if 'test' in path and 'total' in open(path).read():
            return 6
    return 5
""",
    "reads the tests from its input": "import sys\nseen = sys.stdin.read() + ' '.join(sys.argv)\n"
    "def total(x):\n    return 6 if 'assert' in seen else 5",
    "edits the tests": """
import os
for place, _, names in os.walk('/'):
    for name in names:
        if name.endswith('.py'):
            try:
                open(os.path.join(place, name), 'w').write('def check(candidate): pass')
            except OSError:
                pass
def total(x):
    return 5
""",
    "patches the harness": """
import sys
main = sys.modules['__main__']
frame = sys._getframe()
while frame:
    for name in ('send', 'encode', '_answer', 'receive'):
        if name in frame.f_globals:
            frame.f_globals[name] = lambda *_, **__: {'passed': True, 'value': True}
    frame = frame.f_back
def total(x):
    return 5
""",
    "forges the verdict on every file": """
import os, json, struct
for verdict in ([{'passed': True, 'seconds': 0.0}], {'passed': True, 'seconds': 0.0}, {'value': {'int': '0x6'}}):
    data = json.dumps(verdict).encode()
    for fd in range(1, 64):
        for message in (data, struct.pack('<I', len(data)) + data):
            try:
                os.write(fd, message)
            except OSError:
                pass
os._exit(0)
""",
    "answers before it is asked": """
import os, json, struct
data = json.dumps({'value': True, 'passed': True}).encode()
for fd in range(3, 64):
    try:
        os.write(fd, (struct.pack('<I', len(data)) + data) * 20)
    except OSError:
        pass
def total(x):
    return 5
""",
    "an answer that breaks the reader": "def total(x):\n    for _ in range(10**5):\n        x = [x]\n    return x",
    "an answer that drowns the reader": "def total(x):\n    return 'x' * 10**8",
    "an answer that holds itself": "def total(x):\n    x.append(x)\n    return x",
    "keys that cannot be": "class K(dict):\n    def __hash__(self): return 1\ndef total(x):\n    return {K(): 1}",
    "changes what it is asked with": "def total(x):\n    x.clear()\n    return 0",
    "answers by a generator": "def total(x):\n    yield 6",
    "names the verdict": "passed = True\nresult = {'passed': True}\ndef total(x):\n    return passed",
    "replaces the function by one that is not": "class total:\n    def __new__(cls, x): return True",
    "turns off time": "import signal\nsignal.signal(14, signal.SIG_IGN)\nsignal.signal(27, signal.SIG_IGN)\n"
    "def total(x):\n    while 1: pass",
    "leaves a child to answer": """
import os
if os.fork():
    os._exit(0)
def total(x):
    return 5
""",
    "ends the loop of the tests": "def total(x):\n    raise StopIteration",
    "ends the loop of the tests by a name of its own": "class E(StopIteration): pass\ndef total(x):\n    raise E",
    "600 kB of where it raised": """
import os, json, struct
data = json.dumps({'raised': {'names': ['ValueError'], 'arguments': {'list': []}}, 'at': [1] * 300_000}).encode()
for fd in range(3, 64):
    try:
        os.write(fd, struct.pack('<I', len(data)) + data)
    except OSError:
        pass
""",
    "an answer without end": "def total(x):\n    return range(10**12)",
    "an answer of many megabytes": "def total(x):\n    return [[]] * 10**7",
    "closes its files": "import os\nos.closerange(0, 64)\ndef total(x):\n    return 6",
    "recursion without a limit": "import sys\nsys.setrecursionlimit(10**9)\ndef total(x):\n    return total(x)",
    "an error that breaks when it is read": """
class E(Exception):
    def __str__(self): raise self
    args = property(lambda self: 1 / 0)
def total(x):
    raise E
""",
    "an error with a name that breaks": "def total(x):\n    raise type('\\ud800', (Exception,), {})('\\ud800\\0')",
    "traces its caller": "import sys\nsys.settrace(lambda *_: None)\ndef total(x):\n    return sys.settrace(None)",
}


@pytest.mark.parametrize("program", CHEATS.values(), ids=CHEATS)
def test_no_cheat_passes(program):
    found = judged(f"```python\n{program}\n```", wall=3.0)
    assert [one.label for one in found].count(WRONG) == 1
    assert RIGHT not in [one.label for one in found]


def test_there_are_enough_cheats():
    assert len(CHEATS) >= 25


TRAPS = {
    "tests that add up its answer": "    assert sum(candidate([1])) == 5",
    "tests that ask for a large argument": "    assert candidate(list(range(200_000))) == 0",
    "tests that take what ends an iteration": "    for one in map(candidate, [[1], [2]]):\n        assert one == 0",
    "tests of what it is not": "    assert candidate([1]) != 5\n    assert not candidate([2]) == 5",
    "tests that catch everything": "    try:\n        assert candidate([1]) == 0\n    except:\n        pass",
    "tests that look at its argument": "    x = [3, 1]\n    assert candidate(x) == sorted(x)",
    "tests of what is true": "    assert candidate([1])",
}
ESCAPES = {
    "an answer without end": "    return range(10**12)",
    "an argument that is never read": """import os, json, struct, time
for fd in range(3, 64):
    for message in ({}, {'value': None}):
        data = json.dumps(message).encode()
        try:
            os.write(fd, struct.pack('<I', len(data)) + data)
        except OSError:
            pass
time.sleep(1000)""",
    "StopIteration": "    raise StopIteration",
    "an object": "    return object()",
    "an object in a list": "    return [object()]",
    "an object that is unequal to all": "    class A:\n        __eq__ = lambda *_: False\n    return A()",
    "an early end": "    import os\n    os._exit(0)",
    "no argument": "    numbers.clear()\n    return []",
    "an iterator without end": "    import itertools\n    return itertools.count()",
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_nothing_passes_or_fails_for_what_a_program_does_to_the_tests(escape, trap):
    reference = {**SUM, "test": f"def check(candidate):\n{trap}\n"}
    found = labels(escape, reference, wall=2.0)
    # Where any list passes, these do too.
    lists = escape in [
        ESCAPES[one] for one in ("an answer without end", "an object in a list", "an iterator without end")
    ]
    assert RIGHT not in found or (lists and trap in (TRAPS["tests of what it is not"], TRAPS["tests of what is true"]))


NUMBERS = ("None", "True", "-5", "10**300", "1.5", "-0.0", "float('inf')", "2j", "range(3)")
TEXTS = (
    "'é\\ud800\\0'",
    "b'a\\xff'",
    "''",
    "[1, [2]]",
    "(1,)",
    "{1: (2, None)}",
    "{1, 2}",
    "set()",
    "frozenset({(1, 2)})",
    "bytearray(b'a')",
)
RICH = (
    "__import__('fractions').Fraction(1, 3)",
    "__import__('decimal').Decimal('1.10')",
    "__import__('datetime').date(2024, 2, 29)",
    "__import__('datetime').datetime(2024, 2, 29, 1, 2, 3, 4)",
    "__import__('datetime').datetime(2024, 2, 29, tzinfo=__import__('datetime').timezone.utc)",
    "__import__('datetime').time(1, 2)",
    "__import__('datetime').timedelta(1, 2, 3)",
    "__import__('uuid').UUID(int=5)",
    "__import__('collections').deque([1, 2], 2)",
    "__import__('collections').Counter('aab')",
    "__import__('collections').OrderedDict([(2, 1), (1, 2)])",
    "int",
)


@pytest.mark.parametrize("value", [*NUMBERS, *TEXTS, *RICH])
def test_plain_data_go_to_the_program_and_back(value):
    check = f"given = {value}\n    assert candidate(given) == given and type(candidate(given)) is type(given)"
    test = f"def check(candidate):\n    {check}\n"
    assert CodeVerifier().passes(
        "    return x", {"prompt": 'def f(x):\n    """It."""\n', "test": test, "entry_point": "f"}
    )


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("__import__('collections').Counter('aab')", "{'a': 2, 'b': 1}"),
        ("__import__('collections').OrderedDict([(1, 2)])", "{1: 2}"),
        ("__import__('collections').namedtuple('P', 'a b')(1, 2)", "(1, 2)"),
        ("__import__('enum').IntEnum('E', 'A').A", "1"),
        ("[True, 1]", "[1, True]"),
    ],
)
def test_what_is_made_of_plain_data_is_compared_as_that(value, plain):
    test = f"def check(candidate):\n    assert candidate() == {plain}\n"
    assert labels(f"    return {value}", {"prompt": 'def f():\n    """It."""\n', "test": test, "entry_point": "f"}) == [
        RIGHT
    ]


ANSWERS = [
    ("map(str, [1, 2])", "list(candidate()) == ['1', '2']", RIGHT),
    ("map(str, [1, 2])", "candidate() == ['1', '2']", WRONG),
    ("(x for x in [1, 2])", "sum(candidate()) == 3", RIGHT),
    ("zip([1], [2])", "next(candidate()) == (1, 2)", RIGHT),
    ("{1: 2}.keys()", "candidate() == {1}", RIGHT),
    ("{1: 2}.values()", "list(candidate()) == [2]", RIGHT),
    ("{1: 2}.items()", "sorted(candidate()) == [(1, 2)]", RIGHT),
    ("__import__('fractions').Fraction(1, 2)", "candidate() == 0.5", RIGHT),
    ("__import__('decimal').Decimal('1.1')", "candidate() + 1 == __import__('decimal').Decimal('2.1')", RIGHT),
    ("__import__('datetime').date(2024, 1, 2)", "candidate().year == 2024 and str(candidate()) == '2024-01-02'", RIGHT),
    ("__import__('collections').Counter('aab')", "candidate().most_common(1) == [('a', 2)]", RIGHT),
    ("__import__('collections').namedtuple('P', 'a b')(1, 2)", "candidate().b == 2", RIGHT),
    ("__import__('itertools').count()", "list(__import__('itertools').islice(candidate(), 3)) == [0, 1, 2]", RIGHT),
    ("__import__('itertools').count()", "len(list(candidate())) == 3", OPEN),
    ("list(range(200_000))", "len(candidate()) == 200_000", RIGHT),
    ("lambda x: x + 1", "candidate()(1) == 2", OPEN),
    ("object()", "candidate() == 5", WRONG),
    ("object()", "candidate() != 5", OPEN),
    ("object()", "isinstance(candidate(), Point)", OPEN),
    ("Point(1)", "candidate() == Point(1)", OPEN),
    ("Point(1)", "candidate().x == 1", OPEN),
    ("Point(1)", "str(candidate()) == 'Point'", OPEN),
    ("(1, Point(1))", "candidate()[0] == 1", RIGHT),
    ("(1, Point(1))", "candidate()[0] == 2", WRONG),
]


@pytest.mark.parametrize(("value", "test", "expected"), ANSWERS)
def test_what_tests_do_with_an_answer(value, test, expected):
    point = "class Point:\n    def __init__(self, x):\n        self.x = x\n\n"
    reference = {"prompt": f'{point}def f():\n    """It."""\n', "test": f"def check(candidate):\n    assert {test}\n"}
    assert labels(f"    return {value}", reference | {"entry_point": "f"}) == [expected]


IN_PLACE = [
    ("    x.reverse()", "x = [1, 2, 3]\n    candidate(x)\n    assert x == [3, 2, 1]", [RIGHT]),
    ("    x.reverse()", "x = [1, 2, 3]\n    assert candidate(x) is None and x == [3, 2, 1]", [RIGHT]),
    ("    x[:] = [1]", "x = [1, 2, 3]\n    candidate(x)\n    assert x == [3, 2, 1]", [WRONG]),
    ("    return x[::-1]", "x = [1, 2, 3]\n    candidate(x)\n    assert x == [3, 2, 1]", [WRONG]),
    ("    x.reverse()\n    return x", "x = [1, 2, 3]\n    candidate(x)\n    assert x == [3, 2, 1]", [OPEN, OPEN]),
    ("    x.append(4)\n    return 5", "assert candidate([1]) == 6", [OPEN, WRONG]),
    ("    x.append(4)\n    return 5", "assert candidate([1]) == 5", [OPEN, RIGHT]),
    ("    x['a'] = x.pop('b')", "x = {'b': [1]}\n    candidate(x)\n    assert x == {'a': [1]}", [RIGHT]),
    ("    x[0].sort()", "y = [2, 1]\n    x = [y]\n    candidate(x)\n    assert y == [1, 2]", [RIGHT]),
    ("    x[0], x[1] = x[1], x[0]", "x = [[1], [2]]\n    candidate(x)\n    assert x == [[2], [1]]", [RIGHT]),
    ("    x.discard(1)", "x = {1, 2}\n    candidate(x)\n    assert x == {2}", [RIGHT]),
    ("    x.clear()\n    return []", "x = [2, 1]\n    assert candidate(x) == sorted(x)", [OPEN, OPEN]),
]


@pytest.mark.parametrize(("text", "test", "expected"), IN_PLACE)
def test_what_a_program_does_to_its_arguments(text, test, expected):
    reference = {
        "prompt": 'def f(x):\n    """It."""\n',
        "test": f"def check(candidate):\n    {test}\n",
        "entry_point": "f",
    }
    assert labels(text, reference) == expected


RAISED = [
    ("class E(ValueError): pass", "E('x')", "ValueError", RIGHT),
    ("import json", "json.JSONDecodeError('x', 'y', 0)", "ValueError", RIGHT),
    ("class E(Exception): pass", "E('x')", "Exception", RIGHT),
    ("class E(Exception): pass", "E('x')", "ValueError", WRONG),
    ("x = 1", "Negative('x')", "Negative", RIGHT),
    ("x = 1", "UnicodeDecodeError('utf-8', b'x', 0, 1, 'x')", "UnicodeDecodeError", RIGHT),
    ("x = 1", "KeyError('x')", "LookupError", RIGHT),
    ("x = 1", "StopIteration('x')", "StopIteration", RIGHT),
    ("x = 1", "SystemExit('x')", "Exception", WRONG),
]


@pytest.mark.parametrize(("before", "error", "caught", "expected"), RAISED)
def test_what_a_program_raises_is_caught_by_its_kind(before, error, caught, expected):
    tried = f"    try:\n        candidate()\n    except {caught}:\n        return\n    assert False\n"
    test = f"def check(candidate):\n{tried}"
    prompt = 'class Negative(Exception):\n    pass\n\ndef f():\n    """It."""\n'
    text = f"{before}\n\ndef f():\n    raise {error}"
    assert labels(text, {"prompt": prompt, "test": test, "entry_point": "f"})[-1] == expected


def test_a_package_that_is_not_in_the_sandbox_leaves_all_open():
    assert labels("import numpy as np\ndef total(x):\n    return np.sum(x)") == [OPEN] * 3
    assert labels("    import numpy.linalg\n    return numpy.sum(numbers)") == [OPEN] * 2
    assert labels("try:\n    import numpy\nexcept ImportError:\n    numpy = None\ntotal = sum")[-1] == RIGHT
    assert WRONG in labels("import numqy\ntotal = sum")
    assert WRONG in labels("raise ModuleNotFoundError(\"No module named 'numpy'\")")


def test_the_program_is_chosen_among_blocks_by_the_function_that_is_asked_for():
    fence = "```python\n{}\n```\n"
    tests = fence.format(
        "import unittest\nclass Test(unittest.TestCase):\n    def test(self):\n        assert total([]) == 0"
    )
    found = labels(fence.format("import math") + fence.format("def total(x):\n    return math.fsum(x)") + tests)
    assert found == [RIGHT] * 3 + [OPEN] * 4
    assert labels(fence.format("def total(x):\n    return 5") + fence.format("def total(x):\n    return sum(x)")) == [
        OPEN,
        OPEN,
        RIGHT,
        RIGHT,
    ]
    crlf = (fence.format("def total(x):\n    return sum(x)") + "It is simple.\n").replace("\n", "\r\n")
    assert labels(crlf) == [RIGHT, RIGHT]


def test_a_prompt_that_ends_with_a_header():
    bare = {**SUM, "prompt": "def total(numbers):\n"}
    assert labels("    return sum(numbers)", bare) == [RIGHT]


def test_tests_that_call_other_functions_of_the_program():
    reference = {**SUM, "test": "def check(candidate):\n    assert candidate([1]) == 1\n    assert twice(2) == 4\n"}
    assert labels("total = sum\ndef twice(x):\n    return 2 * x", reference) == [RIGHT] * 3
    assert labels("total = sum\ndef twice(x):\n    return 3 * x", reference) == [OPEN, OPEN, WRONG]
    solution = {**reference, "canonical_solution": "    return sum(numbers)\ndef twice(x):\n    return 2 * x\n"}
    assert WRONG in labels("    return sum(numbers)", solution)


@pytest.mark.parametrize(("kind", "name"), [("bubblewrap", "code/2"), ("weak", "code/2-weak-sandbox")])
def test_its_name_says_which_sandbox(kind, name):
    assert CodeVerifier(sandbox=Sandbox(kind)).name == name


def test_tests_can_use_the_helpers_of_the_prompt_and_see_what_is_raised():
    prompt = 'import math\n\ndef twice(x):\n    return 2 * x\n\ndef half(x):\n    """Half of a number from 0."""\n'
    test = """
METADATA = {}

def check(candidate):
    import random
    for _ in range(10):
        x = random.randint(0, 100)
        assert math.fabs(candidate(twice(x)) - x) < 1e-6
    assert half(x=2) == 1
    try:
        candidate(-1)
    except ValueError as error:
        assert str(error) == "below 0"
    else:
        assert False
"""
    program = "    if x < 0:\n        raise ValueError('below 0')\n    return x / 2"
    assert labels(program, {"prompt": prompt, "test": test, "entry_point": "half"}) == [RIGHT] * 3


def test_verdicts_are_the_same_again():
    ordered = "    return str(set('abcdefgh'))"
    assert [one.evidence for one in judged(ordered)] == [one.evidence for one in judged(ordered)]


def test_from_several_threads():
    found = {}

    def work(number):
        found[number] = labels("    return sum(numbers)" + " + 1" * (number % 2))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: [RIGHT], 1: [WRONG], 2: [RIGHT], 3: [WRONG]}


@pytest.mark.parametrize("field", ["prompt", "test", "entry_point"])
def test_a_reference_that_lacks_a_field_is_the_users_to_mend(field):
    with pytest.raises(InputError, match=field):
        labels(LOOP, {**SUM, field: None})


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("def check(candidate):\n    assert 1 ==\n", "do not load: SyntaxError"),
        ("import nothing\n", "do not load: ModuleNotFoundError"),
        ("import numpy as np\n" + SUM["test"], "do not load: ModuleNotFoundError"),
        ("def test(candidate):\n    pass\n", "do not load: KeyError"),
        ("def check(candidate):\n    pass\n", "never call total"),
        ("def check(candidate):\n    candidate(lambda x: x)\n", "cannot be told: function"),
        ("class A: pass\ndef check(candidate):\n    candidate([A()])\n", "cannot be told: A"),
        ("def check(candidate):\n    numbers = given\n    assert candidate(numbers) == 1\n", "NameError"),
        ("def check(candidate):\n    import numpy\n    assert candidate([]) == 0\n", "ModuleNotFoundError"),
        ("def check(candidate):\n    assert sum([1]) == 2\n    assert candidate([]) == 0\n", "before they call"),
        ("def check(candidate):\n    assert candidate([]) == nought\n", "NameError"),
        ("def check(candidate):\n    assert candidate([]) == helper(1)\n", "NameError"),
        ("def check(candidate):\n    candidate([])\n    raise SystemExit(1)\n", "broke"),
    ],
)
def test_tests_that_do_not_work_are_a_failure_and_stop_no_run(test, reason):
    for text in (LOOP, "    return 5"):
        fragments = Scorer(code, CodeVerifier()).judge(text, {**SUM, "test": test})
        assert all(one.failed and reason in one.error for one in fragments), [one.error for one in fragments]


def test_a_reference_solution_that_does_not_pass_is_a_failure_and_no_verdict():
    wrong = {**SUM, "test": SUM["test"] + "    assert candidate([1]) == 2\n", "canonical_solution": LOOP}
    fragments = Scorer(code, CodeVerifier()).judge("    return 5", wrong)
    assert all(one.failed and "reference solution does not pass" in one.error for one in fragments)


@pytest.mark.parametrize(
    "test",
    [
        "def check(candidate):\n    candidate([])\n    import os\n    os._exit(0)\n",
        "def check(candidate):\n    candidate([])\n    x = []\n    import ctypes; ctypes.string_at(0)\n",
    ],
)
def test_tests_that_break_are_a_failure_and_no_verdict(test):
    fragments = Scorer(code, CodeVerifier()).judge(LOOP, {**SUM, "test": test})
    assert all(one.failed and "the tests broke" in one.error for one in fragments)


def test_a_sandbox_that_breaks_is_a_failure_and_no_verdict():
    verifier = CodeVerifier(sandbox=Sandbox("none", "/nonexistent"))
    fragments = Scorer(code, verifier).judge(LOOP, SUM)
    assert all(one.failed and "did not start" in one.error for one in fragments)
    with pytest.raises(VerifierFailure):
        verifier.passes(LOOP, SUM)


def test_whether_it_passes():
    verifier = CodeVerifier()
    assert verifier.passes(LOOP, SUM)
    assert not verifier.passes("    return 1", SUM)
    assert not verifier.passes("no idea", SUM)
