"""Layers, permissions, tags, URLs, concurrency and the other settings of Lambda functions."""
import json
import re

import pytest
import requests

from conftest import eventually, package, unique
from test_lambda_functions import SOURCE, arn, refused


@pytest.fixture
def awslambda(client):
    return client("lambda")


def test_layers(awslambda, client):
    name, content = unique("layer"), package("x = 1", "python/lib.py")
    one = awslambda.publish_layer_version(LayerName=name, Content={"ZipFile": content}, Description="d", LicenseInfo="MIT",
                                          CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"])
    layer = f"arn:aws:lambda:us-east-1:000000000000:layer:{name}"
    assert (one["Version"], one["LayerArn"], one["LayerVersionArn"]) == (1, layer, layer + ":1")
    assert awslambda.publish_layer_version(LayerName=name, Content={"ZipFile": content})["Version"] == 2
    got = awslambda.get_layer_version(LayerName=name, VersionNumber=1)
    assert requests.get(got["Content"]["Location"]).content == content
    assert awslambda.get_layer_version_by_arn(Arn=layer + ":1")["LicenseInfo"] == "MIT"
    assert [v["Version"] for v in awslambda.list_layer_versions(LayerName=name)["LayerVersions"]] == [2, 1]
    mine = [l for p in awslambda.get_paginator("list_layers").paginate(CompatibleRuntime="python3.12") for l in p["Layers"]
            if l["LayerName"] == name]
    assert [l["LatestMatchingVersion"]["Version"] for l in mine] == [1]

    friend = client("lambda", aws_access_key_id="111111111111")
    assert refused(friend.get_layer_version_by_arn, Arn=layer + ":1")[0] == "AccessDeniedException"
    added = awslambda.add_layer_version_permission(LayerName=name, VersionNumber=1, StatementId="s",
                                                   Action="lambda:GetLayerVersion", Principal="111111111111")
    policy = awslambda.get_layer_version_policy(LayerName=name, VersionNumber=1)
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(added["Statement"])]
    assert friend.get_layer_version_by_arn(Arn=layer + ":1")["Version"] == 1
    awslambda.remove_layer_version_permission(LayerName=name, VersionNumber=1, StatementId="s", RevisionId=policy["RevisionId"])
    awslambda.delete_layer_version(LayerName=name, VersionNumber=1)
    assert refused(awslambda.get_layer_version, LayerName=name, VersionNumber=1) == (
        "ResourceNotFoundException", "The resource you requested does not exist.", 404)


