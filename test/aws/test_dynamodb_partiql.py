"""PartiQL for DynamoDB as boto3 sees it."""
import pytest
from botocore.exceptions import ClientError

from conftest import unique


@pytest.fixture(scope="module")
def dynamodb(client):
    return client("dynamodb")


@pytest.fixture
def music(dynamodb):
    name = unique("music")
    dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST",
                          KeySchema=[{"AttributeName": "artist", "KeyType": "HASH"}, {"AttributeName": "song", "KeyType": "RANGE"}],
                          AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("artist", "song", "genre")],
                          GlobalSecondaryIndexes=[{"IndexName": "by-genre", "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
                                                   "Projection": {"ProjectionType": "ALL"}}])
    for artist in "AB":
        for i in range(4):
            dynamodb.execute_statement(
                Statement=f"INSERT INTO \"{name}\" VALUE {{'artist': ?, 'song': ?, 'genre': ?, 'plays': ?}}",
                Parameters=[{"S": artist}, {"S": f"s{i}"}, {"S": f"g{i % 2}"}, {"N": str(i)}])
    return name


def songs(items):
    return [(i["artist"]["S"], i["song"]["S"]) for i in items]


def error(call, *args, **kw):
    with pytest.raises(ClientError) as e:
        call(*args, **kw)
    e = e.value.response["Error"]
    return e["Code"], e["Message"]


def test_every_type_of_value(dynamodb, music):
    dynamodb.execute_statement(Statement=f"""INSERT INTO "{music}" VALUE {{
        'artist': 'types', 'song': 'it''s', 'n': -1.5, 't': true, 'nothing': null,
        'list': [1, 'two', [3]], 'map': {{'a': {{'b': 'c'}}}}, 'ss': <<'x', 'y'>>, 'ns': <<1, 2>>}}""")
    [item] = dynamodb.execute_statement(Statement=f"SELECT * FROM \"{music}\" WHERE artist = 'types'")["Items"]
    assert item["song"] == {"S": "it's"} and item["n"] == {"N": "-1.5"} and item["t"] == {"BOOL": True} and item["nothing"] == {"NULL": True}
    assert item["list"] == {"L": [{"N": "1"}, {"S": "two"}, {"L": [{"N": "3"}]}]} and item["map"] == {"M": {"a": {"M": {"b": {"S": "c"}}}}}
    assert sorted(item["ss"]["SS"]) == ["x", "y"] and sorted(item["ns"]["NS"]) == ["1", "2"]
    [item] = dynamodb.execute_statement(Statement=f"SELECT \"list\"[2][0], \"map\".a.b FROM \"{music}\" WHERE artist = 'types' AND song = 'it''s'")["Items"]
    assert {"S": "c"} in item.values() and {"N": "3"} in item.values()


def test_select(dynamodb, music):
    def run(where, *parameters, source=f'"{music}"'):
        kw = {"Parameters": list(parameters)} if parameters else {}
        return songs(dynamodb.execute_statement(Statement=f"SELECT artist, song FROM {source} WHERE {where}", **kw)["Items"])

    assert run("artist = ? AND song >= ?", {"S": "A"}, {"S": "s2"}) == [("A", "s2"), ("A", "s3")]
    assert run("artist = 'A' AND song BETWEEN 's1' AND 's2' ORDER BY song DESC") == [("A", "s2"), ("A", "s1")]
    assert run("artist IN ['A', 'B'] AND plays = 3") == [("A", "s3"), ("B", "s3")]
    assert sorted(run("plays > 2 OR plays = 0")) == [("A", "s0"), ("A", "s3"), ("B", "s0"), ("B", "s3")]
    assert sorted(run("genre = 'g1' AND contains(song, '3')", source=f'"{music}"."by-genre"')) == [("A", "s3"), ("B", "s3")]
    assert run("artist = 'A' AND attribute_type(plays, 'S')") == [] and len(run("artist = 'A' AND plays IS NOT MISSING")) == 4


def test_pages(dynamodb, music):
    seen, kw = [], {}
    while True:
        page = dynamodb.execute_statement(Statement=f'SELECT * FROM "{music}"', Limit=3, **kw)
        assert len(page["Items"]) <= 3
        seen += songs(page["Items"])
        if "NextToken" not in page:
            break
        kw = {"NextToken": page["NextToken"]}
    assert len(seen) == len(set(seen)) == 8
    code, message = error(dynamodb.execute_statement, Statement=f'SELECT song FROM "{music}"', Limit=3, NextToken=kw["NextToken"])
    assert (code, message) == ("ValidationException", "NextToken does not match request")


