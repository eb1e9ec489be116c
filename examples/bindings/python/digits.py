#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The whole story of libdirac on small images, as examples/digits.c tells it: build a DiracNet, train it to read
handwritten digits, test it, fold it, compare the two, save, load, classify.

Usage: digits.py [DIGITS.csv [MODEL]]
"""
import os
import sys

import numpy as np

import dirac

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "..", "..", "data", "digits.csv")
SIDE, CLASSES, BATCH, EPOCHS, HELD_OUT = 8, 10, 32, 30, 5


def read_digits(path):
    """(images, labels): a line holds 64 grey values 0 to 16, row by row, then the digit."""
    table = np.loadtxt(path, dtype=np.uint8, delimiter=",", ndmin=2)
    if table.shape[1] != SIDE * SIDE + 1 or table[:, :-1].max() > 16 or table[:, -1].max() >= CLASSES:
        raise ValueError(f"{path}: not lines of 64 grey values from 0 to 16 and a digit")
    return table[:, :-1].reshape(-1, 1, SIDE, SIDE), table[:, -1]


def make_batches(dataset, size, **options):
    """A stream of the set's images, their grey values brought to mean 0 and deviation 1."""
    return dirac.Batches(dataset, size=size, mean=[4.88], deviation=[6.02], **options)


def build(context):
    """Eleven layers without a single skip connection."""
    net = dirac.Net(context)
    x = net.input((1, SIDE, SIDE))
    x = net.batch_norm(net.conv2d(x, 16, 3))
    for group in range(3):
        if group > 0:
            x = net.max_pool2d(x, 2)
        for _ in range(3):
            x = net.batch_norm(net.dirac_conv2d(net.relu(x), 16 << group, 3))
    net.output(net.linear(net.global_average_pool(net.relu(x)), CLASSES))
    return net.build()


def train(net, training):
    """Batch by batch; dirac.SGD.epoch() would do the same in one call."""
    with make_batches(training, BATCH, shuffle=True, crop=1) as batches, \
            dirac.Session(net, training=True, batch=BATCH) as session, \
            dirac.SGD(net, learning_rate=0.1, momentum=0.9, weight_decay=5e-4) as sgd:
        steps = batches.per_epoch * EPOCHS
        sgd.schedule_drops([steps * 6 // 10, steps * 85 // 100], 0.2)
        for epoch in range(EPOCHS):
            for images, labels in batches:
                session.forward(images)
                loss = session.cross_entropy(labels)
                session.backward()
                sgd.step(session)
            if sys.stderr.isatty():
                print(f"\repoch {epoch + 1}/{EPOCHS}, loss {loss:.4f}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)


def accuracy(net, images, labels):
    """The part of the images, in percent, whose largest logit is their label's."""
    with dirac.Session(net, batch=len(images)) as session:
        session.forward(images)
        return 100.0 * session.count_correct(labels) / len(images)


def classify(context, path, image):
    """The class of one image, from a model file alone."""
    with dirac.Net.load(context, path) as net, dirac.Session(net) as session:
        return int(session(image[np.newaxis])[0].argmax())


def main():
    csv = sys.argv[1] if len(sys.argv) > 1 else DIGITS
    model = sys.argv[2] if len(sys.argv) > 2 else "digits.safetensors"
    context = dirac.Context(threads=min(os.cpu_count() or 1, 64), seed=1)
    images, labels = read_digits(csv)
    held_out = np.arange(len(images)) % HELD_OUT == 0  # every fifth digit is for the test
    training = dirac.Dataset.images(context, (1, SIDE, SIDE)).add(images[~held_out], labels[~held_out])
    test = dirac.Dataset.images(context, (1, SIDE, SIDE)).add(images[held_out], labels[held_out])

    net = build(context)
    print(f"{net.trained_count} parameters, {len(training)} digits to train on, {len(test)} to test")
    train(net, training)

    images, labels = make_batches(test, len(test)).next()  # all at once
    folded = net.fold()
    difference = net.compare(folded, images)
    folded.save(model)
    print(f"saved {model}; it takes the first test image, a {labels[0]}, for a {classify(context, model, images[0])}")
    print(f"test accuracy {accuracy(net, images, labels):.2f} %")
    print(f"folded accuracy {accuracy(folded, images, labels):.2f} %")
    print(f"fold difference {difference:.1e}")


if __name__ == "__main__":
    main()
