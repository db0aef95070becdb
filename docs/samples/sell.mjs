// Sell, wait for KRA's signature, print the receipt. Node.js 20 and nothing else.
//
//   node sell.mjs REFERENCE [ITEM]       a sale of one ITEM
//   node sell.mjs --credit REFERENCE     gives all of that sale back
//
// ETIMS_URL, ETIMS_TOKEN and ETIMS_DEVICE come from the environment (`. .local/demo.env`).
import { setTimeout as sleep } from "node:timers/promises";

const { ETIMS_URL, ETIMS_TOKEN, ETIMS_DEVICE } = process.env;
const USAGE = "node sell.mjs [--credit] REFERENCE; ETIMS_URL, ETIMS_TOKEN and ETIMS_DEVICE must be set.";
const POLLS = 30; // every two seconds

/** The request is wrong. Sending the same again does not help. */
class Refused extends Error {}

/** Lost answers, time-outs, 429 and 5xx: exactly the same request again, the same reference. */
async function repeat(method, path, { body, headers = {} } = {}) {
  for (const pause of [0.5, 1, 2, 4, 8, 15, 15, 15]) {
    let trouble;
    try {
      const answer = await fetch(new URL(path, ETIMS_URL), {
        method,
        body,
        headers: { Authorization: `Token ${ETIMS_TOKEN}`, ...headers },
        // Longer than the wait asked for, or the till gives up on an answer under way.
        signal: AbortSignal.timeout(20_000),
      });
      const text = await answer.text(); // may break off half way: that is a lost answer, too
      if (answer.ok) return text;
      if (answer.status < 500 && answer.status !== 429) throw new Refused(text);
      trouble = `${answer.status}: ${text.slice(0, 200)}`;
    } catch (problem) {
      if (problem instanceof Refused) throw problem;
      trouble = problem.message;
    }
    console.error(`Trying again: ${trouble}`);
    await sleep(pause * 1000);
  }
  throw new Error("No answer. The sale may be stored: keep it and send the same again later.");
}

async function post(path, document) {
  // Built once: a repeat with another time or price would be another sale.
  const body = JSON.stringify(document);
  const headers = { "Content-Type": "application/json", Prefer: "wait=10" };
  return JSON.parse(await repeat("POST", path, { body, headers }));
}

/** 201, 202 and 200 all carry the sale; only `status` says how far it is. */
async function settle(sale) {
  for (let poll = 0; poll < POLLS; poll++) {
    if (!["queued", "sending", "unknown"].includes(sale.status)) break;
    console.error(`${sale.status}; for the buyer: ${sale.links.public}`);
    await sleep(2000);
    sale = JSON.parse(await repeat("GET", sale.links.self));
  }
  return sale;
}

async function finish(stored) {
  const sale = await settle(stored);
  if (sale.status === "signed") {
    // The print_id makes a repeat of this request the same print, not a copy.
    const path = `${sale.links.receipt}?print_id=original-${sale.id}`;
    console.log(await repeat("GET", path, { headers: { Accept: "text/plain" } }));
    return 0;
  }
  console.error(`${sale.status}: ${sale.trouble?.cause} ${sale.trouble?.next_step}`);
  return 2; // stored, but not signed
}

async function main([first, second]) {
  if (first === "--credit") {
    const note = { device: ETIMS_DEVICE, reference: `${second}-CN`, original: second, reason: "refund" };
    return finish(await post("/api/credit-notes/", note));
  }
  const sale = {
    device: ETIMS_DEVICE,
    reference: first,
    payment_method: "mobile_money",
    lines: [{ item: second ?? "KETTLE", quantity: "1" }],
  };
  return finish(await post("/api/sales/", sale));
}

try {
  const isReady = process.argv.length > 2 && ETIMS_URL && ETIMS_TOKEN && ETIMS_DEVICE;
  if (!isReady) throw new Refused(USAGE);
  process.exitCode = await main(process.argv.slice(2));
} catch (problem) {
  console.error(problem.message);
  process.exitCode = problem instanceof Refused ? 1 : 3;
}
