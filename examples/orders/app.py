"""A shop's order desk: a REST API, a queue, and a bucket for whole files of orders.

GET  /products         what is sold
GET  /products/{sku}   one product
POST /orders           {"items": [{"sku": "tea", "quantity": 2}]} makes a priced order; sent again with the
                       same header Idempotency-Key it answers with the order that was made
GET  /orders           the latest orders
GET  /orders/{id}      one order
GET  /orders/{id}/status  how far it is on its way

An order that is placed begins the workflow that fulfils it (workflow.asl.json, its steps in workflow.py), under the
order's id: a request that comes again begins nothing again, and finishes what a crash left.

A message in the queue is an order as POST takes it: {"items": …}. A file in the bucket under incoming/ has an
order in each line; they go to the queue, and the file moves to done/. What cannot be an order ends in the
dead-letter queue.

Orders and the keys of requests lie in one table. pk and sk name an item; the index by-time has the orders
in the order in which they were made; a key is forgotten a day after.
"""
import json
import logging
import os
import time
import urllib.parse
import uuid
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Key

logger = logging.getLogger()
logger.setLevel(logging.INFO)

PRODUCTS = {p["sku"]: p for p in (
    {"sku": "tea", "name": "Darjeeling, 100 g", "cents": 1250},
    {"sku": "mug", "name": "Stoneware mug", "cents": 1890},
    {"sku": "pot", "name": "Glass teapot, 1 l", "cents": 3400},
)}

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
sqs, s3, workflows = boto3.client("sqs"), boto3.client("s3"), boto3.client("stepfunctions")


class ValidationError(Exception):
    pass


def api_handler(event, context):
    """The proxy integration's handler."""
    route = event["httpMethod"], event["resource"]
    try:
        if route == ("GET", "/products"):
            return response(200, list(PRODUCTS.values()))
        if route == ("GET", "/products/{sku}"):
            product = PRODUCTS.get(event["pathParameters"]["sku"])
            return response(200, product) if product else response(404, {"error": "No such product"})
        if route == ("POST", "/orders"):
            return response(201, place_order(json.loads(event.get("body") or "{}"), header(event, "Idempotency-Key")))
        if route == ("GET", "/orders"):
            return response(200, latest_orders())
        if route == ("GET", "/orders/{id}"):
            order = find_order(event["pathParameters"]["id"])
            return response(200, order) if order else response(404, {"error": "No such order"})
        if route == ("GET", "/orders/{id}/status"):
            status = order_status(event["pathParameters"]["id"])
            return response(200, status) if status else response(404, {"error": "No such order"})
        return response(404, {"error": "Not found"})
    except ValidationError as e:
        return response(400, {"error": str(e)})
    except json.JSONDecodeError as e:
        return response(400, {"error": f"The body is not JSON: {e}"})
    except Exception:
        logger.exception("Unhandled error")
        return response(500, {"error": "Internal server error"})


