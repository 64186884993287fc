"""Event source mappings of SQS queues, with boto3.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""
import json
import re
import signal
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package, unique

# What a message says is done: it fails, ends the process, takes its time, or is reported as failed.
WORKER = """
    import json, os, time
    def handler(event, context):
        failed = []
        for r in event["Records"]:
            try: m = json.loads(r["body"])
            except ValueError: m = {}
            print("SEEN", time.time_ns(), json.dumps(r))
            times = int(r["attributes"]["ApproximateReceiveCount"])
            if times > m.get("times", 1 << 30): continue
            if m.get("do") == "report": failed.append({"itemIdentifier": r["messageId"]})
            if m.get("do") == "fail": raise ValueError("as told")
            if m.get("do") == "crash": os._exit(1)
            if m.get("do") == "sleep": time.sleep(m["seconds"])
        if failed: return {"batchItemFailures": failed}
"""


@pytest.fixture(scope="module")
def aws(client, function):
    return Aws(client, function)


class Aws:
    """The steps that the tests are made of."""

    def __init__(self, client, function):
        self.client, self.make = client, function
        self.awslambda, self.sqs, self.logs = client("lambda"), client("sqs"), client("logs")

    def function(self, source=WORKER, timeout=20, **config):
        return self.make(source, Timeout=timeout, **config)

    def queue(self, name=None, **attributes):
        attributes.setdefault("VisibilityTimeout", "20")
        name = name or unique("q")
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def map(self, arn, fn, **options):
        """Make a mapping, wait until it is enabled, return its UUID."""
        made = self.awslambda.create_event_source_mapping(EventSourceArn=arn, FunctionName=fn, **options)
        self.state(made["UUID"], "Enabled")
        return made["UUID"]

    def state(self, mapping, state):
        return eventually(lambda: (m := self.awslambda.get_event_source_mapping(UUID=mapping))["State"] == state and m)

    def unmap(self, mapping):
        self.awslambda.delete_event_source_mapping(UUID=mapping)

    def send(self, url, *messages, **more):
        for m in messages:
            self.sqs.send_message(QueueUrl=url, MessageBody=m if isinstance(m, str) else json.dumps(m), **more)

    def seen(self, fn):
        """The records that a function was given, in the order in which it told so; its log may be a little late. Where it
        tells the time, that decides: lines of one millisecond are in no order among the streams of a log."""
        records, token = [], {}
        while True:
            try:
                page = self.logs.filter_log_events(logGroupName=f"/aws/lambda/{fn}", **token)
            except self.logs.exceptions.ResourceNotFoundException:
                return []
            lines = [re.match(r"SEEN (\d+ )?(.*)", e["message"], re.DOTALL) for e in page["events"]]
            records += [(int(line[1] or 0), json.loads(line[2])) for line in lines if line]
            if "nextToken" not in page:
                return [record for _, record in sorted(records, key=lambda r: r[0])]
            token = {"nextToken": page["nextToken"]}

    def bodies(self, fn):
        return [r["body"] for r in self.seen(fn)]

    def counts(self, url):
        a = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(a["ApproximateNumberOfMessages"]), int(a["ApproximateNumberOfMessagesNotVisible"])

    def empty(self, url):
        eventually(lambda: self.counts(url) == (0, 0))


def refused(call, code, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value
    return e.value.response["Error"]["Message"]


def test_life_of_a_mapping(aws):
    """Shapes as recorded in
    https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_sqs.snapshot.json
    """
    fn, (url, arn) = aws.function(), aws.queue()
    made = aws.awslambda.create_event_source_mapping(EventSourceArn=arn, FunctionName=fn, Tags={"a": "b"}, Enabled=False)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    uuid = made["UUID"]
    del made["ResponseMetadata"], made["LastModified"]
    mapping_arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"
    assert made == {
        "UUID": uuid, "EventSourceMappingArn": mapping_arn, "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": arn, "FunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{fn}",
        "FunctionResponseTypes": [], "State": "Creating", "StateTransitionReason": "USER_INITIATED"}
    aws.state(uuid, "Disabled")
    assert aws.awslambda.list_tags(Resource=mapping_arn)["Tags"] == {"a": "b"}
    aws.awslambda.tag_resource(Resource=mapping_arn, Tags={"c": "d"})
    aws.awslambda.untag_resource(Resource=mapping_arn, TagKeys=["a"])
    assert aws.awslambda.list_tags(Resource=mapping_arn)["Tags"] == {"c": "d"}

    for by in ({"FunctionName": fn}, {"EventSourceArn": arn}, {"FunctionName": fn, "EventSourceArn": arn, "MaxItems": 1}):
        assert [m["UUID"] for m in aws.awslambda.list_event_source_mappings(**by)["EventSourceMappings"]] == [uuid]
    assert aws.awslambda.list_event_source_mappings(FunctionName="none")["EventSourceMappings"] == []

    message = refused(aws.awslambda.create_event_source_mapping, "ResourceConflictException", EventSourceArn=arn, FunctionName=fn)
    assert message == (f'An event source mapping with SQS arn (" {arn} ") and function (" {fn} ") already exists. '
                       f"Please update or delete the existing mapping with UUID {uuid}")

    aws.send(url, "while disabled")
    changed = aws.awslambda.update_event_source_mapping(
        UUID=uuid, Enabled=True, BatchSize=5, FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 2}, FilterCriteria={"Filters": [{"Pattern": '{"body":["while disabled"]}'}]})
    assert changed["State"] == "Enabling"
    eventually(lambda: aws.bodies(fn) == ["while disabled"])
    now = aws.state(uuid, "Enabled")
    assert (now["BatchSize"], now["FunctionResponseTypes"], now["ScalingConfig"], now["FilterCriteria"]) == (
        5, ["ReportBatchItemFailures"], {"MaximumConcurrency": 2}, {"Filters": [{"Pattern": '{"body":["while disabled"]}'}]})

    assert aws.awslambda.update_event_source_mapping(UUID=uuid, Enabled=False, FilterCriteria={})["State"] == "Disabling"
    assert "FilterCriteria" not in aws.state(uuid, "Disabled")
    aws.send(url, "disabled again")
    assert aws.awslambda.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    eventually(lambda: aws.awslambda.list_event_source_mappings(FunctionName=fn)["EventSourceMappings"] == [])
    message = refused(aws.awslambda.get_event_source_mapping, "ResourceNotFoundException", UUID=uuid)
    assert message == "The resource you requested does not exist."
    assert aws.bodies(fn) == ["while disabled"] and aws.counts(url) == (1, 0)


def test_refusals(aws):
    fn, (_, arn), (_, fifo) = aws.function(), aws.queue(), aws.queue(unique("q") + ".fifo", FifoQueue="true")
    bad = "InvalidParameterValueException"

    def create(code=bad, **kw):
        return refused(aws.awslambda.create_event_source_mapping, code, **{"EventSourceArn": arn, "FunctionName": fn, **kw})
    assert create(FunctionName="none") == "Function does not exist"
    assert create(FunctionName=fn + ":7") == "Function does not exist"
    assert "NonExistentQueue" in create(EventSourceArn=arn + "none")
    assert create(EventSourceArn="arn:aws:s3:::bucket") == "Unrecognized event source."
    assert create(StartingPosition="LATEST") == "StartingPosition is not valid for SQS event sources."
    assert create(BatchSize=11) == ("Maximum batch window in seconds must be greater than 0 if maximum batch size "
                                    "is greater than 10")
    assert create(EventSourceArn=fifo, BatchSize=11, MaximumBatchingWindowInSeconds=1)
    assert create(EventSourceArn=fifo, MaximumBatchingWindowInSeconds=1) == "Batching window is not supported for FIFO queues"
    assert create(FilterCriteria={"Filters": [{"Pattern": "{"}]}) == "Invalid filter pattern definition."
    assert create(DestinationConfig={"OnFailure": {"Destination": arn}})
    assert create("ValidationException", BatchSize=10001)
    assert "Kafka" in create("NotImplemented", SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092"]}})
    assert create("NotImplemented", EventSourceArn="arn:aws:mq:us-east-1:000000000000:broker:b:b-1")
    assert create("NotImplemented", KMSKeyArn="arn:aws:kms:us-east-1:000000000000:key/k")
    slow = aws.function(timeout=21)
    assert create(FunctionName=slow) == "Queue visibility timeout: 20 seconds is less than Function timeout: 21 seconds"
    for call in (aws.awslambda.get_event_source_mapping, aws.awslambda.update_event_source_mapping, aws.awslambda.delete_event_source_mapping):
        assert refused(call, "ResourceNotFoundException", UUID=str(uuid.uuid4()))


def test_a_message_to_its_last_field(aws):
    fn, (url, arn) = aws.function(), aws.queue()
    aws.map(arn, fn)
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="Grüße <b>", MessageAttributes={
        "s": {"DataType": "String.kind", "StringValue": "v"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
    record = eventually(lambda: aws.seen(fn))[0]
    attributes, handle = record.pop("attributes"), record.pop("receiptHandle")
    assert record == {
        "messageId": sent["MessageId"], "body": "Grüße <b>", "md5OfBody": sent["MD5OfMessageBody"],
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "messageAttributes": {
            "s": {"stringValue": "v", "stringListValues": [], "binaryListValues": [], "dataType": "String.kind"},
            "b": {"binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"}},
        "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": "us-east-1"}
    assert handle and attributes["ApproximateReceiveCount"] == "1" and attributes["SenderId"]
    assert int(attributes["ApproximateFirstReceiveTimestamp"]) >= int(attributes["SentTimestamp"]) > 1e12
    aws.empty(url)


def test_failures_come_again_and_end_in_the_dead_letter_queue(aws):
    dead_url, dead = aws.queue()
    url, arn = aws.queue(VisibilityTimeout="300", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 2}))
    fn = aws.function()
    aws.send(url, {"n": 1}, {"n": 2, "do": "report"}, {"n": 3, "do": "report", "times": 1}, {"n": 4})
    aws.map(arn, fn, BatchSize=100, MaximumBatchingWindowInSeconds=1, FunctionResponseTypes=["ReportBatchItemFailures"])
    # What is to be seen is that the messages come again, not how long that takes.
    eventually(lambda: aws.counts(url) == (0, 2) and len(aws.seen(fn)) == 4)
    again = [r["receiptHandle"] for r in aws.seen(fn) if json.loads(r["body"])["n"] in (2, 3)]
    for handle in again:
        aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    eventually(lambda: len(aws.seen(fn)) == 6)
    latest = [r for r in aws.seen(fn) if r["attributes"]["ApproximateReceiveCount"] == "2" and json.loads(r["body"])["n"] == 2]
    eventually(lambda: sum(aws.counts(url)) == 1)
    aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=latest[0]["receiptHandle"], VisibilityTimeout=0)
    letter = eventually(lambda: aws.sqs.receive_message(QueueUrl=dead_url, WaitTimeSeconds=1).get("Messages"))[0]
    assert json.loads(letter["Body"])["n"] == 2
    assert sorted(json.loads(b)["n"] for b in aws.bodies(fn)) == [1, 2, 2, 3, 3, 4]
    aws.empty(url)


@pytest.mark.parametrize("answer", [
    '{"batchItemFailures": [{"itemIdentifier": ""}]}', '{"batchItemFailures": [{"itemIdentifier": None}]}',
    '{"batchItemFailures": [{"wrong": "x"}]}', '{"batchItemFailures": [{"itemIdentifier": "not in the batch"}]}', '"text"'])
def test_malformed_reports_fail_the_batch(aws, answer):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"""
    fn, (url, arn) = aws.function(f"def handler(event, context):\n    print('SEEN', '{{}}')\n    return {answer}\n"), aws.queue()
    aws.send(url, "a")
    aws.map(arn, fn, FunctionResponseTypes=["ReportBatchItemFailures"])
    eventually(lambda: aws.seen(fn))
    time.sleep(0.5)  # a deletion would have happened by now, if not on every machine
    assert aws.counts(url) == (0, 1)