def test_permissions(awslambda, function):
    name = function(SOURCE)
    added = awslambda.add_permission(FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction",
                                     Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::b", SourceAccount="000000000000")
    statement = {"Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction",
                 "Resource": arn(name), "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
                                                      "StringEquals": {"AWS:SourceAccount": "000000000000"}}}
    assert json.loads(added["Statement"]) == statement
    assert json.loads(awslambda.get_policy(FunctionName=name)["Policy"]) == {
        "Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert refused(awslambda.add_permission, FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="*")[0] == \
        "ResourceConflictException"
    assert refused(awslambda.add_permission, FunctionName=name, StatementId="x", Action="lambda:InvokeFunction", Principal="nobody") == (
        "InvalidParameterValueException", "The provided principal was invalid. Please check the principal and try again.", 400)
    awslambda.remove_permission(FunctionName=name, StatementId="s3")
    assert refused(awslambda.get_policy, FunctionName=name) == (
        "ResourceNotFoundException", "The resource you requested does not exist.", 404)


def test_tags(awslambda, function):
    name = function(SOURCE, Tags={"a": "1"})
    awslambda.tag_resource(Resource=arn(name), Tags={"b": "ü"})
    awslambda.untag_resource(Resource=arn(name), TagKeys=["a"])
    assert awslambda.list_tags(Resource=arn(name))["Tags"] == {"b": "ü"}
    assert refused(awslambda.tag_resource, Resource=arn(name), Tags={f"k{i}": "" for i in range(50)}) == (
        "InvalidParameterValueException", "Number of tags exceeds resource tag limit.", 400)


def test_url_config(awslambda, function, endpoint):
    name = function(SOURCE)
    port = endpoint.rsplit(":", 1)[1]
    created = awslambda.create_function_url_config(FunctionName=name, AuthType="NONE", Cors={"AllowOrigins": ["*"]})
    assert re.fullmatch(rf"http://[a-z0-9]{{32}}\.lambda-url\.us-east-1\.localhost:{port}/", created["FunctionUrl"])
    assert created["FunctionArn"] == arn(name)
    updated = awslambda.update_function_url_config(FunctionName=name, AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM")
    assert (updated["AuthType"], updated["InvokeMode"], updated["FunctionUrl"]) == ("AWS_IAM", "RESPONSE_STREAM", created["FunctionUrl"])
    assert [u["Cors"] for u in awslambda.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]] == [{"AllowOrigins": ["*"]}]
    assert refused(awslambda.create_function_url_config, FunctionName=name, AuthType="NONE")[0] == "ResourceConflictException"
    awslambda.delete_function_url_config(FunctionName=name)
    assert refused(awslambda.get_function_url_config, FunctionName=name) == (
        "ResourceNotFoundException", "The resource you requested does not exist.", 404)


def test_reserved_concurrency(awslambda, function):
    name = function(SOURCE)
    assert awslambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)["ReservedConcurrentExecutions"] == 5
    assert awslambda.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 5}
    limits = awslambda.get_account_settings()["AccountLimit"]
    assert limits["UnreservedConcurrentExecutions"] <= limits["ConcurrentExecutions"] - 5
    assert refused(awslambda.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=1000) == (
        "InvalidParameterValueException", "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].", 400)
    awslambda.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in awslambda.get_function_concurrency(FunctionName=name)


def test_provisioned_concurrency(awslambda, function):
    name = function(SOURCE)
    version = awslambda.publish_version(FunctionName=name)["Version"]
    assert refused(awslambda.get_provisioned_concurrency_config, FunctionName=name, Qualifier=version) == (
        "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function", 404)
    put = awslambda.put_provisioned_concurrency_config(FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=2)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 202 and put["Status"] == "IN_PROGRESS"

    def ready():
        c = awslambda.get_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
        return c["Status"] == "READY" and c["AvailableProvisionedConcurrentExecutions"] == 2
    eventually(ready)
    assert awslambda.invoke(FunctionName=name, Qualifier=version)["Payload"].read() == b"1"
    awslambda.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
    assert awslambda.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []


def test_event_invoke_config(awslambda, function):
    name = function(SOURCE)
    queue = "arn:aws:sqs:us-east-1:000000000000:q"
    awslambda.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0,
                                               DestinationConfig={"OnFailure": {"Destination": queue}})
    awslambda.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=60)
    got = awslambda.get_function_event_invoke_config(FunctionName=name)
    assert (got["MaximumRetryAttempts"], got["MaximumEventAgeInSeconds"]) == (0, 60)
    assert got["FunctionArn"] == arn(name) + ":$LATEST"
    assert got["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": queue}}
    assert refused(awslambda.put_function_event_invoke_config, FunctionName=name,
                   DestinationConfig={"OnSuccess": {"Destination": arn(name)}}) == (
        "InvalidParameterValueException", "You can't specify the function as a destination for itself.", 400)
    awslambda.delete_function_event_invoke_config(FunctionName=name)
    assert refused(awslambda.get_function_event_invoke_config, FunctionName=name) == (
        "ResourceNotFoundException", f"The function {arn(name)}:$LATEST doesn't have an EventInvokeConfig", 404)


def test_runtime_and_recursion_settings(awslambda, function):
    name = function(SOURCE)
    assert awslambda.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "Auto"
    awslambda.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="FunctionUpdate")
    assert awslambda.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "FunctionUpdate"
    awslambda.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert awslambda.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