def queue_handler(event, context):
    """Places the orders of a batch of messages; those that failed, and only those, come again."""
    failed = []
    for record in event["Records"]:
        key = record["messageAttributes"].get("Idempotency-Key", {}).get("stringValue", record["messageId"])
        try:
            place_order(json.loads(record["body"]), key)
        except Exception:
            logger.exception("message %s", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def upload_handler(event, context):
    """Sends each line of a file to the queue, and moves the file away. A line is known by its place, so that a file
    that is read twice makes no order twice."""
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        lines = [line.decode() for line in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines()]
        orders = [(f"{record['s3']['object']['eTag']}#{n}", line) for n, line in enumerate(lines) if line.strip()]
        for first in range(0, len(orders), 10):
            send(orders[first:first + 10])
        s3.copy_object(Bucket=bucket, Key=key.replace("incoming/", "done/", 1), CopySource={"Bucket": bucket, "Key": key})
        s3.delete_object(Bucket=bucket, Key=key)
        logger.info("%s: %d orders", key, len(orders))


def send(orders):
    entries = [{"Id": str(i), "MessageBody": order,
                "MessageAttributes": {"Idempotency-Key": {"DataType": "String", "StringValue": key}}}
               for i, (key, order) in enumerate(orders)]
    failed = sqs.send_message_batch(QueueUrl=os.environ["QUEUE"], Entries=entries).get("Failed")
    if failed:
        raise RuntimeError(f"not sent: {failed}")


def place_order(body, key):
    lines = [order_line(item) for item in body.get("items") or []]
    if not lines:
        raise ValidationError("An order needs items")
    order = {"id": uuid.uuid4().hex, "items": lines, "cents": sum(line["cents"] for line in lines), "placed": time.time_ns()}
    order = keep_order(order, key)
    fulfil(order)
    logger.info("order %s", json.dumps(order))
    return order


def keep_order(order, key):
    """Keeps the order and, where there is one, the request's key: both or neither. Answers with the order that is kept."""
    client = table.meta.client
    puts = [{"Put": {"TableName": table.name, "Item": {"pk": f"ORDER#{order['id']}", "sk": "ORDER", "kind": "ORDER", **order}}}]
    if key:
        record = {"pk": f"KEY#{key}", "sk": "KEY", "order": order["id"], "expires": int(time.time()) + 24 * 3600}
        puts.append({"Put": {"TableName": table.name, "Item": record, "ConditionExpression": "attribute_not_exists(pk)"}})
    try:
        client.transact_write_items(TransactItems=puts)
    except client.exceptions.TransactionCanceledException as e:
        if "ConditionalCheckFailed" not in [r["Code"] for r in e.response["CancellationReasons"]]:
            raise
        known = table.get_item(Key={"pk": f"KEY#{key}", "sk": "KEY"}, ConsistentRead=True)["Item"]
        return find_order(known["order"])
    return order


def fulfil(order):
    try:
        workflows.start_execution(stateMachineArn=os.environ["WORKFLOW"], name=order["id"], input=json.dumps({"order": order}))
    except workflows.exceptions.ExecutionAlreadyExists:
        pass  # the order was placed before, and its workflow has ended


def order_status(order_id):
    arn = os.environ["WORKFLOW"].replace(":stateMachine:", ":execution:")
    try:
        execution = workflows.describe_execution(executionArn=f"{arn}:{order_id}")
    except workflows.exceptions.ExecutionDoesNotExist:
        return None
    fulfilled = json.loads(execution.get("output", "{}")).get("fulfilled", {})
    return {"status": execution["status"], **fulfilled, **{k: execution[k] for k in ("error", "cause") if k in execution}}


def find_order(order_id):
    item = table.get_item(Key={"pk": f"ORDER#{order_id}", "sk": "ORDER"}, ConsistentRead=True).get("Item")
    return shown(item) if item else None


def latest_orders():
    page = table.query(IndexName="by-time", KeyConditionExpression=Key("kind").eq("ORDER"), ScanIndexForward=False, Limit=20)
    return [shown(item) for item in page["Items"]]


def shown(item):
    """An order as it is answered, without the table's keys."""
    return {k: plain(v) for k, v in item.items() if k not in ("pk", "sk", "kind")}


def plain(value):
    """The table's numbers are decimals, which JSON does not know; those of orders are whole."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def header(event, name):
    return next((v for k, v in (event.get("headers") or {}).items() if k.lower() == name.lower()), None)


def order_line(item):
    product, quantity = PRODUCTS.get(item.get("sku")), item.get("quantity", 1)
    if product is None:
        raise ValidationError(f"No such product: {item.get('sku')}")
    if not isinstance(quantity, int) or not 1 <= quantity <= 100:
        raise ValidationError("A quantity is a whole number from 1 to 100")
    return {"sku": product["sku"], "quantity": quantity, "cents": quantity * product["cents"]}


def response(status_code, body):
    return {
        "statusCode": status_code,
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(body),
    }
