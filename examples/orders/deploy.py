"""Deploys the order desk with boto3, as one would on AWS, and makes a request.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 python examples/orders/deploy.py

It can be run again: what is there already is updated, and keeps its address.
"""
import io
import json
import os
import pathlib
import sys
import time
import urllib.request
import zipfile

import boto3

ENDPOINT = os.environ.setdefault("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")

NAME, STAGE = "orders", "prod"
BUCKET, DEAD = f"{NAME}-files", f"{NAME}-dead"
STEPS = {"ValidateOrder": "validate_order", "ProcessItem": "process_item", "ProcessPayment": "process_payment",
         "Ship": "ship", "Email": "email"}  # of the workflow, by the functions of workflow.py
HANDLERS = {NAME: "app.api_handler", f"{NAME}-queue": "app.queue_handler", f"{NAME}-upload": "app.upload_handler",
            **{f"{NAME}-{step}": f"workflow.{step}" for step in STEPS.values()}}
TIMEOUT = 10  # of the functions, in seconds
ROUTES = {"/products": ["GET"], "/products/{sku}": ["GET"], "/orders": ["GET", "POST"], "/orders/{id}": ["GET"],
          "/orders/{id}/status": ["GET"]}
HERE = pathlib.Path(__file__).parent
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                 "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}}]}

awslambda, gateway, iam, dynamodb, sqs, s3, stepfunctions = (
    boto3.client(s) for s in ("lambda", "apigateway", "iam", "dynamodb", "sqs", "s3", "stepfunctions"))


def package():
    """The functions' deployment package; the same source makes the same bytes."""
    buf = io.BytesIO()
    with zipfile.ZipFile(buf, "w", zipfile.ZIP_DEFLATED) as z:
        for name in ("app.py", "workflow.py"):
            z.writestr(zipfile.ZipInfo(name), (HERE / name).read_text())
    return buf.getvalue()


def role():
    try:
        return iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        return iam.get_role(RoleName=NAME)["Role"]["Arn"]


def table():
    """Makes the table, once, and waits until it can be used."""
    try:
        dynamodb.create_table(
            TableName=NAME, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("pk", "S"), ("sk", "S"), ("kind", "S"), ("placed", "N"))],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[{"IndexName": "by-time", "Projection": {"ProjectionType": "ALL"},
                                     "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "placed", "KeyType": "RANGE"}]}])
    except dynamodb.exceptions.ResourceInUseException:
        return
    while dynamodb.describe_table(TableName=NAME)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.02)  # the waiter of boto3 would wait for whole seconds
    dynamodb.update_time_to_live(TableName=NAME, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})


def queue(name, **attributes):
    """Makes a queue, or updates the one that is there; its URL and ARN."""
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        if attributes:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    except sqs.exceptions.QueueDoesNotExist:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def queues():
    """The queue of orders, and that for messages which were tried three times; AWS wants a message hidden for
    longer than its function may take."""
    dead = queue(DEAD)[1]
    return queue(NAME, VisibilityTimeout=str(6 * TIMEOUT),
                 RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3}))


def function(name, **environment):
    runtime, settings = f"python3.{sys.version_info.minor}", {"Timeout": TIMEOUT, "Environment": {"Variables": environment}}
    try:
        arn = awslambda.create_function(FunctionName=name, Runtime=runtime, Handler=HANDLERS[name], Role=role(),
                                        Code={"ZipFile": package()}, **settings)["FunctionArn"]
    except awslambda.exceptions.ResourceConflictException:
        arn = awslambda.update_function_code(FunctionName=name, ZipFile=package())["FunctionArn"]
        settled(name, "function_updated_v2")
        awslambda.update_function_configuration(FunctionName=name, **settings)
        settled(name, "function_updated_v2")
        return arn
    settled(name, "function_active_v2")
    return arn


def settled(name, state):
    awslambda.get_waiter(state).wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


def workflow(**environment):
    """Makes the state machine and the functions that its steps call, or brings them up to date; its ARN."""
    definition = (HERE / "workflow.asl.json").read_text()
    for state, step in STEPS.items():
        definition = definition.replace(f"${{{state}}}", function(f"{NAME}-{step}", **environment))
    settings = {"definition": definition, "roleArn": role()}
    try:
        return stepfunctions.create_state_machine(name=NAME, **settings)["stateMachineArn"]
    except stepfunctions.exceptions.StateMachineAlreadyExists:
        arns = {m["name"]: m["stateMachineArn"] for page in stepfunctions.get_paginator("list_state_machines").paginate()
                for m in page["stateMachines"]}
        stepfunctions.update_state_machine(stateMachineArn=arns[NAME], **settings)
        return arns[NAME]


