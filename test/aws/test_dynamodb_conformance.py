"""What DynamoDB answers to requests that boto3 would not send, and which of several errors it tells of.

The answers are those that https://github.com/paritysuite/dynamodb-conformance measured at AWS in October 2026.
"""
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import unique


@pytest.fixture(scope="module")
def dynamodb(client):
    return client("dynamodb", config=Config(parameter_validation=False))


@pytest.fixture(scope="module")
def table(dynamodb):
    name = unique("conformance")
    dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                          AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}])
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name


def refusal(call, **request):
    with pytest.raises(ClientError) as e:
        call(**request)
    assert e.value.response["Error"]["Code"] == "ValidationException"
    return e.value.response["Error"]["Message"]


def counted(message):
    return "1 validation error detected: " + message


def deep(levels):
    value = {"S": "leaf"}
    for _ in range(levels):
        value = {"M": {"n": value}}
    return value


KEY = {"pk": {"S": "a"}}
TOO_DEEP = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
NO_NUMBER = "The parameter cannot be converted to a numeric value"
TOO_LARGE = "Number overflow. Attempting to store a number with magnitude larger than supported range"
TOO_SMALL = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
INVALID = "One or more parameter values were invalid: "

# A value that no item can hold, and both of the ways in which operations say so.
BAD_VALUES = [
    ({"N": "abc"}, NO_NUMBER + ": abc", NO_NUMBER + ": abc"),
    ({"N": ""}, NO_NUMBER + ": ", NO_NUMBER),
    ({"N": "1e126"}, TOO_LARGE, TOO_LARGE),
    ({"N": "1e2147483647"}, TOO_LARGE, TOO_SMALL),
    ({"SS": ["b", "a", "b"]}, INVALID + 'Input collection ["a", "b", "b"] contains duplicates.', INVALID + "Input collection [b, a, b] contains duplicates."),
    ({"NS": ["2", "1", "2"]}, INVALID + "Input collection contains duplicates.", "Input collection contains duplicates"),
    ({"NULL": False}, INVALID + "Null attribute value types must have the value of true", INVALID + "Null attribute value types must have the value of true"),
    (deep(32), TOO_DEEP, TOO_DEEP),
    (deep(60), TOO_DEEP, TOO_DEEP),
]


