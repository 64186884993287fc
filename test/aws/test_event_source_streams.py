"""Event source mappings of streams, with boto3.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""
import datetime
import json
import re
import signal

import pytest

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package, unique
from test_event_source_queues import Aws, refused

# Logs the records of each batch; an item with "fail" fails, as a whole or as a report says.
WORKER = """
    import json, time
    def handler(event, context):
        for r in event["Records"]: print("SEEN", time.time_ns(), json.dumps(r))
        for r in event["Records"]:
            image = r["dynamodb"].get("NewImage", {})
            if "fail" in image: raise ValueError("as told")
            if "report" in image: return {"batchItemFailures": [{"itemIdentifier": r["dynamodb"]["SequenceNumber"]}]}
"""


class Streams(Aws):
    def __init__(self, client, function):
        super().__init__(client, function)
        self.dynamodb = client("dynamodb")

    def table(self):
        name = unique("table")
        self.dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return name, self.dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]

    def put(self, table, pk, *numbers, **attributes):
        for n in numbers:
            self.dynamodb.put_item(TableName=table, Item={"pk": {"S": pk}, "sk": {"N": str(n)}, **attributes})

    def function(self, source=WORKER, **config):
        return super().function(source, **config)

    def items(self, fn):
        """The items that a function was given: key and number."""
        return [(k["pk"]["S"], int(k["sk"]["N"])) for k in (r["dynamodb"]["Keys"] for r in self.seen(fn))]


@pytest.fixture(scope="module")
def aws(client, function):
    return Streams(client, function)


def test_a_record_to_its_last_field(aws):
    fn, (table, arn) = aws.function(), aws.table()
    made = aws.awslambda.create_event_source_mapping(EventSourceArn=arn, FunctionName=fn, StartingPosition="TRIM_HORIZON")
    del made["ResponseMetadata"], made["LastModified"]
    uuid = made["UUID"]
    assert made == {
        "UUID": uuid, "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}",
        "BatchSize": 100, "BisectBatchOnFunctionError": False, "DestinationConfig": {"OnFailure": {}}, "EventSourceArn": arn,
        "FunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{fn}", "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed", "MaximumBatchingWindowInSeconds": 0, "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1, "ParallelizationFactor": 1, "StartingPosition": "TRIM_HORIZON", "State": "Creating",
        "StateTransitionReason": "User action", "TumblingWindowInSeconds": 0}
    aws.put(table, "a", 1, b={"B": b"foobar"}, list={"L": [{"NULL": True}, {"BOOL": False}]}, map={"M": {}}, set={"NS": ["1"]})
    record = eventually(lambda: aws.seen(fn))[0]
    at = record["dynamodb"].pop("ApproximateCreationDateTime")
    assert abs(at - datetime.datetime.now().timestamp()) < 600
    assert re.fullmatch("[0-9a-f]{32}", record.pop("eventID")) and record["dynamodb"].pop("SequenceNumber").isdigit()
    assert record["dynamodb"].pop("SizeBytes") > 0
    keys = {"pk": {"S": "a"}, "sk": {"N": "1"}}
    assert record == {
        "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "eventSourceARN": arn,
        "dynamodb": {"Keys": keys, "StreamViewType": "NEW_AND_OLD_IMAGES", "NewImage": {
            **keys, "b": {"B": "Zm9vYmFy"}, "list": {"L": [{"NULL": True}, {"BOOL": False}]}, "map": {"M": {}}, "set": {"NS": ["1"]}}}}
    aws.dynamodb.delete_item(TableName=table, Key=keys)
    removed = eventually(lambda: [r for r in aws.seen(fn) if r["eventName"] == "REMOVE"])[0]
    assert "NewImage" not in removed["dynamodb"] and removed["dynamodb"]["OldImage"]["b"] == {"B": "Zm9vYmFy"}
    eventually(lambda: aws.awslambda.get_event_source_mapping(UUID=uuid)["LastProcessingResult"] == "OK")


def test_refusals(aws):
    fn, (_, arn) = aws.function(), aws.table()
    bad = "InvalidParameterValueException"

    def create(code=bad, **kw):
        return refused(aws.awslambda.create_event_source_mapping, code,
                       **{"EventSourceArn": arn, "FunctionName": fn, "StartingPosition": "LATEST", **kw})
    assert refused(aws.awslambda.create_event_source_mapping, bad, EventSourceArn=arn, FunctionName=fn) == (
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
    assert create(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1e9) == (
        f"Unsupported starting position for arn type: {arn}")
    assert create(StartingPositionTimestamp=1e9) == "Timestamp only valid with StartingPosition AT_TIMESTAMP"
    gone = arn.split("/stream/")[0] + "/stream/2001-01-01T00:00:00.000"
    assert create(EventSourceArn=gone) == f"Stream not found: {gone}"
    assert create(ScalingConfig={"MaximumConcurrency": 2})
    assert create(MaximumRecordAgeInSeconds=59)
    assert create(DestinationConfig={"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}})
    assert create(DestinationConfig={"OnFailure": {"Destination": "arn:aws:lambda:us-east-1:000000000000:function:f"}})
    assert "Member must satisfy enum value set" in create("ValidationException", StartingPosition="0")
    uuid = aws.map(arn, fn, StartingPosition="LATEST")
    assert create("ResourceConflictException") == (f'The event source arn (" {arn} ") and function (" {fn} ") provided mapping '
                                                   f"already exists. Please update or delete the existing mapping with UUID {uuid}")


def test_only_what_comes_after_the_latest(aws):
    fn, (table, arn) = aws.function(), aws.table()
    aws.put(table, "before", 1)
    mapping = aws.map(arn, fn, StartingPosition="LATEST", FilterCriteria={"Filters": [
        {"Pattern": json.dumps({"eventName": ["INSERT"], "dynamodb": {"NewImage": {"n": {"S": [{"prefix": "y"}]}}}})}]})
    aws.put(table, "a", 1, n={"S": "no"})
    aws.put(table, "a", 2, 3, n={"S": "yes"})
    eventually(lambda: aws.items(fn) == [("a", 2), ("a", 3)])
    # What comes while the mapping is disabled is handled afterwards.
    aws.awslambda.update_event_source_mapping(UUID=mapping, Enabled=False)
    aws.state(mapping, "Disabled")
    aws.put(table, "a", 4, n={"S": "yes"})
    aws.awslambda.update_event_source_mapping(UUID=mapping, Enabled=True)
    eventually(lambda: aws.items(fn) == [("a", 2), ("a", 3), ("a", 4)])


def body_of(aws, url):
    message = eventually(lambda: aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))[0]
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return json.loads(message["Body"])


def test_a_batch_that_fails_for_good_is_told_of(aws):
    """The record as in
    https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    """
    fn, (table, arn), (url, queue) = aws.function(), aws.table(), aws.queue()
    aws.put(table, "a", 1, fail={"BOOL": True})
    mapping = aws.map(arn, fn, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=1, BatchSize=1,
                      DestinationConfig={"OnFailure": {"Destination": queue}})
    assert aws.awslambda.get_event_source_mapping(UUID=mapping)["DestinationConfig"] == {"OnFailure": {"Destination": queue}}
    record = body_of(aws, url)
    seen = eventually(lambda: (s := aws.seen(fn)) and len(s) == 2 and s)
    info, request = record["DDBStreamBatchInfo"], record["requestContext"].pop("requestId")
    for time in ("approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", info.pop(time))
    assert request and re.match(r"shardId-", info.pop("shardId")) and record.pop("timestamp")
    sequence = seen[0]["dynamodb"]["SequenceNumber"]
    assert record == {
        "version": "1.0",
        "requestContext": {"functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{fn}",
                           "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "DDBStreamBatchInfo": {"startSequenceNumber": sequence, "endSequenceNumber": sequence, "batchSize": 1, "streamArn": arn}}
    aws.put(table, "a", 2)
    eventually(lambda: aws.items(fn)[2:] == [("a", 2)])


def test_a_bucket_gets_the_records_too(aws):
    """https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html"""
    bucket = unique("failures")
    aws.client("s3").create_bucket(Bucket=bucket)
    fn, (table, arn) = aws.function(), aws.table()
    mapping = aws.map(arn, fn, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=0,
                      DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}})
    aws.put(table, "a", 1, fail={"BOOL": True})
    key = eventually(lambda: aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents"))[0]["Key"]
    assert re.fullmatch(rf"aws/lambda/{mapping}/shardId-[^/]+/\d{{4}}/\d\d/\d\d/\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}", key)
    record = json.loads(aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert json.loads(record["payload"])["Records"][0]["dynamodb"]["Keys"]["pk"] == {"S": "a"}


def test_bisecting_finds_the_one_that_fails(aws):
    fn, (table, arn), (url, queue) = aws.function(), aws.table(), aws.queue()
    for n in range(8):
        aws.put(table, "a", n, **({"fail": {"BOOL": True}} if n == 5 else {}))
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", BisectBatchOnFunctionError=True, MaximumRetryAttempts=0, BatchSize=8,
            DestinationConfig={"OnFailure": {"Destination": queue}})
    info = body_of(aws, url)["DDBStreamBatchInfo"]
    assert info["batchSize"] == 1
    eventually(lambda: len(aws.items(fn)) > 8 and aws.items(fn)[-1] == ("a", 7))
    failed = next(r for r in aws.seen(fn) if r["dynamodb"]["Keys"]["sk"] == {"N": "5"})
    assert info["startSequenceNumber"] == failed["dynamodb"]["SequenceNumber"]


def test_reported_failures_are_where_it_goes_on(aws):
    fn, (table, arn), (url, queue) = aws.function(), aws.table(), aws.queue()
    for n in range(4):
        aws.put(table, "a", n, **({"report": {"BOOL": True}} if n == 2 else {}))
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=1, BatchSize=4, FunctionResponseTypes=["ReportBatchItemFailures"],
            MaximumBatchingWindowInSeconds=1, DestinationConfig={"OnFailure": {"Destination": queue}})
    assert body_of(aws, url)["DDBStreamBatchInfo"]["batchSize"] == 2
    eventually(lambda: [n for _, n in aws.items(fn)] == [0, 1, 2, 3, 2, 3, 2, 3])


def test_keys_in_parallel_keep_their_order(aws):
    fn, (table, arn) = aws.function("""
        import json, time
        def handler(event, context):
            time.sleep(0.01)
            for r in event["Records"]: print("SEEN", time.time_ns(), json.dumps(r))
    """), aws.table()
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", ParallelizationFactor=10, BatchSize=2)
    for n in range(8):
        for key in "abcde":
            aws.put(table, key, n)
    eventually(lambda: len(aws.items(fn)) >= 40)
    for key in "abcde":
        assert [n for k, n in aws.items(fn) if k == key] == list(range(8))


def test_tumbling_windows(aws):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html"""
    fn, (table, arn) = aws.function("""
        import json
        def handler(event, context):
            print("SEEN", json.dumps(event))
            n = event["state"].get("n", 0) + len(event["Records"])
            if not event["isFinalInvokeForWindow"]: return {"state": {"n": n}}
    """), aws.table()
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=1, BatchSize=1)
    aws.put(table, "a", 1, 2, 3)
    aws.dynamodb.put_item(TableName=table, Item={"pk": {"S": "b"}, "sk": {"N": "1"}})

    def finals():
        return [e for e in aws.seen(fn) if e["isFinalInvokeForWindow"]]
    eventually(lambda: sum(e["state"]["n"] for e in finals()) == 4)
    event = finals()[0]
    assert event["Records"] == [] and event["eventSourceARN"] == arn and event["shardId"].startswith("shardId-")
    assert event["isWindowTerminatedEarly"] is False
    start, end = (datetime.datetime.fromisoformat(event["window"][k]) for k in ("start", "end"))
    assert end - start == datetime.timedelta(seconds=1)


