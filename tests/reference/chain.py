# SPDX-License-Identifier: MIT
"""
Nets that are a chain of layers, written as one line that the C test reads too:

    conv2d 6 3 stride=[2,1] groups=2 form=2 ; batch_norm ; relu ; global_average_pool ; linear 4

A layer is the name of its builder in <dirac/net.h> without "dirac_net_", its numbers, then attributes: [..] a value a
dimension, with a point a real number, otherwise an integer. Layer i is named l<i>. The inputs are x0, x1, ...; the
first layer reads all of them.
"""
import numpy as np
import torch
import torch.nn.functional as F

from arithmetic import DELTA, NORMALIZED, PLAIN, Ops, effective_weight, same_padding

EPSILON, MOMENTUM = 1e-5, 0.1


class Layer:
    def __init__(self, index, text):
        words = text.split()
        self.name, self.kind, self.numbers, self.attributes = 'l%d' % index, words[0], [], {}
        for word in words[1:]:
            key, _, value = word.partition('=')
            if not value:
                self.numbers.append(float(key) if '.' in key else int(key))
            elif value.startswith('['):
                self.attributes[key] = [int(v) for v in value[1:-1].split(',')]
            else:
                self.attributes[key] = float(value) if '.' in value else int(value)
        self.rank = int(self.kind[-2]) if self.kind[-1] == 'd' and self.kind[-2].isdigit() else 0

    def get(self, name, default):
        return self.attributes.get(name, default)

    def dimensions(self, name, default):
        values = self.attributes.get(name, [default])
        return values * self.rank if len(values) == 1 else list(values)

    def kernel(self):
        return self.dimensions('kernel', self.numbers[-1])

    def is_conv(self):
        return 'conv' in self.kind

    def is_linear(self):
        return 'linear' in self.kind

    def form(self):
        return self.get('form', NORMALIZED if self.kind.startswith('dirac_') else PLAIN)

    def has_bias(self):
        return bool(self.get('bias', 1 if self.kind == 'linear' else 0))


def parse(spec):
    return [Layer(i, text) for i, text in enumerate(spec.split(';'))]


# ---- parameters ----------------------------------------------------------------------------------------------------