@pytest.mark.parametrize("answer", ["None", "{}", '{"batchItemFailures": []}', '{"batchItemFailures": None}'])
def test_empty_reports_are_successes(aws, answer):
    fn, (url, arn) = aws.function(f"def handler(event, context): return {answer}"), aws.queue()
    aws.send(url, "a")
    aws.map(arn, fn, FunctionResponseTypes=["ReportBatchItemFailures"])
    aws.empty(url)


def test_filters(aws):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html"""
    fn, (url, arn) = aws.function(), aws.queue()
    aws.map(arn, fn, FilterCriteria={"Filters": [
        {"Pattern": json.dumps({"body": {"n": [{"numeric": [">", 2]}], "city": [{"prefix": "S"}]}})},
        {"Pattern": json.dumps({"body": ["plain"]})},
        {"Pattern": json.dumps({"messageAttributes": {"k": {"stringValue": ["v"]}}})}]})
    aws.send(url, {"n": 3, "city": "Seattle"}, {"n": 2, "city": "Seattle"}, {"n": 3, "city": "Austin"}, "plain", "plainly")
    aws.send(url, "attributed", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}})
    aws.empty(url)
    eventually(lambda: sorted(aws.bodies(fn)) == ["attributed", "plain", '{"n": 3, "city": "Seattle"}'])


def test_large_batches_wait_for_their_window(aws):
    fn, (url, arn) = aws.function("""
        import json
        def handler(event, context):
            print("SEEN", json.dumps({"body": len(event["Records"])}))
    """), aws.queue()
    for i in range(0, 60, 10):
        aws.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(j), "MessageBody": str(i + j)} for j in range(10)])
    aws.map(arn, fn, BatchSize=40, MaximumBatchingWindowInSeconds=3)
    aws.empty(url)
    eventually(lambda: sum(aws.bodies(fn)) == 60)
    assert 10 < max(aws.bodies(fn)) <= 40, "more than one receive brings"
    # Seven messages of a MiB are more than Lambda's payload of 6 MB.
    big, before = "x" * (1 << 20), len(aws.bodies(fn))
    for _ in range(7):
        aws.send(url, big)
    aws.empty(url)
    eventually(lambda: sum(aws.bodies(fn)[before:]) == 7)
    assert max(aws.bodies(fn)[before:]) <= 5


def test_groups_keep_their_order_while_one_fails(aws):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html: a group waits for its first message."""
    fn, (url, arn) = aws.function(), aws.queue(unique("q") + ".fifo", FifoQueue="true", ContentBasedDeduplication="true",
                                               VisibilityTimeout="300")
    for i in range(4):
        for group in "abc":
            fails = {"do": "fail", "times": 1} if (group, i) == ("a", 1) else {}
            aws.send(url, {"group": group, "i": i, **fails}, MessageGroupId=group)
    aws.map(arn, fn, BatchSize=1)

    def of(group):
        return [(json.loads(r["body"])["i"], r["attributes"]["ApproximateReceiveCount"])
                for r in aws.seen(fn) if r["attributes"]["MessageGroupId"] == group]
    eventually(lambda: len(of("b")) == 4 and len(of("c")) == 4 and len(of("a")) == 2)
    assert of("a") == [(0, "1"), (1, "1")], "the group waits"
    failed = next(r for r in aws.seen(fn) if json.loads(r["body"]) == {"group": "a", "i": 1, "do": "fail", "times": 1})
    aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=failed["receiptHandle"], VisibilityTimeout=0)
    aws.empty(url)
    eventually(lambda: of("a") == [(0, "1"), (1, "1"), (1, "2"), (2, "1"), (3, "1")])
    for group in "bc":
        assert of(group) == [(i, "1") for i in range(4)]