@pytest.mark.parametrize("value, current, older", BAD_VALUES)
def test_bad_values(dynamodb, table, value, current, older):
    item, values = {**KEY, "x": value}, {":v": value}
    condition = {"ConditionExpression": "x = :v", "ExpressionAttributeValues": values}
    assert refusal(dynamodb.put_item, TableName=table, Item=item) == counted(current)
    assert refusal(dynamodb.put_item, TableName=table, Item=KEY, **condition) == counted(current)
    assert refusal(dynamodb.update_item, TableName=table, Key=KEY, UpdateExpression="SET x = :v", ExpressionAttributeValues=values) == counted(current)
    assert refusal(dynamodb.delete_item, TableName=table, Key={"pk": value}) == counted(current)
    assert refusal(dynamodb.get_item, TableName=table, Key={"pk": value}) == current
    assert refusal(dynamodb.batch_get_item, RequestItems={table: {"Keys": [{"pk": value}]}}) == current
    assert refusal(dynamodb.query, TableName=table, KeyConditionExpression="pk = :v", ExpressionAttributeValues=values) == current
    assert refusal(dynamodb.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": item}}]}) == older
    assert refusal(dynamodb.transact_write_items, TransactItems=[{"Put": {"TableName": table, "Item": item}}]) == older
    assert refusal(dynamodb.transact_write_items, TransactItems=[{"ConditionCheck": {"TableName": table, "Key": KEY, **condition}}]) == (
        f"ExpressionAttributeValues contains invalid value: {older} for key :v")
    assert refusal(dynamodb.transact_get_items, TransactItems=[{"Get": {"TableName": table, "Key": {"pk": value}}}]) == older
    statement = f"UPDATE \"{table}\" SET x = ? WHERE pk = 'a'"
    assert refusal(dynamodb.execute_statement, Statement=statement, Parameters=[value]) == older
    assert refusal(dynamodb.execute_transaction, TransactStatements=[{"Statement": statement, "Parameters": [value]}]) == older


@pytest.mark.parametrize("more, message", [
    ({"ExpressionAttributeValues": {":v": {"S": "x"}}}, "ExpressionAttributeValues can only be specified when using expressions"),
    ({"ExpressionAttributeNames": {"#a": "a"}}, "ExpressionAttributeNames can only be specified when using expressions"),
    ({"ConditionExpression": ""}, "Invalid ConditionExpression: The expression can not be empty;"),
    ({"ConditionExpression": "a = :v"}, "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :v"),
    ({"ReturnValues": "ALL_NEW"}, "ReturnValues can only be ALL_OLD or NONE"),
    ({"Expected": {"a": {"Exists": True}}}, INVALID + "Value must be provided when Exists is true for Attribute: a"),
])
def test_single_writes_count_what_is_wrong(dynamodb, table, more, message):
    assert refusal(dynamodb.put_item, TableName=table, Item=KEY, **more) == counted(message)
    assert refusal(dynamodb.delete_item, TableName=table, Key=KEY, **more) == counted(message)


def test_a_transaction_tells_of_its_first_bad_action(dynamodb, table):
    bad_item = {"Put": {"TableName": "absent", "Item": {**KEY, "x": deep(40)}}}
    bad_condition = {"Delete": {"TableName": table, "Key": {"pk": {"S": "b"}}, "ConditionExpression": "a = = b"}}
    syntax = 'Invalid ConditionExpression: Syntax error; token: "=", near: "= = b"'
    assert refusal(dynamodb.transact_write_items, TransactItems=[bad_item, bad_condition]) == TOO_DEEP
    assert refusal(dynamodb.transact_write_items, TransactItems=[bad_condition, bad_item]) == syntax
    missing = {"Put": {"TableName": "absent", "Item": KEY}}
    assert refusal(dynamodb.transact_write_items, TransactItems=[missing, bad_condition]) == syntax


def test_key_conditions_beyond_the_key(dynamodb, table):
    values = {":a": {"S": "x"}, ":b": {"S": "y"}, ":c": {"S": "z"}}
    assert refusal(dynamodb.query, TableName=table, KeyConditionExpression="pk = :a and pk < :b and pk > :c", ExpressionAttributeValues=values) == (
        "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key")
    assert refusal(dynamodb.query, TableName=table, KeyConditionExpression="pk = :a and x = :b and y = :c", ExpressionAttributeValues=values) == (
        "The number of query conditions (3) exceeds the number of key attributes defined in the schema (1)")


def test_names_of_tables(dynamodb, table):
    names = ("at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 255, "
             "Member must have length greater than or equal to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]")
    assert refusal(dynamodb.batch_get_item, RequestItems={"bad!": {"Keys": [KEY]}}) == (
        counted("Value '{\"bad!\":{\"Keys\":[{\"pk\":{\"S\":\"a\"}}]}}' ") + names)
    assert refusal(dynamodb.batch_write_item, RequestItems={"bad!": [{"DeleteRequest": {"Key": KEY}}]}).endswith(names)
    assert refusal(dynamodb.create_table, KeySchema=[], AttributeDefinitions=[]) == "The parameter 'TableName' is required but was not present in the request"
    assert refusal(dynamodb.create_table, TableName="x!", KeySchema=[]) == (
        "3 validation errors detected: Value 'x!' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
        "Value 'x!' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3; "
        "Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1")


def test_tags_of_another_account(dynamodb):
    with pytest.raises(ClientError) as e:
        dynamodb.list_tags_of_resource(ResourceArn="arn:aws:dynamodb:us-east-1:111122223333:table/absent")
    assert e.value.response["Error"]["Code"] == "AccessDeniedException"


def test_keys_of_indexes(dynamodb):
    name = unique("indexed")
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "x", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[{"IndexName": "by-x", "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}])
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})

    def put(value):
        return {"Put": {"TableName": name, "Item": {**KEY, "x": value}}}

    def update(value):
        return {"Update": {"TableName": name, "Key": KEY, "UpdateExpression": "SET x = :v", "ExpressionAttributeValues": {":v": value}}}

    for change in put, update:  # of another type: the reason of a cancellation
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as e:
            dynamodb.transact_write_items(TransactItems=[change({"N": "5"})])
        assert e.value.response["CancellationReasons"] == [
            {"Code": "ValidationError", "Message": INVALID + "Type mismatch for Index Key x Expected: S Actual: N IndexName: by-x"}]
    not_valid = "One or more parameter values are not valid. "
    empty = "The AttributeValue for a key attribute cannot contain an empty string value."
    assert refusal(dynamodb.transact_write_items, TransactItems=[put({"S": ""})]) == (
        f"{not_valid}A value specified for a secondary index key is not supported. {empty} IndexName: by-x, IndexKey: x")
    assert refusal(dynamodb.transact_write_items, TransactItems=[update({"S": ""})]) == (
        f"{not_valid}The update expression attempted to update a secondary index key to a value that is not supported. {empty}")
