"""Signs and verifies with the reference library of Standard Webhooks: jobs in, answers out."""

import json
import sys
from datetime import datetime, timezone

from standardwebhooks import Webhook, WebhookVerificationError


def answer(job):
    webhook = Webhook(job["secret"])
    if job["do"] == "sign":
        at = datetime.fromtimestamp(job["at"], tz=timezone.utc)
        return webhook.sign(msg_id=job["id"], timestamp=at, data=job["body"])
    try:
        webhook.verify(job["body"].encode(), job["headers"], json_parse=False)
    except WebhookVerificationError:
        return False
    return True


jobs = json.loads(sys.stdin.buffer.read())
json.dump([answer(job) for job in jobs], sys.stdout)
