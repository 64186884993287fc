"""Step Functions side by side: transitions, tasks, express executions, map runs, and a great many executions that wait."""
import datetime
import http.client
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config

from invokes import ROLE
from programs import ECHO, LOAD, package
from report import quantile
from subjects import ROOT, STARTERS, memory, process_tree

ACCOUNT = "000000000000"
AT_ONCE = 200
# Of peers less is measured, as they would take minutes.
ROUNDS = {"cirro": 500}  # of the loop, each three transitions
TASKS = {"cirro": 20}  # in a row, of each execution
ITEMS = {"cirro": 100_000}
FEW = 500  # items of a peer's map run
ORDERS = 200

LOOP = {"StartAt": "Count", "States": {
    "Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
    "Enough": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "Rest"}], "Default": "Done"},
    "Rest": {"Type": "Wait", "Seconds": 0, "Next": "Count"},
    "Done": {"Type": "Succeed"}}}
FIVE = {"StartAt": "S1", "States": {f"S{i}": {"Type": "Pass", **({"Next": f"S{i + 1}"} if i < 5 else {"End": True})} for i in range(1, 6)}}
SLEEP = {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "TimestampPath": "$.until", "End": True}}}


def headers(operation):
    return {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, "
                             "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + "0" * 64,
            "X-Amz-Date": "20260101T000000Z", "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AWSStepFunctions.{operation}", "Accept-Encoding": "identity"}


def seeds_workflow(function):
    """The order workflow of the kind that tutorials have: three steps, the last of two branches."""
    def task(**more):
        return {"Type": "Task", "Resource": function, **more}

    def branch(name):
        return {"StartAt": name, "States": {name: task(End=True)}}
    return {"StartAt": "ValidateOrder", "States": {
        "ValidateOrder": task(Next="ProcessPayment", Retry=[{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2.0}],
                              Catch=[{"ErrorEquals": ["States.ALL"], "Next": "OrderFailed", "ResultPath": "$.error"}]),
        "ProcessPayment": task(Next="FulfillOrder", Catch=[{"ErrorEquals": ["PaymentDeclined"], "Next": "OrderFailed"},
                                                           {"ErrorEquals": ["States.ALL"], "Next": "OrderFailed"}]),
        "FulfillOrder": {"Type": "Parallel", "Branches": [branch("Ship"), branch("Email")], "Next": "OrderComplete"},
        "OrderComplete": {"Type": "Succeed"},
        "OrderFailed": {"Type": "Fail", "Cause": "Order processing failed"}}}


