// Folds logs with the page's own code: a line of JSON in, a line of JSON out.
// node inbox_fold.mjs PATH-OF-inbox.js
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

const source = readFileSync(process.argv[2]).toString("base64");
const { Inbox, textOf, bodyOf } = await import(`data:text/javascript;base64,${source}`);

for await (const line of createInterface({ input: process.stdin })) {
  const { account, told, texts } = JSON.parse(line);
  const inbox = new Inbox(account);
  for (const [seq, floor, entry] of told) {
    inbox.trim(floor);
    if (seq > floor) inbox.apply(seq, entry);
  }
  const shown = Object.fromEntries(
    inbox.list().map((id) => [
      id,
      { unread: inbox.unread(id), lines: inbox.lines(id).filter((each) => !each.notice).map(
        ({ seq, account, body, edited, recalled }) => [seq, inbox.isOwn(account) ? inbox.account : account, body, edited, recalled]) },
    ]),
  );
  console.log(JSON.stringify({ shown, texts: texts.map((text) => textOf(bodyOf(text))) }));
}
