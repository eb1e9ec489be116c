#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The workloads of dirac-bench in PyTorch and ONNX Runtime, beside libdirac in one run.

    peers.py DIRAC_BENCH [--threads N] [--rounds R] [--avx2] [WORKLOAD...]

Every measurement is a process of its own: libdirac, PyTorch with both memory formats (training: eager; inference: eager
and frozen), ONNX Runtime if it can be imported (inference, of a net that another process exported). They take turns for R
rounds; a figure is the median over the rounds, and a ratio compares libdirac with the fastest peer, images a second over
images a second. A training step is forward, loss, backward, and SGD with momentum and weight decay, data in memory. Prints a
Markdown table. --avx2 keeps both sides to AVX2: libdirac by its kernels, PyTorch by its environment (ONNX Runtime, which has
no such switch, is left out).
"""
import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

WORKLOADS = {  # name: (training, imagenet, depth, width, batch)
    "train-cifar-34-1": (True, False, 34, 1, 128),
    "train-cifar-28-5": (True, False, 28, 5, 32),
    "train-cifar-28-10": (True, False, 28, 10, 32),
    "infer-cifar-34-1": (False, False, 34, 1, 128),
    "infer-cifar-34-1-b1": (False, False, 34, 1, 1),
    "infer-cifar-28-10": (False, False, 28, 10, 32),
    "infer-imagenet-18": (False, True, 18, 1, 16),
    "infer-imagenet-18-b1": (False, True, 18, 1, 1),
    "infer-imagenet-34-b1": (False, True, 34, 1, 1),
}


def plan(imagenet, depth, width):
    """Channels of the stem, and the groups as (channels, blocks)."""
    if imagenet:
        blocks = {18: (4, 4, 4, 4), 34: (6, 8, 12, 6)}[depth]
        return int(64 * width), [(int(64 * 2**g * width), n) for g, n in enumerate(blocks)]
    n = 2 * ((depth - 4) // 6)
    return int(16 * width), [(int(16 * 2**g * width), n) for g in range(3)]


def trained_net(torch, imagenet, depth, width):
    """The DiracNet for training: convolutions with eq. 5, batch norm."""
    nn, functional = torch.nn, torch.nn.functional

    class Dirac(nn.Conv2d):
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs, 3, padding=1, bias=False)
            self.alpha = nn.Parameter(torch.ones(outputs))
            self.beta = nn.Parameter(torch.full((outputs,), 0.1))
            self.register_buffer("delta", nn.init.dirac_(torch.empty_like(self.weight)))
            nn.init.kaiming_normal_(self.weight)

        def forward(self, x):
            norm = functional.normalize(self.weight.flatten(1), dim=1).view_as(self.weight)
            weight = self.alpha.view(-1, 1, 1, 1) * self.delta + self.beta.view(-1, 1, 1, 1) * norm
            return functional.conv2d(x, weight, padding=1)

    return chain(nn, imagenet, depth, width, lambda i, o: [nn.ReLU(inplace=True), Dirac(i, o), nn.BatchNorm2d(o)])


def folded_net(torch, imagenet, depth, width):
    """The folded form: convolution, bias, ReLU."""
    nn = torch.nn
    return chain(nn, imagenet, depth, width, lambda i, o: [nn.ReLU(inplace=True), nn.Conv2d(i, o, 3, padding=1)],
                 folded=True)


def chain(nn, imagenet, depth, width, block, folded=False):
    channels, groups = plan(imagenet, depth, width)
    layers = [nn.Conv2d(3, channels, 7 if imagenet else 3, stride=2 if imagenet else 1, padding=3 if imagenet else 1,
                        bias=folded)]
    layers += [] if folded else [nn.BatchNorm2d(channels)]
    layers += [nn.MaxPool2d(3, 2, 1)] if imagenet else []  # the stem's ReLU is that of the first block
    for index, (outputs, blocks) in enumerate(groups):
        layers += [nn.MaxPool2d(2)] if index else []
        for _ in range(blocks):
            layers += block(channels, outputs)
            channels = outputs
    layers += [nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
               nn.Linear(channels, 1000 if imagenet else 10)]
    return nn.Sequential(*layers)


def timed(step):
    """Seconds of one step: the median of five runs of about half a second."""
    step()
    start = time.perf_counter()
    step()
    count = max(1, int(0.5 / (time.perf_counter() - start)))
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            step()
        runs.append((time.perf_counter() - start) / count)
    return statistics.median(runs)


def torch_step(torch, name, variant):
    training, imagenet, depth, width, batch = WORKLOADS[name]
    side = 224 if imagenet else 32
    layout = torch.channels_last if "last" in variant else torch.contiguous_format
    x = torch.randn(batch, 3, side, side).to(memory_format=layout)
    net = (trained_net if training else folded_net)(torch, imagenet, depth, width).to(memory_format=layout)
    if not training:
        net.eval()
        if "frozen" in variant:
            with torch.no_grad():
                net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))

        def infer():
            with torch.inference_mode():
                net(x)
        return infer
    labels = torch.arange(batch) % 10
    decayed = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]
    sgd = torch.optim.SGD([{"params": decayed, "weight_decay": 5e-4}, {"params": others}], lr=0.01, momentum=0.9)

    def train():
        sgd.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        sgd.step()
    return train


def export(name, file):
    """The folded net as ONNX. Newer PyTorch has a second exporter, which wants a package of its own."""
    import inspect
    import torch
    _, imagenet, depth, width, batch = WORKLOADS[name]
    side = 224 if imagenet else 32
    older = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(folded_net(torch, imagenet, depth, width).eval(), torch.randn(batch, 3, side, side), file,
                      opset_version=13, **older)


def ort_step(file, threads):
    import numpy
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    feed = {given.name: numpy.random.default_rng(1).standard_normal(given.shape, dtype=numpy.float32)}
    return lambda: session.run(None, feed)


def child(name, variant, threads, model):
    if variant == "export":
        export(name, model)
        print("{}")
        return
    if variant == "onnxruntime":
        step = ort_step(model, threads)
    else:
        import torch
        torch.set_num_threads(threads)
        step = torch_step(torch, name, variant)
    seconds = timed(step)
    print(json.dumps({"images_per_second": WORKLOADS[name][4] / seconds,
                      "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"}


def variants(name, avx2):
    if WORKLOADS[name][0]:
        return ["torch first", "torch last"]
    out = ["torch first", "torch last", "torch first frozen", "torch last frozen"]
    return out + (["onnxruntime"] if importlib.util.find_spec("onnxruntime") and not avx2 else [])


def run(command, threads, avx2):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), **(AVX2 if avx2 else {}))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(bench, name, threads, rounds, avx2, model):
    results = {}

    def run_child(variant):
        return run([sys.executable, os.path.abspath(__file__), "--child", variant, "--threads", str(threads),
                    "--model", model, name], threads, avx2)

    if "onnxruntime" in variants(name, avx2):
        run_child("export")
    for _ in range(rounds):
        for variant in ["libdirac"] + variants(name, avx2):
            if variant == "libdirac":
                command = [bench, "--threads", str(threads), name] + (["--kernels", "x86-64-v3"] if avx2 else [])
                results.setdefault(variant, []).append(run(command, threads, avx2))
            else:
                results.setdefault(variant, []).append(run_child(variant))
    return {v: {k: statistics.median(r[k] for r in list_) for k in ("images_per_second", "peak_bytes")}
            for v, list_ in results.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", nargs="?", help="the program dirac-bench")
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--avx2", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args()
    unknown = [name for name in options.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"no workload {unknown[0]}; there are {', '.join(WORKLOADS)}")
    if options.child:
        child(options.bench, options.child, options.threads, options.model)
        return
    print("| workload | threads | libdirac, images/s | fastest peer | images/s | ratio | libdirac, MB | peer, MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.workloads or WORKLOADS:
        with tempfile.TemporaryDirectory() as folder:
            results = measure(options.bench, name, options.threads, options.rounds, options.avx2,
                              os.path.join(folder, "net.onnx"))
        ours = results.pop("libdirac")
        best = max(results, key=lambda v: results[v]["images_per_second"])
        peer = results[best]
        print(f"| {name} | {options.threads} | {ours['images_per_second']:.1f} | {best} "
              f"| {peer['images_per_second']:.1f} | {ours['images_per_second'] / peer['images_per_second']:.2f} "
              f"| {ours['peak_bytes'] / 1e6:.0f} | {peer['peak_bytes'] / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
