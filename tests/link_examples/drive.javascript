
import fs from "node:fs";

const asked = JSON.parse(fs.readFileSync(0, "utf8"));
const keys = new Map();
for (const key of asked.keys) {
  for (const part of ["secret", "private", "public"]) {
    if (key[part]) key[part] = Buffer.from(key[part], "hex");
  }
  keys.set(key.kid, key);
}
const links = asked.links.map((c) => buildLink(c.address, c.params, keys.get(c.kid), c.nonce, c.exp));
const results = asked.results.map((c) => {
  try {
    return Object.fromEntries(verifyResult(c.query, keys, c.ref, c.own, c.now));
  } catch (error) {
    if (error instanceof ReferenceError || error instanceof TypeError) throw error;
    return null;
  }
});
process.stdout.write(JSON.stringify({ links, results }));
