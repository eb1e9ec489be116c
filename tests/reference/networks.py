# SPDX-License-Identifier: MIT
"""
The nets of <dirac/models.h>, written from section 3 of the paper and the papers it compares with, as functions of a
dictionary of parameters. A `Run` says where parameters come from and how batch norm behaves.
"""
import numpy as np
import torch
import torch.nn.functional as F

import chain
from arithmetic import DELTA, NORMALIZED, PLAIN, Ops, effective_weight, same_padding


class Run:
    """One evaluation. draw: makes missing parameters. folded: the batch norms that have gone into a convolution, by
    name; then every convolution is plain, with a bias if it has one."""

    def __init__(self, parameters, ops, training, draw=None, folded=None):
        self.p, self.ops, self.training, self.draw, self.folded = parameters, ops, training, draw, folded
        self.negative, self.bias = 0.25, 0.0  # of drawn batch norms
        self.state = {}
        self.pairs = []  # (convolution, form, batch norm reading it or None), in order

    def drawn(self, name, make):
        if name not in self.p and self.draw:
            self.p[name] = make()
        return self.p[name]

    def conv(self, name, x, channels, kernel, stride=1, form=PLAIN):
        shape = [channels, x.shape[1], kernel, kernel]
        w = self.drawn(name + '.weight', lambda: self.draw.normal(shape, np.sqrt(2.0 / np.prod(shape[1:]))))
        alpha = beta = bias = None
        if self.folded is not None:
            form, bias = PLAIN, self.p.get(name + '.bias')
        if form in (DELTA, NORMALIZED):
            alpha = self.drawn(name + '.alpha', lambda: self.draw.normal([channels], 0.15, 1.0))
        if form == NORMALIZED:
            beta = self.drawn(name + '.beta', lambda: self.draw.normal([channels], 0.05, 0.2))
        self.pairs.append([name, form, None])
        w = effective_weight(form, w, alpha, beta)
        padding = same_padding([kernel, kernel], [1, 1])
        return self.ops.conv(x, w, bias, [stride, stride], padding, [1, 1], 1)

    def norm(self, name, x, of=None):
        """Batch norm; of: the convolution it alone reads."""
        if self.folded is not None and name in self.folded:
            return x
        if self.draw and name + '.weight' not in self.p:
            for key, value in chain.batch_norm_parameters(x.shape[1], self.draw, self.negative, self.bias).items():
                self.p[name + '.' + key] = value
        for pair in self.pairs:
            if pair[0] == of:
                pair[2] = name
        parts = {key: self.p[name + '.' + key] for key in ('weight', 'bias', 'running_mean', 'running_var')}
        y, new = chain.batch_norm(x, parts, self.training, False)
        self.state.update({name + '.' + key: value for key, value in new.items()})
        return y

    def head(self, x, classes):
        """ReLU, global average pool, linear."""
        x = self.ops.relu(x).mean((2, 3))
        w = self.drawn('fc.weight', lambda: self.draw.normal([classes, x.shape[1]], np.sqrt(2.0 / x.shape[1])))
        return F.linear(x, w, self.drawn('fc.bias', lambda: self.draw.normal([classes], 0.2)))


def channels(width, base):
    return int(base * width)


def groups_of_blocks(run, x, counts, base, width, form):
    """Groups of ReLU -> 3x3 convolution -> batch norm, with max-pool 2 between."""
    for g, count in enumerate(counts):
        if g > 0:
            x = run.ops.max_pool(x, [2, 2], [2, 2], [0, 0], False)
        for b in range(count):
            name = 'group%d.block%d.' % (g, b)
            x = run.conv(name + 'conv', run.ops.relu(x), channels(width, base << g), 3, 1, form)
            x = run.norm(name + 'bn', x, name + 'conv')
    return x


def diracnet_cifar(run, x, depth, width, classes, form, **_):
    n = (depth - 4) // 6
    x = run.norm('bn', run.conv('conv', x, channels(width, 16), 3), 'conv')
    return run.head(groups_of_blocks(run, x, [2 * n] * 3, 16, width, form), classes)


def diracnet_imagenet(run, x, depth, width, classes, form, **_):
    x = run.norm('bn', run.conv('conv', x, channels(width, 64), 7, 2), 'conv')
    x = run.ops.max_pool(x, [3, 3], [2, 2], [1, 1], False)
    counts = {18: [4, 4, 4, 4], 34: [6, 8, 12, 6]}[depth]
    return run.head(groups_of_blocks(run, x, counts, 64, width, form), classes)


