# SPDX-License-Identifier: MIT
"""Softmax cross-entropy in all its forms behind a linear layer: the loss and its gradients, by PyTorch's function."""
import torch
import torch.nn.functional as F

import chain
from arithmetic import Draw, number32

CHAIN = 'linear 7'
CASES = {
    'hard': '',
    'smoothing': 'smoothing=0.1',
    'weights': 'weights=1',
    'smoothing_weights': 'smoothing=0.2 weights=1',
    'soft': 'soft=1',
    'soft_weights': 'soft=1 weights=1',
    'confident': 'scale=60',  # logits far apart: a softmax of zeros and ones
}
SEEDS = {}


def options(name):
    return {key: float(value) for key, value in (word.split('=') for word in CASES[name].split())}


def inputs(name, seed):
    draw, given = Draw('loss %d' % seed), options(name)
    x = draw.normal((6, 9), 1.0 if 'scale' not in given else given['scale'])
    result = {'x0': x}
    if 'soft' in given:
        raw = draw.uniform((6, 7), 0.0, 1.0)
        result['targets'] = (raw / raw.sum(1, keepdim=True)).to(torch.float32).to(torch.float64)
    else:
        result['labels'] = draw.labels(6, 7)
    if 'weights' in given:
        result['class_weights'] = draw.uniform((7,), 0.2, 2.0)
        result['class_weights'][3] = 0.0
    result.update({'init/' + key: p for key, p in chain.initial(CHAIN, [x], draw).items()})
    return result


def compute(name, given, ops):
    x = given['x0'].clone().requires_grad_()
    parameters = {key[5:]: p.clone().requires_grad_() for key, p in given.items() if key.startswith('init/')}
    logits = chain.run(CHAIN, [x], parameters, ops, True, {})
    target = given['targets'] if 'targets' in given else given['labels']
    loss = F.cross_entropy(logits, target, weight=given.get('class_weights'),
                           label_smoothing=number32(options(name).get('smoothing', 0.0)))
    loss.backward()
    results = {'loss': loss.detach().reshape(1), 'dx0': x.grad}
    results.update({'grad/' + key: p.grad for key, p in parameters.items()})
    return results
