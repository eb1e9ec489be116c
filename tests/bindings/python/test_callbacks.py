# SPDX-License-Identifier: MIT
"""Callbacks: what they are told, how they stop a call, and where their exceptions come out."""
import concurrent.futures
import os
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

import dirac
from support import CountingAllocator, images, small_net


class Mine(Exception):
    pass


def raiser(*arguments):
    raise Mine(arguments)


class Progress(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()
        self.net = small_net(self.context)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "model")

    def test_files(self):
        seen = []
        self.context.set_progress(lambda done, total: seen.append((done, total)))
        self.net.save(self.path)
        self.assertEqual(seen[-1], (os.path.getsize(self.path),) * 2)
        self.context.set_progress(lambda done, total: True)
        self.assertRaises(dirac.CancelledError, dirac.Net.load, self.context, self.path)
        self.context.set_progress(raiser)
        self.assertRaises(Mine, self.net.save, self.path + "2")
        self.assertFalse(os.path.exists(self.path + "2"))
        self.context.set_progress(None)
        self.assertEqual(dirac.Net.load(self.context, self.path).to_bytes(), self.net.to_bytes())

    def test_epochs(self):
        dataset = dirac.Dataset.floats(self.context, (2, 6, 6)).add(images(12), np.arange(12) % 3)
        batches = dirac.Batches(dataset, size=4)
        session, sgd = dirac.Session(self.net, training=True, batch=4), dirac.SGD(self.net)
        seen = []
        loss, accuracy = sgd.epoch(session, batches, lambda done, total: seen.append((done, total)))
        self.assertEqual(seen, [(1, 3), (2, 3), (3, 3)])
        self.assertTrue(0 < loss < 20 and 0 <= accuracy <= 1)
        with self.assertRaises(dirac.CancelledError) as stopped:
            sgd.epoch(session, batches, lambda done, total: done == 2)
        self.assertTrue(0 < stopped.exception.loss < 20 and 0 <= stopped.exception.accuracy <= 1)
        self.assertEqual((sgd.steps, batches.position), (5, (1, 2)))
        self.assertRaises(Mine, sgd.epoch, session, batches, raiser)
        self.assertEqual(sgd.steps, 6, "the batch at hand is complete")
        loss, accuracy = dirac.Session(self.net, batch=4).evaluate(dirac.Batches(dataset, size=4))
        self.assertTrue(0 < loss < 20 and 0 <= accuracy <= 1)

    def test_an_exception_is_not_seen_twice(self):
        self.context.set_progress(raiser)
        self.assertRaises(Mine, self.net.save, self.path)
        self.assertRaises(dirac.NotFoundError, self.net.set_trainable, "nothing")
        small_net(dirac.Context())


