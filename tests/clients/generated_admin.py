"""A program that administrates accounts with the client that openapi-python-client generated from docs/openapi.json.

It opens an account, gives it credits, makes a key, buys something with it, and reads what came of that. GATE is where something is sold;
ADMIN and TOKEN are the ledger's.
"""

import os
import time
import uuid
from datetime import datetime, timezone

import httpx
from faregate_admin_api_client import AuthenticatedClient
from faregate_admin_api_client.api.accounts import list_usage, open_account, show_balance
from faregate_admin_api_client.api.budgets import set_budget
from faregate_admin_api_client.api.corrections import void_grant
from faregate_admin_api_client.api.grants import give_grant
from faregate_admin_api_client.api.keys import make_key
from faregate_admin_api_client.api.operators import list_trail
from faregate_admin_api_client.api.prices import set_model_prices
from faregate_admin_api_client.models import (
    Balance,
    BudgetScope,
    NewAccount,
    NewBudget,
    NewGrant,
    NewKey,
    NewModelPrices,
    NewModelPricesPrices,
    Problem,
    Unit,
    VoidGrant,
)
from said import GATE, say

ACCOUNT = "by-python"
client = AuthenticatedClient(os.environ["ADMIN"], os.environ["TOKEN"], raise_on_unexpected_status=True)


def fresh():
    return str(uuid.uuid4())


def done(answer):
    assert answer is not None and not isinstance(answer, Problem), answer
    return answer


new = NewAccount(id=ACCOUNT, name="By Python")
account = done(open_account.sync(client=client, body=new, idempotency_key=fresh()))
again = open_account.sync(client=client, body=new, idempotency_key=fresh())
assert isinstance(again, Problem), again

given = NewGrant("10", expires_at=datetime(2099, 1, 1, tzinfo=timezone.utc), source="invoice 4711")
grant = done(give_grant.sync(ACCOUNT, client=client, body=given, idempotency_key=fresh()))
key = done(make_key.sync(ACCOUNT, client=client, body=NewKey(note="production"), idempotency_key=fresh()))
limit = NewBudget("5", Unit.DAY, BudgetScope.KEY, target=key.id)
budget = done(set_budget.sync(ACCOUNT, client=client, body=limit, idempotency_key=fresh()))

for _ in range(2):
    httpx.get(GATE, headers={"x-api-key": key.key}).raise_for_status()
for _ in range(600):
    usage = done(list_usage.sync(ACCOUNT, client=client))
    balance: Balance = done(show_balance.sync(ACCOUNT, client=client))
    # What is in a gateway's lease can't be taken back.
    if usage.total.requests == 2 and balance.held == "0":
        break
    time.sleep(0.05)

void = done(void_grant.sync(grant.id, client=client, body=VoidGrant(note="by mistake"), idempotency_key=fresh()))
priced = NewModelPricesPrices.from_dict({"input": "1.25", "output": "10"})
done(set_model_prices.sync("gpt-5", client=client, body=NewModelPrices(priced), idempotency_key=fresh()))
trail = done(list_trail.sync(client=client, account=ACCOUNT))

say(
    account=account.id,
    again=again.code,
    expires=grant.expires_at.year,
    budget=budget.credits_,
    spent=balance.spent,
    available=balance.available,
    lines=[[line.key == key.id, line.credits_] for line in usage.lines],
    voided=done(show_balance.sync(ACCOUNT, client=client)).voided,
    correction=void.kind.value,
    commands=[entry.command for entry in trail.entries],
    after=trail.entries[-1].after["id"],
)
