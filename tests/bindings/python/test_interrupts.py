# SPDX-License-Identifier: MIT
"""Control-C and other signals during calls: the call stops soon, the exception comes out, everything goes on afterwards."""
import concurrent.futures
import gc
import os
import random
import signal
import sys
import tempfile
import threading
import unittest

import numpy as np

import dirac
from support import CountingAllocator, images, small_net


class Timeout(Exception):
    pass


def press():
    signal.raise_signal(signal.SIGINT)


class Interrupts(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()
        self.lost, hook = [], sys.unraisablehook
        sys.unraisablehook = self.lost.append
        self.addCleanup(setattr, sys, "unraisablehook", hook)
        gc.collect()  # what Python itself raises in a finalizer is lost
        gc.disable()
        self.addCleanup(gc.enable)
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))

    def tearDown(self):
        self.assertEqual(self.lost, [], "an exception was lost in a callback")
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def interrupted(self, call, *arguments):
        """KeyboardInterrupt once: nothing of it is left for the next call."""
        with self.assertRaises(KeyboardInterrupt):
            call(*arguments)
        small_net(self.context)

    def training(self, count=4000, size=4, **options):
        net = small_net(self.context)
        dataset = dirac.Dataset.floats(self.context, (2, 6, 6)).add(images(count), np.arange(count) % 3)
        return (net, dirac.Session(net, training=True, batch=size), dirac.SGD(net, momentum=0.9),
                dirac.Batches(dataset, size=size, **options))

    def pressed_after(self, seconds, call, *arguments):
        """call(*arguments), into which another thread presses Control-C. False if the call was faster."""
        ready, over = threading.Event(), threading.Event()

        def press_later():
            ready.wait()
            if not over.wait(seconds):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        thread = threading.Thread(target=press_later)
        thread.start()
        try:
            try:
                ready.set()
                call(*arguments)
            finally:
                over.set()
                thread.join()
            return False
        except KeyboardInterrupt:
            return True

    def test_an_epoch_at_any_moment(self):
        for prefetch in (0, 2):
            whole = self.training(prefetch=prefetch)
            whole[2].epoch(whole[1], whole[3])
            net, session, sgd, batches = self.training(prefetch=prefetch)
            chance, stops = random.Random(1), []
            while sgd.steps < 1000 and len(stops) < 40:
                if not self.pressed_after(chance.uniform(0.0005, 0.005), sgd.epoch, session, batches):
                    break
                stops.append(sgd.steps)
                epochs, done = batches.position
                self.assertEqual(epochs * 1000 + done, sgd.steps, "the batch at hand is complete")
            self.assertGreater(len(stops), 3)
            self.assertLess(stops[0], 900, "it stopped at the end of the epoch only")
            if sgd.steps < 1000:
                sgd.epoch(session, batches)
            self.assertEqual((sgd.steps, net.to_bytes()), (1000, whole[0].to_bytes()), "as if nobody had pressed")

    def test_evaluating(self):
        net, _, _, batches = self.training(40000)
        self.assertTrue(self.pressed_after(0.002, dirac.Session(net, batch=4).evaluate, batches))
        self.assertLess(batches.position[1], 9000)

    def test_in_callers_functions(self):
        net, session, sgd, batches = self.training(40)
        self.interrupted(sgd.epoch, session, batches, lambda done, total: press())
        self.assertEqual((sgd.steps, batches.position), (1, (0, 1)))
        self.interrupted(net.compare, net.fold(), images(2), lambda *row: press())
        pressed = []

        def sample(index):
            if index == 5 and not pressed:
                pressed.append(index)
                press()
            return np.full(2, index), 0

        stream = dirac.Batches(dirac.Dataset.callback(self.context, (2,), 8, sample), size=4)
        stream.next()
        self.interrupted(stream.next)
        self.assertEqual(stream.next()[0][:, 0].tolist(), [4, 5, 6, 7], "the batch is made anew")

    def layered(self, forward):
        kind = dirac.LayerKind(self.context, f"kind{id(forward)}", forward=forward,
                               setup=lambda layer: layer.set_output_shape(layer.input_shape()))
        net = dirac.Net(self.context)
        x = net.input((2,))
        for _ in range(20):
            x = net.custom(kind, [x])
        net.output(x)
        return dirac.Session(net.build())

    def test_custom_layers_at_any_moment(self):
        x, chance = np.float32([[1, 2]]), random.Random(2)
        session = self.layered(lambda layer: np.add(layer.input(), 1, out=layer.output))

        def forever():
            while True:
                self.assertEqual(session.forward(x).tolist(), [[21, 22]])

        for _ in range(40):
            self.assertTrue(self.pressed_after(chance.uniform(0.001, 0.003), forever))
            self.assertEqual(session.forward(x).tolist(), [[21, 22]])

    def test_pressed_while_the_library_works(self):
        """A signal that is there when a callback is entered, before its first line."""
        allocator = CountingAllocator()
        context = dirac.Context(allocator=allocator)
        net = small_net(context)
        allocate = allocator.allocate
        with tempfile.TemporaryDirectory() as folder:
            path, content = os.path.join(folder, "model"), net.to_bytes()
            for call, arguments in ((net.save, (path,)), (dirac.Net.load, (context, content)), (net.to_bytes, ())):
                before = dict(allocator.blocks)

                def allocate_once(size, alignment):
                    del allocator.allocate
                    press()
                    return allocate(size, alignment)

                allocator.allocate = allocate_once
                self.interrupted(call, *arguments)
                self.assertEqual(allocator.blocks, before, call)
            self.assertEqual(os.listdir(folder), [], "the file was not written to its end")
            net.save(path)
            self.assertEqual(dirac.Net.load(context, path).to_bytes(), content)

    def test_handlers_of_others(self):
        net, session, sgd, batches = self.training()
        seen = []
        signal.signal(signal.SIGINT, lambda number, frame: seen.append((number, sgd.steps)))
        self.assertFalse(self.pressed_after(0.005, sgd.epoch, session, batches))
        self.assertEqual((len(seen), seen[0][0], sgd.steps), (1, signal.SIGINT, 1000), "it did not want to stop")
        self.assertLess(seen[0][1], 1000, "it ran during the call")

        def alarm(number, frame):
            raise Timeout

        before = signal.signal(signal.SIGALRM, alarm)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            self.assertRaises(Timeout, sgd.epoch, session, batches)
            self.assertLess(sgd.steps, 2000)
            self.assertIs(signal.getsignal(signal.SIGALRM), alarm)
            mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
            sgd.epoch(session, batches, lambda done, total: press())
            self.assertIs(signal.signal(signal.SIGINT, mine), signal.SIG_IGN)
            dataset = dirac.Dataset.floats(self.context, (2, 6, 6)).add(images(8), np.arange(8) % 3)
            sgd.epoch(session, dirac.Batches(dataset, size=4), lambda done, total: signal.signal(signal.SIGALRM, mine) and 0)
            self.assertIs(signal.getsignal(signal.SIGALRM), mine, "a callback may set another")
            signal.signal(signal.SIGINT, signal.default_int_handler)
        finally:
            signal.signal(signal.SIGALRM, before)

    def test_a_runner_that_leaves_tasks_running(self):
        reference = dirac.Session(small_net(self.context), batch=8).forward(images(8)).copy()
        context, chance = dirac.Context(), random.Random(3)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            def run(task, count):
                futures = [pool.submit(self.slow, task, index) for index in range(count)]
                if chance.random() < 0.5:
                    press()
                raise Timeout(futures)

            context.set_runner(run, 3)
            session = dirac.Session(small_net(context), batch=8)
            for _ in range(20):
                self.assertRaises((KeyboardInterrupt, Timeout), session.forward, images(8))
                self.assertTrue((session.output() == reference).all(), "every task ran, and once")

    @staticmethod
    def slow(task, index):
        try:
            task(index)
        except KeyError:
            pass  # it ran already


if __name__ == "__main__":
    unittest.main()