def test_a_slow_message_holds_up_no_other(aws):
    fn, (url, arn) = aws.function(timeout=300), aws.queue(VisibilityTimeout="300")
    aws.map(arn, fn, BatchSize=1)
    aws.send(url, {"do": "sleep", "seconds": 250})
    eventually(lambda: len(aws.seen(fn)) == 1)
    aws.send(url, *({"n": n} for n in range(20)))
    eventually(lambda: len(aws.seen(fn)) == 21 and aws.counts(url) == (0, 1))


def test_crashes_and_timeouts_lose_nothing(aws):
    fn, (url, arn) = aws.function(timeout=2), aws.queue(VisibilityTimeout="2")
    aws.map(arn, fn, BatchSize=1)
    aws.send(url, {"do": "crash", "times": 1}, {"do": "sleep", "seconds": 30, "times": 1}, {"do": "fail", "times": 1}, {"n": 1})
    aws.empty(url)
    eventually(lambda: {json.loads(b).get("do") for b in aws.bodies(fn)} == {"crash", "sleep", "fail", None})


def test_throttled_messages_wait(aws):
    """A function with room for one gets one at a time; waiting for room is no attempt."""
    fn, (url, arn) = aws.function(), aws.queue(VisibilityTimeout="20")
    aws.awslambda.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=1)
    aws.send(url, *({"n": n, "do": "sleep", "seconds": 0.2} for n in range(20)))
    mapping = aws.map(arn, fn, BatchSize=1)
    aws.empty(url)
    eventually(lambda: sorted(json.loads(b)["n"] for b in aws.bodies(fn)) == list(range(20)))
    assert {r["attributes"]["ApproximateReceiveCount"] for r in aws.seen(fn)} == {"1"}
    # One that may not run at all leaves them where they are.
    aws.awslambda.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=0)
    aws.send(url, {"n": 20})
    eventually(lambda: aws.counts(url)[1] == 1)
    aws.awslambda.delete_function_concurrency(FunctionName=fn)
    eventually(lambda: len(aws.bodies(fn)) == 21)
    aws.unmap(mapping)


