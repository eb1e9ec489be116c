# SPDX-License-Identifier: MIT
"""
Whole nets: logits in training and test mode, loss, every gradient, running statistics, and parameters after 1 and 5
steps; and short trajectories of each optimizer setting on a small chain.
"""
import torch
import torch.nn.functional as F

import chain
import networks
from arithmetic import FIXED, NORMALIZED, PLAIN, Draw
from optimizer import Sgd

SGD = 'rate=0.1 momentum=0.9 decay=0.0005'

# The shape is of one batch; step i uses batch i modulo batches. Without sgd: logits and loss alone.
CASES = {
    'diracnet_cifar': dict(
        net=dict(model='diracnet_cifar', depth=10, width=0.25, classes=5, form=NORMALIZED, bottleneck=0),
        shape=(4, 3, 12, 16), batches=5, sgd=SGD),
    'plain_cifar': dict(
        net=dict(model='diracnet_cifar', depth=10, width=0.25, classes=5, form=PLAIN, bottleneck=0),
        shape=(4, 3, 12, 16), batches=5, sgd=SGD),
    'dirac_resnet': dict(
        net=dict(model='resnet_cifar', depth=16, width=0.2, classes=6, form=FIXED, bottleneck=0),
        shape=(4, 3, 8, 8), batches=5, sgd=SGD),
    'bottleneck_resnet': dict(
        net=dict(model='resnet_cifar', depth=20, width=0.13, classes=4, form=PLAIN, bottleneck=1),
        shape=(3, 3, 8, 8), batches=3, sgd='rate=0.05 momentum=0.9 decay=0.0005 nesterov=1'),
    'diracnet_imagenet': dict(
        net=dict(model='diracnet_imagenet', depth=18, width=0.036, classes=7, form=NORMALIZED, bottleneck=0),
        shape=(3, 3, 64, 64), batches=1, sgd='rate=0.005 momentum=0.9 decay=0.0001'),
    'resnet_imagenet': dict(
        net=dict(model='resnet_imagenet', depth=18, width=0.04, classes=4, form=PLAIN, bottleneck=0),
        shape=(3, 3, 32, 32), batches=1, sgd=None),
}
STEPS = 5

CHAIN = ('conv2d 8 3 ; batch_norm ; relu ; dirac_conv2d 8 3 ; batch_norm ; relu ; global_average_pool ; '
         'linear 4')
TRAJECTORIES = {
    'plain': 'rate=0.1',
    'momentum_decay': 'rate=0.1 momentum=0.9 decay=0.01',
    'nesterov': 'rate=0.05 momentum=0.9 decay=0.01 nesterov=1',
    'clip': 'rate=0.2 momentum=0.9 decay=0.01 clip=0.3',
    'drops': 'rate=0.1 momentum=0.9 decay=0.01 drops=2,4 factor=0.2',
    'drops_restart': 'rate=0.1 momentum=0.9 decay=0.01 drops=2,4 factor=0.2 restart=1',
    'cosine_warmup': 'rate=0.1 momentum=0.9 cosine=5 last=0.01 warmup=3 first=0.25',
}

# Found by generate.py --search: every value keeps away from kinks (see MARGIN there). The default is 1.
SEEDS = {'bottleneck_resnet': 17, 'diracnet_imagenet': 11}
TRAJECTORY_SEEDS = {'plain': 2, 'cosine_warmup': 3}


def train(forward, parameters, xs, labels, sgd, steps):
    """Yields, for each step, (logits, loss, input gradient, gradients) after having made it."""
    for step in range(steps):
        x = xs[step % len(xs)].clone().requires_grad_()
        trained = {name: p.requires_grad_() for name, p in parameters.items() if not chain.is_state(name)}
        logits, state = forward(x)
        loss = F.cross_entropy(logits, labels[step % len(xs)])
        loss.backward()
        gradients = {name: p.grad.clone() for name, p in trained.items()}
        for p in trained.values():
            p.requires_grad_(False).grad = None
        sgd.step(parameters, gradients)
        parameters.update(state)
        yield logits.detach(), loss.detach().reshape(1), x.grad, gradients


def copies(given):
    return {key[5:]: value.clone() for key, value in given.items() if key.startswith('init/')}


def inputs(name, seed):
    case, draw = CASES[name], Draw('net %s %d' % (name, seed))
    count, shape = case['batches'], case['shape']
    given = {'input': draw.normal((count,) + shape)}
    given['labels'] = draw.labels(count * shape[0], case['net']['classes']).reshape(count, shape[0])
    # Mostly positive slopes and biases about 0.6 keep deep narrow nets well-conditioned and values off ReLU's kink.
    parameters = networks.draw_parameters(case['net'], given['input'][0], draw, 0.1, 0.6)
    given.update({'init/' + key: value for key, value in parameters.items()})
    return given


def compute(name, given, ops):
    case, parameters = CASES[name], copies(given)
    net, x, silent = case['net'], given['input'], type(ops)(ops.use_winograd)
    results = {'logits_test': networks.evaluate(net, parameters, x[0], silent, False)[0]}
    sgd, steps = Sgd(case['sgd'] or ''), STEPS if case['sgd'] else 1

    def forward(batch):
        logits, run = networks.evaluate(net, parameters, batch, ops, True)
        return logits, run.state

    losses = []
    for step, (logits, loss, dx, gradients) in enumerate(
            train(forward, parameters, x, given['labels'], sgd, steps)):
        losses.append(loss)
        if step == 0:
            results.update({'logits_train': logits, 'loss': loss})
            results.update({'dx': dx} if dx.numel() < 4000 and case['sgd'] else {})
            results.update({'grad/' + key: g for key, g in gradients.items()} if case['sgd'] else {})
        if step in (0, STEPS - 1) and case['sgd']:
            results.update({'step%d/%s' % (step + 1, key): p.clone() for key, p in parameters.items()})
    if not case['sgd']:
        ops.kinks.clear()  # no gradients: continuous everywhere
    else:
        results['losses'] = torch.cat(losses)
        results['logits_test_end'] = networks.evaluate(net, parameters, x[0], silent, False)[0]
    return results


def trajectory_inputs(name, seed):
    draw = Draw('trajectory %d' % seed)
    given = {'input': draw.normal((3, 4, 3, 7, 6)), 'labels': draw.labels(12, 4).reshape(3, 4)}
    parameters = chain.initial(CHAIN, [given['input'][0]], draw)
    given.update({'init/' + key: value for key, value in parameters.items()})
    return given


def trajectory_compute(name, given, ops):
    parameters, sgd, results, rates, losses = copies(given), Sgd(TRAJECTORIES[name]), {}, [], []

    def forward(batch):
        state = {}
        return chain.run(CHAIN, [batch], parameters, ops, True, state), state

    rates.append(sgd.rate())
    for _, loss, _, _ in train(forward, parameters, given['input'], given['labels'], sgd, 6):
        losses.append(loss)
        rates.append(sgd.rate())
    results['rates'] = torch.tensor(rates[:6], dtype=torch.float64)
    results['losses'] = torch.cat(losses)
    results.update({'end/' + key: p for key, p in parameters.items()})
    results.update({'momentum/' + key: v for key, v in sgd.buffers.items()})
    return results
