"""Executions survive what a platform may die of: SIGKILL at any time, again and again."""
import collections
import concurrent.futures
import json
import os
import random
import signal
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from cirro import Cirro, lasting_port
from conftest import ROLE, RUNTIME, eventually, make_client, package

LONG = bool(os.environ.get("CIRRO_LONG"))
ROUNDS = int(os.environ.get("CIRRO_ROUNDS", "100")) if LONG else 4
EXECUTIONS = 10 * ROUNDS if LONG else 60

SOURCE = """
def handler(event, context):
    if event.get("bad"): raise ValueError("always")
    if event.get("redriven") == 0: raise KeyError("before a redrive")
    if event["n"] % 3 == 0 and event["retries"] == 0: raise RuntimeError("once")
    return event["n"] * 2
"""
PASSING = ["Lambda.ServiceException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException", "Lambda.AWSLambdaException", "Lambda.Unknown", "Sandbox.Timedout"]
MANY = {"IntervalSeconds": 1, "MaxAttempts": 1000, "BackoffRate": 1}
LONGEST = 99999999  # seconds


def one(name, state):
    return {"StartAt": name, "States": {name: {"End": True, **state}}}


def two(name, state, then, after):
    return {"StartAt": name, "States": {name: {"Next": then, **state}, then: {"End": True, **after}}}


def wait(seconds, **fields):
    return {"Type": "Wait", "Seconds": seconds, **fields}


def branches(*machines, **fields):
    return {"Type": "Parallel", "Branches": list(machines), **fields}


def items(machine, config=None, **fields):
    return {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": machine | ({"ProcessorConfig": config} if config else {}), **fields}


def gives(value):
    return {"Type": "Pass", "Result": value}


class Workflows:
    """One machine with many shapes, and what each gives for n. Waits and retries take a hundredth of what they say."""

    SHAPES = {
        "tasks": lambda n: [2 * n, "caught"],
        "parallel": lambda n: [2 * n, n, [{"n": n}, {"n": n}]],
        "inline": lambda n: [2 * (n + i) for i in range(5)],
        "standard": lambda n: [n, n + 2, n + 3, n + 4],
        "express": lambda n: [2 * n, 2 * (n + 2), 2 * (n + 3), 2 * (n + 4)],
        "callback": lambda n: [{"answer": n}, "late"],
        "worker": lambda n: {"worked": n},
        "nested": lambda n: [2 * n, "begun"],
        "redriven": lambda n: [2 * n, "waited"],
        "aborts": lambda n: "caught",
    }

    def __init__(self, client):
        sfn, functions = client("stepfunctions"), client("lambda")
        functions.create_function(FunctionName="f", Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=60, Code={"ZipFile": package(SOURCE)})
        functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        self.queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
        self.activity = sfn.create_activity(name="a")["activityArn"]
        self.nobodys = sfn.create_activity(name="nobodys")["activityArn"]

        def machine(name, definition):
            return sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
        self.child = machine("child", one("P", branches(one("T", self.call()), one("W", wait(10)), OutputPath="$[0]")))
        states = {name: {"ResultPath": "$.out", "Next": "S", **getattr(self, name)()} for name in self.SHAPES}
        states["C"] = {"Type": "Choice", "Choices": [{"Variable": "$.shape", "StringEquals": name, "Next": name} for name in self.SHAPES]}
        states["R4"] = {**gives("caught"), "ResultPath": "$.out", "Next": "S"}
        states["S"] = {"Type": "Succeed", "OutputPath": "$.out"}
        self.arn = machine("m", {"StartAt": "C", "States": states})

    @classmethod
    def shape(cls, n):
        return list(cls.SHAPES)[n % len(cls.SHAPES)]

    @classmethod
    def input(cls, n):
        return {"n": n, "shape": cls.shape(n), "items": [n + i for i in range(5)]}

    @staticmethod
    def call(n="$.n", **payload):
        return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload",
                "Parameters": {"FunctionName": "f", "Payload": {"n.$": n, "retries.$": "$$.State.RetryCount", **payload}},
                "Retry": [{"ErrorEquals": ["RuntimeError"], "IntervalSeconds": 1}, {"ErrorEquals": PASSING, **MANY}]}

    def tasks(self):
        bad = {**self.call(bad=True), "Catch": [{"ErrorEquals": ["ValueError"], "Next": "R2"}], "End": True}
        return branches(one("T1", self.call()), {"StartAt": "T2", "States": {"T2": bad, "R2": {**gives("caught"), "End": True}}})

    def parallel(self):
        inner = branches(one("I1", {"Type": "Pass"}), one("I2", wait(5)))
        return branches(one("B1", self.call()), one("B2", wait(20, OutputPath="$.n")), two("B3", {"Type": "Pass", "Parameters": {"n.$": "$.n"}}, "B4", inner))

    def inline(self):
        return items(two("M1", wait(2), "M2", self.call("$")), MaxConcurrency=2)

    def mapped(self, kind, work):
        choose, bad, good = (f"{kind} {n}" for n in (1, 2, 3))
        return items({"StartAt": choose, "States": {
            choose: {"Type": "Choice", "Choices": [{"Variable": "$.i", "NumericEquals": 1, "Next": bad}], "Default": good},
            bad: {"Type": "Fail", "Error": "Bad"}, good: {**work, "End": True}}}, {"Mode": "DISTRIBUTED", "ExecutionType": kind},
            ItemSelector={"i.$": "$$.Map.Item.Index", "n.$": "$$.Map.Item.Value"}, ToleratedFailureCount=1)

    def standard(self):
        return self.mapped("STANDARD", wait(5, OutputPath="$.n"))

    def express(self):
        return self.mapped("EXPRESS", self.call())

    def callback(self):
        def send(**body):
            return {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                    "Parameters": {"QueueUrl": self.queue, "MessageBody": {"token.$": "$$.Task.Token", "retries.$": "$$.State.RetryCount", **body}}}
        late = {**send(), "TimeoutSeconds": 50, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "R3"}], "End": True}
        return branches(one("K1", {**send(**{"n.$": "$.n"}), "Retry": [{"ErrorEquals": ["No"], "IntervalSeconds": 1}]}),
                        {"StartAt": "K2", "States": {"K2": late, "R3": {**gives("late"), "End": True}}})

    def worker(self):
        return {"Type": "Task", "Resource": self.activity, "Parameters": {"n.$": "$.n", "retries.$": "$$.State.RetryCount"}, "HeartbeatSeconds": 500,
                "Retry": [{"ErrorEquals": ["States.Timeout", "No"], **MANY}]}

    def nested(self):
        start = {"Type": "Task", "Parameters": {"StateMachineArn": self.child, "Input.$": "$"}}
        return branches(one("N1", {**start, "Resource": "arn:aws:states:::states:startExecution.sync:2", "OutputPath": "$.Output"}),
                        two("N2", {**start, "Resource": "arn:aws:states:::states:startExecution"}, "N3", gives("begun")))

    def redriven(self):
        return branches(one("E1", self.call(**{"redriven.$": "$$.Execution.RedriveCount"})), two("E2", wait(30), "E3", gives("waited")))

    def aborts(self):
        return branches(one("A1", self.call(bad=True)), one("A2", wait(LONGEST)), one("A3", items(one("A4", wait(LONGEST)))),
                        one("A5", {"Type": "Task", "Resource": self.nobodys}), Catch=[{"ErrorEquals": ["ValueError"], "ResultPath": "$.e", "Next": "R4"}])


ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}
BESIDE = {"ParallelStateSucceeded", "MapStateSucceeded", "MapRunSucceeded", "MapIterationSucceeded", "MapIterationFailed", "MapIterationAborted"}