class Others(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()

    def test_log(self):
        seen = []
        context = dirac.Context(log=lambda level, message: seen.append((level, message)))
        dirac.Session(small_net(context), batch=3)
        self.assertEqual(seen[0][0], dirac.LOG_INFO)
        self.assertIn("batch 3", seen[0][1])
        unraisable, hook = [], sys.unraisablehook
        sys.unraisablehook = unraisable.append
        try:
            context.set_log(raiser)
            dirac.Session(small_net(context), batch=3)
        finally:
            sys.unraisablehook = hook
        self.assertIs(unraisable[0].exc_type, Mine)

    def test_compare(self):
        net, seen = small_net(self.context), []
        worst = net.compare(net.fold(), images(2), lambda *row: seen.append(row))
        self.assertEqual([row[0] for row in seen if row[0] in ("stem", "dirac", "fc")], ["stem", "dirac", "fc"])
        self.assertLess(worst, 1e-4)
        self.assertRaises(Mine, net.compare, net.fold(), images(2), raiser)

    def test_samples(self):
        for prefetch in (0, 2):
            threads = set()

            def sample(index):
                threads.add(threading.get_ident())
                if index == 5:
                    raise Mine(index)
                return np.full((1, 2, 2), index), index % 3

            dataset = dirac.Dataset.callback(self.context, (1, 2, 2), 8, sample)
            batches = dirac.Batches(dataset, size=4, prefetch=prefetch)
            values, labels = batches.next()
            self.assertEqual(values[:, 0, 0, 0].tolist(), [0, 1, 2, 3])
            self.assertEqual(labels.tolist(), [0, 1, 2, 0])
            with self.assertRaises(Mine) as raised:
                batches.next()
            self.assertIsInstance(raised.exception.__cause__, dirac.CallbackError)
            self.assertEqual(threading.get_ident() in threads, prefetch == 0)
            self.assertEqual(dataset[7][0].tolist(), np.full((1, 2, 2), 7).tolist())
            self.assertRaises(Mine, dataset.__getitem__, 5)

    def waits(self, condition):
        """Until another thread has come so far."""
        for _ in range(10000):
            if condition():
                return
            time.sleep(0.001)
        self.fail("it never came so far")

    def test_each_stream_gets_the_failure_of_its_own_sample(self):
        def sample(index):
            if index in (2, 6):
                raise Mine(index)
            return np.zeros(2), 0

        dataset = dirac.Dataset.callback(self.context, (2,), 8, sample)
        failures = dataset._c.parents[1].failures
        first, second = (dirac.Batches(dataset, size=2, prefetch=1) for _ in range(2))
        second.seek(0, 2)
        for stream, count in ((first, 1), (second, 2)):
            stream.next()  # and the thread goes on to the batch that fails
            self.waits(lambda count=count: len(failures) == count)
        for stream, index in ((first, 2), (second, 6)):
            with self.assertRaises(Mine) as raised:
                stream.next()
            self.assertEqual(raised.exception.args, (index,))

    def test_a_failure_that_nobody_came_to_is_not_raised_later(self):
        failing = {2}
        dataset = dirac.Dataset.callback(self.context, (2,), 8, lambda index: raiser(index) if index in failing else
                                         (np.zeros(2), -1 if index == 6 else 0))
        failures = dataset._c.parents[1].failures
        stream = dirac.Batches(dataset, size=2, prefetch=1)
        stream.next()
        self.waits(lambda: len(failures) == 1)
        stream.seek(0, 3)
        self.assertRaisesRegex(dirac.CallbackError, "label -1 for sample 6", stream.next)
        failing.clear()
        stream.seek(0, 1)
        self.assertEqual(stream.next()[1].tolist(), [0, 0])
        self.assertEqual(failures, {}, "it is forgotten when the sample is there after all")

    def test_a_data_set_of_many_failures_keeps_few_of_them(self):
        dataset = dirac.Dataset.callback(self.context, (2,), 1000, raiser)
        entry = dataset._c.parents[1]
        for index in range(1000):
            dirac._callbacks.sample(entry.number, index, None, None)
        self.assertEqual(len(entry.failures), 64)
        self.assertRaises(Mine, dataset.__getitem__, 999)

    def test_a_sample_of_the_wrong_shape(self):
        dataset = dirac.Dataset.callback(self.context, (1, 2, 2), 8, lambda index: (np.zeros((1, 2, 3)), 0))
        self.assertRaises(dirac.ShapeError, dirac.Batches(dataset).next)

    def test_runner(self):
        reference = dirac.Session(small_net(self.context), batch=8).forward(images(8)).copy()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = []

            def run(task, count):
                jobs.append(count)
                list(pool.map(task, range(count)))

            context = dirac.Context()
            context.set_runner(run, 3)
            self.assertEqual(context.threads, 3)
            session = dirac.Session(small_net(context), batch=8)
            self.assertTrue((session.forward(images(8)) == reference).all())
            self.assertGreater(len(jobs), 0)

            def half(task, count):
                task(0)
                raise Mine

            context = dirac.Context()
            context.set_runner(half, 3)
            session = dirac.Session(small_net(context), batch=8)
            self.assertRaises(Mine, session.forward, images(8))
            self.assertTrue((session.output() == reference).all(), "the other tasks ran all the same")

    def test_an_allocator_that_raises_in_building(self):
        """Functions that return a node have no status to fail with."""
        allocator = CountingAllocator()
        context = dirac.Context(allocator=allocator)
        for failing in range(40):
            net, left, allocate = dirac.Net(context), [failing], allocator.allocate

            def allocate_some(size, alignment):
                left[0] -= 1
                return raiser() if left[0] == -1 else allocate(size, alignment)

            allocator.allocate = allocate_some
            try:
                x = net.input((2, 6, 6))
                for _ in range(20):
                    x = net.relu(x)
                break
            except Mine:
                pass
            finally:
                del allocator.allocate
            self.assertRaises(dirac.NotFoundError, small_net(context).set_trainable, "nothing")
        self.assertGreater(failing, 5)

    def test_a_finalizer_gives_back_memory_while_blocks_are_counted(self):
        adapter = dirac.context._Adapter(CountingAllocator())

        def work():
            with adapter.lock:
                adapter.count(1)
                adapter.count(-1, closed=True)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(10)
        self.assertFalse(thread.is_alive())
        self.assertNotIn(adapter.number, adapter.all)

    def test_what_a_runners_thread_raises_comes_out_here(self):
        """An allocation that fails in a task runs on a thread of the caller's pool."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            task = dirac._api.dirac_task_fn(lambda data, index: dirac._callbacks.keep(Mine(index)) if index == 1 else None)
            entry = dirac._callbacks.Entry(lambda task, count: list(pool.map(task, range(count))))
            self.assertEqual(dirac._callbacks.runner(entry.number, task, None, 3), 0)
            self.assertEqual(dirac._callbacks.take().args, (1,))
            pool.submit(small_net, self.context).result()

    def test_a_runner_that_leaves_a_task_running(self):
        started, done = threading.Event(), []

        @dirac._api.dirac_task_fn
        def task(data, index):
            started.set()
            time.sleep(0.05 if index == 1 else 0)
            done.append(index)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            def run(task, count):
                pool.submit(task, 1)
                started.wait()
                raise Mine

            entry = dirac._callbacks.Entry(run)
            self.assertEqual(dirac._callbacks.runner(entry.number, task, None, 3), 0)
            self.assertEqual(sorted(done), [0, 1, 2], "all have run, and none twice, when it returns")
            self.assertIs(type(dirac._callbacks.take()), Mine)

    def test_a_finalizer_leaves_what_another_call_will_raise(self):
        nets = [small_net(self.context)]
        task = dirac._api.dirac_task_fn(lambda data, index: nets.clear() if index == 1 else None)

        def run(task, count):
            task(0)
            raise Mine

        entry = dirac._callbacks.Entry(run)
        self.assertEqual(dirac._callbacks.runner(entry.number, task, None, 2), 0)
        self.assertEqual(nets, [])
        self.assertIs(type(dirac._callbacks.take()), Mine)

    def test_each_thread_has_its_own(self):
        net, wrong = small_net(self.context), []

        def work(number):
            for turn in range(200):
                name = f"nothing{number}.{turn}"
                try:
                    net.tensors.read(name, np.zeros((1,), np.float32))
                except dirac.NotFoundError as raised:
                    if name not in str(raised):
                        wrong.append((name, str(raised)))
                try:
                    net.compare(net, images(1), lambda *row: raiser(name))
                except Mine as raised:
                    if raised.args != ((name,),):
                        wrong.append((name, raised.args))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_an_allocator_that_raises(self):
        allocator = CountingAllocator()
        context = dirac.Context(allocator=allocator)
        allocator.allocate = raiser
        self.assertRaises(Mine, dirac.Net, context)
        allocator.allocate = lambda size, alignment: 0
        self.assertRaises(dirac.OutOfMemoryError, dirac.Net, context)
        del allocator.allocate
        small_net(context)


if __name__ == "__main__":
    unittest.main()
