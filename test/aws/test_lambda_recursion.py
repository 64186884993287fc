"""Functions that call themselves in a circle are stopped, by way of the headers that AWS's SDKs send.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""
import json

import pytest

from conftest import eventually, unique
from test_event_source_queues import Aws

ROUNDS = 16

# How the function comes to itself: SEND says with what it goes on.
LOOP = """
    import json, os, boto3
    {client} = boto3.client("{client}")
    def handler(event, context):
        print("SEEN", json.dumps(event))
        {send}
"""


@pytest.fixture(scope="module")
def aws(client, function):
    return Aws(client, function)


def looper(aws, client, send, target, dead, **config):
    return aws.function(LOOP.format(client=client, send=send), timeout=60, Environment={"Variables": {"TARGET": target}},
                        DeadLetterConfig={"TargetArn": dead}, **config)


def letter(aws, url):
    """The message of a dead-letter queue."""
    got = eventually(lambda: aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"]).get("Messages"))
    return got[0]


def rounds(aws, fn):
    eventually(lambda: len(aws.seen(fn)) >= ROUNDS)
    return len(aws.seen(fn))


def test_through_a_queue(aws):
    dead_url, dead = aws.queue()
    url, arn = aws.queue(VisibilityTimeout="60", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1}))
    fn = looper(aws, "sqs", 'sqs.send_message(QueueUrl=os.environ["TARGET"], MessageBody="again")', url, dead)
    aws.map(arn, fn)
    aws.send(url, "begin")
    assert rounds(aws, fn) == ROUNDS
    # The message stays in the queue, unseen until its visibility timeout is over; then it is a dead letter.
    eventually(lambda: aws.counts(url) == (0, 1))
    assert len(aws.seen(fn)) == ROUNDS
    # Another message is another chain.
    aws.send(url, "begin")
    eventually(lambda: len(aws.seen(fn)) == 2 * ROUNDS)


def test_through_itself(aws):
    url, dead = aws.queue()
    send = 'boto3.client("lambda").invoke(FunctionName=context.function_name, InvocationType="Event", Payload=json.dumps({"n": event["n"] + 1}))'
    fn = looper(aws, "sqs", send, "", dead)
    aws.awslambda.invoke(FunctionName=fn, InvocationType="Event", Payload='{"n": 1}')
    message = letter(aws, url)
    assert json.loads(message["Body"]) == {"n": ROUNDS + 1}
    assert "recursive loop" in message["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert rounds(aws, fn) == ROUNDS


def test_through_a_bucket(aws):
    url, dead = aws.queue()
    bucket, s3 = unique("bucket"), aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    send = 's3.put_object(Bucket=os.environ["TARGET"], Key=f"{context.aws_request_id}", Body=b"again")'
    fn = looper(aws, "s3", send, bucket, dead)
    notify(aws, bucket, fn)
    s3.put_object(Bucket=bucket, Key="begin", Body=b"")
    event = json.loads(letter(aws, url)["Body"])
    assert event["Records"][0]["s3"]["bucket"]["name"] == bucket
    assert rounds(aws, fn) == ROUNDS


def notify(aws, bucket, fn):
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{fn}"
    aws.awslambda.add_permission(FunctionName=fn, StatementId="s3", Action="lambda:InvokeFunction",
                                 Principal="s3.amazonaws.com", SourceArn=f"arn:aws:s3:::{bucket}")
    aws.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]})


def test_through_a_topic(aws):
    url, dead = aws.queue()
    sns = aws.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    fn = looper(aws, "sns", 'sns.publish(TopicArn=os.environ["TARGET"], Message="again")', topic, dead)
    aws.awslambda.add_permission(FunctionName=fn, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com", SourceArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"arn:aws:lambda:us-east-1:000000000000:function:{fn}")
    sns.publish(TopicArn=topic, Message="begin")
    assert json.loads(letter(aws, url)["Body"])["Records"][0]["Sns"]["Message"] == "again"
    assert rounds(aws, fn) == ROUNDS


def test_a_function_that_may(aws):
    url, dead = aws.queue()
    send = ('event["n"] < 20 and boto3.client("lambda").invoke(FunctionName=context.function_name, InvocationType="Event", '
            'Payload=json.dumps({"n": event["n"] + 1}))')
    fn = looper(aws, "sqs", send, "", dead)
    aws.awslambda.put_function_recursion_config(FunctionName=fn, RecursiveLoop="Allow")
    aws.awslambda.invoke(FunctionName=fn, InvocationType="Event", Payload='{"n": 1}')
    eventually(lambda: len(aws.seen(fn)) == 20)
    assert aws.counts(url) == (0, 0)


def test_one_caller_is_told(aws):
    """Those who wait for an answer get an error."""
    fn = aws.function("""
        import json, boto3
        client = boto3.client("lambda")
        def handler(event, context):
            try:
                return json.load(client.invoke(FunctionName=context.function_name)["Payload"]) + 1
            except client.exceptions.ClientError as e:
                return 1 if e.response["Error"]["Code"] == "RecursiveInvocationException" else str(e)
    """, timeout=120, MemorySize=256)
    out = aws.awslambda.invoke(FunctionName=fn)
    assert json.load(out["Payload"]) == ROUNDS


def test_the_handler_of_images_without_its_guard(aws):
    """What a handler writes into the bucket that sets it off sets it off again, under ever longer names."""
    url, dead = aws.queue()
    bucket, s3 = unique("bucket"), aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    fn = aws.function("""
        import boto3, urllib.parse
        s3 = boto3.client("s3")
        def handler(event, context):
            for record in event["Records"]:
                bucket = record["s3"]["bucket"]["name"]
                key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
                obj = s3.get_object(Bucket=bucket, Key=key)
                s3.put_object(Bucket=bucket, Key=f"processed/{key}", Body=obj["Body"].read().upper())
    """, timeout=60, DeadLetterConfig={"TargetArn": dead})
    notify(aws, bucket, fn)
    s3.put_object(Bucket=bucket, Key="a file+ü.txt", Body=b"hello")
    letter(aws, url)
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sorted(keys, key=len) == [n * "processed/" + "a file+ü.txt" for n in range(ROUNDS + 1)]
    assert s3.get_object(Bucket=bucket, Key=keys[-1])["Body"].read() in (b"HELLO", b"hello")