def test_versions_and_aliases(aws):
    fn, (url, arn) = aws.function("""
        import json
        def handler(event, context):
            for r in event["Records"]:
                print("SEEN", json.dumps({"body": [r["body"], context.function_version, context.invoked_function_arn]}))
    """), aws.queue()
    version = aws.awslambda.publish_version(FunctionName=fn)["Version"]
    aws.awslambda.create_alias(FunctionName=fn, Name="live", FunctionVersion=version)
    aws.map(arn, fn + ":live")
    aws.send(url, "m")
    assert eventually(lambda: aws.bodies(fn)) == [["m", version, f"arn:aws:lambda:us-east-1:000000000000:function:{fn}:live"]]
    listed = aws.awslambda.list_event_source_mappings(FunctionName=fn + ":live")["EventSourceMappings"]
    assert listed[0]["FunctionArn"].endswith(fn + ":live")
    assert aws.awslambda.list_event_source_mappings(FunctionName=fn)["EventSourceMappings"] == []


def test_what_is_deleted_may_come_back(aws):
    fn, (url, arn) = aws.function(), aws.queue()
    mapping = aws.map(arn, fn)
    aws.awslambda.delete_function(FunctionName=fn)
    aws.send(url, "for nobody")
    eventually(lambda: aws.counts(url) == (0, 1))
    eventually(lambda: aws.awslambda.get_event_source_mapping(UUID=mapping).get("LastProcessingResult", "").startswith("PROBLEM"))
    aws.make(WORKER, Timeout=20, name=fn)
    eventually(lambda: "for nobody" in aws.bodies(fn))
    aws.empty(url)

    aws.awslambda.update_event_source_mapping(UUID=mapping, Enabled=False)
    aws.state(mapping, "Disabled")
    aws.sqs.delete_queue(QueueUrl=url)
    aws.awslambda.update_event_source_mapping(UUID=mapping, Enabled=True)
    eventually(lambda: "does not exist" in aws.awslambda.get_event_source_mapping(UUID=mapping).get("LastProcessingResult", ""))
    aws.awslambda.delete_event_source_mapping(UUID=mapping)
    eventually(lambda: aws.awslambda.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"] == [])


def test_messages_outlive_kills(tmp_path):
    """Whatever is acknowledged is handled, though the platform is killed again and again in the middle of it."""
    with Cirro(tmp_path) as cirro:
        def connect():
            return Aws(lambda service: make_client(cirro.url, service), None)
        aws, fn, table, name = connect(), unique("fn"), unique("table"), unique("q")
        aws.client("dynamodb").create_table(
            TableName=table, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])
        # What a function logs may be lost in a crash. What it writes into a table is not.
        aws.awslambda.create_function(FunctionName=fn, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=5, MemorySize=512,
                                      Environment={"Variables": {"TABLE": table}}, Code={"ZipFile": package("""
            import os, boto3
            dynamodb = boto3.client("dynamodb")
            def handler(event, context):
                for r in event["Records"]: dynamodb.put_item(TableName=os.environ["TABLE"], Item={"pk": {"S": r["body"]}})
        """)})
        aws.awslambda.get_waiter("function_active_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        url, arn = aws.queue(name, VisibilityTimeout="5")
        aws.map(arn, fn, BatchSize=3, ScalingConfig={"MaximumConcurrency": 2})

        def handled():
            return {i["pk"]["S"] for i in aws.client("dynamodb").scan(TableName=table)["Items"]}
        sent = set()
        for _ in range(4):
            new = {str(len(sent) + i) for i in range(20)}
            sent |= new
            aws.send(url, *new)
            eventually(lambda: handled() & new)
            cirro.listen = "127.0.0.1:0"  # the old port may be another's by now
            cirro.restart(signal.SIGKILL)
            aws = connect()
            url = aws.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        eventually(lambda: handled() == sent)
        aws.empty(url)
        assert aws.awslambda.list_event_source_mappings()["EventSourceMappings"][0]["State"] == "Enabled"
