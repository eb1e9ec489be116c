#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the tables of finished runs, docs/paper/results.md, from their logs.

Usage: results.py [--check] [RUNS [OUT]]
  --check  writes nothing; fails if OUT is not what it would write
"""
import argparse
import pathlib
import sys

import runs as logs

ROOT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "paper"
HEAD = """# Results of the runs

Made from `runs/` by `examples/paper/results.py`; [README.md](README.md) says what they mean. Accuracies are those of
the last epoch, in percent, train / test; the training accuracy is that of augmented batches as they were trained on.
"""
SUBJECTS = (
    ("depth-", "Figure 1: depth and width"),
    ("scales-", "Figure 2: alpha and beta"),
    ("identity-", "Section 3.4: ResNet-28 with I + W"),
    ("ablation-", "Ablations"),
    ("table2-", "Table 2"),
    ("table3-", "Table 3"),
    ("check-", "Beside PyTorch"),
)


def key(run):
    """By kind of net, depth, width, size of the weights, seed."""
    about = run.about
    stem, _, seed = run.name.rpartition("-seed")
    try:
        size = float(stem.split("-normal-" if "-normal-" in stem else "-")[-1].replace("all-", ""))
    except ValueError:
        size = 0
    return about["kind"], about["depth"], about["width"], about["net"].split("(")[0], size, int(seed)


def row(run):
    about = run.about
    outcome = "diverged" if run.diverged else f"{run.train_accuracy:.2f} / {run.accuracy:.2f}"
    return (f"| {about['net']} | {about['seed']} | {about['epochs']} | {about['parameters']:,} | {outcome} "
            f"| {run.hours:.2f} |")


def tables(found):
    """The whole page."""
    parts = [HEAD]
    for prefix, title in SUBJECTS:
        chosen = sorted((run for run in found.values() if run.name.startswith(prefix)), key=key)
        if chosen:
            parts.append("\n".join([f"## {title}", "", "| net | seed | epochs | parameters | accuracy | hours |",
                                    "|---|---|---|---|---|---|", *map(row, chosen)]) + "\n")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("runs", nargs="?", default=ROOT / "runs", type=pathlib.Path)
    parser.add_argument("out", nargs="?", default=ROOT / "results.md", type=pathlib.Path)
    arguments = parser.parse_args()
    text = tables(logs.Runs(arguments.runs))
    if not arguments.check:
        arguments.out.write_text(text, encoding="utf-8")
    elif not arguments.out.exists() or arguments.out.read_text(encoding="utf-8") != text:
        sys.exit(f"{arguments.out} is not what results.py makes of {arguments.runs}")


if __name__ == "__main__":
    main()
