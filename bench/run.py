"""Measures Cirro side by side with its peers, in one run on one machine, and prints a table.

    make bench                    everything
    bench/run.py --seconds 2      shorter runs
    bench/run.py --only cirro     no peers

bench/README.md says what each row means. Peers that the package registries serve are installed into .cache/bench.
"""
import argparse
import os

import buses
import emulator
import events
import invokes
import objects
import programs
import queues
import tables
import triggers
import topics
import workflows
from report import Report
from subjects import BINARY, STARTERS, starts

PARTS = ("invokes", "tables", "queues", "topics", "events", "buses", "objects", "workflows")


def functions(report, a, yard):
    own = programs.own_starts()
    report.row("cirro", "binary", BINARY.stat().st_size / 1e6, "MB")
    for name in [a.only] if a.only else STARTERS:
        report.attempt(name, "start-up", lambda: starts(report, name))
    for name in [a.only] if a.only else ("cirro", "ministack"):
        colds = a.colds if name == "cirro" else max(3, a.colds // 10)
        report.attempt(name, "invokes", lambda: invokes.suite(report, name, yard, own, a.seconds, colds))
    if not a.only:
        report.attempt("AWS's emulator", "invokes", lambda: emulator.measure(report, yard, own, a.seconds, max(3, a.colds // 10)))
        report.row("moto", "invokes", "none", note="its Lambda needs a Docker engine")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=4, help="length of each load")
    p.add_argument("--colds", type=int, default=50, help="cold starts measured a function; a tenth of it of peers")
    p.add_argument("--items", type=int, default=200_000, help="size that a table grows to; 10000000 takes some minutes")
    p.add_argument("--only", choices=sorted(STARTERS | tables.STARTERS | queues.STARTERS | topics.STARTERS | objects.STARTERS), help="one subject alone")
    p.add_argument("--messages", type=int, default=1_000_000, help="backlog of Cirro's queue; 10000000 takes some minutes")
    p.add_argument("--objects", type=int, default=1_000_000, help="keys that Cirro's bucket grows to before a page is listed")
    p.add_argument("--waiting", type=int, default=20_000, help="executions that wait at once; 1000000 takes some minutes")
    p.add_argument("--part", choices=PARTS, help="one part alone")
    a = p.parse_args()
    programs.build()
    report = Report()
    report.row("machine", "load average before", os.getloadavg()[0], "", f"{os.cpu_count()} processors; the load generator runs on them too")
    yard = invokes.yardstick(a.seconds)
    for n, f in yard.items():
        report.row("bare net/http", f"echo, {n} clients", f["per_second"], "/s", f"p50 {f['p50_ms']:.3f} ms, p99 {f['p99_ms']:.3f} ms")
    parts = [a.part] if a.part else PARTS
    if "invokes" in parts:
        functions(report, a, yard)
    if "tables" in parts:
        if a.only in (None, "cirro"):
            report.attempt("cirro", "growth", lambda: tables.growth(report, yard, a.seconds, [10_000, a.items]))
        tables.suite(report, [a.only] if a.only else tables.STARTERS, yard, a.seconds)
    if "queues" in parts:
        if a.only in (None, "cirro"):
            report.attempt("cirro", "triggers", lambda: triggers.measure(report))
        queues.suite(report, [a.only] if a.only else queues.STARTERS, yard, a.seconds, a.messages)
    if "topics" in parts:
        topics.suite(report, [a.only] if a.only else topics.STARTERS, a.seconds)
    if "events" in parts and a.only in (None, "cirro"):
        report.attempt("cirro", "events", lambda: events.suite(report))
    if "buses" in parts and a.only in (None, "cirro"):
        buses.suite(report, a.seconds)
    if "objects" in parts:
        objects.suite(report, [a.only] if a.only else objects.STARTERS, a.seconds, a.objects)
    if "workflows" in parts:
        workflows.suite(report, [a.only] if a.only else workflows.STARTERS, yard, a.seconds, a.waiting)
    report.row("machine", "load average after", os.getloadavg()[0])
    print("\n" + report.markdown())


if __name__ == "__main__":
    main()
