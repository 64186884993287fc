"""DynamoDB's items as boto3 sees them: the client, the resource, conditions, batch writers and paginators."""
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from conftest import unique


@pytest.fixture(scope="module")
def dynamodb(client):
    return client("dynamodb")


@pytest.fixture(scope="module")
def resource(endpoint):
    return boto3.resource("dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture(scope="module")
def orders(resource):
    """A table with a sort key, a local index and two global ones."""
    name = unique("orders")
    attribute = lambda n, t: {"AttributeName": n, "AttributeType": t}
    keys = lambda h, r=None: [{"AttributeName": h, "KeyType": "HASH"}] + ([{"AttributeName": r, "KeyType": "RANGE"}] if r else [])
    table = resource.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=keys("customer", "number"),
        AttributeDefinitions=[attribute("customer", "S"), attribute("number", "N"), attribute("state", "S"), attribute("total", "N")],
        LocalSecondaryIndexes=[{"IndexName": "by-total", "KeySchema": keys("customer", "total"), "Projection": {"ProjectionType": "KEYS_ONLY"}}],
        GlobalSecondaryIndexes=[
            {"IndexName": "by-state", "KeySchema": keys("state", "total"), "Projection": {"ProjectionType": "ALL"}},
            {"IndexName": "states", "KeySchema": keys("state"), "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}}])
    table.wait_until_exists()
    with table.batch_writer() as batch:
        for customer in ("ada", "bob"):
            for n in range(30):
                batch.put_item({"customer": customer, "number": n, "state": "open" if n % 3 else "done", "total": Decimal(f"{n}.5"),
                                "note": f"note {n}", "lines": [{"sku": "s", "count": n}]})
    return table


@pytest.fixture(scope="module")
def plain(resource):
    table = resource.create_table(TableName=unique("plain"), BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                                  AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    table.wait_until_exists()
    return table


def error(e):
    return e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]


ALL_TYPES = {
    "id": "types", "s": "text ✓", "empty": "", "n": Decimal("-1.25"), "big": Decimal("1E+37"), "small": Decimal("1E-130"),
    "digits": Decimal("12345678901234567890123456789012345678"), "b": Binary(b"\x00\xff"), "none": None, "yes": True, "no": False,
    "ss": {"a", "b"}, "ns": {Decimal(1), Decimal("2.5")}, "bs": {Binary(b"x"), Binary(b"\x00")},
    "l": [1, "two", [None], {"m": Decimal(3)}], "m": {"a": {"b": {"c": []}}}, "e": {},
}


def test_all_types(plain):
    plain.put_item(Item=ALL_TYPES)
    assert plain.get_item(Key={"id": "types"}, ConsistentRead=True)["Item"] == ALL_TYPES


def test_all_types_with_the_client(dynamodb, plain):
    item = {k: TypeSerializer().serialize(v) for k, v in {**ALL_TYPES, "id": "client"}.items()}
    dynamodb.put_item(TableName=plain.name, Item=item)
    got = dynamodb.get_item(TableName=plain.name, Key={"id": {"S": "client"}})["Item"]
    assert {k: TypeDeserializer().deserialize(v) for k, v in got.items()} == {**ALL_TYPES, "id": "client"}


def test_numbers_that_dynamodb_refuses(dynamodb, plain):
    for number, message in [
        ("1E126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("1E-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("one", "The parameter cannot be converted to a numeric value: one"),
    ]:
        with pytest.raises(ClientError) as e:
            dynamodb.put_item(TableName=plain.name, Item={"id": {"S": "x"}, "n": {"N": number}})
        assert error(e) == ("ValidationException", "1 validation error detected: " + message)


def test_update_expressions(plain):
    plain.put_item(Item={"id": "u", "n": 1, "l": [1, 2, 3], "m": {"a": 1}, "tags": {"x", "y"}})
    out = plain.update_item(
        Key={"id": "u"}, ReturnValues="ALL_NEW",
        UpdateExpression="SET n = n + :one, l = list_append(l, :more), m.#b = if_not_exists(m.#b, :zero) REMOVE m.a ADD hits :one DELETE tags :x",
        ExpressionAttributeNames={"#b": "b"}, ExpressionAttributeValues={":one": 1, ":more": [4], ":zero": 0, ":x": {"x"}})
    assert out["Attributes"] == {"id": "u", "n": 2, "l": [1, 2, 3, 4], "m": {"b": 0}, "tags": {"y"}, "hits": 1}
    out = plain.update_item(Key={"id": "u"}, ReturnValues="UPDATED_OLD", UpdateExpression="SET l[1] = :v", ExpressionAttributeValues={":v": "two"})
    assert out["Attributes"] == {"l": [2]}


def test_conditions(plain):
    plain.put_item(Item={"id": "c", "version": 1, "name": "first"}, ConditionExpression=Attr("id").not_exists())
    with pytest.raises(ClientError) as e:
        plain.put_item(Item={"id": "c"}, ConditionExpression=Attr("id").not_exists())
    assert error(e) == ("ConditionalCheckFailedException", "The conditional request failed")
    with pytest.raises(plain.meta.client.exceptions.ConditionalCheckFailedException) as e:
        plain.update_item(Key={"id": "c"}, UpdateExpression="SET version = :n", ConditionExpression=Attr("version").eq(5) & Attr("name").begins_with("f"),
                          ExpressionAttributeValues={":n": 6}, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert e.value.response["Item"] == {"id": {"S": "c"}, "version": {"N": "1"}, "name": {"S": "first"}}
    plain.delete_item(Key={"id": "c"}, ConditionExpression=Attr("version").between(0, 1) & Attr("name").contains("irs") & ~Attr("gone").exists())
    assert "Item" not in plain.get_item(Key={"id": "c"})


def test_conditional_updates_of_one_item_serialise(plain):
    plain.put_item(Item={"id": "counter", "n": 0})

    def add(_):
        while True:
            n = plain.get_item(Key={"id": "counter"}, ConsistentRead=True)["Item"]["n"]
            try:
                return plain.update_item(Key={"id": "counter"}, UpdateExpression="SET n = :new", ConditionExpression="n = :old",
                                         ExpressionAttributeValues={":new": n + 1, ":old": n})
            except plain.meta.client.exceptions.ConditionalCheckFailedException:
                pass

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(60)))
    assert plain.get_item(Key={"id": "counter"})["Item"]["n"] == 60


def test_query(orders):
    numbers = lambda **kw: [int(i["number"]) for i in orders.query(**kw)["Items"]]
    ada = Key("customer").eq("ada")
    assert numbers(KeyConditionExpression=ada) == list(range(30))
    assert numbers(KeyConditionExpression=ada & Key("number").gte(28)) == [28, 29]
    assert numbers(KeyConditionExpression=ada & Key("number").between(3, 5), ScanIndexForward=False) == [5, 4, 3]
    assert numbers(KeyConditionExpression=ada, FilterExpression=Attr("state").eq("done") & Attr("lines[0].count").lt(7)) == [0, 3, 6]
    assert numbers(KeyConditionExpression=ada & Key("total").lt(Decimal("2.5")), IndexName="by-total") == [0, 1]
    assert numbers(KeyConditionExpression=Key("state").eq("done") & Key("total").gt(27), IndexName="by-state") == [27, 27]
    shown = orders.query(KeyConditionExpression=ada & Key("number").eq(2), ProjectionExpression="#l[0].sku, note", ExpressionAttributeNames={"#l": "lines"})
    assert shown["Items"] == [{"lines": [{"sku": "s"}], "note": "note 2"}]
    index = orders.query(KeyConditionExpression=Key("state").eq("done"), IndexName="states", Limit=1)["Items"][0]
    assert set(index) == {"customer", "number", "state", "note"}
    count = orders.query(KeyConditionExpression=ada, FilterExpression=Attr("state").eq("open"), Select="COUNT",
                         ReturnConsumedCapacity="TOTAL")
    assert (count["Count"], count["ScannedCount"], "Items" in count) == (20, 30, False)
    assert count["ConsumedCapacity"] == {"TableName": orders.name, "CapacityUnits": 0.5}


def test_paginators(dynamodb, orders):
    pages = list(dynamodb.get_paginator("query").paginate(
        TableName=orders.name, KeyConditionExpression="customer = :c", ExpressionAttributeValues={":c": {"S": "bob"}}, PaginationConfig={"PageSize": 7}))
    assert [int(i["number"]["N"]) for p in pages for i in p["Items"]] == list(range(30))
    assert [p["Count"] for p in pages] == [7, 7, 7, 7, 2]
    for index in (None, "by-state", "by-total"):
        kw = {"IndexName": index} if index else {}
        seen = [(i["customer"]["S"], i["number"]["N"]) for p in
                dynamodb.get_paginator("scan").paginate(TableName=orders.name, PaginationConfig={"PageSize": 11}, **kw) for i in p["Items"]]
        assert len(seen) == len(set(seen)) == 60


def test_parallel_scan(orders):
    def segment(n):
        items, start = [], {}
        while True:
            page = orders.scan(Segment=n, TotalSegments=4, Limit=5, **start)
            items += [(i["customer"], i["number"]) for i in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return items
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    with ThreadPoolExecutor(4) as pool:
        seen = [key for part in pool.map(segment, range(4)) for key in part]
    assert len(seen) == len(set(seen)) == 60


def test_batches(resource, plain, orders):
    with plain.batch_writer(overwrite_by_pkeys=["id"]) as batch:
        for n in range(60):
            batch.put_item({"id": f"batch-{n % 55}", "n": n})
        batch.delete_item({"id": "batch-3"})
    got = resource.batch_get_item(RequestItems={
        plain.name: {"Keys": [{"id": f"batch-{n}"} for n in range(55)], "ConsistentRead": True},
        orders.name: {"Keys": [{"customer": "ada", "number": 1}], "ProjectionExpression": "note"}})
    assert got["UnprocessedKeys"] == {}
    assert got["Responses"][orders.name] == [{"note": "note 1"}]
    assert {i["id"]: int(i["n"]) for i in got["Responses"][plain.name]} == {f"batch-{n}": n + 55 if n < 5 else n for n in range(55) if n != 3}


def test_batch_errors(dynamodb, plain):
    put = {"PutRequest": {"Item": {"id": {"S": "same"}}}}
    for requests, message in [
        ([put, put], "Provided list of item keys contains duplicates"),
        ([{"PutRequest": {"Item": {"no": {"S": "key"}}}}], "The provided key element does not match the schema"),
    ]:
        with pytest.raises(ClientError) as e:
            dynamodb.batch_write_item(RequestItems={plain.name: requests})
        assert error(e) == ("ValidationException", message)
    with pytest.raises(ClientError) as e:
        dynamodb.batch_get_item(RequestItems={plain.name: {"Keys": [{"id": {"S": str(n)}} for n in range(101)]}})
    assert e.value.response["Error"]["Code"] == "ValidationException"


def test_transactions(dynamodb, plain):
    plain.put_item(Item={"id": "t1", "balance": 10})
    plain.put_item(Item={"id": "t2", "balance": 0})
    move = lambda n, token: dynamodb.transact_write_items(ClientRequestToken=token, TransactItems=[
        {"Update": {"TableName": plain.name, "Key": {"id": {"S": "t1"}}, "UpdateExpression": "SET balance = balance - :n",
                    "ConditionExpression": "balance >= :n", "ExpressionAttributeValues": {":n": {"N": str(n)}}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
        {"Update": {"TableName": plain.name, "Key": {"id": {"S": "t2"}}, "UpdateExpression": "SET balance = balance + :n",
                    "ExpressionAttributeValues": {":n": {"N": str(n)}}}}])
    token = unique("token")
    move(7, token)
    move(7, token)
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        move(6, token)
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as e:
        move(7, unique("token"))
    assert error(e) == ("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None]")
    assert e.value.response["CancellationReasons"] == [
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": {"id": {"S": "t1"}, "balance": {"N": "3"}}}, {"Code": "None"}]
    got = dynamodb.transact_get_items(TransactItems=[{"Get": {"TableName": plain.name, "Key": {"id": {"S": k}}}} for k in ("t1", "none", "t2")])["Responses"]
    assert [r.get("Item", {}).get("balance") for r in got] == [{"N": "3"}, None, {"N": "7"}]


def test_a_transaction_has_an_item_once(dynamodb, plain):
    with pytest.raises(ClientError) as e:
        dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": plain.name, "Item": {"id": {"S": "x"}}}},
                                                     {"Delete": {"TableName": plain.name, "Key": {"id": {"S": "x"}}}}])
    assert error(e) == ("ValidationException", "Transaction request cannot include multiple operations on one item")


def test_older_parameters(dynamodb, plain):
    dynamodb.put_item(TableName=plain.name, Item={"id": {"S": "old"}, "n": {"N": "1"}}, Expected={"id": {"Exists": False}})
    out = dynamodb.update_item(TableName=plain.name, Key={"id": {"S": "old"}}, ReturnValues="ALL_NEW", Expected={"n": {"Value": {"N": "1"}}},
                               AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "2"}}, "s": {"Value": {"S": "x"}}})
    assert out["Attributes"] == {"id": {"S": "old"}, "n": {"N": "3"}, "s": {"S": "x"}}
    got = dynamodb.query(TableName=plain.name, KeyConditions={"id": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "old"}]}},
                         QueryFilter={"n": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "2"}]}}, AttributesToGet=["s"])
    assert got["Items"] == [{"s": {"S": "x"}}]
    got = dynamodb.scan(TableName=plain.name, ScanFilter={"s": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "x"}]},
                                                          "id": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "old"}]}})
    assert got["Count"] == 1


