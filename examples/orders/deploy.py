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
ROUTES = {"/products": ["GET"], "/products/{sku}": ["GET"], "/orders": ["GET", "POST"], "/orders/{id}": ["GET"]}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                 "Principal": {"Service": "lambda.amazonaws.com"}}]}

awslambda, gateway, iam, dynamodb = (boto3.client(s) for s in ("lambda", "apigateway", "iam", "dynamodb"))


def package():
    """The function's deployment package; the same source makes the same bytes."""
    buf = io.BytesIO()
    with zipfile.ZipFile(buf, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo("app.py"), pathlib.Path(__file__).with_name("app.py").read_text())
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


def function():
    runtime, settings = f"python3.{sys.version_info.minor}", {"Timeout": 10, "Environment": {"Variables": {"TABLE": NAME}}}
    try:
        arn = awslambda.create_function(FunctionName=NAME, Runtime=runtime, Handler="app.api_handler", Role=role(),
                                        Code={"ZipFile": package()}, **settings)["FunctionArn"]
    except awslambda.exceptions.ResourceConflictException:
        arn = awslambda.update_function_code(FunctionName=NAME, ZipFile=package())["FunctionArn"]
        settled("function_updated_v2")
        awslambda.update_function_configuration(FunctionName=NAME, **settings)
        settled("function_updated_v2")
        return arn
    settled("function_active_v2")
    return arn


def settled(state):
    awslambda.get_waiter(state).wait(FunctionName=NAME, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


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
    base = f"{ENDPOINT}/_aws/execute-api/{api(function())}/{STAGE}"
    order = json.dumps({"items": [{"sku": "tea", "quantity": 2}, {"sku": "pot"}]})
    request = urllib.request.Request(f"{base}/orders", order.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        print(f"\nPOST {base}/orders\n{order}\n\n{reply.status} {reply.reason}\n{reply.read().decode()}")
    print(f"""
Try next:
  curl {base}/products
  curl {base}/orders -d '{{"items": [{{"sku": "mug", "quantity": 3}}]}}' -H 'Idempotency-Key: a-mug'
  curl {base}/orders
  export AWS_ENDPOINT_URL={ENDPOINT} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  aws lambda list-functions
  aws dynamodb scan --table-name {NAME}
  aws logs filter-log-events --log-group-name /aws/lambda/{NAME}""", flush=True)


if __name__ == "__main__":
    main()
