# SPDX-License-Identifier: MIT
"""Training, files, data: that each call of the layer above does what the C call does."""
import gc
import math
import os
import tempfile
import threading
import time
import unittest

import numpy as np

import dirac
from support import CountingAllocator, images, small_net


class Training(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context(seed=3)
        self.net = small_net(self.context)
        self.dataset = dirac.Dataset.floats(self.context, (2, 6, 6)).add(images(20), np.arange(20) % 3)

    def run_epoch(self, net, sgd, session, batches):
        for samples, labels in batches:
            session.forward(samples)
            session.cross_entropy(labels)
            session.backward()
            sgd.step(session)

    def trainer(self, net):
        return (net, dirac.SGD(net, momentum=0.9, weight_decay=1e-3), dirac.Session(net, training=True, batch=4),
                dirac.Batches(self.dataset, size=4, shuffle=True))

    def test_a_step_is_the_formula(self):
        session = dirac.Session(self.net, training=True, batch=5)
        sgd = dirac.SGD(self.net, learning_rate=0.25, momentum=0.5, weight_decay=0.125, nesterov=True)
        w = self.net.tensors["fc.weight"].astype(np.float64)
        v = np.zeros_like(w)
        for turn in range(3):
            session.forward(images(5, turn))
            session.cross_entropy([0, 1, 2, 0, 1])
            session.backward()
            d = session.gradient("fc.weight") + 0.125 * w
            v = d if turn == 0 else 0.5 * v + d
            w = w - 0.25 * (d + 0.5 * v)
            sgd.step(session)
            # A few roundings of float32 a step, on numbers of size 1.
            np.testing.assert_allclose(self.net.tensors["fc.weight"], w, atol=1e-5)
            np.testing.assert_allclose(sgd.momentum("fc.weight"), v, atol=1e-5)
        sgd.write_momentum("fc.weight", v * 2)
        self.assertTrue((sgd.momentum("fc.weight") == (v * 2).astype(np.float32)).all())
        sgd.restart_momentum()
        self.assertEqual(sgd.steps, 3)

    def test_losses_are_the_formula(self):
        session = dirac.Session(self.net, training=True, batch=4)
        z = session.forward(images(4)).astype(np.float64)
        log_softmax = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        labels = np.array([0, 2, 1, 2])
        self.assertAlmostEqual(session.cross_entropy(labels), -log_softmax[range(4), labels].mean(), places=5)
        soft = np.full((4, 3), 1 / 3)
        self.assertAlmostEqual(session.cross_entropy_soft(soft), -(soft * log_softmax).sum() / 4, places=5)
        session.set_label_smoothing(0.25)
        smooth = 0.75 * np.eye(3)[labels] + 0.25 / 3
        self.assertAlmostEqual(session.cross_entropy(labels), -(smooth * log_softmax).sum() / 4, places=5)
        session.set_label_smoothing(0)
        weights = np.array([1.0, 2.0, 4.0])
        session.set_class_weights(weights)
        expected = -(weights[labels] * log_softmax[range(4), labels]).sum() / weights[labels].sum()
        self.assertAlmostEqual(session.cross_entropy(labels), expected, places=5)
        session.set_class_weights(None)
        self.assertEqual(session.count_correct(labels), int((z.argmax(axis=1) == labels).sum()))

    def test_schedules(self):
        session, sgd = dirac.Session(self.net, training=True), dirac.SGD(self.net, learning_rate=0.5)

        def rates(steps):
            seen = []
            for _ in range(steps):
                seen.append(round(sgd.learning_rate, 6))
                session.forward(images(1))
                session.cross_entropy([0])
                session.backward()
                sgd.step(session)
            return seen

        sgd.schedule_drops([1, 3], 0.5)
        self.assertEqual(rates(4), [0.5, 0.25, 0.25, 0.125])
        sgd.schedule_cosine(8, 0.1)
        self.assertEqual(rates(2), [round(0.1 + 0.4 * (1 + math.cos(math.pi * t / 8)) / 2, 6) for t in (4, 5)])
        sgd.schedule_drops([], 1.0)
        sgd.schedule_warmup(10, 0.0)
        self.assertTrue(0 < sgd.learning_rate < 0.5)

    def test_a_checkpoint_resumes_bit_for_bit(self):
        straight = self.trainer(small_net(self.context))
        for _ in range(3):
            self.run_epoch(*straight)
        first = self.trainer(small_net(self.context))
        self.run_epoch(*first)

        def checkpoint(trainer):
            made = dirac.Checkpoint(self.context)
            for name, handle in zip(("net", "sgd", "session", "batches"), trainer):
                made.add(name, handle)
            return made

        saved = checkpoint(first)
        saved["note"] = b"after \0 one"
        second = self.trainer(small_net(self.context, seed=77))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "run")
            saved.save(path)
            resumed = checkpoint(second)
            resumed.load(path)
        self.assertEqual(resumed["note"], b"after \0 one")
        self.assertRaises(dirac.NotFoundError, resumed.__getitem__, "nothing")
        self.assertRaises(TypeError, resumed.add, "x", self.dataset)
        for _ in range(2):
            self.run_epoch(*second)
        self.assertEqual(second[0].to_bytes(), straight[0].to_bytes())

    def test_gradients_of_two_sessions(self):
        one, two = (dirac.Session(self.net, training=True, batch=2) for _ in range(2))
        for session, seed in ((one, 1), (two, 2)):
            session.forward(images(2, seed))
            session.cross_entropy([0, 1])
            session.backward()
        expected = one.gradients + two.gradients
        one.add_gradients(two)
        self.assertTrue((one.gradients == expected).all())
        one.clear_gradients()
        self.assertFalse(one.gradients.any())