@pytest.mark.parametrize("key, message", [
    ({}, "The provided key element does not match the schema"),
    ({"id": {"N": "1"}}, "The provided key element does not match the schema"),
    ({"id": {"S": "a"}, "more": {"S": "b"}}, "The provided key element does not match the schema"),
    ({"id": {"S": ""}}, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id"),
    ({"id": {"S": "x" * 2049}}, "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"),
])
def test_keys_that_are_none(dynamodb, plain, key, message):
    for call in (dynamodb.get_item, dynamodb.delete_item, dynamodb.update_item):
        with pytest.raises(ClientError) as e:
            call(TableName=plain.name, Key=key)
        assert error(e) == ("ValidationException", message)


def test_items_that_are_none(dynamodb, plain, orders):
    for table, item, message in [
        (plain, {"n": {"N": "1"}}, "One or more parameter values were invalid: Missing the key id in the item"),
        (plain, {"id": {"N": "1"}}, "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N"),
        (plain, {"id": {"S": "a"}, "x": {"S": "x" * (400 << 10)}}, "Item size has exceeded the maximum allowed size"),
        (orders, {"customer": {"S": "a"}, "number": {"N": "1"}, "state": {"NULL": True}},
         "One or more parameter values were invalid: Type mismatch for Index Key state Expected: S Actual: NULL IndexName: by-state"),
    ]:
        with pytest.raises(ClientError) as e:
            dynamodb.put_item(TableName=table.name, Item=item)
        assert error(e) == ("ValidationException", message)


def test_no_such_table(dynamodb):
    for call, kw in [(dynamodb.put_item, {"Item": {"id": {"S": "a"}}}), (dynamodb.get_item, {"Key": {"id": {"S": "a"}}}), (dynamodb.scan, {})]:
        with pytest.raises(dynamodb.exceptions.ResourceNotFoundException) as e:
            call(TableName="there-is-none", **kw)
        assert error(e)[1] == "Requested resource not found"


def test_capacity_and_metrics(dynamodb, orders):
    out = dynamodb.put_item(TableName=orders.name, ReturnConsumedCapacity="INDEXES", ReturnItemCollectionMetrics="SIZE", Item={
        "customer": {"S": "cy"}, "number": {"N": "1"}, "state": {"S": "new"}, "total": {"N": "1"}})
    assert out["ConsumedCapacity"] == {
        "TableName": orders.name, "CapacityUnits": 4.0, "Table": {"CapacityUnits": 1.0}, "LocalSecondaryIndexes": {"by-total": {"CapacityUnits": 1.0}},
        "GlobalSecondaryIndexes": {"by-state": {"CapacityUnits": 1.0}, "states": {"CapacityUnits": 1.0}}}
    assert out["ItemCollectionMetrics"]["ItemCollectionKey"] == {"customer": {"S": "cy"}}
    dynamodb.delete_item(TableName=orders.name, Key={"customer": {"S": "cy"}, "number": {"N": "1"}})
