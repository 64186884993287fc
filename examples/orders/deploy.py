"""Deploys the order desk with boto3, as one would on AWS, and makes a request.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 python examples/orders/deploy.py

It can be run again: what is there already is updated, and keeps its address.
"""
import io
import json
import os
import pathlib
import sys
import urllib.request
import zipfile

import boto3

ENDPOINT = os.environ.setdefault("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")

NAME, STAGE = "orders", "prod"
ROUTES = {"/products": ["GET"], "/products/{sku}": ["GET"], "/orders": ["POST"]}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                 "Principal": {"Service": "lambda.amazonaws.com"}}]}

awslambda, gateway, iam = (boto3.client(s) for s in ("lambda", "apigateway", "iam"))


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


def function():
    runtime = f"python3.{sys.version_info.minor}"
    try:
        arn = awslambda.create_function(FunctionName=NAME, Runtime=runtime, Handler="app.api_handler", Role=role(),
                                        Code={"ZipFile": package()}, Timeout=10)["FunctionArn"]
    except awslambda.exceptions.ResourceConflictException:
        arn = awslambda.update_function_code(FunctionName=NAME, ZipFile=package())["FunctionArn"]
        awslambda.get_waiter("function_updated_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
        return arn
    awslambda.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
    return arn


def api(function_arn):
    for item in gateway.get_rest_apis(limit=500)["items"]:
        if item["name"] == NAME:
            return item["id"]
    made = gateway.create_rest_api(name=NAME)
    uri = f"arn:aws:apigateway:{awslambda.meta.region_name}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    paths = {"": made["rootResourceId"]}
    for route, methods in ROUTES.items():
        parent = ""
        for part in route.strip("/").split("/"):
            path = f"{parent}/{part}"
            if path not in paths:
                paths[path] = gateway.create_resource(restApiId=made["id"], parentId=paths[parent], pathPart=part)["id"]
            parent = path
        for method in methods:
            at = {"restApiId": made["id"], "resourceId": paths[route], "httpMethod": method}
            gateway.put_method(**at, authorizationType="NONE")
            gateway.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    awslambda.add_permission(FunctionName=NAME, StatementId=f"api-{made['id']}", Action="lambda:InvokeFunction",
                             Principal="apigateway.amazonaws.com")
    gateway.create_deployment(restApiId=made["id"], stageName=STAGE)
    return made["id"]


def main():
    base = f"{ENDPOINT}/_aws/execute-api/{api(function())}/{STAGE}"
    order = json.dumps({"items": [{"sku": "tea", "quantity": 2}, {"sku": "pot"}]})
    request = urllib.request.Request(f"{base}/orders", order.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        print(f"\nPOST {base}/orders\n{order}\n\n{reply.status} {reply.reason}\n{reply.read().decode()}")
    print(f"""
Try next:
  curl {base}/products
  curl {base}/orders -d '{{"items": [{{"sku": "mug", "quantity": 3}}]}}'
  export AWS_ENDPOINT_URL={ENDPOINT} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  aws lambda list-functions
  aws logs filter-log-events --log-group-name /aws/lambda/{NAME}""", flush=True)


if __name__ == "__main__":
    main()