def weight_parameters(layer, channels, draw):
    out, groups = layer.numbers[0], layer.get('groups', 1)
    shape = [out, channels // groups] + (layer.kernel() if layer.is_conv() else [])
    p = {'weight': draw.normal(shape, np.sqrt(2.0 / np.prod(shape[1:])))}
    if layer.has_bias():
        p['bias'] = draw.normal([out], 0.5)
    if layer.form() in (DELTA, NORMALIZED):
        p['alpha'] = draw.normal([out], 0.3, 1.0)
    if layer.form() == NORMALIZED:
        p['beta'] = draw.normal([out], 0.3, 0.5)
    return p


def batch_norm_parameters(channels, draw, negative=0.25, bias=0.0):
    """Random biases and some negative weights, so that no mistake of sign or order goes unseen."""
    gamma = draw.uniform([channels], 0.4, 1.4)
    gamma[draw.uniform([channels]) < negative] *= -1.0
    return {'weight': gamma, 'bias': draw.normal([channels], 0.4, bias), 'running_mean': draw.normal([channels], 0.3),
            'running_var': draw.uniform([channels], 0.5, 1.5)}


def is_state(name):
    return name.endswith(('.running_mean', '.running_var'))


def initial(spec, xs, draw):
    """The parameters of the chain for inputs xs, drawn while the chain is run."""
    parameters = {}

    def make(layer, x):
        p = {}
        if layer.is_conv() or layer.is_linear():
            p = weight_parameters(layer, x.shape[1], draw)
        elif layer.kind == 'batch_norm':
            p = batch_norm_parameters(x.shape[1], draw)
        parameters.update({layer.name + '.' + name: value for name, value in p.items()})

    run(spec, xs, parameters, Ops(), True, {}, make)
    return parameters


# ---- forward -------------------------------------------------------------------------------------------------------

def batch_norm(x, p, training, frozen, epsilon=EPSILON, momentum=MOMENTUM):
    """(y, new running mean, new running variance), by the formulas of net.h."""
    axes, column = [0] + list(range(2, x.dim())), (1, -1) + (1,) * (x.dim() - 2)
    mean, variance, state = p['running_mean'], p['running_var'], {}
    if training and frozen:
        state = {'running_mean': mean, 'running_var': variance}
    if training and not frozen:
        count = x.numel() // x.shape[1]
        mean = x.mean(axes)
        variance = ((x - mean.reshape(column)) ** 2).mean(axes)
        unbiased = variance.detach() * count / (count - 1)
        state = {'running_mean': (1 - momentum) * p['running_mean'] + momentum * mean.detach(),
                 'running_var': (1 - momentum) * p['running_var'] + momentum * unbiased}
    xhat = (x - mean.reshape(column)) / torch.sqrt(variance + epsilon).reshape(column)
    return p['weight'].reshape(column) * xhat + p['bias'].reshape(column), state


def conv(layer, x, p, ops):
    groups, dilation, kernel = layer.get('groups', 1), layer.dimensions('dilation', 1), layer.kernel()
    padding = layer.dimensions('padding', -1)
    pairs = same_padding(kernel, dilation)
    pairs = [pair if n == -1 else (n, n) for n, pair in zip(padding, pairs)]
    w = effective_weight(layer.form(), p['weight'], p.get('alpha'), p.get('beta'), groups)
    return ops.conv(x, w, p.get('bias'), layer.dimensions('stride', 1), pairs, dilation, groups)


def pool(layer, x, ops):
    kernel, padding = layer.kernel(), layer.dimensions('padding', 0)
    stride = [s or k for s, k in zip(layer.dimensions('stride', 0), kernel)]
    ceil = bool(layer.get('ceil', 0))
    if layer.kind.startswith('max'):
        return ops.max_pool(x, kernel, stride, padding, ceil)
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[layer.rank - 1]
    return function(x, kernel, stride, padding, ceil, bool(layer.get('count_padding', 1)))


def simple(layer, xs, ops):
    x, kind = xs[0], layer.kind
    if kind == 'relu':
        return ops.relu(x)
    if kind == 'ncrelu':
        ops.kinks.append(x.detach())
        return torch.cat([x.clamp(min=0), x.clamp(max=0)], 1)
    if kind == 'elu':
        return ops.elu(x, layer.get('alpha', 1.0))
    if kind == 'global_average_pool':
        return x.mean(list(range(2, x.dim())))
    if kind == 'local_response_norm':
        return F.local_response_norm(x, layer.numbers[0], layer.get('alpha', 1e-4), layer.get('beta', 0.75),
                                     layer.get('k', 1.0))
    if kind == 'add':
        return xs[0] + xs[1]
    if kind == 'concat':
        return torch.cat(xs, 1)
    if kind == 'flatten':
        return x.flatten(1)
    if kind == 'softmax':
        return F.softmax(x, 1)
    raise ValueError(kind)


def run(spec, xs, parameters, ops, training, state, make=None):
    """The chain's output; new running statistics go to `state`. make: draws a layer's parameters when reached."""
    for layer in parse(spec):
        if make:
            make(layer, xs[0])
        prefix = layer.name + '.'
        p = {name[len(prefix):]: value for name, value in parameters.items() if name.startswith(prefix)}
        if layer.is_conv():
            y = conv(layer, xs[0], p, ops)
        elif layer.is_linear():
            y = F.linear(xs[0], effective_weight(layer.form(), p['weight'], p.get('alpha'), p.get('beta')),
                         p.get('bias'))
        elif layer.kind == 'batch_norm':
            y, new = batch_norm(xs[0], p, training, layer.get('frozen', 0), layer.get('epsilon', EPSILON),
                                layer.get('momentum', MOMENTUM))
            state.update({prefix + name: value for name, value in new.items()})
        elif 'pool' in layer.kind and layer.rank:
            y = pool(layer, xs[0], ops)
        else:
            y = simple(layer, xs, ops)
        xs = [y]
    return xs[0]
