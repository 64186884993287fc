"""EventBridge Scheduler as boto3 uses it."""
import datetime
import json
import signal

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import eventually, make_client, unique

ROLE = "arn:aws:iam::000000000000:role/test"
OFF = {"Mode": "OFF"}
QUEUES = "arn:aws:sqs:us-east-1:000000000000:"


@pytest.fixture
def scheduler(client):
    return client("scheduler")


@pytest.fixture
def queue(client):
    """queue() makes a queue and returns its URL and its name."""
    def make(name=None, **attributes):
        name = name or unique("q")
        return client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], name
    return make


def soon(seconds=1):
    return f"at({datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S})"


def create(scheduler, target, expression=None, **kw):
    name = unique("schedule")
    scheduler.create_schedule(Name=name, ScheduleExpression=expression or soon(), FlexibleTimeWindow=OFF, Target={"RoleArn": ROLE, **target}, **kw)
    return name


def receive(sqs, url):
    def message():
        return sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"]).get("Messages")
    [got] = eventually(message)
    return got


def refused(code, call, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert e.value.response["Error"]["Code"] == code
    return e.value.response["Error"]["Message"]


def test_schedules(scheduler):
    name = create(scheduler, {"Arn": QUEUES + "q", "Input": "x"}, "cron(0 3 * * ? *)", ScheduleExpressionTimezone="Europe/Berlin", Description="d")
    got = scheduler.get_schedule(Name=name)
    assert got["Arn"] == f"arn:aws:scheduler:us-east-1:000000000000:schedule/default/{name}"
    assert (got["State"], got["GroupName"], got["ActionAfterCompletion"], got["ScheduleExpressionTimezone"]) == ("ENABLED", "default", "NONE", "Europe/Berlin")
    assert got["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    scheduler.update_schedule(Name=name, ScheduleExpression="rate(2 minute)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 60},
                              Target={"Arn": QUEUES + "r", "RoleArn": ROLE}, State="DISABLED", ActionAfterCompletion="DELETE")
    got = scheduler.get_schedule(Name=name)
    assert (got["State"], got["ScheduleExpression"], got["ScheduleExpressionTimezone"]) == ("DISABLED", "rate(2 minute)", "UTC") and "Description" not in got
    assert [s["Target"]["Arn"] for s in scheduler.list_schedules(NamePrefix=name)["Schedules"]] == [QUEUES + "r"]
    scheduler.delete_schedule(Name=name)
    assert refused("ResourceNotFoundException", scheduler.get_schedule, Name=name) == f"Schedule {name} does not exist."
    assert refused("ResourceNotFoundException", scheduler.delete_schedule, Name=name) == f"Schedule {name} does not exist."
    bad = dict(Name=name, FlexibleTimeWindow=OFF, Target={"Arn": QUEUES + "q", "RoleArn": ROLE})
    for expression in ("cron(0 1 * * * *)", "cron(7 20 * * NOT *)", "cron(INVALID)", "cron(71 8 1 * ? *)", "cron()", "rate(10 seconds)", "rate()", "rate(10)",
                       "rate(10 minutess)", "rate(-10 minutes)", "rate( 10 minutes )", " rate(10 minutes)", "at(2021-12-31T23:59:59Z)", "at(2021-12-31)"):
        assert refused("ValidationException", scheduler.create_schedule, ScheduleExpression=expression, **bad) == f"Invalid Schedule Expression {expression}."


def test_groups(scheduler):
    group = unique("group")
    arn = scheduler.create_schedule_group(Name=group, Tags=[{"Key": "a", "Value": "b"}])["ScheduleGroupArn"]
    assert scheduler.get_schedule_group(Name=group)["State"] == "ACTIVE"
    assert refused("ConflictException", scheduler.create_schedule_group, Name=group)
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    scheduler.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    names = sorted(create(scheduler, {"Arn": QUEUES + "q"}, "rate(1 day)", GroupName=group, State="DISABLED") for _ in range(5))
    first = scheduler.list_schedules(GroupName=group, MaxResults=3)
    second = scheduler.list_schedules(GroupName=group, MaxResults=3, NextToken=first["NextToken"])
    assert [s["Name"] for s in first["Schedules"] + second["Schedules"]] == names and "NextToken" not in second
    assert {"default", group} <= {g["Name"] for g in scheduler.list_schedule_groups()["ScheduleGroups"]}
    scheduler.delete_schedule_group(Name=group)

    def gone():
        return group not in {g["Name"] for g in scheduler.list_schedule_groups()["ScheduleGroups"]}
    eventually(gone)
    assert refused("ResourceNotFoundException", scheduler.get_schedule, Name=names[0], GroupName=group)
    assert "default" in refused("ValidationException", scheduler.delete_schedule_group, Name="default")