def resnet_cifar(run, x, depth, width, classes, form, bottleneck=0, **_):
    n = (depth - 2) // 9 if bottleneck else (depth - 4) // 6
    x, before = run.conv('conv', x, 16, 3), 'conv'
    for g in range(3):
        inner = channels(width, 16 << g)
        out = 4 * inner if bottleneck else inner
        for b in range(n):
            name, stride = 'group%d.block%d.' % (g, b), 2 if g > 0 and b == 0 else 1
            projects = x.shape[1] != out
            # The stem's convolution is read by this batch norm alone if no skip takes it as it is.
            first = run.ops.relu(run.norm(name + 'bn0', x, before if projects else None))
            before = None
            stages = [(inner, 1, stride), (inner, 3, 1), (out, 1, 1)] if bottleneck else \
                [(inner, 3, stride), (inner, 3, 1)]
            y = first
            for i, (width_out, kernel, s) in enumerate(stages):
                if i > 0:
                    y = run.ops.relu(run.norm(name + 'bn%d' % i, y, name + 'conv%d' % (i - 1)))
                y = run.conv(name + 'conv%d' % i, y, width_out, kernel, s, form)
            x = y + (run.conv(name + 'projection', first, out, 1, stride) if projects else x)
    return run.head(run.norm('bn', x), classes)


def resnet_imagenet(run, x, depth, width, classes, form, **_):
    x = run.ops.relu(run.norm('bn', run.conv('conv', x, channels(width, 64), 7, 2), 'conv'))
    x = run.ops.max_pool(x, [3, 3], [2, 2], [1, 1], False)
    counts, first = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}[depth], True
    for g in range(4):
        out = channels(width, 64 << g)
        for b in range(counts[g]):
            if not first:
                x = run.ops.relu(x)
            first = False
            name, stride = 'group%d.block%d.' % (g, b), 2 if g > 0 and b == 0 else 1
            y = run.norm(name + 'bn0', run.conv(name + 'conv0', x, out, 3, stride, form), name + 'conv0')
            y = run.conv(name + 'conv1', run.ops.relu(y), out, 3, 1, form)
            y = run.norm(name + 'bn1', y, name + 'conv1')
            if stride != 1 or x.shape[1] != out:
                skip = run.conv(name + 'projection', x, out, 1, stride)
                x = y + run.norm(name + 'projection_bn', skip, name + 'projection')
            else:
                x = y + x
    return run.head(x, classes)


MODELS = {'diracnet_cifar': diracnet_cifar, 'resnet_cifar': resnet_cifar, 'diracnet_imagenet': diracnet_imagenet,
          'resnet_imagenet': resnet_imagenet}


def evaluate(net, parameters, x, ops, training, folded=None):
    """(logits, run) of the net described by the dictionary `net`."""
    run = Run(parameters, ops, training, folded=folded)
    return MODELS[net['model']](run, x, **{key: value for key, value in net.items() if key != 'model'}), run


def draw_parameters(net, x, draw, negative, bias):
    """Parameters for the net; `negative` of the batch norm weights, on average, negative, biases `bias` on average."""
    run = Run({}, Ops(), False, draw)
    run.negative, run.bias = negative, bias
    MODELS[net['model']](run, x, **{key: value for key, value in net.items() if key != 'model'})
    return run.p


def fold(net, parameters, x, ops):
    """Section 2.2: (folded parameters, names of the batch norms folded).  s = gamma / sqrt(var + eps), W' = s What,
    b' = beta - s mean.  Computed in the type of the parameters."""
    _, run = evaluate(net, parameters, x, ops, False)
    folded, gone = dict(parameters), set()
    for name, form, norm in run.pairs:
        w, alpha, beta = (folded.pop('%s.%s' % (name, key), None) for key in ('weight', 'alpha', 'beta'))
        w = effective_weight(form, w, alpha, beta)
        if norm:
            gamma, shift, mean, variance = (folded.pop('%s.%s' % (norm, key)) for key in
                                            ('weight', 'bias', 'running_mean', 'running_var'))
            s = gamma / torch.sqrt(variance + chain.EPSILON)
            w = w * s.reshape(-1, 1, 1, 1)
            folded[name + '.bias'] = shift - s * mean
            gone.add(norm)
        folded[name + '.weight'] = w
    return folded, gone
