"""The comparison as a page that can be sent to a colleague: one HTML file that asks nothing of the network.

findings  whether a difference is shown, as text
summary   what the numbers say, in sentences
frontier  correctness over completeness
plots     utility, differences, calibration
switch_point where trained models begin to speak, against their τ
halting   where each model halts
winloss   prompt by prompt, who earns more
cost      time and tokens
examples  every prompt with its answers
page      the page itself, from `page.html.j2`, `page.css` and `page.js`

`svg`, `forest` and `palette` are what the figures are drawn with.
"""

from rlhalt.report.page import write_report

__all__ = ["write_report"]
