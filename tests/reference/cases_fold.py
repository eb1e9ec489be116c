# SPDX-License-Identifier: MIT
"""
Folding. The nets have been trained for at least 100 steps, here in float64, from random batch norm biases and with
some negative batch norm weights; then every tensor was rounded to float32. Given are those tensors and eight inputs;
expected are the logits of the net as it is, with every batch norm computed by itself, and of the folded net.
"""
import torch

import cases_nets
import chain
import networks
from arithmetic import FIXED, NORMALIZED, Draw, Ops, round32
from optimizer import Sgd

# folded: the folded tensors are stored too.
CASES = {
    'fold_diracnet_10': dict(
        net=dict(model='diracnet_cifar', depth=10, width=1, classes=5, form=NORMALIZED, bottleneck=0),
        image=(3, 16, 16), batch=16, steps=100, rate=0.05, folded=False),
    'fold_diracnet_16': dict(
        net=dict(model='diracnet_cifar', depth=16, width=0.25, classes=5, form=NORMALIZED, bottleneck=0),
        image=(3, 16, 20), batch=16, steps=120, rate=0.05, folded=True),
    'fold_dirac_resnet': dict(
        net=dict(model='resnet_cifar', depth=16, width=0.2, classes=5, form=FIXED, bottleneck=0),
        image=(3, 16, 16), batch=16, steps=120, rate=0.05, folded=True),
    'fold_imagenet_18': dict(
        net=dict(model='diracnet_imagenet', depth=18, width=0.05, classes=6, form=NORMALIZED, bottleneck=0),
        image=(3, 32, 32), batch=24, steps=100, rate=0.05, folded=False),
}
SEEDS = {}
TESTED = 8


def pictures(draw, templates, labels):
    """A template a class, blurred, under noise: something to learn."""
    noise = draw.normal((len(labels),) + tuple(templates.shape[1:]))
    return round32(templates[labels] + 0.7 * noise)


def class_templates(draw, classes, image):
    coarse = draw.normal((classes, image[0], 4, 4), 1.2)
    return torch.nn.functional.interpolate(coarse, size=image[1:], mode='bilinear', align_corners=False)


def setting(name, seed):
    """What is drawn before training: (the draw itself, templates, the pictures tested, their labels)."""
    case, draw = CASES[name], Draw('fold %s %d' % (name, seed))
    classes = case['net']['classes']
    templates = class_templates(draw, classes, case['image'])
    labels = draw.labels(TESTED, classes)
    return draw, templates, pictures(draw, templates, labels), labels


def drawn(name, seed):
    """The inputs that every machine makes alike. Training is none of them: over a hundred steps a sum taken in another
    order grows until a ReLU takes its other side, and from there on it is another net, as good as the first."""
    return {'input': setting(name, seed)[2]}


def inputs(name, seed):
    draw, templates, tested, _ = setting(name, seed)
    case = CASES[name]
    net, classes = case['net'], case['net']['classes']
    parameters = networks.draw_parameters(net, tested, draw, 0.25, 0.0)

    def forward(batch):
        logits, run = networks.evaluate(net, parameters, batch, Ops(), True)
        return logits, run.state

    sgd = Sgd('rate=%g momentum=0.9 decay=0.0005' % case['rate'])
    losses = []
    for _ in range(case['steps']):
        labels = draw.labels(case['batch'], classes)
        batch = pictures(draw, templates, labels)
        losses += [loss for _, loss, _, _ in cases_nets.train(forward, parameters, [batch], [labels], sgd, 1)]
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20]), 'did not learn'
    given = {'input': tested}
    given.update({'init/' + key: round32(p) for key, p in parameters.items()})
    return given


def faults(name, seed, given, results):
    """What contradicts that the given tensors are a trained net: wrong answers, or no negative batch norm weight."""
    gammas = torch.cat([p for key, p in given.items() if 'bn' in key and key.endswith('.weight')])
    negative = (gammas < 0).double().mean()
    right = (results['logits'].argmax(1) == setting(name, seed)[3]).double().mean()
    return ['%g of the batch norm weights are negative' % negative] * (not 0.05 < negative < 0.5) + \
           ['%g of the answers are right' % right] * (right < 0.75)


def compute(name, given, ops):
    case, parameters = CASES[name], cases_nets.copies(given)
    net, x = case['net'], given['input']
    results = {'logits': networks.evaluate(net, parameters, x, ops, False)[0]}
    double = {key: p.to(torch.float64) for key, p in parameters.items()}
    folded, gone = networks.fold(net, double, x.to(torch.float64), Ops())
    plain = {key: p.to(x.dtype) for key, p in folded.items()}
    results['logits_folded'] = networks.evaluate(net, plain, x, type(ops)(ops.use_winograd), False, folded=gone)[0]
    assert not any(chain.is_state(key) for key in folded) or 'resnet' in net['model']
    if case['folded']:
        results.update({'folded/' + key: p for key, p in plain.items()})
    return results
