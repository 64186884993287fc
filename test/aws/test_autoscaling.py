"""Application Auto Scaling of Lambda's provisioned concurrency."""
import concurrent.futures
import datetime
import json
import signal
import time

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package, unique

DIMENSION = "lambda:function:ProvisionedConcurrency"
SLEEPY = "import time\ndef handler(event, context): time.sleep(event.get('sleep', 0))\n"
METRIC = {"PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}}


class Scaled:
    """An alias that is scaled, and the clients to do it with."""

    def __init__(self, url, name=None):
        self.scaling, self.lam = make_client(url, "application-autoscaling"), make_client(url, "lambda")
        self.name = name or self.create()
        self.target = {"ServiceNamespace": "lambda", "ResourceId": f"function:{self.name}:live", "ScalableDimension": DIMENSION}

    def create(self):
        name = unique()
        self.lam.create_function(FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Publish=True,
                                 Code={"ZipFile": package(SLEEPY)})
        self.lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        self.lam.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        return name

    def register(self, low, high, **kw):
        return self.scaling.register_scalable_target(**self.target, MinCapacity=low, MaxCapacity=high, **kw)

    def capacity(self):
        try:
            c = self.lam.get_provisioned_concurrency_config(FunctionName=self.name, Qualifier="live")
        except self.lam.exceptions.ProvisionedConcurrencyConfigNotFoundException:
            return 0, "READY"
        return c["RequestedProvisionedConcurrentExecutions"], c["Status"]

    def becomes(self, n):
        eventually(lambda: self.capacity() == (n, "READY"))

    def soon(self, name, **action):
        """Puts a scheduled action that is due soon, and returns when; sooner than a busy machine can put it is never."""
        for seconds in (2, 8, 32):
            due = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).replace(microsecond=0)
            self.scaling.put_scheduled_action(**self.target, ScheduledActionName=name, Schedule=due.strftime("at(%Y-%m-%dT%H:%M:%S)"),
                                              ScalableTargetAction=action)
            if datetime.datetime.now(datetime.timezone.utc) < due:
                break
        return due

    def activities(self):
        return self.scaling.describe_scaling_activities(ServiceNamespace="lambda", ResourceId=self.target["ResourceId"])["ScalingActivities"]

    def invoke(self, sleep=0):
        self.lam.invoke(FunctionName=self.name, Qualifier="live", Payload=json.dumps({"sleep": sleep}))


@pytest.fixture
def scaled(endpoint):
    s = Scaled(endpoint)
    yield s
    try:
        s.scaling.deregister_scalable_target(**s.target)
    except s.scaling.exceptions.ObjectNotFoundException:
        pass
    s.lam.delete_function(FunctionName=s.name)


def error(f, **kw):
    with pytest.raises(ClientError) as e:
        f(**kw)
    return e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]


def test_registering_brings_the_capacity_between_the_bounds(scaled):
    arn = scaled.register(2, 4, Tags={"team": "a"})["ScalableTargetARN"]
    scaled.becomes(2)
    a = eventually(lambda: [a for a in scaled.activities() if a["StatusCode"] == "Successful"])
    assert [(x["Description"], x["Cause"], x["StatusMessage"]) for x in a] == [(
        "Setting desired concurrency to 2.", "minimum capacity was set to 2",
        "Successfully set desired concurrency to 2. Change successfully fulfilled by lambda.")]
    assert a[0]["EndTime"] >= a[0]["StartTime"]
    t = scaled.scaling.describe_scalable_targets(ServiceNamespace="lambda", ResourceIds=[scaled.target["ResourceId"]])["ScalableTargets"]
    assert len(t) == 1 and t[0]["ScalableTargetARN"] == arn and (t[0]["MinCapacity"], t[0]["MaxCapacity"]) == (2, 4)
    assert t[0]["SuspendedState"] == {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}
    assert t[0]["RoleARN"].endswith("/AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency")

    scaled.register(0, 1)
    scaled.becomes(1)
    scaled.register(0, 0)
    scaled.becomes(0)

    assert scaled.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "a"}
    scaled.scaling.tag_resource(ResourceARN=arn, Tags={"stage": "b"})
    scaled.scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaled.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"stage": "b"}


def test_a_scheduled_action_runs(scaled):
    scaled.register(0, 5)
    scaled.soon("morning", MinCapacity=1, MaxCapacity=3)
    scaled.becomes(1)
    eventually(lambda: all(a["StatusCode"] == "Successful" for a in scaled.activities()))
    assert [(a["Description"], a["Cause"]) for a in scaled.activities()] == [
        ("Setting desired concurrency to 1.", "minimum capacity was set to 1"),
        ("Setting min capacity to 1 and max capacity to 3", "scheduled action name morning was triggered")]
    scaled.scaling.put_scheduled_action(**scaled.target, ScheduledActionName="night", Schedule="cron(0 22 * * ? *)",
                                        Timezone="Europe/Berlin", ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0})
    pages = scaled.scaling.get_paginator("describe_scheduled_actions").paginate(
        ServiceNamespace="lambda", ResourceId=scaled.target["ResourceId"], PaginationConfig={"PageSize": 1})
    actions = [a for page in pages for a in page["ScheduledActions"]]
    assert [(a["ScheduledActionName"], a.get("Timezone")) for a in actions] == [("morning", None), ("night", "Europe/Berlin")]
    scaled.scaling.delete_scheduled_action(**scaled.target, ScheduledActionName="night")
    assert error(scaled.scaling.delete_scheduled_action, **scaled.target, ScheduledActionName="night")[0] == "ObjectNotFoundException"