def test_checkpoints_outlive_kills(tmp_path):
    """A stop repeats nothing; a kill repeats at most what was under way; neither misses anything."""
    with Cirro(tmp_path) as cirro:
        def connect():
            return Streams(lambda service: make_client(cirro.url, service), None)
        aws, fn = connect(), unique("fn")
        (table, arn), (log, _) = aws.table(), aws.table()
        # What a function logs may be lost in a crash. What it writes into a table is not.
        aws.awslambda.create_function(FunctionName=fn, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=60,
                                      Environment={"Variables": {"LOG": log}}, Code={"ZipFile": package("""
            import os, boto3
            dynamodb = boto3.client("dynamodb")
            def handler(event, context):
                numbers = [r["dynamodb"]["Keys"]["sk"] for r in event["Records"]]
                dynamodb.update_item(TableName=os.environ["LOG"], Key={"pk": {"S": "log"}, "sk": {"N": "0"}},
                    UpdateExpression="SET seen = list_append(if_not_exists(seen, :none), :new)",
                    ExpressionAttributeValues={":none": {"L": []}, ":new": {"L": numbers}})
        """)})
        aws.awslambda.get_waiter("function_active_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})

        def seen():
            item = aws.dynamodb.get_item(TableName=log, Key={"pk": {"S": "log"}, "sk": {"N": "0"}}).get("Item")
            return [int(n["N"]) for n in item["seen"]["L"]] if item else []
        mapping = aws.map(arn, fn, StartingPosition="LATEST", BatchSize=3)
        for round, sig in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)):
            aws.put(table, "a", *range(10 * round, 10 * round + 10))
            if sig == signal.SIGTERM:
                eventually(lambda: len(set(seen())) == 10 * round + 10)
            cirro.listen = "127.0.0.1:0"  # the old port may be another's by now
            cirro.restart(sig)
            aws = connect()
            aws.state(mapping, "Enabled")
        eventually(lambda: seen()[-1] == 39)
        numbers = seen()
        assert set(numbers) == set(range(40)) and all(b <= a + 1 for a, b in zip(numbers, numbers[1:])), numbers