def check(events):
    """A history is well formed: numbers without a gap; lines that part and meet only where states have machines within;
    states entered and left in turn; one outcome for each task; each iteration once; nothing after the end but a redrive."""
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "ExecutionStarted" and events[0]["previousEventId"] == 0
    whole = [e["type"] for e in events if e["type"].startswith("Execution")]
    assert events[-1]["type"] == whole[-1] and whole[-1] in ENDS
    assert whole == ["ExecutionStarted"] + ["ExecutionFailed", "ExecutionRedriven"] * ((len(whole) - 2) // 2) + whole[-1:]
    by_id, followers = {e["id"]: e for e in events}, collections.defaultdict(list)
    for e in events[1:]:
        assert 0 < e["previousEventId"] < e["id"] or e["previousEventId"] == 0 and e["id"] == 2
        if not (e["type"] in BESIDE or e["type"].endswith("Aborted")):  # the line goes on from the event before these
            followers[e["previousEventId"]].append(e["type"])
    for previous, types in followers.items():
        parts = previous and by_id[previous]["type"] in ("ParallelStateStarted", "MapStateStarted", "ExecutionRedriven")
        assert parts or len(types) == 1 or "ExecutionFailed" in types, (previous, types)
    check_states(events, by_id)
    check_tasks(events, by_id)
    check_iterations(events, by_id)


def before(e, by_id):
    while e["previousEventId"]:
        e = by_id[e["previousEventId"]]
        yield e


def check_states(events, by_id):
    entered = {e["id"]: e for e in events if e["type"].endswith("StateEntered")}
    for e in events:
        if e["type"].endswith("StateExited"):
            name = e["stateExitedEventDetails"]["name"]
            start = next(b for b in before(e, by_id) if b["type"].endswith("StateEntered") and b["stateEnteredEventDetails"]["name"] == name)
            assert entered.pop(start["id"]) and start["type"].removesuffix("Entered") == e["type"].removesuffix("Exited"), "left twice"
    aborted = sum(e["type"].endswith("StateAborted") for e in events)
    unhandled = sum(e["type"] in ("FailStateEntered", "ExecutionFailed") for e in events)
    assert len(entered) <= aborted + 2 * unhandled, "entered, and neither left nor aborted"


def check_tasks(events, by_id):
    began, outcomes = {}, set()
    for e in events:
        kind, what = next(((k, e["type"].removeprefix(k)) for k in ("Task", "Activity", "LambdaFunction") if e["type"].startswith(k)), (None, None))
        if what in ("Scheduled",):
            began[e["id"]] = kind
        if what in ("Succeeded", "Failed", "TimedOut"):
            start = next(b for b in before(e, by_id) if b["type"] == kind + "Scheduled")
            assert began[start["id"]] == kind and start["id"] not in outcomes, "a task has two outcomes"
            outcomes.add(start["id"])
            assert what == "TimedOut" or by_id[e["previousEventId"]]["type"] in (kind + "Started", kind + "Submitted")


def check_iterations(events, by_id):
    """Of the Map states here none is entered twice."""
    seen = collections.Counter()
    for e in events:
        if e["type"].startswith("MapIteration"):
            details = next(e[k] for k in e if k.startswith("mapIteration"))
            seen[details["name"], details["index"], e["type"]] += 1
    assert not seen or set(seen.values()) == {1}, "an iteration twice"
    for e in events:
        if e["type"] == "MapStateExited":
            start = next(b for b in before(e, by_id) if b["type"] in ("MapStateStarted", "MapRunStarted"))
            for index in range(start.get("mapStateStartedEventDetails", {}).get("length", 0)):
                for what in ("Started", "Succeeded"):
                    assert seen[e["stateExitedEventDetails"]["name"], index, f"MapIteration{what}"] == 1


class Outside:
    """Those that work with the executions while the platform dies and comes back: what fails they try again."""

    def __init__(self, platform, workflows):
        self.platform, self.workflows, self.over = platform, workflows, threading.Event()
        self.accepted, self.wrong = collections.Counter(), []
        self.threads = [threading.Thread(target=self.keep, args=(work,), daemon=True) for work in (self.answer, self.work, self.work, self.redrive)]
        for t in self.threads:
            t.start()

    def keep(self, work):
        while not self.over.is_set():
            try:
                work({s: make_client(self.platform.url, s) for s in ("stepfunctions", "sqs")})
            except (BotoCoreError, ClientError):
                time.sleep(0.1)
            except Exception as e:
                self.wrong.append(e)
                raise

    def tell(self, sfn, token, retries, n, output):
        """Answer a token, again until there is an answer to that, and then once more."""
        for again in range(2):
            try:
                if n % 3 == 1 and retries == 0:
                    sfn.send_task_failure(taskToken=token, error="No", cause="not yet")
                else:
                    sfn.send_task_success(taskToken=token, output=json.dumps(output))
                self.accepted[token] += 1
            except sfn.exceptions.TaskTimedOut:
                pass

    def answer(self, clients):
        sqs, queue = clients["sqs"], self.workflows.queue
        while not self.over.is_set():
            for m in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=1).get("Messages", []):
                body = json.loads(m["Body"])
                if "n" in body:
                    self.tell(clients["stepfunctions"], body["token"], body["retries"], body["n"], {"answer": body["n"]})
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=m["ReceiptHandle"])

    def work(self, clients):
        sfn = clients["stepfunctions"]
        while not self.over.is_set():
            task = sfn.get_activity_task(activityArn=self.workflows.activity, workerName="w")
            if task.get("taskToken"):
                body = json.loads(task["input"])
                self.tell(sfn, task["taskToken"], body["retries"], body["n"], {"worked": body["n"]})

    def redrive(self, clients):
        sfn = clients["stepfunctions"]
        while not self.over.wait(0.2):
            for e in sfn.list_executions(stateMachineArn=self.workflows.arn, statusFilter="FAILED")["executions"]:
                if Workflows.shape(int(e["name"][1:])) != "redriven":
                    continue
                try:
                    sfn.redrive_execution(executionArn=e["executionArn"])
                except sfn.exceptions.ExecutionNotRedrivable:
                    pass


