# SPDX-License-Identifier: MIT
"""The logs of the paper's programs: one JSON object a line, one file a run."""
import json
import pathlib
import statistics


class Run:
    """One run: what was trained ("run" line), its epochs, and how it ended (None while it has not)."""

    def __init__(self, path):
        self.lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self.about = self.lines[0]
        self.name = self.about["name"]
        self.epochs = self.events("epoch")
        self.end = next(iter(self.events("end")), None)

    def events(self, kind):
        """The lines of one kind."""
        return [line for line in self.lines if line["event"] == kind]

    @property
    def finished(self):
        return self.end is not None

    @property
    def diverged(self):
        return self.finished and self.end["outcome"] == "diverged"

    @property
    def accuracy(self):
        """Test accuracy of the last epoch; chance if a number stopped being finite."""
        return 100.0 / self.about["classes"] if self.diverged else self.end["test_accuracy"]

    @property
    def train_accuracy(self):
        return self.epochs[-1]["train_accuracy"] if self.epochs else float("nan")

    @property
    def hours(self):
        return sum(epoch["seconds"] for epoch in self.epochs) / 3600


class Runs(dict):
    """The finished runs of a folder, by name."""

    def __init__(self, folder):
        found = [Run(path) for path in sorted(pathlib.Path(folder).glob("*.jsonl"))]
        super().__init__((run.name, run) for run in found if run.finished)

    def seeds(self, stem):
        """The runs "<stem>-seed1", "<stem>-seed2", ... that there are."""
        return [run for name, run in self.items() if name.rpartition("-seed")[0] == stem]

    def accuracy(self, stem):
        """(mean, least, largest) test accuracy over seeds, or None."""
        values = [run.accuracy for run in self.seeds(stem)]
        return (statistics.mean(values), min(values), max(values)) if values else None
