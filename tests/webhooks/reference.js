// Signs and verifies with the reference library of Standard Webhooks: jobs in, answers out.

const { readFileSync } = require("node:fs");
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

function answer(job) {
  const webhook = new Webhook(job.secret);
  if (job.do === "sign") {
    return webhook.sign(job.id, new Date(job.at * 1000), job.body);
  }
  try {
    webhook.verify(job.body, job.headers, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

const jobs = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(jobs.map(answer)));
