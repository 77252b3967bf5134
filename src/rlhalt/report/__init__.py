"""The comparison as a page that can be sent to a colleague: one HTML file that asks nothing of the network.

summary  what the numbers say, in sentences
plots    figures as inline SVG
page     the page itself, from `page.html.j2`, `page.css` and `page.js`
"""

from rlhalt.report.page import write_report

__all__ = ["write_report"]