def test_what_is_due_while_the_platform_is_down_runs_at_its_start(tmp_path):
    with Cirro(tmp_path) as platform:
        scaled = Scaled(platform.url)
        scaled.register(0, 5)
        due = scaled.soon("a", MinCapacity=1)
        scaled.scaling.put_scaling_policy(**scaled.target, PolicyName="p", PolicyType="TargetTrackingScaling",
                                          TargetTrackingScalingPolicyConfiguration={"TargetValue": 0.7, **METRIC})
        platform.stop(signal.SIGKILL)
        while datetime.datetime.now(datetime.timezone.utc) <= due:
            time.sleep(0.1)
        platform.start()
        scaled = Scaled(platform.url, scaled.name)
        scaled.becomes(1)
        runs = [a for a in scaled.activities() if a["Cause"] == "scheduled action name a was triggered"]
        assert len(runs) == 1
        assert [p["PolicyName"] for p in scaled.scaling.describe_scaling_policies(ServiceNamespace="lambda")["ScalingPolicies"]] == ["p"]


def test_target_tracking(tmp_path):
    with Cirro(tmp_path, env={"CIRRO_SCALING_PERIOD": "250ms"}) as platform:
        scaled = Scaled(platform.url)
        scaled.register(1, 3)
        scaled.becomes(1)
        put = scaled.scaling.put_scaling_policy(**scaled.target, PolicyName="p", PolicyType="TargetTrackingScaling",
                                                TargetTrackingScalingPolicyConfiguration={"TargetValue": 0.7, **METRIC})
        assert [a["AlarmName"].rsplit("-Alarm")[1][:4] for a in put["Alarms"]] == ["High", "Low-"]
        busy = True

        def load():
            while busy:
                scaled.invoke(0.05)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(load)
            try:
                eventually(lambda: scaled.capacity() == (3, "READY"))
            finally:
                busy = False
        high = [a for a in scaled.activities() if "AlarmHigh" in a["Cause"]]
        assert high and high[0]["Cause"].startswith(f"monitor alarm TargetTracking-function:{scaled.name}:live-AlarmHigh-")

        # One at a time is a third of it: two are enough, and one would be too few.
        def idle():
            scaled.invoke()
            return scaled.capacity()[0] == 2
        eventually(idle, every=0.02)
        assert [a for a in scaled.activities() if "AlarmLow" in a["Cause"]]


def test_errors(scaled):
    aas, target = scaled.scaling, scaled.target
    what = f"service namespace: lambda, resource ID: {target['ResourceId']}, scalable dimension: {DIMENSION}"
    assert error(aas.put_scheduled_action, **target, ScheduledActionName="a", Schedule="rate(1 day)",
                 ScalableTargetAction={"MinCapacity": 1}) == ("ObjectNotFoundException", f"No scalable target registered for {what}")
    assert error(aas.deregister_scalable_target, **target) == ("ObjectNotFoundException", f"No scalable target found for {what}")
    assert error(aas.register_scalable_target, **{**target, "ResourceId": f"function:{scaled.name}"}, MinCapacity=1, MaxCapacity=2) == (
        "ValidationException", "Unsupported service namespace, resource type or scalable dimension")
    code, message = error(aas.register_scalable_target, ServiceNamespace="ecs", ResourceId="service/a/b",
                          ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=2)
    assert code == "NotImplemented" and "scaling of ecs" in message
    code, message = error(aas.register_scalable_target, **{**target, "ServiceNamespace": "nonsense"}, MinCapacity=1, MaxCapacity=2)
    assert code == "ValidationException" and "Value 'nonsense' at 'serviceNamespace' failed to satisfy constraint" in message
    scaled.register(0, 2)
    assert error(aas.put_scheduled_action, **target, ScheduledActionName="a", Schedule="cron(0 0 * * * *)",
                 ScalableTargetAction={"MinCapacity": 1})[0] == "ValidationException"
    assert error(aas.put_scaling_policy, **target, PolicyName="p", PolicyType="StepScaling", StepScalingPolicyConfiguration={
        "AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]}) == (
        "NotImplemented", "Cirro does not implement the policy type StepScaling, which needs CloudWatch: there is TargetTrackingScaling")
    aas.put_scaling_policy(**target, PolicyName="p", PolicyType="TargetTrackingScaling",
                           TargetTrackingScalingPolicyConfiguration={"TargetValue": 0.7, **METRIC})
    assert error(aas.put_scaling_policy, **target, PolicyName="q", PolicyType="TargetTrackingScaling",
                 TargetTrackingScalingPolicyConfiguration={"TargetValue": 0.5, **METRIC}) == (
        "ValidationException", "Only one TargetTrackingScaling policy for a given metric specification is allowed.")
    aas.deregister_scalable_target(**target)
    assert aas.describe_scaling_policies(ServiceNamespace="lambda", ResourceId=target["ResourceId"])["ScalingPolicies"] == []
