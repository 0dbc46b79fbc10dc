"""Tables of README and docs, made from the CSVs in `results/`.

    python benchmarks/tables.py

writes the tables again, each below a line ``<!-- table: NAME -->``. To renew the numbers themselves, run a benchmark
with ``--out benchmarks/results`` first. The tests compare the pages with what this would write.
"""

from __future__ import annotations

import re
from pathlib import Path

import _detector_tables as detector
import _transformer_tables as transformer
from _results import markdown

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

TABLES = {
    "reducers": transformer.reducers,
    "bfloat16": transformer.bfloat16,
    "maps": transformer.maps,
    "detectors": detector.detectors,
    "components-N": lambda: detector.components("N"),
    "components-U": lambda: detector.components("U"),
    "categories": detector.categories,
    "missing-values": transformer.missing_values,
    "ordered-codes": transformer.ordered_codes,
    "sparse-codes": transformer.sparse_codes,
    "text": transformer.text,
    "convolutional": transformer.convolutional,
    "denoising": transformer.denoising,
    "groups": transformer.groups,
    "variational": transformer.variational,
    "generation": transformer.generation,
    "partial-fit": transformer.partial_fit,
    "missing-values-detector": detector.missing_values,
    "contributions": detector.contributions,
    "groups-detector": detector.groups_of_the_detector,
    "drift": detector.drift,
    "false-alarms-N": lambda: detector.false_alarms("N"),
    "false-alarms-U": lambda: detector.false_alarms("U"),
    "kinds-of-rows": detector.kinds_of_rows,
    "few-rows-p": lambda: detector.few_rows("p <= 0.05"),
    "few-rows-contamination": lambda: detector.few_rows("predict 0.05"),
}


def with_tables(page: str) -> str:
    """A page with all its tables made again."""
    return re.sub(
        r"(<!-- table: (\S+) -->\n\n)(?:\|.*\n)*\n*",
        lambda found: found[1] + markdown(TABLES[found[2]]()) + "\n",
        page,
    )


def main() -> None:
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        if (new := with_tables(page)) != page:
            path.write_text(new, encoding="utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
