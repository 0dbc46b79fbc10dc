"""Below each Python block of a guide, what it prints and draws: the pages are run when they are read.

`-D run_pages=0` leaves that out.
"""

import json
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from run_page import NOT_RUN, blocks_of
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

RUNNER = Path(__file__).with_name("run_page.py")
FOLDER = "generated/pages"
logger = logging.getLogger(__name__)


def run_page(page, folder, docname):
    """What the blocks of a page print and draw; nothing, and a warning, if one fails."""
    command = [sys.executable, "-W", "error", str(RUNNER), str(page), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        logger.warning("a block fails: %s", result.stderr, location=docname)
        return []
    return json.loads((folder / "blocks.json").read_text(encoding="utf-8"))


def outputs(block):
    """The nodes that show it."""
    if block["printed"].strip():
        text = block["printed"].rstrip()
        yield nodes.literal_block(text, text, language="none", classes=["output"])
    for figure in block["figures"]:
        uri, width = f"/{FOLDER}/{figure['file']}", f"{figure['width']}px"
        yield nodes.image("", uri=uri, alt=figure["title"], width=width, classes=["figure-of-block"])


def is_end_of_details(node):
    """Tell the end of a folded part of the page."""
    return isinstance(node, nodes.raw) and "</details>" in node.astext()


class PageOutputs(SphinxTransform):
    """Insert the outputs behind the blocks, or behind the `<details>` that a block is folded into."""

    default_priority = 400

    def apply(self, **kwargs):
        """Run the page and insert them."""
        page = Path(self.env.doc2path(self.env.docname))
        if not self.config.run_pages or page.suffix != ".md" or page.stem in NOT_RUN or not blocks_of(page):
            return
        code = [node for node in self.document.findall(nodes.literal_block) if node.get("language") == "python"]
        shown = run_page(page, Path(self.env.srcdir) / FOLDER, self.env.docname)
        for node, block in zip(code, shown, strict=len(shown) > 0):
            parent, position = node.parent, node.parent.index(node) + 1
            if position < len(parent) and is_end_of_details(parent[position]):
                position += 1
            parent[position:position] = list(outputs(block))


def setup(app):
    """Connect to Sphinx."""
    app.add_config_value("run_pages", True, "env", bool)
    app.add_transform(PageOutputs)
    return {"parallel_read_safe": True}
