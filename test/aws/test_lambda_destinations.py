"""Where the outcomes of asynchronous invocations go, with the real targets.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""
import json
import re

import pytest

from conftest import eventually, unique
from test_event_source_queues import Aws

WORKER = """
    def handler(event, context):
        if event.get("fail"): raise ValueError("as told")
        return {"ok": True}
"""


@pytest.fixture(scope="module")
def aws(client, function):
    return Aws(client, function)


def destined(aws, success=None, failure=None, **config):
    """A function whose outcomes go there."""
    fn = aws.function(WORKER, timeout=60, **config)
    to = {}
    if success:
        to["OnSuccess"] = {"Destination": success}
    if failure:
        to["OnFailure"] = {"Destination": failure}
    aws.awslambda.put_function_event_invoke_config(FunctionName=fn, MaximumRetryAttempts=0, DestinationConfig=to)
    return fn


def send(aws, fn, event):
    out = aws.awslambda.invoke(FunctionName=fn, InvocationType="Event", Payload=json.dumps(event))
    assert out["StatusCode"] == 202
    return out["ResponseMetadata"]["RequestId"]


def received(aws, url):
    message = eventually(lambda: aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"]).get("Messages"))[0]
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def success(fn, request):
    return {"version": "1.0", "requestPayload": {"n": 1}, "responsePayload": {"ok": True},
            "requestContext": {"requestId": request, "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{fn}:$LATEST",
                               "condition": "Success", "approximateInvokeCount": 1},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"}}


def test_a_queue(aws):
    url, arn = aws.queue()
    fn = destined(aws, success=arn, failure=arn)
    request = send(aws, fn, {"n": 1})
    record = json.loads(received(aws, url)["Body"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp")) and record == success(fn, request)
    send(aws, fn, {"fail": 1})
    record = json.loads(received(aws, url)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted" and record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "as told"


def test_a_topic(aws):
    url, arn = aws.queue()
    topic = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    fn = destined(aws, success=topic)
    request = send(aws, fn, {"n": 1})
    record = json.loads(json.loads(received(aws, url)["Body"])["Message"])
    del record["timestamp"]
    assert record == success(fn, request)


def test_a_function(aws):
    to = aws.function("""
        import json
        def handler(event, context): print("SEEN", json.dumps(event))
    """)
    fn = destined(aws, success=f"arn:aws:lambda:us-east-1:000000000000:function:{to}")
    request = send(aws, fn, {"n": 1})
    record = eventually(lambda: aws.seen(to))[0]
    del record["timestamp"]
    assert record == success(fn, request)


def test_a_bus(aws):
    events, (url, arn) = aws.client("events"), aws.queue()
    bus = events.create_event_bus(Name=unique("bus"))["EventBusArn"]
    rule = unique("rule")
    events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])
    fn = destined(aws, success=bus)
    request = send(aws, fn, {"n": 1})
    event = json.loads(received(aws, url)["Body"])
    assert event["detail-type"] == "Lambda Function Invocation Result - Success" and event["source"] == "lambda"
    assert event["resources"] == [bus, f"arn:aws:lambda:us-east-1:000000000000:function:{fn}:$LATEST"]
    del event["detail"]["timestamp"]
    assert event["detail"] == success(fn, request)


def test_a_bucket(aws):
    """A bucket takes failures alone."""
    bucket, s3 = unique("failures"), aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    fn = destined(aws, failure=f"arn:aws:s3:::{bucket}")
    request = send(aws, fn, {"fail": 1})
    key = eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))[0]["Key"]
    assert re.fullmatch(rf"aws/lambda/async/{fn}/\d{{4}}/\d\d/\d\d/\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}", key), key
    record = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert record["requestContext"]["requestId"] == request and record["requestPayload"] == {"fail": 1}
    with pytest.raises(aws.awslambda.exceptions.InvalidParameterValueException):
        destined(aws, success=f"arn:aws:s3:::{bucket}")


def test_dead_letters(aws):
    url, arn = aws.queue()
    topic_url, topic_queue = aws.queue()
    topic = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue, Attributes={"RawMessageDelivery": "true"})
    for at, dead in ((url, arn), (topic_url, topic)):
        fn = destined(aws, DeadLetterConfig={"TargetArn": dead})
        request = send(aws, fn, {"fail": 1})
        message = received(aws, at)
        assert json.loads(message["Body"]) == {"fail": 1}
        attributes = {k: (v["DataType"], v["StringValue"]) for k, v in message["MessageAttributes"].items()}
        assert attributes == {"RequestID": ("String", request), "ErrorCode": ("Number", "200"), "ErrorMessage": ("String", "as told")}


def test_a_target_that_is_gone_holds_up_nothing(aws):
    gone_url, gone = aws.queue()
    url, arn = aws.queue()
    fn = destined(aws, failure=gone, DeadLetterConfig={"TargetArn": arn})
    aws.sqs.delete_queue(QueueUrl=gone_url)
    send(aws, fn, {"fail": 1})
    assert json.loads(received(aws, url)["Body"]) == {"fail": 1}
