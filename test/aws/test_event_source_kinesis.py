"""Event source mappings of Kinesis, with boto3.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""
import base64
import datetime
import json
import re
import signal

import pytest

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package, unique
from test_event_source_queues import Aws, refused
from test_event_source_streams import body_of

WORKER = """
    import base64, json, time
    def handler(event, context):
        for r in event["Records"]: print("SEEN", time.time_ns(), json.dumps(r))
        for r in event["Records"]:
            if b"fail" in base64.b64decode(r["kinesis"]["data"]): raise ValueError("as told")
"""


class Kinesis(Aws):
    def __init__(self, client, function):
        super().__init__(client, function)
        self.kinesis = client("kinesis")

    def stream(self, shards=1):
        name = unique("stream")
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return name, self.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]

    def put(self, stream, key, *data):
        for d in data:
            self.kinesis.put_record(StreamName=stream, PartitionKey=key, Data=d)

    def function(self, source=WORKER, **config):
        return super().function(source, **config)

    def data(self, fn):
        return [base64.b64decode(r["kinesis"]["data"]).decode() for r in self.seen(fn)]


@pytest.fixture(scope="module")
def aws(client, function):
    return Kinesis(client, function)


def test_a_record_to_its_last_field(aws):
    """As recorded in
    https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_kinesis.snapshot.json
    """
    fn, (stream, arn) = aws.function(), aws.stream()
    aws.put(stream, "before", "before")
    aws.map(arn, fn, StartingPosition="LATEST")
    put = aws.kinesis.put_record(StreamName=stream, PartitionKey="key", Data=b"hello\xff")
    record = eventually(lambda: aws.seen(fn))[0]
    at = record["kinesis"].pop("approximateArrivalTimestamp")
    assert abs(at - datetime.datetime.now().timestamp()) < 600
    assert record == {
        "kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "key", "sequenceNumber": put["SequenceNumber"], "data": "aGVsbG//"},
        "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": f"{put['ShardId']}:{put['SequenceNumber']}",
        "eventName": "aws:kinesis:record", "invokeIdentityArn": ROLE, "awsRegion": "us-east-1", "eventSourceARN": arn}
    assert len(aws.seen(fn)) == 1


def test_refusals(aws):
    fn, (_, arn) = aws.function(), aws.stream()

    def create(**kw):
        return refused(aws.awslambda.create_event_source_mapping, "InvalidParameterValueException",
                       **{"EventSourceArn": arn, "FunctionName": fn, "StartingPosition": "LATEST", **kw})
    assert create(EventSourceArn=arn + "none") == f"Stream not found: {arn}none"
    assert create(StartingPosition="AT_TIMESTAMP")
    assert create(StartingPositionTimestamp=1e9) == "Timestamp only valid with StartingPosition AT_TIMESTAMP"


def test_from_a_time_on(aws):
    fn, (stream, arn) = aws.function(), aws.stream()
    aws.put(stream, "k", "early")
    first = aws.kinesis.get_records(ShardIterator=aws.kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"])["Records"][0]
    at = first["ApproximateArrivalTimestamp"] + datetime.timedelta(milliseconds=1)
    eventually(lambda: datetime.datetime.now(at.tzinfo) > at + datetime.timedelta(milliseconds=1))
    aws.put(stream, "k", "late")
    aws.map(arn, fn, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=at)
    eventually(lambda: aws.data(fn) == ["late"])


def test_filters(aws):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html"""
    fn, (stream, arn) = aws.function(), aws.stream()
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", FilterCriteria={"Filters": [
        {"Pattern": json.dumps({"data": {"n": [{"numeric": [">=", 2]}]}})}, {"Pattern": json.dumps({"partitionKey": ["chosen"]})}]})
    aws.put(stream, "k", '{"n": 1}', "text", '{"n": 2}')
    aws.put(stream, "chosen", "text")
    eventually(lambda: aws.data(fn) == ['{"n": 2}', "text"])


def first(data):
    """Each record where it came first: on a busy machine a batch may come twice."""
    return list(dict.fromkeys(data))


def test_failures_in_parallel_lanes(aws):
    """A key that fails holds up itself alone, until it is given up."""
    fn, (stream, arn), (url, queue) = aws.function(), aws.stream(), aws.queue()
    for n in range(4):
        for key in "abcde":
            aws.put(stream, key, f"{key}{n}")
    aws.put(stream, "f", "fail")
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", ParallelizationFactor=10, BatchSize=1, MaximumRetryAttempts=2,
            DestinationConfig={"OnFailure": {"Destination": queue}})
    record = body_of(aws, url)
    info = record["KinesisBatchInfo"]
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted" and record["requestContext"]["approximateInvokeCount"] == 3
    assert info["shardId"] == "shardId-000000000000" and info["streamArn"] == arn and info["batchSize"] == 1
    for key in "abcde":
        eventually(lambda: first(d for d in aws.data(fn) if d[0] == key) == [f"{key}{n}" for n in range(4)])
    eventually(lambda: aws.data(fn).count("fail") >= 3)


def test_splits_and_merges(aws):
    """Children are read when their parents are through; all keys keep their order."""
    fn, (stream, arn) = aws.function(), aws.stream()
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", BatchSize=2)
    keys = "abcdefgh"

    def put(n):
        for key in keys:
            aws.put(stream, key, f"{key}{n}")
    put(0)
    aws.kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(1 << 127))
    aws.kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    put(1)
    aws.kinesis.merge_shards(StreamName=stream, ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002")
    aws.kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    put(2)
    eventually(lambda: len(first(aws.data(fn))) == 24)
    for key in keys:
        assert first(d for d in aws.data(fn) if d[0] == key) == [f"{key}{n}" for n in range(3)]
    assert len({re.match(r"shardId-\d+", r["eventID"])[0] for r in aws.seen(fn)}) == 4


def test_records_outlive_a_kill(tmp_path):
    with Cirro(tmp_path) as cirro:
        def connect():
            return Kinesis(lambda service: make_client(cirro.url, service), None)
        aws, fn = connect(), unique("fn")
        aws.awslambda.create_function(FunctionName=fn, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=60, Code={"ZipFile": package(WORKER)})
        aws.awslambda.get_waiter("function_active_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        stream, arn = aws.stream(shards=2)
        mapping = aws.map(arn, fn, StartingPosition="LATEST")
        aws.awslambda.update_event_source_mapping(UUID=mapping, Enabled=False)
        aws.state(mapping, "Disabled")
        aws.put(stream, "a", "1", "2")
        cirro.listen = "127.0.0.1:0"  # the old port may be another's by now
        cirro.restart(signal.SIGKILL)
        aws = connect()
        aws.put(stream, "a", "3")
        aws.awslambda.update_event_source_mapping(UUID=mapping, Enabled=True)
        eventually(lambda: aws.data(fn) == ["1", "2", "3"])
