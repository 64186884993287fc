"""EventBridge: how fast events are matched against a thousand rules, in the matcher alone and through PutEvents to a queue."""
import json
import re
import statistics
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

from programs import LOAD
from report import quantile
from subjects import ROOT, start_cirro

RULES = 1000
ROUNDS = 200  # of an event alone
HEADERS = ["Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/events/aws4_request, "
           "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64, "X-Amz-Date: 20260101T000000Z",
           "Content-Type: application/x-amz-json-1.1", "X-Amz-Target: AWSEvents.PutEvents", "Accept-Encoding: identity"]


def entry(customer):
    detail = {"order": "o-########", "customer": {"id": customer, "name": "Ada"}, "amount": 12.5, "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]}
    return {"Source": "app.orders", "DetailType": "OrderPlaced", "Detail": json.dumps(detail)}


def load(url, mode, clients, entries, *arguments):
    command = [LOAD, mode, "-url", url + "/", "-clients", str(clients), "-body", json.dumps({"Entries": entries}), *arguments]
    for h in HEADERS:
        command += ["-header", h]
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(out.stderr.strip().splitlines()[-1])
    return json.loads(out.stdout)


def matcher(report):
    """The matcher without a platform around it, by its Go benchmark."""
    out = subprocess.run(["go", "test", "-run", "^$", "-bench", "BenchmarkSet", "-count", "3", "./internal/eventpattern"], cwd=ROOT, capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(out.stdout + out.stderr)
    found = {}
    for kind, per_second in re.findall(r"BenchmarkSet/(\w+)\S*\s.*?([\d.]+) events/s", out.stdout):
        found.setdefault(kind, []).append(float(per_second))
    what = {"exact": "values that differ by rule", "source": "sources that differ, and a range", "prefix": "prefixes that differ", "numeric": "ranges that differ"}
    for kind, figures in found.items():
        report.row("cirro", f"matched alone, {RULES} rules, {what[kind]}", statistics.median(figures), "/s", "one core, an event of 550 bytes")


def through(report, seconds):
    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        server = start_cirro(data)
        try:
            measure(report, server.url, seconds)
        finally:
            server.stop()


def measure(report, url, seconds):
    keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test",
            "endpoint_url": url, "config": Config(retries={"max_attempts": 3})}
    events, sqs = boto3.client("events", **keys), boto3.client("sqs", **keys)
    queue = sqs.create_queue(QueueName="matched")["QueueUrl"]
    for i in range(RULES):
        events.put_rule(Name=f"r{i}", EventPattern=json.dumps({"source": ["app.orders"], "detail": {"customer": {"id": [f"c-{i}"]}}}))
    events.put_targets(Rule="r7", Targets=[{"Id": "t", "Arn": "arn:aws:sqs:us-east-1:000000000000:matched"}])
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        events.put_events(Entries=[entry("c-7")])
        while not (got := sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages")):
            pass
        took.append(time.perf_counter() - began)
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=got[0]["ReceiptHandle"])
    report.row("cirro", f"an event alone past {RULES} rules to a queue, p50", quantile(took, 0.5) * 1000, "ms",
               f"p99 {quantile(took, 0.99) * 1000:.2f} ms, from before the call to the reception; on disk twice on the way")
    for clients in (16, 64):
        f = load(url, "run", clients, [entry("nobody")], "-for", f"{seconds}s")
        report.row("cirro", f"PutEvents that no rule wants, {clients} clients", f["per_second"], "/s", f"p50 {f['p50_ms']:.2f} ms, p99 {f['p99_ms']:.2f} ms; {f['failed']} failed")
    f = load(url, "run", 16, [entry("nobody")] * 10, "-for", f"{seconds}s")
    report.row("cirro", "PutEvents of ten that no rule wants, 16 clients", f["per_second"] * 10, " events/s", f"p50 {f['p50_ms']:.2f} ms; {f['failed']} failed")
    delivered(report, url, sqs, queue)


def delivered(report, url, sqs, queue, n=10_000):
    """Events that one rule of a thousand wants, until the last is in its queue."""
    began = time.perf_counter()
    load(url, "fill", 16, [entry("c-7")], "-keys", str(n))
    published = time.perf_counter() - began
    while int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]["ApproximateNumberOfMessages"]) < n:
        if time.perf_counter() - began > 120:
            raise RuntimeError("not all events arrived within two minutes")
        time.sleep(0.01)
    report.row("cirro", f"delivered to a queue, one rule of {RULES} matches", n / (time.perf_counter() - began), "/s", f"{n / published:.0f} put a second, 16 clients")


def suite(report, seconds):
    report.attempt("cirro", "matcher", lambda: matcher(report))
    report.attempt("cirro", "EventBridge", lambda: through(report, seconds))
