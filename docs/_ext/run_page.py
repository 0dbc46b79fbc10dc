"""Run the Python blocks of a page, one after the other, as a reader would: `run_page.py PAGE FOLDER`.

FOLDER then has the figures that the blocks leave open, and `blocks.json`: what each block printed, and its figures.
"""

import io
import json
import os
import re
import sys
import tempfile
import types
from contextlib import redirect_stdout
from pathlib import Path

# Their blocks leave the model to the reader, or need several processes: `test_distributed.py`, `test_dask.py`.
NOT_RUN = {"guide_distributed"}


def blocks_of(page):
    """Its code, block by block."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def title_of(figure):
    """The text that stands for a figure where it is not seen."""
    parts = [figure.get_suptitle()]
    for axes in figure.axes:
        labels = [label for label in (axes.get_ylabel(), axes.get_xlabel()) if label]
        parts.append(axes.get_title() or " against ".join(labels))
    return "; ".join(dict.fromkeys(part.replace("\n", ", ") for part in parts if part)) or "Figure"


def save_figures(folder, name):
    """Save and close the open figures."""
    import matplotlib.pyplot as plt

    figures = []
    for number in plt.get_fignums():
        figure = plt.figure(number)
        file = f"{name}-{len(figures) + 1}.png"
        figure.savefig(folder / file, dpi=160, bbox_inches="tight")
        figures.append({"file": file, "title": title_of(figure), "width": round(96 * figure.get_figwidth())})
    plt.close("all")
    return figures


def run(page, folder):
    """What each block prints and draws."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update({"figure.figsize": (6, 3.8), "figure.constrained_layout.use": True})
    module = sys.modules["page"] = types.ModuleType("page")  # functions of the page can be pickled
    results = []
    for number, block in enumerate(blocks_of(page), 1):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(block, f"{page.name}, block {number}", "exec"), module.__dict__)
        results.append({"printed": printed.getvalue(), "figures": save_figures(folder, f"{page.stem}-{number}")})
    return results


def main(page, folder):
    """Run the page away from the files of the project."""
    page, folder = Path(page).resolve(), Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:  # for the files that blocks write
        os.chdir(scratch)
        results = run(page, folder)
        os.chdir(folder)
    (folder / "blocks.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
