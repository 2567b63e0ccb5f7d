// Reloads the page of the quick build (`cargo xtask dev`). It asks the server for the page itself, so the strict
// content security policy of the real site holds here too: no second port, no inline script.
const PERIOD_MS = 400;
let first;
let wasAway = false;

async function look() {
  try {
    const answer = await fetch("/", { cache: "no-store" });
    const page = await answer.text();
    first ??= page;
    if (wasAway || page !== first) location.reload();
  } catch {
    wasAway = true;
  }
  setTimeout(look, PERIOD_MS);
}

look();