class Workflows:
    """Step Functions of a running server."""

    def __init__(self, server):
        self.server, self.url = server, server.url
        keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test", "endpoint_url": server.url,
                "config": Config(retries={"max_attempts": 3}, read_timeout=120, inject_host_prefix=False)}
        self.sfn, self.functions, self.s3 = (boto3.client(s, **keys) for s in ("stepfunctions", "lambda", "s3"))
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(server.url).netloc)
        self.function = None

    def machine(self, name, definition, kind="STANDARD"):
        return self.sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE, type=kind)["stateMachineArn"]

    def echo(self):
        """The ARN of a function that answers with its event."""
        if not self.function:
            self.function = self.functions.create_function(
                FunctionName="echo", Runtime="python3.11", Handler="app.handler", Role=ROLE, Timeout=30, MemorySize=1769,
                Code={"ZipFile": package({"app.py": ECHO})})["FunctionArn"]
            self.functions.get_waiter("function_active_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
            self.functions.invoke(FunctionName="echo", Payload=b"{}")
        return self.function

    def ask(self, operation, body):
        self.connection.request("POST", "/", json.dumps(body), headers(operation))
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{operation}: {reply.status} {text[:200]!r}")
        return json.loads(text)

    def load(self, mode, clients, operation, body, *arguments):
        command = [LOAD, mode, "-url", self.url + "/", "-clients", str(clients), "-body", json.dumps(body), *arguments]
        for h in headers(operation).items():
            command += ["-header", ": ".join(h)]
        out = subprocess.run(command, capture_output=True, text=True)
        if out.returncode:
            raise RuntimeError(out.stderr.strip().splitlines()[-1])
        f = json.loads(out.stdout)
        if f["failed"]:
            raise RuntimeError(f"{f['failed']} of {f['requests']} failed")
        return f

    def begin(self, arn, clients, n, name, text):
        """Begins n executions, each with a name of its own."""
        self.load("fill", clients, "StartExecution", {"stateMachineArn": arn, "name": f"{name}-########", "input": text}, "-keys", str(n))

    def ended(self, arn, n, within=300):
        """Waits until n executions of a machine have succeeded."""
        until = time.monotonic() + within
        while len(self.listed(arn, "RUNNING", 1)) or len(self.listed(arn, "SUCCEEDED", n)) < n:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self.listed(arn, 'SUCCEEDED', n))} of {n} executions have succeeded after {within} s")
            time.sleep(0.05)

    def listed(self, arn, status, most):
        return self.ask("ListExecutions", {"stateMachineArn": arn, "statusFilter": status, "maxResults": min(most, 1000)})["executions"]

    def burn(self):
        """Seconds of processor that the server has had, without its functions."""
        fields = pathlib.Path(f"/proc/{self.server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def timed(self, f):
        """Seconds that f takes, and those of processor."""
        burnt, began = self.burn(), time.perf_counter()
        f()
        return time.perf_counter() - began, self.burn() - burnt


class Rows:
    """The rows of a subject, beside Cirro's."""

    def __init__(self, report, name, first):
        self.report, self.name, self.first = report, name, first

    def rate(self, measure, n, took, burnt, note=""):
        self.row(measure, n / took, "/s", "; ".join(filter(None, (f"{burnt / n * 1e6:.0f} us of processor each", note))))

    def row(self, measure, value, unit, note=""):
        if self.name == "cirro":
            self.first[measure] = value
        elif measure in self.first:
            ratio = self.first[measure] / value
            note = "; ".join(filter(None, (note, f"Cirro does {ratio:.2f}x" if unit == "/s" else f"Cirro takes {ratio:.2f}x")))
        self.report.row(self.name, measure, value, unit, note)


def transitions(rows, w):
    rounds = ROUNDS.get(rows.name, 40)
    loop = json.loads(json.dumps(LOOP))
    loop["States"]["Enough"]["Choices"][0]["NumericLessThan"] = rounds
    arn = w.machine("loop", loop)

    def go():
        w.begin(arn, AT_ONCE, AT_ONCE, "loop", '{"n":0}')
        w.ended(arn, AT_ONCE)
    took, burnt = w.timed(go)
    rows.rate(f"standard transitions, {AT_ONCE} executions at once", AT_ONCE * 3 * rounds, took, burnt, f"{3 * rounds} each: Pass, Choice and Wait of 0 s")


def tasks(rows, w):
    each = TASKS.get(rows.name, 2)
    states = {f"T{i}": {"Type": "Task", "Resource": w.echo(), **({"Next": f"T{i + 1}"} if i < each else {"End": True})} for i in range(1, each + 1)}
    arn = w.machine("tasks", {"StartAt": "T1", "States": states})

    def go(turn):
        w.begin(arn, AT_ONCE, AT_ONCE, f"tasks-{turn}", '{"id":"42"}')
        w.ended(arn, turn * AT_ONCE)
    go(1)  # until there are as many environments as are needed
    took, burnt = w.timed(lambda: go(2))
    rows.rate(f"Lambda task states, {AT_ONCE} executions at once", AT_ONCE * each, took, burnt, f"{each} each, one after the other, Python")


def orders(rows, w):
    arn = w.machine("orders", seeds_workflow(w.echo()))
    took = []
    for i in range(ORDERS + 20 if rows.name == "cirro" else 22):
        began = time.perf_counter()
        execution = w.ask("StartExecution", {"stateMachineArn": arn, "input": '{"order":{"id":"o-1","amount":12.5}}'})["executionArn"]
        while (status := w.ask("DescribeExecution", {"executionArn": execution})["status"]) == "RUNNING":
            time.sleep(0.001)
        if status != "SUCCEEDED":
            raise RuntimeError(f"an order {status}")
        if i >= 20:
            took.append((time.perf_counter() - began) * 1000)
    rows.row("the order workflow, start to end, warm, p50", quantile(took, 0.5), "ms", f"p99 {quantile(took, 0.99):.1f} ms; four Python functions, two of them at once")


def express(rows, w, yard, seconds):
    arn = w.machine("five", FIVE, "EXPRESS")
    for clients in (1, 16, 64):
        burnt = w.burn()
        f = w.load("run", clients, "StartSyncExecution", {"stateMachineArn": arn, "input": '{"n":1,"text":"hello"}'}, "-for", f"{seconds}s")
        rows.row(f"express executions of five Pass states, {clients} client{'s' if clients > 1 else ''}", f["per_second"], "/s",
                 f"{f['per_second'] / yard[clients]['per_second']:.3f}x bare net/http; p50 {f['p50_ms']:.2f} ms, p99 {f['p99_ms']:.2f} ms; "
                 f"about {(w.burn() - burnt) / (f['requests'] * (seconds + 1) / seconds) * 1e6:.0f} us of processor each")


def within(report):
    """The engine without a platform around it, by its Go benchmark."""
    out = subprocess.run(["go", "test", "-run", "^$", "-bench", "BenchmarkExpress$", "-count", "3", "./internal/service/states/engine"],
                         cwd=ROOT, capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(out.stdout + out.stderr)
    figures = [float(f) for f in re.findall(r"([\d.]+) transitions/s", out.stdout)]
    report.row("cirro", "express transitions within the engine", statistics.median(figures), "/s", "BenchmarkExpress, all processors")


def map_runs(rows, w):
    n = ITEMS.get(rows.name, FEW)
    w.s3.create_bucket(Bucket="items")
    w.s3.put_object(Bucket="items", Key="items.jsonl", Body="\n".join(json.dumps({"n": i, "text": "x" * 50}) for i in range(n)))
    for kind in ("EXPRESS", "STANDARD"):
        rows.report.attempt(rows.name, f"distributed Map, {kind.lower()}", lambda: map_run(rows, w, kind, n))


def map_run(rows, w, kind, n):
    arn = w.machine(f"map-{kind}", {"StartAt": "M", "States": {"M": {
        "Type": "Map", "End": True, "MaxConcurrency": 200,
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "items", "Key": "items.jsonl"}, "ReaderConfig": {"InputType": "JSONL"}},
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "items", "Prefix": kind}},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, "StartAt": "A",
                          "States": {"A": {"Type": "Task", "Resource": w.echo(), "End": True}}}}}})
    used = []

    def go():
        execution = w.ask("StartExecution", {"stateMachineArn": arn})["executionArn"]
        until = time.monotonic() + 300
        while (end := w.ask("DescribeExecution", {"executionArn": execution}))["status"] == "RUNNING":
            used.append(memory([w.server.process.pid]))
            if time.monotonic() > until:
                raise TimeoutError("300 s were not enough")
            time.sleep(0.2)
        if end["status"] != "SUCCEEDED":
            raise RuntimeError(f"{end['status']}: {end.get('error')} {end.get('cause')}")
    took, burnt = w.timed(go)
    half = len(used) // 2
    rows.rate(f"distributed Map, {kind.lower()} children, items of a file", n, took, burnt, f"{n:,} items, each to a Python function; resident memory at most "
              f"{max(used[:half], default=0):.0f} MB in the first half, {max(used[half:], default=0):.0f} MB in the second")