class Nets(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()
        self.net = small_net(self.context)

    def test_options_names_and_tensors(self):
        net = dirac.Net(self.context)
        with net.scope("body"):
            conv = net.conv2d(net.input((3, 9, 8)), 4, 3, stride=(2, 1), padding=1, form=dirac.FORM_DELTA, name="c")
            pool = net.average_pool2d(net.elu(conv, alpha=2), 2, ceil=1, count_padding=0)
        conv.set_initializer("weight", dirac.INIT_CONSTANT, 0.5)
        twin = net.conv2d(pool, 4, 3)
        shared = net.conv2d(twin, 4, 3).share_parameters(twin)
        net.output(shared)
        net.build()
        self.assertEqual((conv.name, conv.get("stride"), conv.get("form")), ("body.c", (2, 1), 1))
        self.assertEqual(conv.shape, (4, 5, 8))
        self.assertEqual(pool.inputs[0].get("alpha"), 2.0)
        self.assertEqual(net.find("body.c"), conv)
        self.assertIsNone(net.find("c"))
        self.assertTrue((net.tensors["body.c.weight"] == 0.5).all())
        self.assertEqual(len(net.nodes), 6)
        self.assertEqual(shared.trained_count, 0)
        self.assertEqual(net.multiply_adds, sum(node.multiply_adds for node in net.nodes))
        version = net.version
        net.tensors["body.c.alpha"] = np.arange(4)
        # the fourth filter has no input of its own
        self.assertEqual(conv.filters(dirac.FILTER_ALPHA).tolist(), [0, 1, 2, 0])
        self.assertEqual(conv.filter_summary(dirac.FILTER_ALPHA), (1, 0, 2, 3))
        with self.assertRaisesRegex(dirac.ArgumentError, "no filters"):
            pool.filters(dirac.FILTER_NORM)
        self.assertEqual(net.tensors["body.c.alpha"].tolist(), [0, 1, 2, 3])
        self.assertGreater(net.version, version)
        net.initialize(5)
        self.assertEqual(net.tensors["body.c.alpha"].tolist(), [1] * 4)
        net.set_trainable("*.alpha", False)
        self.net.find("bn").set_frozen()

    def test_files(self):
        self.net.notes["classes"] = "kite\nüber"
        self.net.notes["gone"] = "x"
        del self.net.notes["gone"]
        self.assertNotIn("gone", self.net.notes)
        self.assertRaises(KeyError, self.net.notes.__getitem__, "gone")
        loaded = dirac.Net.load(self.context, self.net.to_bytes())
        self.assertEqual(loaded.notes["classes"], "kite\nüber")
        head = small_net(self.context, classes=5, seed=8)
        self.assertIn("fc.weight", head.load_weights(self.net.to_bytes(), partial=True))
        self.assertTrue((head.tensors["stem.weight"] == self.net.tensors["stem.weight"]).all())
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model")
            cifar = dirac.Net(self.context)
            cifar.output(dirac.models.diracnet_cifar(cifar, cifar.input((3, 32, 32)), 10, 1, 10))
            cifar.build()
            cifar.save(path, dirac.NAMES_PUBLISHED)
            other = cifar.clone()
            other.initialize(9)
            self.assertEqual(other.load_weights(path), "")
            self.assertEqual(other.to_bytes(), cifar.to_bytes())

    def test_models_have_the_parameters_their_header_says(self):
        for model, shape, arguments, count in (
                (dirac.models.diracnet_cifar, (3, 32, 32), (34, 1, 10), 466394),
                (dirac.models.diracnet_cifar, (3, 32, 32), (34, 1, 10, dirac.FORM_PLAIN), 464154),
                (dirac.models.diracnet_imagenet, (3, 224, 224), (18, 1, 1000), 11523368),
                (dirac.models.resnet_imagenet, (3, 224, 224), (18, 1, 1000), 11689512),
                (dirac.models.vgg16_cifar, (3, 32, 32), (10,), 14991946)):
            net = dirac.Net(self.context)
            net.output(model(net, net.input(shape), *arguments))
            self.assertEqual(net.build().trained_count, count)
        for model in (dirac.models.nin, dirac.models.elu):
            net = dirac.Net(self.context)
            net.output(model(net, net.input((3, 32, 32)), 7))
            self.assertEqual(net.build().outputs[0].shape, (7,))

    def test_several_inputs_and_outputs(self):
        net = dirac.Net(self.context)
        a, b = net.input((2,)), net.input((2,))
        net.output(net.add(a, b))
        net.output(net.concat([a, b]))
        session = dirac.Session(net.build(), batch=2)
        x, y = np.float32([[1, 2], [3, 4]]), np.float32([[10, 20], [30, 40]])
        self.assertEqual(session.forward(x, y).tolist(), (x + y).tolist())
        self.assertEqual(session.outputs[1].tolist(), np.concatenate([x, y], axis=1).tolist())
        self.assertRaises(TypeError, session.forward, x)
        self.assertRaises(ValueError, session.forward, x, y[:1])
        self.assertRaises(IndexError, session.output, 2)

    def test_serving_a_new_net(self):
        session = dirac.Session(self.net, strict=True)
        first = session.forward(images(1)).copy()
        other = self.net.clone()
        other.initialize(99)
        session.set_net(other)
        second = session.forward(images(1)).copy()
        self.assertFalse((first == second).all())
        session.set_net(self.net)
        self.assertTrue((session.forward(images(1)) == first).all())
        self.assertEqual(session.kernels, self.context.kernels)
        self.assertGreater(session.multiply_adds, 0)
        lazy = dirac.Session(self.net, prepare=False)
        self.assertEqual(lazy.bytes, lazy.prepare().bytes)


class Data(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()

    def test_images(self):
        pixels = np.arange(2 * 3 * 2 * 4, dtype=np.uint8).reshape(2, 3, 2, 4)
        planar = dirac.Dataset.images(self.context, (3, 2, 4)).add(pixels, [4, 1])
        mixed = dirac.Dataset.images(self.context, (3, 2, 4))
        mixed.add(pixels.transpose(0, 2, 3, 1), [4, 1], interleaved=True)
        for dataset in (planar, mixed):
            self.assertEqual((len(dataset), dataset.classes, dataset.shape), (2, 5, (3, 2, 4)))
            self.assertEqual((dataset[1][0].tolist(), dataset[1][1]), (pixels[1].tolist(), 1))
        planar.set_class_name(4, "four")
        self.assertEqual((planar.class_name(4), planar.class_name(0)), ("four", None))
        self.assertRaises(TypeError, planar.add, pixels.astype(np.float32), [4, 1])
        self.assertRaises(dirac.ShapeError, planar.add, pixels[:, :2], [4, 1])
        self.assertRaises(dirac.ShapeError, planar.add, pixels, [4])
        self.assertRaises(IndexError, planar.__getitem__, 2)
        samples, labels = dirac.Batches(planar, size=2, mean=[1, 2, 3], deviation=[2, 2, 2]).next()
        expected = (pixels - np.float32([1, 2, 3])[:, None, None]) / 2
        np.testing.assert_allclose(samples, expected, rtol=1e-6)
        self.assertEqual((labels.tolist(), samples.flags.writeable), ([4, 1], False))

    def test_files_in_memory(self):
        records = b"".join(bytes([label]) + bytes([label] * 3072) for label in (3, 7))
        cifar = dirac.Dataset.load_cifar_bytes(self.context, records, 10)
        self.assertEqual((len(cifar), cifar.label(1), cifar.shape), (2, 7, (3, 32, 32)))
        head = b"\0\0\x08\x03" + b"\0\0\0\x01" + b"\0\0\0\x02" * 2
        idx = dirac.Dataset.load_idx_bytes(self.context, head + bytes([1, 2, 3, 4]), b"\0\0\x08\x01\0\0\0\x01\x05")
        self.assertEqual((idx[0][0].tolist(), idx.label(0)), ([[[1, 2], [3, 4]]], 5))
        with tempfile.TemporaryDirectory() as folder:
            for load in (dirac.Dataset.load_cifar10, dirac.Dataset.load_cifar100):
                self.assertRaises(dirac.FileError, load, self.context, folder)
            self.assertRaises(dirac.FileError, dirac.Dataset.load_idx, self.context, folder + "/a", folder + "/b")

    def test_streams(self):
        dataset = dirac.Dataset.floats(self.context, (1,)).add(np.arange(10)[:, None], np.zeros(10, int))

        def order(**options):
            return [[int(v) for v in samples[:, 0]] for samples, _ in dirac.Batches(dataset, size=4, **options)]

        self.assertEqual(order(), [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
        self.assertEqual(order(drop_last=True), [[0, 1, 2, 3], [4, 5, 6, 7]])
        self.assertEqual(order(shuffle=True, seed=5), order(shuffle=True, seed=5, prefetch=3))
        self.assertNotEqual(order(shuffle=True, seed=5), order(shuffle=True, seed=6))
        batches = dirac.Batches(dataset, size=4)
        batches.seek(2, 1)
        self.assertEqual((batches.position, batches.per_epoch), ((2, 1), 3))
        self.assertEqual(batches.next()[0][:, 0].tolist(), [4, 5, 6, 7])


class Threads(unittest.TestCase):
    def test_two_sessions_in_two_threads(self):
        context = dirac.Context()
        net = small_net(context)
        inputs = [images(16, seed) for seed in range(2)]
        expected = [dirac.Session(net, batch=16).forward(x).copy() for x in inputs]
        wrong = []

        def work(index):
            session = dirac.Session(net, batch=16)
            for _ in range(100):
                if not (session.forward(inputs[index]) == expected[index]).all():
                    wrong.append(index)
                    return

        threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_python_runs_during_a_call(self):
        context = dirac.Context()
        net = dirac.Net(context)
        net.output(dirac.models.diracnet_cifar(net, net.input((3, 32, 32)), 34, 2, 10))
        session = dirac.Session(net.build(), batch=64)
        x = images(64, shape=(3, 32, 32))
        inside, ticks = threading.Event(), 0
        done = threading.Event()

        def work():
            inside.set()
            session.forward(x)
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        inside.wait()
        while not done.is_set():
            time.sleep(0.001)
            ticks += 1
        thread.join()
        self.assertGreater(ticks, 3, "a forward of many milliseconds kept the interpreter's lock")

    def test_a_second_caller_is_told(self):
        context = dirac.Context()
        kinds, second = [], []

        def forward(layer):
            thread = threading.Thread(target=lambda: kinds.append(self.attempt(second[0])))
            thread.start()
            thread.join()
            layer.output[...] = layer.input()

        kind = dirac.LayerKind(context, "slow", setup=lambda layer: layer.set_output_shape(layer.input_shape()),
                               forward=forward)
        net = dirac.Net(context)
        net.output(net.custom(kind, [net.input((2,))]))
        session = dirac.Session(net.build())
        second.append(lambda: session.forward(np.ones((1, 2))))
        session.forward(np.ones((1, 2)))
        self.assertEqual(kinds, [dirac.BusyError])

    @staticmethod
    def attempt(call):
        try:
            call()
        except dirac.DiracError as refused:
            return type(refused)
        return None

    def test_closing_during_a_call(self):
        inside, closed = threading.Event(), threading.Event()
        allocator = CountingAllocator()
        context = dirac.Context(allocator=allocator)

        def forward(layer):
            inside.set()
            self.assertTrue(closed.wait(60))
            layer.output[...] = 2 * layer.input()

        kind = dirac.LayerKind(context, "waits", setup=lambda layer: layer.set_output_shape(layer.input_shape()),
                               forward=forward)
        net = dirac.Net(context)
        net.output(net.custom(kind, [net.input((2,))]))
        session = dirac.Session(net.build(), batch=3)
        x, results = images(3, shape=(2,)), []
        thread = threading.Thread(target=lambda session: results.append(session.forward(x)), args=(session,))
        thread.start()
        self.assertTrue(inside.wait(60))
        for handle in (session, net, kind, context):
            handle.close()
        del session, net, kind, context, handle, forward
        gc.collect()
        held = len(allocator.blocks)
        self.assertGreater(held, 10, "a call in progress keeps everything it works on")
        closed.set()
        thread.join()
        self.assertTrue((results.pop() == 2 * x).all(), "the call ends as if nobody had closed its session")
        del thread
        gc.collect()
        self.assertEqual(allocator.blocks, {}, "what was closed goes when the call is over")

    def test_closing_at_any_moment(self):
        allocator = CountingAllocator()
        context = dirac.Context(allocator=allocator)
        net, x = small_net(context), images(8)
        expected = dirac.Session(net, batch=8).forward(x).copy()
        gc.collect()
        before, ends = dict(allocator.blocks), []

        def work(session):
            try:
                while True:
                    if not (session.forward(x) == expected).all():
                        ends.append("wrong")
                        return
            except ValueError as refused:
                ends.append(str(refused))

        for turn in range(60):
            session = dirac.Session(net, batch=8)
            thread = threading.Thread(target=work, args=(session,))
            thread.start()
            time.sleep(0.0001 * (turn % 20))
            session.close()
            thread.join()
        self.assertEqual(ends, ["this Session is closed"] * 60)
        del session, thread
        gc.collect()
        self.assertEqual(allocator.blocks, before)


if __name__ == "__main__":
    unittest.main()
