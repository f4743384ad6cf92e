// Drives the proxy with a real on-prem client package: @hyperjumptech/whatsapp-business-sender 1.0.3.
//
// Usage: drive.mjs NODE_MODULES BASE_URL USER PASSWORD. Prints what went wrong and exits with 1, or exits with 0.

import { createRequire } from "node:module";

const [modules, base, username, password] = process.argv.slice(2);
const whatsapp = createRequire(`${modules}/drive.cjs`)("@hyperjumptech/whatsapp-business-sender");
const to = "16505551234";

function check(what, condition) {
  if (!condition) {
    console.error(`failed: ${what}`);
    process.exit(1);
  }
}

// All that callers get of an error is a message with the status in it.
async function isRefused(what, status, call) {
  try {
    await call();
  } catch (error) {
    check(`${what}: ${error.message}`, error instanceof Error && error.message.includes(`status code ${status}`));
    return;
  }
  check(`${what} is refused`, false);
}

const template = (policy, code) => ({
  phone: to,
  template: {
    namespace: "ns",
    name: "order_shipped",
    language: { policy, code },
    components: [{ type: "body", parameters: [{ type: "text", text: "Jane" }] }],
  },
});

const login = await whatsapp.loginUser(base, { username, password });
check("one user", login.users.length === 1);
const { token, expires_after: expires } = login.users[0];
check("a token", token.startsWith("eyJ"));
check("an end that Date understands", !Number.isNaN(Date.parse(expires)));

const phones = ["+1 650 555 1234", "nobody", to];
const { contacts } = await whatsapp.checkContacts(base, token, phones);
check("one result for each, in order", contacts.map((one) => one.input).join() === phones.join());
check("who is valid", contacts.map((one) => one.status).join() === "valid,invalid,valid");
check("and under which id", contacts[0].wa_id === to && !("wa_id" in contacts[1]));

const sent = await whatsapp.sendMessageTemplateText(base, token, template("deterministic", "en_US"));
check("an id", sent.messages[0].id.startsWith("wamid."));
check("no errors", !("errors" in sent));

await isRefused("a wrong password", 401, () => whatsapp.loginUser(base, { username, password: "wrong" }));
await isRefused("a wrong token", 401, () => whatsapp.checkContacts(base, "x", phones));
await isRefused("a template without language", 400, () => whatsapp.sendMessageTemplateText(base, token, template()));
