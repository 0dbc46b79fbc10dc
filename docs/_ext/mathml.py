"""Formulas as MathML, which browsers draw by themselves: no script, no font, nothing to fetch."""

import re

from docutils import nodes
from latex2mathml.converter import convert

# As in TeX, a function's name keeps a little distance from an argument without brackets.
FUNCTION_AND_ARGUMENT = re.compile(r"(<mi>\w{2,}</mi>)(?=<m(?!o\b))")
SPACE = r'\1<mspace width="0.167em" />'


def mathml(formula, display):
    """A formula in LaTeX as a `math` element."""
    return FUNCTION_AND_ARGUMENT.sub(SPACE, convert(formula, display=display))


def inline(translator, node):
    """Write a formula within a line."""
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block(translator, node):
    """Write a formula on a separate line."""
    translator.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app):
    """Tell Sphinx of the renderer, which `html_math_renderer = "mathml"` chooses."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