def test_targets(scheduler, client, queue, function):
    sqs = client("sqs")
    url, name = queue()
    create(scheduler, {"Arn": QUEUES + name, "Input": "at <aws.scheduler.scheduled-time>, <aws.scheduler.attempt-number>"})
    fifo_url, fifo = queue(unique("q") + ".fifo", FifoQueue="true")
    create(scheduler, {"Arn": QUEUES + fifo, "SqsParameters": {"MessageGroupId": "g"}, "Input": "in order"})
    universal_url, _ = queue()
    create(scheduler, {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "Input": json.dumps({"QueueUrl": universal_url, "MessageBody": "universal <aws.scheduler.schedule-arn>",
                       "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}}})})
    note_url, note = queue()
    noted = create(scheduler, {"Arn": QUEUES + note}, ActionAfterCompletion="DELETE")
    event_url, event_queue = queue()
    rule = unique("rule")
    client("events").put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    client("events").put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": QUEUES + event_queue}])
    create(scheduler, {"Arn": "arn:aws:events:us-east-1:000000000000:event-bus/default", "EventBridgeParameters": {"Source": rule, "DetailType": "D"}, "Input": '{"n": 1}'})
    done_url, _ = queue()
    fn = function("""
        import boto3, json, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["DONE"], MessageBody=json.dumps(event))
    """, Environment={"Variables": {"DONE": done_url}})
    create(scheduler, {"Arn": f"arn:aws:lambda:us-east-1:000000000000:function:{fn}", "Input": '{"n": 2}'})
    body = receive(sqs, url)["Body"]
    assert body.startswith("at 20") and body.endswith("Z, 1")
    assert receive(sqs, fifo_url)["Body"] == "in order"
    got = receive(sqs, universal_url)
    assert got["Body"].startswith("universal arn:aws:scheduler:us-east-1:000000000000:schedule/default/") and got["MessageAttributes"]["a"]["StringValue"] == "b"
    default = json.loads(receive(sqs, note_url)["Body"])
    assert default["source"] == "aws.scheduler" and default["detail"] == "{}" and default["resources"] == [f"arn:aws:scheduler:us-east-1:000000000000:schedule/default/{noted}"]
    refused("ResourceNotFoundException", scheduler.get_schedule, Name=noted)
    event = json.loads(receive(sqs, event_url)["Body"])
    assert (event["source"], event["detail-type"], event["detail"]) == (rule, "D", {"n": 1})
    assert json.loads(receive(sqs, done_url)["Body"]) == {"n": 2}


def test_what_fails_ends_in_a_dead_letter_queue(scheduler, client, queue):
    url, name = queue()
    missing = QUEUES + unique("nosuch")
    schedule = create(scheduler, {"Arn": missing, "Input": "x", "DeadLetterConfig": {"Arn": QUEUES + name}})
    got = receive(client("sqs"), url)
    attributes = {k: v["StringValue"] for k, v in got["MessageAttributes"].items()}
    assert got["Body"] == "x" and attributes["TARGET_ARN"] == missing and attributes["SCHEDULE_ARN"].endswith("/" + schedule)
    assert attributes["RETRY_ATTEMPTS"] == "0" and attributes["EXECUTION_ID"] and attributes["ERROR_CODE"] and attributes["IS_PAYLOAD_TRUNCATED"] == "false"


def test_a_schedule_survives_a_crash(tmp_path):
    """It comes due while the platform is down, and is made up for once."""
    with Cirro(tmp_path / "data") as platform:
        scheduler, sqs = make_client(platform.url, "scheduler"), make_client(platform.url, "sqs")
        sqs.create_queue(QueueName="q")
        due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
        create(scheduler, {"Arn": QUEUES + "q", "Input": "x"}, f"at({due:%Y-%m-%dT%H:%M:%S})", ActionAfterCompletion="DELETE")
        kept = create(scheduler, {"Arn": QUEUES + "q"}, "cron(0 0 1 1 ? 2099)")
        platform.stop(signal.SIGKILL)
        slept_through = datetime.datetime.now(datetime.UTC) < due - datetime.timedelta(seconds=1)
        eventually(lambda: datetime.datetime.now(datetime.UTC) > due)
        platform.start()
        scheduler, sqs = make_client(platform.url, "scheduler"), make_client(platform.url, "sqs")
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        assert receive(sqs, url)["Body"] == "x"
        assert [s["Name"] for s in scheduler.list_schedules()["Schedules"]] == [kept]
        # On a machine so busy that it was called before the crash, it may have been called again.
        assert not slept_through or "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
