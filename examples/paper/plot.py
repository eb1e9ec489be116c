#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Draws the figures of docs/paper from the logs of finished runs, as SVG; what has no run yet is left out.

Usage: plot.py [RUNS [OUT]]        needs python3-matplotlib
"""
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "libdirac", "svg.fonttype": "none", "font.size": 9, "axes.grid": True,
                            "grid.alpha": 0.3, "figure.constrained_layout.use": True})
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

import runs as logs  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "paper"
DEPTHS = (10, 16, 22, 28, 34, 52, 100)
KINDS = {"dirac": ("DiracNet", "tab:red"), "plain": ("plain", "tab:gray"), "resnet": ("ResNet", "tab:blue")}
# Figure 1 of the paper, width 1, 200 epochs: what its text and plot state in numbers.
PAPER = {"dirac": {34: 92.8, 100: 92.4}, "plain": {34: 91.2, 52: 88, 100: 40}}
FORMS = {"eq8": ("I + W", "tab:red"), "plain": ("W", "tab:gray")}


def save(figure, out, name):
    figure.savefig(out / name, metadata={"Date": None})
    plt.close(figure)
    print(out / name)


def figure1_depth(found, out):
    """Accuracy against depth; whiskers span the seeds; crosses are the paper's 200 epochs."""
    figure, axes = plt.subplots(figsize=(5.5, 3.6))
    for kind, (label, colour) in KINDS.items():
        points = [(depth, found.accuracy(f"depth-{kind}-{depth}-1")) for depth in DEPTHS]
        points = [(depth, *accuracy) for depth, accuracy in points if accuracy]
        if points:
            x, mean, least, most = zip(*points)
            spread = [[m - a for m, a in zip(mean, least)], [b - m for m, b in zip(mean, most)]]
            axes.errorbar(x, mean, spread, marker="o", color=colour, label=label, capsize=3)
        if kind in PAPER:
            axes.plot(*zip(*PAPER[kind].items()), "x", color=colour, label=f"{label}, the paper (200 epochs)")
    axes.set(xlabel="depth", ylabel="test accuracy, %", xscale="log", xticks=DEPTHS, xticklabels=DEPTHS)
    axes.minorticks_off()
    axes.legend(fontsize=7)
    save(figure, out, "figure1-depth.svg")


def figure1_width(found, out):
    """Accuracy against parameters; circles have the area of the parameters."""
    figure, axes = plt.subplots(figsize=(5.5, 3.6))
    drawn = False
    for kind, (label, colour) in KINDS.items():
        chosen = [run for width in (1, 2, 4) for run in found.seeds(f"depth-{kind}-10-{width}")]
        if len({run.about["width"] for run in chosen}) > 1:
            size = [run.about["parameters"] for run in chosen]
            axes.scatter(size, [run.accuracy for run in chosen], s=[2e-4 * n for n in size], color=colour, alpha=0.5,
                         label=f"{label}-10, widths 1, 2, 4")
            drawn = True
    if drawn:
        axes.set(xlabel="parameters", ylabel="test accuracy, %", xscale="log")
        axes.legend(fontsize=7)
        save(figure, out, "figure1-width.svg")
    plt.close(figure)


def curves(found, out):
    """How the nets of the claims train."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    for kind, (label, colour) in KINDS.items():
        for depth, style in ((34, "-"), (52, "-."), (100, "--")):
            for run in found.seeds(f"depth-{kind}-{depth}-1")[:1]:
                x = [epoch["epoch"] for epoch in run.epochs]
                left.plot(x, [epoch["train_loss"] for epoch in run.epochs], style, color=colour)
                right.plot(x, [epoch["test_accuracy"] for epoch in run.epochs], style, color=colour,
                           label=f"{label}-{depth}")
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="test accuracy, %")
    right.legend(fontsize=7)
    save(figure, out, "curves.svg")


def figure2(found, out):
    """Means of alpha and beta of each layer during training, a column a group; below, the share of the identity."""
    run = found.get("scales-dirac-34-1-seed1")
    if run is None:
        return
    names = run.events("layers")[0]["names"]
    looks = run.events("scales")
    x = [look["epoch"] for look in looks]
    groups = sorted({name.split(".")[0] for name in names})
    rows = (("alpha", "mean of a"), ("beta", "mean of b"), ("identity", "share of the identity"))
    figure, grid = plt.subplots(len(rows), len(groups), figsize=(9, 6.5), sharex=True, sharey="row")
    for i, (quantity, label) in enumerate(rows):
        for j, group in enumerate(groups):
            layers = [k for k, name in enumerate(names) if name.startswith(group + ".")]
            for n, k in enumerate(layers):
                grid[i][j].plot(x, [look[quantity][k] for look in looks], linewidth=1,
                                color=plt.cm.viridis(n / max(len(layers) - 1, 1)), label=f"block {n}")
            grid[0][j].set_title(group.replace("group", "group "))
            grid[-1][j].set_xlabel("epoch")
        grid[i][0].set_ylabel(label)
    grid[0][-1].legend(fontsize=6, ncol=2)
    save(figure, out, "figure2.svg")


def sizes(found, form, init):
    """(size of the initial weights in the blocks, accuracy) of the runs of section 3.4, sorted."""
    start = f"identity-{form}-{init}-"
    chosen = [(run.name.rpartition("-seed")[0], run) for run in found.values()]
    return sorted((float(stem[len(start):]), run.accuracy) for stem, run in chosen
                  if stem.startswith(start) and not stem.startswith(start + "all-"))


def section34(found, out):
    """Accuracy against the size of the initial weights; a panel for each initialiser that has runs."""
    labels = {"normal": "W normal, deviation s", "orthogonal": "W orthogonal, gain", "kaiming": "W Kaiming's, gain"}
    panels = [init for init in labels if any(sizes(found, form, init) for form in FORMS)]
    if not panels:
        return
    figure, grid = plt.subplots(1, len(panels), figsize=(max(5.5, 3 * len(panels)), 3.2), sharey=True, squeeze=False)
    for axes, init in zip(grid[0], panels):
        for form, (what, colour) in FORMS.items():
            points = sizes(found, form, init)
            if points:
                axes.plot(*zip(*points), "o", color=colour, label=what)
        axes.set(xlabel=labels[init], xscale="log")
    grid[0][0].set_ylabel("test accuracy, %")
    grid[0][0].legend(fontsize=7)
    save(figure, out, "section34.svg")


def main():
    if any(argument.startswith("-") for argument in sys.argv[1:]):
        sys.exit(__doc__)
    folder, out = [pathlib.Path(argument) for argument in sys.argv[1:]] + [ROOT / "runs", ROOT][len(sys.argv) - 1:]
    found = logs.Runs(folder)
    if not found:
        sys.exit(f"{folder}: no finished run")
    for draw in (figure1_depth, figure1_width, curves, figure2, section34):
        draw(found, out)


if __name__ == "__main__":
    main()
