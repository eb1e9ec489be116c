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


def inputs(name, seed):
    case, draw = CASES[name], Draw('fold %s %d' % (name, seed))
    net, classes = case['net'], case['net']['classes']
    templates = class_templates(draw, classes, case['image'])
    tested = pictures(draw, templates, draw.labels(TESTED, classes))
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
    gammas = torch.cat([p for key, p in parameters.items() if 'bn' in key and key.endswith('.weight')])
    assert 0.05 < (gammas < 0).double().mean() < 0.5
    given = {'input': tested}
    given.update({'init/' + key: round32(p) for key, p in parameters.items()})
    return given


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
