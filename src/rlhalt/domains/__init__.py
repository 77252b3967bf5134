"""Domains: what is asked, how answers are split, what judges them, and what the verdicts count for.

    domain.yaml (numbers, promises)  ─┐
    a Task (prompts, examples, code) ─┴─ load_domain ─► Domain ─► prompts, few_shot, scorer, n_desired

A domain is a folder with a `domain.yaml`. Those that come with rlhalt have it in `reward/<name>/`, beside the evidence
for their verifier, and their code here, one package each. A domain of one's own is a folder of the same form
(`rlhalt new domain FOLDER` writes one), or an installed package that offers its folder as an entry point of the group
`rlhalt.domains`.

    domain      Domain and load_domain
    task        the code of a domain: prompts, examples, fragmenter, verifier
    files       rows of prompts that people bring
    own_code    code that a domain.yaml names
"""

from rlhalt.domains.domain import Domain, load_domain, read_domain, scorer_elsewhere
from rlhalt.domains.task import Task

__all__ = ["Domain", "Task", "load_domain", "read_domain", "scorer_elsewhere"]
