# SPDX-License-Identifier: MIT
"""
What all cases compute with: random numbers that are the same everywhere, the weight forms of the paper written out, a
convolution that can also be computed by Winograd's F(4x4, 3x3), and the float32 twins that tell how far an ordinary
float32 implementation lands from the float64 result.
"""
import random

import numpy as np
import torch
import torch.nn.functional as F

PLAIN, DELTA, NORMALIZED, FIXED = 0, 1, 2, 3


class Draw:
    """Random numbers from Python's Mersenne Twister, whose stream is fixed for good, with exact arithmetic. All
    results are float32 numbers (held in float64), so that any float32 program can load them exactly."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def words(self, count, bits):
        data = self.random.getrandbits(count * bits).to_bytes(count * bits // 8, 'little')
        return np.frombuffer(data, dtype='<u%d' % (bits // 8)).astype(np.float64)

    def uniform(self, shape, low=0.0, high=1.0):
        u = self.words(int(np.prod(shape)), 32) / 2.0 ** 32
        return round32(torch.from_numpy(low + (high - low) * u).reshape(shape))

    def normal(self, shape, deviation=1.0, mean=0.0):
        """The sum of four uniform numbers, scaled to unit variance: near enough to normal here."""
        four = self.words(4 * int(np.prod(shape)), 16).reshape(-1, 4).sum(axis=1) / 65536.0 - 2.0
        return round32(torch.from_numpy(mean + deviation * np.sqrt(3.0) * four).reshape(shape))

    def labels(self, count, classes):
        return torch.tensor([self.random.randrange(classes) for _ in range(count)], dtype=torch.int64)


def round32(x):
    return x.to(torch.float32).to(torch.float64)


def number32(x):
    """A setting such as the learning rate as the library gets it: through a float."""
    return float(np.float32(x))


# ---- the weight forms ----------------------------------------------------------------------------------------------

def delta(shape, groups, dtype):
    """I of section 2 of the paper: filter d of each group has a one at input d, centre tap k/2, for d < min(out, in)."""
    eye = torch.zeros(shape, dtype=dtype)
    out, inputs = shape[0] // groups, shape[1]
    centre = tuple(k // 2 for k in shape[2:])
    for g in range(groups):
        for d in range(min(out, inputs)):
            eye[(g * out + d, d) + centre] = 1.0
    return eye


def effective_weight(form, w, alpha, beta, groups=1):
    """What of eq. 4, 5 or 8."""
    if form == PLAIN:
        return w
    eye = delta(w.shape, groups, w.dtype)
    column = (-1,) + (1,) * (w.dim() - 1)
    if form == FIXED:
        return eye + w
    if form == DELTA:
        return alpha.reshape(column) * eye + w
    norm = w.reshape(w.shape[0], -1).norm(dim=1).clamp_min(1e-12)
    return alpha.reshape(column) * eye + beta.reshape(column) * (w / norm.reshape(column))


# ---- convolution ---------------------------------------------------------------------------------------------------

def same_padding(kernel, dilation):
    """(before, after) in each dimension."""
    return [(d * (k // 2), d * (k - 1 - k // 2)) for k, d in zip(kernel, dilation)]


def pad(x, pairs):
    flat = []
    for before, after in reversed(pairs):
        flat += [before, after]
    return F.pad(x, flat)


BT = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
      [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
G = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
     [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
AT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


def winograd(x, w):
    """3x3, stride 1, x padded already: Lavin & Gray's F(4x4, 3x3). Its gradient by autograd is the adjoint, computed
    in the transformed domain too."""
    bt, g, at = (torch.tensor(m, dtype=x.dtype) for m in (BT, G, AT))
    height, width = x.shape[2] - 2, x.shape[3] - 2
    rows, columns = -(-height // 4), -(-width // 4)
    x = F.pad(x, [0, 4 * columns - width, 0, 4 * rows - height])
    tiles = x.unfold(2, 6, 4).unfold(3, 6, 4)
    v = torch.einsum('ia,nctuab,jb->ijnctu', bt, tiles, bt)
    u = torch.einsum('ia,ocab,jb->ijoc', g, w, g)
    m = torch.einsum('ijoc,ijnctu->ijnotu', u, v)
    y = torch.einsum('ai,ijnotu,bj->notaub', at, m, at)
    return y.reshape(x.shape[0], w.shape[0], 4 * rows, 4 * columns)[:, :, :height, :width]


class Ops:
    """Layers with a memory: `kinks` collects what decides on which side of a kink (ReLU, max) a value lies."""

    def __init__(self, use_winograd=False):
        self.use_winograd = use_winograd
        self.kinks = []

    def conv(self, x, w, bias, stride, padding, dilation, groups):
        rank = w.dim() - 2
        x = pad(x, padding)
        if self.use_winograd and tuple(w.shape[2:]) == (3, 3) and all(s == 1 for s in stride + dilation):
            parts = [winograd(a, b) for a, b in zip(x.chunk(groups, 1), w.chunk(groups, 0))]
            y = torch.cat(parts, 1)
            return y if bias is None else y + bias.reshape(1, -1, 1, 1)
        function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
        return function(x, w, bias, stride=stride, dilation=dilation, groups=groups)

    def relu(self, x):
        self.kinks.append(x.detach())
        return torch.relu(x)

    def elu(self, x, alpha):
        self.kinks.append(x.detach())
        return F.elu(x, alpha)

    def max_pool(self, x, kernel, stride, padding, ceil):
        function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]
        y = function(x, kernel, stride=stride, padding=padding, ceil_mode=ceil)
        gap = y.detach() - self.second(x.detach(), y.detach(), kernel, stride, padding)
        gap[gap == 0] = 1.0  # zeros out of a ReLU: whichever wins, the ReLU lets no gradient pass
        self.kinks.append(gap.clamp(max=1.0))
        return y

    @staticmethod
    def second(x, y, kernel, stride, padding):
        """The second largest of each window, by brute force over its places."""
        size = [(n - 1) * s + k for n, s, k in zip(y.shape[2:], stride, kernel)]
        after = [t - n - p for t, n, p in zip(size, x.shape[2:], padding)]
        flat = []
        for p, a in reversed(list(zip(padding, after))):
            flat += [p, a]
        windows = F.pad(x, flat, value=-2.0 ** 100)
        for d, (k, s) in enumerate(zip(kernel, stride)):
            windows = windows.unfold(2 + d, k, s)
        windows = windows.reshape(y.shape + (-1,))
        return windows.topk(2, dim=-1).values[..., 1]


# ---- float32 twins --------------------------------------------------------------------------------------------------

RUNS = 6


def to_float32(inputs, seed):
    """The inputs in float32. seed > 0: each moved by at most one unit in the last place, at random, which stands for
    the different roundings of a different order of summation."""
    generator, out = torch.Generator().manual_seed(seed), {}
    for name, x in inputs.items():
        if x.dtype != torch.float64:
            out[name] = x
            continue
        x = x.to(torch.float32)
        if seed > 0:
            way = torch.randint(-1, 2, x.shape, generator=generator)
            up = torch.nextafter(x, torch.full_like(x, float('inf')))
            down = torch.nextafter(x, torch.full_like(x, -float('inf')))
            x = torch.where(way > 0, up, torch.where(way < 0, down, x))
        out[name] = x
    return out


def float32_errors(compute, inputs, reference, kinks, runs=RUNS):
    """For each result the largest |float32 - float64| over `runs` float32 computations, and the same with Winograd
    convolutions: name -> tensor of two. And the least safety of a kink: the distance from it over that error."""
    errors, safety = {}, float('inf')
    for kind in range(2):
        worst = {name: 0.0 for name in reference}
        worst_kink = [0.0] * len(kinks)
        for seed in range(runs):
            ops = Ops(use_winograd=kind == 1)
            results = compute(to_float32(inputs, seed), ops)
            for name, value in results.items():
                worst[name] = max(worst[name], largest(value.to(torch.float64) - reference[name]))
            for i, (a, b) in enumerate(zip(ops.kinks, kinks)):
                worst_kink[i] = max(worst_kink[i], largest(a.to(torch.float64) - b))
        for i, b in enumerate(kinks):
            safety = min(safety, b.abs().min().item() / max(worst_kink[i], 1e-30))
        for name in reference:
            errors.setdefault(name, []).append(worst[name])
    return {name: torch.tensor(pair, dtype=torch.float64) for name, pair in errors.items()}, safety


def largest(x):
    return x.detach().abs().max().item() if x.numel() else 0.0
