"""The payments' routes. Next in their story: cloud/payments/webhooks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel

from cloud.payments.webhooks import WebhookOutcome

router = APIRouter(prefix="/api/v1", tags=["payments"])


class WebhookAnswer(BaseModel):
    """What became of a webhook."""

    outcome: WebhookOutcome


@router.post(
    "/payments/webhook",
    summary="The payment provider tells of a payment",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}},
)
async def webhook(request: Request, stripe_signature: Annotated[str, Header()] = "") -> WebhookAnswer:
    """Take a signed event in, once. 200 means that it need not be sent again."""
    webhooks = request.app.state.cloud.webhooks
    return WebhookAnswer(outcome=await webhooks.take(await request.body(), stripe_signature))
