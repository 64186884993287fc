"""Powertools' batch processing, unmodified, behind mappings of the real sources.

https://docs.aws.amazon.com/powertools/python/latest/utilities/batch/
"""
import json

import pytest

from conftest import eventually, unique
from test_event_source_queues import Aws
from test_event_source_streams import Streams, body_of
from test_powertools import packaged

SQS = '''
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

processor = BatchProcessor(event_type=EventType.SQS)


def record_handler(record: SQSRecord):
    item = record.json_body
    print("SEEN", '{"body": %d}' % item["n"])
    if item.get("fail") and int(record.attributes.approximate_receive_count) < 2:
        raise ValueError("as told")


def handler(event, context):
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)
'''

FIFO = SQS.replace("import BatchProcessor, EventType, process", "import SqsFifoPartialProcessor, process") \
    .replace("BatchProcessor(event_type=EventType.SQS)", "SqsFifoPartialProcessor()")

STREAM = '''
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def record_handler(record: DynamoDBRecord):
    new = record.dynamodb.new_image
    print("SEEN", '{"body": %d}' % new["sk"])
    if new.get("fail"):
        raise ValueError("as told")


def handler(event, context):
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)
'''


@pytest.fixture(scope="module")
def aws(client, function):
    return Streams(client, function)


def made(aws, source):
    return Aws.function(aws, "", timeout=6, Zip=packaged(source), MemorySize=512)


def test_messages(aws):
    fn, (url, arn) = made(aws, SQS), aws.queue(VisibilityTimeout="6")
    for n in range(4):
        aws.send(url, {"n": n, "fail": n == 2})
    aws.map(arn, fn, FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=100, MaximumBatchingWindowInSeconds=1)
    aws.empty(url)  # a visibility timeout later
    eventually(lambda: set(aws.bodies(fn)) == {0, 1, 2, 3} and aws.bodies(fn).count(2) > 1)


def test_messages_in_order(aws):
    """What follows a failure in the batch comes again after it."""
    fn = made(aws, FIFO)
    url, arn = aws.queue(unique("q") + ".fifo", FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="6")
    for n in range(4):
        aws.send(url, {"n": n, "fail": n == 1}, MessageGroupId="g")
    aws.map(arn, fn, FunctionResponseTypes=["ReportBatchItemFailures"])
    aws.empty(url)
    eventually(lambda: set(aws.bodies(fn)) == {0, 1, 2, 3} and aws.bodies(fn).count(1) > 1)
    seen = aws.bodies(fn)
    assert seen.index(2) > seen.index(1, seen.index(1) + 1), seen


def test_changes_of_a_table(aws):
    fn, (table, arn), (url, queue) = made(aws, STREAM), aws.table(), aws.queue()
    for n in range(4):
        aws.put(table, "a", n, **({"fail": {"BOOL": True}} if n == 2 else {}))
    aws.map(arn, fn, StartingPosition="TRIM_HORIZON", FunctionResponseTypes=["ReportBatchItemFailures"], MaximumRetryAttempts=1,
            BisectBatchOnFunctionError=True, DestinationConfig={"OnFailure": {"Destination": queue}})
    assert body_of(aws, url)["DDBStreamBatchInfo"]["batchSize"] == 1
    eventually(lambda: set(aws.bodies(fn)) == {0, 1, 2, 3})
