"""How soon a function begins that a message of a queue or a change of a table sets off, over the whole path."""
import http.client
import json
import pathlib
import tempfile
import time
import urllib.parse

import boto3

import queues
import tables
from invokes import ROLE
from programs import package
from report import quantile
from subjects import start_cirro

EVENTS = 200
WARM = 20      # events before those that count
APART = 0.03   # seconds

# Both clocks are this machine's.
HANDLER = """import time
def handler(event, context):
    now = time.time()
    for r in event["Records"]:
        sent = r["body"] if "body" in r else r["dynamodb"]["NewImage"]["sent"]["S"]
        print("TOOK", now - float(sent), flush=True)
"""


class Stage:
    """A running platform with functions that say how late they began."""

    def __init__(self, url):
        self.url = url
        self.awslambda, self.logs, self.sqs, self.dynamodb = (boto3.client(
            s, endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
            for s in ("lambda", "logs", "sqs", "dynamodb"))
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc)

    def follow(self, name, source, **options):
        self.awslambda.create_function(FunctionName=name, Runtime="python3.11", Handler="app.handler", Role=ROLE, Timeout=30,
                                       Code={"ZipFile": package({"app.py": HANDLER})})
        self.awslambda.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1})
        made = self.awslambda.create_event_source_mapping(FunctionName=name, EventSourceArn=source, **options)["UUID"]
        while self.awslambda.get_event_source_mapping(UUID=made)["State"] != "Enabled":
            time.sleep(0.1)

    def ask(self, headers, body):
        """One request in few steps: an SDK's own time is not what is measured."""
        self.connection.request("POST", "/", json.dumps(body), dict(h.split(": ", 1) for h in headers))
        reply = self.connection.getresponse()
        if reply.read() and reply.status != 200:
            raise RuntimeError(f"status {reply.status}")

    def took(self, name, send):
        """Milliseconds from just before each event was sent to the beginning of the function."""
        for _ in range(WARM + EVENTS):
            send(str(time.time()))
            time.sleep(APART)
        for _ in range(100):
            lines = [e["message"] for page in self.logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/" + name, filterPattern="TOOK")
                     for e in page["events"]]
            if len(lines) == WARM + EVENTS:
                return [float(line.split()[1]) * 1000 for line in lines[WARM:]]
            time.sleep(0.1)
        raise RuntimeError(f"{len(lines)} of {WARM + EVENTS} events arrived")

    def queue(self):
        url = self.sqs.create_queue(QueueName="events")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.follow("of-queue", arn)
        return self.took("of-queue", lambda now: self.ask(queues.headers("SendMessage"), {"QueueUrl": url, "MessageBody": now}))

    def table(self):
        made = self.dynamodb.create_table(
            TableName="events", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
        self.follow("of-table", made["TableDescription"]["LatestStreamArn"], StartingPosition="TRIM_HORIZON")
        return self.took("of-table", lambda now: self.ask(tables.headers("PutItem"), {
            "TableName": "events", "Item": {"id": {"S": now}, "sent": {"S": now}}}))


def measure(report):
    with tempfile.TemporaryDirectory() as data:
        server = start_cirro(pathlib.Path(data))
        try:
            stage = Stage(server.url)
            for what, source in (("message sent to handler's start, warm", stage.queue), ("table written to handler's start, warm", stage.table)):
                took = source()
                for q in (0.5, 0.99):
                    report.row("cirro", f"{what}, p{q * 100:.0f}", quantile(took, q), "ms")
        finally:
            server.stop()