def test_update_and_delete(dynamodb, music):
    at = "WHERE artist = 'A' AND song = 's0'"
    r = dynamodb.execute_statement(Statement=f'UPDATE "{music}" SET plays = plays + 10 SET rating = ? {at} RETURNING MODIFIED NEW *', Parameters=[{"N": "5"}])
    assert r["Items"] == [{"plays": {"N": "10"}, "rating": {"N": "5"}}]
    assert dynamodb.execute_statement(Statement=f'UPDATE "{music}" REMOVE rating {at}')["Items"] == []
    assert error(dynamodb.execute_statement, Statement=f'UPDATE "{music}" SET plays = 0 {at} AND plays = 1') == (
        "ConditionalCheckFailedException", "The conditional request failed")
    [old] = dynamodb.execute_statement(Statement=f'DELETE FROM "{music}" {at} RETURNING ALL OLD *')["Items"]
    assert old["plays"] == {"N": "10"} and "rating" not in old
    assert dynamodb.execute_statement(Statement=f'DELETE FROM "{music}" {at}')["Items"] == []
    assert error(dynamodb.execute_statement, Statement=f"DELETE FROM \"{music}\" WHERE artist = 'A'") == (
        "ValidationException", "Where clause does not contain a mandatory equality on all key attributes")


def test_insert_finds_an_item(dynamodb, music):
    with pytest.raises(dynamodb.exceptions.DuplicateItemException) as e:
        dynamodb.execute_statement(Statement=f"INSERT INTO \"{music}\" VALUE {{'artist': 'A', 'song': 's1'}}")
    assert e.value.response["Error"]["Message"] == "Duplicate primary key exists in table"


def test_batch(dynamodb, music):
    r = dynamodb.batch_execute_statement(Statements=[
        {"Statement": f'SELECT plays FROM "{music}" WHERE artist = ? AND song = ?', "Parameters": [{"S": "A"}, {"S": f"s{i}"}]} for i in range(4)
    ] + [{"Statement": "SLECT"}], ReturnConsumedCapacity="TOTAL")
    assert [x["Item"]["plays"]["N"] for x in r["Responses"][:4]] == ["0", "1", "2", "3"]
    assert r["Responses"][4]["Error"]["Code"] == "ValidationError" and "Item" not in r["Responses"][4]
    assert r["ConsumedCapacity"][0]["CapacityUnits"] == 2
    r = dynamodb.batch_execute_statement(Statements=[
        {"Statement": f"INSERT INTO \"{music}\" VALUE {{'artist': 'C', 'song': 'new'}}"},
        {"Statement": f"INSERT INTO \"{music}\" VALUE {{'artist': 'A', 'song': 's1'}}"}])
    assert "Error" not in r["Responses"][0] and r["Responses"][1]["Error"]["Code"] == "DuplicateItem"


def test_transaction(dynamodb, music):
    dynamodb.execute_transaction(TransactStatements=[
        {"Statement": f"UPDATE \"{music}\" SET plays = plays - 1 WHERE artist = 'A' AND song = 's3'"},
        {"Statement": f"UPDATE \"{music}\" SET plays = plays + 1 WHERE artist = 'B' AND song = 's3'"},
        {"Statement": f"EXISTS(SELECT * FROM \"{music}\" WHERE artist = 'A' AND song = 's0' AND plays = 0)"}])
    r = dynamodb.execute_transaction(TransactStatements=[
        {"Statement": f'SELECT plays FROM "{music}" WHERE artist = ? AND song = ?', "Parameters": [{"S": a}, {"S": "s3"}]} for a in "AB"])
    assert [x["Item"]["plays"]["N"] for x in r["Responses"]] == ["2", "4"]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as e:
        dynamodb.execute_transaction(TransactStatements=[
            {"Statement": f"INSERT INTO \"{music}\" VALUE {{'artist': 'D', 'song': 'd'}}"},
            {"Statement": f"INSERT INTO \"{music}\" VALUE {{'artist': 'A', 'song': 's1'}}"}])
    assert [r["Code"] for r in e.value.response["CancellationReasons"]] == ["None", "DuplicateItem"]
    assert dynamodb.execute_statement(Statement=f"SELECT * FROM \"{music}\" WHERE artist = 'D'")["Items"] == []