def feed(queue_arn, name):
    """Has the queue's messages handled by the function."""
    if not awslambda.list_event_source_mappings(EventSourceArn=queue_arn, FunctionName=name)["EventSourceMappings"]:
        awslambda.create_event_source_mapping(EventSourceArn=queue_arn, FunctionName=name, BatchSize=10,
                                              FunctionResponseTypes=["ReportBatchItemFailures"])


def bucket(function_arn):
    """Makes the bucket, and has files under incoming/ handled by the function."""
    if BUCKET not in [b["Name"] for b in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
        awslambda.add_permission(FunctionName=function_arn, StatementId=BUCKET, Action="lambda:InvokeFunction",
                                 Principal="s3.amazonaws.com", SourceArn=f"arn:aws:s3:::{BUCKET}")
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [{
        "LambdaFunctionArn": function_arn, "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}}}]})


def api(function_arn):
    """Makes the API, or what it lacks."""
    api_id = next((item["id"] for item in gateway.get_rest_apis(limit=500)["items"] if item["name"] == NAME), None)
    made = api_id is None
    if made:
        api_id = gateway.create_rest_api(name=NAME)["id"]
        awslambda.add_permission(FunctionName=NAME, StatementId=f"api-{api_id}", Action="lambda:InvokeFunction",
                                 Principal="apigateway.amazonaws.com")
    resources = {r["path"]: r for r in gateway.get_resources(restApiId=api_id, limit=500)["items"]}
    changed = [route(api_id, resources, function_arn, path, method) for path, methods in ROUTES.items() for method in methods]
    if made or any(changed):
        gateway.create_deployment(restApiId=api_id, stageName=STAGE)
    return api_id


def route(api_id, resources, function_arn, path, method):
    """Sends a method of a path to the function; returns whether that is new."""
    at = "/"
    for part in path.strip("/").split("/"):
        parent, at = at, f"{at.rstrip('/')}/{part}"
        if at not in resources:
            resources[at] = gateway.create_resource(restApiId=api_id, parentId=resources[parent]["id"], pathPart=part)
    if method in resources[at].get("resourceMethods", {}):
        return False
    to = {"restApiId": api_id, "resourceId": resources[at]["id"], "httpMethod": method}
    gateway.put_method(**to, authorizationType="NONE")
    uri = f"arn:aws:apigateway:{awslambda.meta.region_name}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    gateway.put_integration(**to, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    return True


def main():
    table()
    queue_url, queue_arn = queues()
    machine = workflow(TABLE=NAME)
    base = f"{ENDPOINT}/_aws/execute-api/{api(function(NAME, TABLE=NAME, QUEUE=queue_url, WORKFLOW=machine))}/{STAGE}"
    function(f"{NAME}-queue", TABLE=NAME, QUEUE=queue_url, WORKFLOW=machine)
    feed(queue_arn, f"{NAME}-queue")
    bucket(function(f"{NAME}-upload", TABLE=NAME, QUEUE=queue_url))
    order = json.dumps({"items": [{"sku": "tea", "quantity": 2}, {"sku": "pot"}]})
    request = urllib.request.Request(f"{base}/orders", order.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        made = reply.read().decode()
        print(f"\nPOST {base}/orders\n{order}\n\n{reply.status} {reply.reason}\n{made}")
    print(f"""
Try next:
  curl {base}/products
  curl {base}/orders -d '{{"items": [{{"sku": "mug", "quantity": 3}}]}}' -H 'Idempotency-Key: a-mug'
  curl {base}/orders
  curl {base}/orders/{json.loads(made)["id"]}/status
  export AWS_ENDPOINT_URL={ENDPOINT} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  aws sqs send-message --queue-url {queue_url} --message-body '{{"items": [{{"sku": "tea"}}]}}'
  echo '{{"items": [{{"sku": "pot"}}]}}' | aws s3 cp - s3://{BUCKET}/incoming/today.jsonl
  aws stepfunctions list-executions --state-machine-arn {machine}
  aws lambda list-functions
  aws dynamodb scan --table-name {NAME}
  aws logs filter-log-events --log-group-name /aws/lambda/{NAME}""", flush=True)


if __name__ == "__main__":
    main()
