# SPDX-License-Identifier: MIT
"""Long runs of the fuzzers, which add up: CPU time, executions and inputs of all runs are kept in one folder.

    python3 tests/fuzz/long.py FUZZERS CORPUS KEEP CPU_SECONDS [TARGET ...]

Each target runs, two at a time, until it has had CPU_SECONDS of CPU time in all runs together (user and system, of the
process); KEEP/TARGET holds the inputs, KEEP/runs one record a run, which is written as the run goes, so that one which is
cut off counts too. Prints a table of all runs at the end; with CPU_SECONDS 0 that alone.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

INTERRUPTED = 72  # what libFuzzer ends with when it is asked to end
LOOK = 5  # seconds from look to look


def read_runs(keep, target):
    return [json.loads(path.read_text()) for path in sorted((keep / "runs").glob(target + "-*.json"))]


def cpu_so_far(pid):
    """User and system time of a process, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_log(log):
    """Executions and edges by libFuzzer's last lines."""
    text = log.read_text(errors="replace")
    ran, edges = re.findall(r"^#(\d+)\s", text, re.M), re.findall(r"\bcov: (\d+)", text)
    final = re.findall(r"^stat::number_of_executed_units: *(\d+)", text, re.M)
    return int((final or ran or [0])[-1]), int((edges or [0])[-1])


def write_record(path, log, cpu, began):
    executions, edges = read_log(log)
    record = {"cpu": round(cpu, 1), "wall": round(time.time() - began), "executions": executions, "edges": edges}
    path.with_suffix(".new").write_text(json.dumps(record) + "\n")
    path.with_suffix(".new").replace(path)


def watch(process, budget, record, log):
    """Asks the process to end when its time is up. Returns how it ended."""
    began, asked = time.time(), False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid != 0:
            write_record(record, log, usage.ru_utime + usage.ru_stime, began)
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode
        cpu = cpu_so_far(process.pid)
        write_record(record, log, cpu, began)
        if cpu >= budget and not asked:
            process.send_signal(signal.SIGINT)
            asked = True
        time.sleep(LOOK)


def run(fuzzers, corpus, keep, target, seconds):
    runs = read_runs(keep, target)
    budget = seconds - sum(r["cpu"] for r in runs)
    if budget <= 0:
        return True
    (keep / target).mkdir(parents=True, exist_ok=True)
    (keep / "runs").mkdir(exist_ok=True)
    record = keep / "runs" / f"{target}-{len(runs) + 1:04}.json"
    log = record.with_suffix(".log")
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with log.open("w") as out, tempfile.TemporaryDirectory(dir=shared) as place:
        process = subprocess.Popen(
            [str(fuzzers / ("fuzz_" + target)), "-timeout=300", "-max_len=4096", "-print_final_stats=1",
             f"-dict={corpus.parent / 'words.dict'}", f"-artifact_prefix={keep}/{target}.", str(keep / target),
             str(corpus / target)], stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": place})
        code = watch(process, budget, record, log)
    if code not in (0, INTERRUPTED):
        print(f"{target} ended with {code}:\n" + log.read_text(errors="replace")[-4000:], flush=True)
    return code in (0, INTERRUPTED)


def print_table(keep, targets):
    print("| target | executions | CPU seconds | edges | inputs kept |\n|---|---|---|---|---|")
    for target in targets:
        runs = read_runs(keep, target)
        if runs:
            print(f"| `{target}` | {sum(r['executions'] for r in runs):,} | {sum(r['cpu'] for r in runs):,.0f} "
                  f"| {max(r['edges'] for r in runs):,} | {len(list((keep / target).iterdir())):,} |")


def main():
    fuzzers, corpus, keep = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
    seconds, targets = float(sys.argv[4]), sys.argv[5:] or sorted(p.name for p in corpus.iterdir())
    with ThreadPoolExecutor(2) as pool:
        fine = list(pool.map(lambda target: run(fuzzers, corpus, keep, target, seconds), targets))
    print_table(keep, targets)
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
