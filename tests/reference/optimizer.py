# SPDX-License-Identifier: MIT
"""
The update rule of <dirac/sgd.h> written out, with the settings given as "rate=0.1 momentum=0.9 ...", a line that the
C test reads too. Every setting is the float that the library gets.

    rate momentum decay nesterov clip      numbers
    drops=3,5 factor restart               the rate times factor from those steps on; restart=1: momentum anew
    cosine last                            cosine=steps
    warmup first                           warmup=steps
"""
import math

import torch

from arithmetic import number32


class Sgd:
    def __init__(self, settings):
        pairs = dict(word.split('=') for word in settings.split())
        self.drops = [int(step) for step in pairs.pop('drops', '').split(',') if step]
        self.settings = {key: number32(float(value)) for key, value in pairs.items()}
        self.steps, self.buffers = 0, {}

    def get(self, name):
        return self.settings.get(name, 0.0)

    def rate(self):
        t, rate = self.steps, self.get('rate')
        if self.drops:
            rate *= self.get('factor') ** sum(t >= at for at in self.drops)
        if self.get('cosine'):
            steps, last = self.get('cosine'), self.get('last')
            rate = last + (rate - last) * (1 + math.cos(math.pi * t / steps)) / 2 if t < steps else last
        if t < self.get('warmup'):
            rate *= self.get('first') + (1 - self.get('first')) * t / self.get('warmup')
        return rate

    def step(self, parameters, gradients):
        """Changes the trained parameters (those with gradients) in place."""
        rate, momentum = self.rate(), self.get('momentum')
        if self.get('restart') and self.steps in self.drops:
            self.buffers = {}
        scale = 1.0
        if self.get('clip'):
            norm = math.sqrt(sum(float((g.to(torch.float64) ** 2).sum()) for g in gradients.values()))
            scale = min(1.0, self.get('clip') / norm)
        for name, g in gradients.items():
            p = parameters[name]
            d = scale * g + (self.get('decay') if p.dim() > 1 else 0.0) * p
            v = momentum * self.buffers[name] + d if name in self.buffers else d.clone()
            self.buffers[name] = v
            p -= rate * (d + momentum * v if self.get('nesterov') else v)
        self.steps += 1
