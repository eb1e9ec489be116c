#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Computes the reference results in float64 and writes them as safetensors files.

    generate.py DIRECTORY            writes all files
    generate.py --check DIRECTORY    computes anew and compares with the files: 1e-9 of each tensor's largest value
    generate.py --search FAMILY      finds the seeds to be noted in SEEDS of a family's file

See README.md for what the files hold.
"""
import os
import sys

sys.dont_write_bytecode = True

import torch

import cases_fold
import cases_layers
import cases_losses
import cases_nets
import storage
from arithmetic import Ops, float32_errors, largest

# The least distance of a value from a kink (ReLU's zero, a tie of a maximum), in units of the largest float32 error
# seen in that tensor. Nearer than 1, a float32 program may rightly take the other side, and its gradients jump.
MARGIN = 4.0
AGREEMENT = 1e-9


def words(dictionary):
    return ' '.join('%s=%s' % item for item in dictionary.items())


def layer_notes(name):
    return {'chain': cases_layers.CASES[name][0]}


def loss_notes(name):
    return {'chain': cases_losses.CHAIN, 'loss': cases_losses.CASES[name]}


def sgd_notes(name):
    return {'chain': cases_nets.CHAIN, 'sgd': cases_nets.TRAJECTORIES[name]}


def net_notes(name):
    case = cases_nets.CASES[name]
    return {'net': words(case['net']), 'sgd': case['sgd'] or ''}


def fold_notes(name):
    case = cases_fold.CASES[name]
    return {'net': words(case['net']), 'trained': '%d steps of %d images' % (case['steps'], case['batch'])}


class Family:
    """Cases of one kind. kinks: whether values must keep away from kinks. drawn: the inputs to draw anew in a check, if
    not all of them. faults: what given inputs and their results contradict, as texts."""

    def __init__(self, name, cases, seeds, inputs, compute, notes, one_file=True, kinks=True, drawn=None, faults=None):
        self.name, self.cases, self.seeds, self.inputs, self.compute = name, cases, seeds, inputs, compute
        self.notes, self.one_file, self.kinks, self.drawn = notes, one_file, kinks, drawn or inputs
        self.faults = faults or (lambda name, seed, given, results: [])

    def files(self):
        """[(file, names of its cases)]"""
        names = list(self.cases)
        if self.one_file:
            return [(self.name + '.safetensors', names)]
        return [(name + '.safetensors', [name]) for name in names]

    def results(self, name, given):
        ops = Ops()
        return self.compute(name, given, ops), ops.kinks

    def errors(self, name, given, results, kinks):
        return float32_errors(lambda g, ops: self.compute(name, g, ops), given, results,
                              kinks if self.kinks else [])


FAMILIES = [
    Family('layers', cases_layers.CASES, cases_layers.SEEDS, cases_layers.inputs, cases_layers.compute, layer_notes),
    Family('losses', cases_losses.CASES, cases_losses.SEEDS, cases_losses.inputs, cases_losses.compute, loss_notes),
    Family('sgd', cases_nets.TRAJECTORIES, cases_nets.TRAJECTORY_SEEDS, cases_nets.trajectory_inputs,
           cases_nets.trajectory_compute, sgd_notes),
    Family('nets', cases_nets.CASES, cases_nets.SEEDS, cases_nets.inputs, cases_nets.compute, net_notes,
           one_file=False),
    Family('fold', cases_fold.CASES, cases_fold.SEEDS, cases_fold.inputs, cases_fold.compute, fold_notes,
           one_file=False, kinks=False, drawn=cases_fold.drawn, faults=cases_fold.faults),
]


def exact32(x):
    """Inputs are float32 numbers, and stored as such."""
    if x.dtype != torch.float64:
        return x
    assert torch.equal(x.to(torch.float32).to(torch.float64), x)
    return x.to(torch.float32)


def generate(directory):
    os.makedirs(directory, exist_ok=True)
    for family in FAMILIES:
        for file, names in family.files():
            tensors, notes = {}, {}
            for name in names:
                given = family.inputs(name, family.seeds.get(name, 1))
                results, kinks = family.results(name, given)
                errors, safety = family.errors(name, given, results, kinks)
                if safety < MARGIN:
                    sys.exit('%s: a value lies at %.1f float32 errors from a kink; --search %s' %
                             (name, safety, family.name))
                parts = {key: exact32(x) for key, x in given.items()}
                parts.update(results)
                parts.update({'err32/' + key: x for key, x in errors.items()})
                tensors.update({name + '/' + key: x for key, x in parts.items()})
                notes.update({name + '/' + key: text for key, text in family.notes(name).items()})
            storage.write(os.path.join(directory, file), tensors, notes)
            print(file, os.path.getsize(os.path.join(directory, file)), 'bytes')


def compare(what, new, old, allowed):
    if new.shape != old.shape or (new.dtype != old.dtype and new.dtype != torch.float64):
        print('%s: shape %s, stored %s' % (what, tuple(new.shape), tuple(old.shape)))
        return 1
    difference = largest(new.to(torch.float64) - old.to(torch.float64))
    if difference <= allowed:  # not so for NaN
        return 0
    print('%s: differs by %.3g, allowed %.3g' % (what, difference, allowed))
    return 1


def check_case(family, name, tensors):
    stored = {key[len(name) + 1:]: x for key, x in tensors.items() if key.startswith(name + '/')}
    seed, faults = family.seeds.get(name, 1), 0
    drawn = family.drawn(name, seed)
    for key, x in drawn.items():
        faults += key not in stored or compare(name + '/' + key, x, stored[key], 0.0)
    given = {key: x.to(torch.float64) if x.is_floating_point() else x for key, x in stored.items()
             if key in drawn or key.startswith('init/')}
    results, _ = family.results(name, given)
    for fault in family.faults(name, seed, given, results):
        print('%s: %s' % (name, fault))
        faults += 1
    for key, x in results.items():
        # Where the true value is 0, what is stored is rounding; float64's is 2e-9 of float32's.
        error = stored['err32/' + key][0].item()
        faults += compare(name + '/' + key, x, stored[key], max(AGREEMENT * largest(x), 1e-6 * error))
    expected = set(given) | set(results) | {'err32/' + key for key in results}
    for key in expected ^ set(stored):
        print('%s/%s: stored and computed tensors are not the same' % (name, key))
        faults += 1
    return faults


def check(directory):
    faults = count = 0
    for family in FAMILIES:
        for file, names in family.files():
            tensors, notes = storage.read(os.path.join(directory, file))
            for name in names:
                faults += check_case(family, name, tensors)
                for key, text in family.notes(name).items():
                    if notes.get(name + '/' + key) != text:
                        print('%s/%s: the note differs' % (name, key))
                        faults += 1
            count += len(tensors)
    print('%d tensors compared, %d differ' % (count, faults))
    return 1 if faults else 0


def search(wanted):
    for family in FAMILIES:
        for name in family.cases if family.name == wanted else []:
            for seed in range(1, 2000):
                given = family.inputs(name, seed)
                results, kinks = family.results(name, given)
                nearest = min([k.abs().min().item() / k.abs().max().item() for k in kinks], default=1.0)
                if nearest > 4e-6 and family.errors(name, given, results, kinks)[1] >= MARGIN + 0.5:
                    print('    %r: %d,' % (name, seed), flush=True)
                    break


def main(arguments):
    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(False)
    if len(arguments) == 1 and not arguments[0].startswith('-'):
        return generate(arguments[0])
    if len(arguments) == 2 and arguments[0] == '--check':
        return check(arguments[1])
    if len(arguments) == 2 and arguments[0] == '--search':
        return search(arguments[1])
    sys.exit(__doc__)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
