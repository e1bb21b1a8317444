"""Reads a delivery as its receiver would: verified with standardwebhooks, and read with cloudevents."""

import json

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook, WebhookVerificationError

with open("delivery.json") as file:
    delivery = json.load(file)
headers, body = delivery["headers"], delivery["body"].encode()
for secret in delivery["secrets"]:
    Webhook(secret).verify(body, headers)
try:
    Webhook(delivery["secrets"][0]).verify(body.replace(b"acme", b"evil"), headers)
    raise SystemExit("a forged delivery was taken")
except WebhookVerificationError:
    pass
event = from_http_event(HTTPMessage(headers=headers, body=body))
print(
    json.dumps(
        {
            "id": event.get_id(),
            "type": event.get_type(),
            "source": event.get_source(),
            "subject": event.get_subject(),
            "time": event.get_time().isoformat(),
            "sequence": event.get_extension("sequence"),
            "data": event.get_data(),
        }
    )
)
