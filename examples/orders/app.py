"""A shop's order desk behind a REST API.

GET  /products         what is sold
GET  /products/{sku}   one product
POST /orders           {"items": [{"sku": "tea", "quantity": 2}]} makes a priced order
"""
import json
import logging
import uuid

logger = logging.getLogger()
logger.setLevel(logging.INFO)

PRODUCTS = {p["sku"]: p for p in (
    {"sku": "tea", "name": "Darjeeling, 100 g", "cents": 1250},
    {"sku": "mug", "name": "Stoneware mug", "cents": 1890},
    {"sku": "pot", "name": "Glass teapot, 1 l", "cents": 3400},
)}


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
            return response(201, place_order(json.loads(event.get("body") or "{}")))
        return response(404, {"error": "Not found"})
    except ValidationError as e:
        return response(400, {"error": str(e)})
    except json.JSONDecodeError as e:
        return response(400, {"error": f"The body is not JSON: {e}"})
    except Exception:
        logger.exception("Unhandled error")
        return response(500, {"error": "Internal server error"})


def place_order(body):
    lines = [order_line(item) for item in body.get("items") or []]
    if not lines:
        raise ValidationError("An order needs items")
    order = {"id": uuid.uuid4().hex, "items": lines, "cents": sum(line["cents"] for line in lines)}
    logger.info("order %s", json.dumps(order))
    return order


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
