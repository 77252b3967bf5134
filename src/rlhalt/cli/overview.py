"""The first screen, `rlhalt` and `rlhalt --help`: every verb in its group, how to begin, and the exit codes."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Mapping

from rlhalt.cli.flags import Parser

WIDTH = 100
# Verbs stand two steps in: the tests of plain words find them by that.
_NAMES = 16
EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: "a bug in rlhalt, with its traceback",
    2: "the input is wrong: one line says what was expected, what was found, and where",
    3: "too many fragments failed; rows are written, and the next run judges the failed ones again",
    4: "the next call could pass the budget; finished rows are kept",
    5: "online training diverged; the last checkpoint is kept",
    130: "stopped with Ctrl-C; the same command resumes",
}
_BEGIN = """\
Begin with one of these:
  rlhalt quickstart                     # a small model, from prompts to report.html, on 2 CPU cores
  rlhalt new domain FOLDER              # prompts and a verifier of your own that run, to change
  rlhalt doctor dpo --config FILE       # whether this machine can run a training

`rlhalt VERB --help` shows the flags of a verb with their defaults, and two examples."""


class Overview(Parser):
    """The parser of `rlhalt` itself.

    Attributes:
        groups: titles with their verbs, in the order shown; `verb` fills them.
    """

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(prog=prog, description=description)
        self.groups: dict[str, dict[str, str]] = {}
        self._verbs = self.add_subparsers(required=True, metavar="VERB", parser_class=Parser)

    @property
    def verbs(self) -> Mapping[str, argparse.ArgumentParser]:
        """The parser of every verb, by its name."""
        return self._verbs.choices

    def group(self, title: str) -> Callable[..., argparse.ArgumentParser]:
        """What declares the verbs of one group: `verb(name, run, text, *examples)`."""
        here = self.groups.setdefault(title, {})

        def verb(
            name: str, run: Callable[[argparse.Namespace], None], text: str, *examples: str
        ) -> argparse.ArgumentParser:
            here[name] = text
            shown = "\n".join(["examples:", *(f"  {one}" for one in examples)]) if examples else None
            one = self._verbs.add_parser(name, help=text, description=text, epilog=shown)
            one.set_defaults(run=run)
            return one

        return verb

    def format_help(self) -> str:
        """The overview as text."""
        lines = [f"usage: {self.prog} [--help] [--version] VERB …", "", *textwrap.wrap(self.description or "", WIDTH)]
        for title, verbs in self.groups.items():
            lines += ["", f"{title}:"]
            for name, text in verbs.items():
                first, *others = textwrap.wrap(text, WIDTH - _NAMES)
                lines += [f"    {name:<{_NAMES - 4}}{first}", *(" " * _NAMES + one for one in others)]
        lines += ["", _BEGIN, "", "exit codes:", *(f"  {code:>3}  {told}" for code, told in EXIT_CODES.items())]
        return "\n".join(lines) + "\n"