def start(sfn, arn, n):
    """Start an execution; None where the platform has died: the same start again finds it, or makes it."""
    try:
        return n, sfn.start_execution(stateMachineArn=arn, name=f"x{n}", input=json.dumps(Workflows.input(n)))["executionArn"]
    except sfn.exceptions.ExecutionAlreadyExists:  # it was made, and has ended since
        return n, f"{arn.replace(':stateMachine:', ':execution:')}:x{n}"
    except (BotoCoreError, ClientError):
        return n, None


def crash(platform, arn, rng):
    """Start executions, and kill the platform in each round."""
    acknowledged, waiting, portion = {}, list(range(EXECUTIONS)), -(-EXECUTIONS // ROUNDS)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(ROUNDS):
            sfn = make_client(platform.url, "stepfunctions")
            starts = [pool.submit(start, sfn, arn, n) for n in waiting[:portion]]
            waiting = waiting[portion:]
            time.sleep(rng.uniform(0.05, 0.8))
            platform.stop(signal.SIGKILL)
            for n, execution in (s.result() for s in starts):
                if execution:
                    acknowledged[n] = execution
                else:
                    waiting.append(n)
            platform.start()
        sfn = make_client(platform.url, "stepfunctions")
        acknowledged |= dict(pool.map(lambda n: start(sfn, arn, n), waiting))
    assert all(acknowledged.values())
    return acknowledged


def pages(client, operation, key, **kw):
    return [e for p in client.get_paginator(operation).paginate(**kw) for e in p[key]]


def test_executions_survive_sigkill(tmp_path):
    seed = int(os.environ.get("CIRRO_SEED", "7"))
    with Cirro(tmp_path, listen=f"127.0.0.1:{lasting_port()}") as platform:
        workflows = Workflows(lambda service: make_client(platform.url, service))
        outside = Outside(platform, workflows)
        acknowledged = crash(platform, workflows.arn, random.Random(seed))
        sfn = make_client(platform.url, "stepfunctions")

        def ended():
            assert not outside.wrong
            return all(not pages(sfn, "list_executions", "executions", stateMachineArn=workflows.arn, statusFilter=s) for s in ("RUNNING", "FAILED"))
        eventually(ended, within=1200 if LONG else 300, every=0.5)
        outside.over.set()
        done = {e["name"]: e for e in pages(sfn, "list_executions", "executions", stateMachineArn=workflows.arn)}
        assert len(done) == EXECUTIONS
        for n, execution in acknowledged.items():
            assert done[f"x{n}"]["executionArn"] == execution, "an acknowledged execution is lost"
        for n in range(EXECUTIONS):
            d = sfn.describe_execution(executionArn=acknowledged[n])
            assert (d["status"], json.loads(d.get("output", "null"))) == ("SUCCEEDED", Workflows.SHAPES[Workflows.shape(n)](n)), (n, d)
            assert d["redriveCount"] == (Workflows.shape(n) == "redriven")
            check(pages(sfn, "get_execution_history", "events", executionArn=acknowledged[n], maxResults=1000))
        check_children(sfn, workflows, acknowledged)
        assert set(outside.accepted.values()) <= {1}, "a token is answered twice"


def check_children(sfn, workflows, acknowledged):
    """The executions that executions began: of each distributed Map's items one, and of each nested task one."""
    for n, execution in acknowledged.items():
        if Workflows.shape(n) not in ("standard", "express"):
            continue
        (run,) = pages(sfn, "list_map_runs", "mapRuns", executionArn=execution)
        m = sfn.describe_map_run(mapRunArn=run["mapRunArn"])
        assert (m["status"], m["executionCounts"]["succeeded"], m["executionCounts"]["failed"], m["executionCounts"]["total"]) == ("SUCCEEDED", 4, 1, 5)
        if Workflows.shape(n) == "standard":
            children = pages(sfn, "list_executions", "executions", mapRunArn=run["mapRunArn"])
            assert [c["status"] for c in children] == ["SUCCEEDED", "FAILED"] + 3 * ["SUCCEEDED"]
            for c in children:
                check(pages(sfn, "get_execution_history", "events", executionArn=c["executionArn"], maxResults=1000))
    nested = pages(sfn, "list_executions", "executions", stateMachineArn=workflows.child)
    assert len(nested) == 2 * sum(Workflows.shape(n) == "nested" for n in acknowledged)
    for c in nested:
        d = eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=c["executionArn"])))
        assert (d["status"], json.loads(d["output"])) == ("SUCCEEDED", 2 * json.loads(d["input"])["n"])
        check(pages(sfn, "get_execution_history", "events", executionArn=c["executionArn"], maxResults=1000))
