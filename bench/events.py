"""From a message sent, or an item written, to the start of the handler that it sets off through a mapping."""
import concurrent.futures
import contextlib
import tempfile
import time

import boto3
from botocore.config import Config

from programs import package
from report import quantile
from subjects import start_cirro

ROLE = "arn:aws:iam::000000000000:role/bench"
# A handler says when it began before it does anything else.
HANDLER = """
import time
def handler(event, context):
    now = time.time()
    for r in event["Records"]:
        print("BEGAN", r["body"] if "body" in r else r["dynamodb"]["Keys"]["pk"]["S"], now)
"""
WARM, PACED, AT_ONCE = 50, 500, 2000


class Mapped:
    """A function with a queue and a table that set it off."""

    def __init__(self, url):
        def client(service):
            return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
                                config=Config(retries={"max_attempts": 3}, max_pool_connections=64))
        self.sqs, self.dynamodb, self.functions, self.logs = (client(s) for s in ("sqs", "dynamodb", "lambda", "logs"))
        self.functions.create_function(FunctionName="bench", Runtime="python3.11", Handler="app.handler", Role=ROLE, Timeout=30,
                                       MemorySize=1769, Code={"ZipFile": package({"app.py": HANDLER})})
        self.functions.get_waiter("function_active_v2").wait(FunctionName="bench", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        self.queue = self.sqs.create_queue(QueueName="bench")["QueueUrl"]
        self.dynamodb.create_table(
            TableName="bench", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
        self.dynamodb.get_waiter("table_exists").wait(TableName="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        stream = self.dynamodb.describe_table(TableName="bench")["Table"]["LatestStreamArn"]
        self.map("arn:aws:sqs:us-east-1:000000000000:bench")
        self.map(stream, StartingPosition="LATEST")

    def map(self, source, **options):
        mapping = self.functions.create_event_source_mapping(EventSourceArn=source, FunctionName="bench", **options)["UUID"]
        while self.functions.get_event_source_mapping(UUID=mapping)["State"] != "Enabled":
            time.sleep(0.05)

    def send(self, name):
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=name)

    def write(self, name):
        self.dynamodb.put_item(TableName="bench", Item={"pk": {"S": name}})

    def began(self, prefix, n):
        """When handlers began with the n messages or items of a prefix."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            found = {}
            for page in self.logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/bench"):
                for e in page["events"]:
                    word = e["message"].split()
                    if word[0] == "BEGAN" and word[1].startswith(prefix):
                        found.setdefault(word[1], float(word[2]))
            if len(found) >= n:
                return found
            time.sleep(0.2)
        raise TimeoutError(f"{len(found)} of {n} handlers began")

    def paced(self, step, prefix, n):
        """Milliseconds from the call of a step to the handler's begin, one step after the other."""
        called = {}
        for i in range(n):
            name = f"{prefix}{i}x"
            called[name] = time.time()
            step(name)
            time.sleep(0.01)
        began = self.began(prefix, n)
        return [1000 * (began[name] - called[name]) for name in called]

    def burst(self, step, prefix, n):
        """Handled a second, of n at once."""
        first = time.time()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda i: step(f"{prefix}{i}x"), range(n)))
        return n / (max(self.began(prefix, n).values()) - first)


def suite(report, n=PACED):
    with tempfile.TemporaryDirectory(prefix="bench-") as data, contextlib.ExitStack() as end:
        server = start_cirro(data)
        end.callback(server.stop)
        mapped = Mapped(server.url)
        for what, step in (("send", mapped.send), ("table write", mapped.write)):
            prefix = what[:4]
            mapped.paced(step, prefix + "warm", WARM)
            ms = mapped.paced(step, prefix + "paced", n)
            for q in (0.5, 0.99):
                report.row("cirro", f"{what} to handler start, p{q * 100:.0f}", quantile(ms, q), "ms", "from before the call, which fsyncs")
            report.row("cirro", f"{what}, {AT_ONCE} from 32 clients, handled", mapped.burst(step, prefix + "burst", AT_ONCE), "/s")
