"""The steps of an order's way, from its placing to the parcels: functions that workflow.asl.json calls.

A step may be taken twice, so none does more than say what comes of it. An error is known to the workflow by the
name of its class.
"""
import logging

from app import ValidationError, order_line

logger = logging.getLogger()
CARD_LIMIT = 500_000  # in cents
ITEMS_A_PARCEL = 10


class PaymentDeclined(Exception):
    pass


def validate_order(event, context):
    """The order with the shop's own prices, whatever it came with."""
    order = event["order"]
    lines = [order_line(item) for item in order.get("items") or []]
    if not lines:
        raise ValidationError("An order needs items")
    return {"order": {**order, "items": lines, "cents": sum(line["cents"] for line in lines)}}


def process_item(item, context):
    """What packing one line of an order takes."""
    return {"sku": item["sku"], "parcels": -(-item["quantity"] // ITEMS_A_PARCEL)}


def process_payment(event, context):
    cents = event["order"]["cents"]
    if cents > CARD_LIMIT:
        raise PaymentDeclined(f"{cents / 100:.2f} is more than the card allows")
    return {**event, "paid": cents}


def ship(event, context):
    return {"tracking": f"CIRRO-{event['order'].get('id', 'by-hand')[:8]}", "parcels": event["parcels"]}


def email(event, context):
    logger.info("to the customer: %s is on its way", event["order"].get("id", "your order"))
    return {"sent": True}