def stamp(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def waiting(report, begin, n):
    """What so many executions that wait cost, whether their times are kept, and how soon they are there after a crash."""
    server = begin()
    w = Workflows(server)
    arn, due = w.machine("sleep", SLEEP), w.machine("due", SLEEP)
    far = json.dumps({"until": stamp(time.time() + 100_000)})
    late(report, w, due, "no other waits")
    before = memory(process_tree(server.process.pid), "Pss")
    took, burnt = w.timed(lambda: w.begin(arn, 64, n, "sleep", far))
    report.row("cirro", f"{n:,} executions begun that wait", n / took, "/s", f"64 clients; {burnt / n * 1e6:.0f} us of processor each")
    time.sleep(5)
    report.row("cirro", f"memory with {n:,} executions that wait", memory(process_tree(server.process.pid), "Pss"), "MB", f"{before:.0f} MB before")
    asked(report, w, arn, n)
    late(report, w, due, f"{n:,} wait")
    soon = w.ask("StartExecution", {"stateMachineArn": due, "input": json.dumps({"until": stamp(time.time() + 1)})})["executionArn"]
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    time.sleep(1)
    began = time.perf_counter()
    server = begin()
    w = Workflows(server)
    answered = time.perf_counter() - began
    while w.ask("DescribeExecution", {"executionArn": soon})["status"] == "RUNNING":
        time.sleep(0.005)
    report.row("cirro", f"SIGKILL, restart with {n:,} that wait", time.perf_counter() - began, "s",
               f"to the end of one that was due meanwhile; the first answer after {answered:.2f} s")
    report.row("cirro", f"memory with {n:,} that wait, after the restart", memory(process_tree(server.process.pid), "Pss"), "MB")
    late(report, w, due, f"{n:,} wait, after the restart")


def asked(report, w, arn, n):
    one = w.listed(arn, "RUNNING", 1)[0]["executionArn"]
    for what, f in (("ListExecutions of 100", lambda: w.listed(arn, "RUNNING", 100)), ("DescribeExecution", lambda: w.ask("DescribeExecution", {"executionArn": one}))):
        took = []
        for _ in range(200):
            began = time.perf_counter()
            f()
            took.append((time.perf_counter() - began) * 1000)
        report.row("cirro", f"{what}, {n:,} wait, p50", quantile(took, 0.5), "ms", f"p99 {quantile(took, 0.99):.2f} ms")


def late(report, w, arn, beside, n=2000, over=10):
    """How late waits end: of n executions whose times come evenly within some seconds, what their histories say."""
    start, executions = time.time() + 5, []
    for i in range(n):
        at = stamp(start + i * over / n)
        executions.append((w.ask("StartExecution", {"stateMachineArn": arn, "input": json.dumps({"until": at})})["executionArn"], at))
    time.sleep(max(0, start + over + 1 - time.time()))
    ms = []
    for execution, at in executions:
        until = datetime.datetime.fromisoformat(at).timestamp()
        events = w.ask("GetExecutionHistory", {"executionArn": execution})["events"]
        ms.append(1000 * (next(e["timestamp"] for e in events if e["type"] == "WaitStateExited") - until))
    report.row("cirro", f"a wait's end is late, p99, {beside}", quantile(ms, 0.99), "ms", f"p50 {quantile(ms, 0.5):.1f} ms, the latest {max(ms):.1f} ms; {n / over:.0f} a second end")


def start(name, data):
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
    server = STARTERS[name](data)
    if name == "moto":  # which else only pretends to run machines
        urllib.request.urlopen(urllib.request.Request(server.url + "/moto-api/config", json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode(),
                                                      {"Content-Type": "application/json"}, method="POST")).read()
    return server


def measure(report, name, w, yard, seconds, first):
    rows = Rows(report, name, first)
    for what, f in (("transitions", lambda: transitions(rows, w)), ("express", lambda: express(rows, w, yard, seconds)), ("tasks", lambda: tasks(rows, w)),
                    ("orders", lambda: orders(rows, w)), ("distributed Map", lambda: map_runs(rows, w))):
        report.attempt(name, what, f)


def suite(report, names, yard, seconds, sleepers):
    first = {}
    for name in names:
        def run():
            with tempfile.TemporaryDirectory(prefix="bench-") as directory:
                server = start(name, pathlib.Path(directory))
                try:
                    measure(report, name, Workflows(server), yard, seconds, first)
                finally:
                    server.stop()
        report.attempt(name, "workflows", run)
        if name == "cirro":
            report.attempt(name, "engine", lambda: within(report))
            report.attempt(name, "waiting", lambda: sleep(report, sleepers))


def sleep(report, n):
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        started = []

        def begin():
            started.append(start("cirro", pathlib.Path(directory)))
            return started[-1]
        try:
            waiting(report, begin, n)
        finally:
            for server in started:
                server.stop()
