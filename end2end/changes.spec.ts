// Orders change after they were placed: they are revised and cancelled, by this user and by others.
import type { Locator, Page } from "@playwright/test";
import { expect, Gate, open, placeOrder, rows, test } from "./desk.ts";

const REVISE = /\/api\/orders\/[^/]+\/revise$/;
const CANCEL = /\/api\/orders\/[^/]+\/cancel$/;

// The total on an order's own page, a struck one included.
function total(page: Page): Locator {
  return page.getByRole("article").locator("dd.big");
}

function status(page: Page): Locator {
  return page.locator(".status-line .badge");
}

function cards(page: Page): Locator {
  return page.getByRole("alert").filter({ has: page.getByRole("button") });
}

async function revise(page: Page, amount: string): Promise<void> {
  await page.getByRole("button", { name: "Revise" }).click();
  const dialog = page.getByRole("dialog", { name: "Revise order" });
  await dialog.getByRole("textbox", { name: "New total" }).fill(amount);
  await dialog.getByRole("button", { name: "Revise" }).click();
  await expect(dialog).toBeHidden();
}

async function cancel(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Cancel order" }).click();
  const dialog = page.getByRole("dialog", { name: "Cancel order" });
  await dialog.getByRole("button", { name: "Cancel order" }).click();
  await expect(dialog).toBeHidden();
}

// Requests of one kind wait for the gate; counted as they come.
async function hold(page: Page, url: RegExp | string, gate: Gate): Promise<{ count: number }> {
  const held = { count: 0 };
  await page.route(url, async (route) => {
    held.count += 1;
    await gate.opened;
    // A page that was left has nobody to answer to.
    await route.continue().catch(() => {});
  });
  return held;
}

// Collects every text that an element shows from now on.
async function record(element: Locator): Promise<() => Promise<string[]>> {
  const texts = await element.evaluateHandle((node) => {
    const seen = [node.textContent ?? ""];
    new MutationObserver(() => seen.push(node.textContent ?? "")).observe(node, {
      subtree: true,
      childList: true,
      characterData: true,
    });
    return seen;
  });
  return () => texts.jsonValue();
}

test("11. Revising an approved order within the limit settles at the new total", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  const gate = new Gate();
  await hold(page, REVISE, gate);
  await open(page, `/orders/${order.id}`);
  await revise(page, "650.00");
  await expect(total(page)).toHaveText(/400\.00.*→.*650\.00/);
  await expect(total(page).locator("s")).toHaveText(/400\.00/);
  await expect(status(page)).toHaveText("Revising");
  expect((await api.order(order.id)).total).toBe("400.00");
  gate.open();
  await expect(total(page)).toHaveText(/^650\.00$/);
  await expect(status(page)).toHaveText("Approved");
  expect(await api.order(order.id)).toMatchObject({ total: "650.00", state: "APPROVED", version: order.version + 2 });
  await expect.poll(async () => (await api.get<typeof customer>(`/api/customers/${customer.id}`)).reserved).toBe("650.00");
});

test("12. A rejected revision restores the confirmed total, not an older snapshot", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  const gate = new Gate();
  await hold(page, REVISE, gate);
  await open(page, `/orders/${order.id}`);
  await revise(page, "500.00");
  await revise(page, "5000.00");
  await expect(total(page)).toHaveText(/400\.00.*→.*5,000\.00/);
  gate.open();
  await expect(total(page)).toHaveText(/^500\.00$/);
  await expect(status(page)).toHaveText("Approved · revision refused");
  await expect(page.getByText(`${customer.name} had too little credit left. The total is still 500.00.`)).toBeVisible();
  await expect(page.locator("[aria-live=assertive]")).toHaveText(/keeps 500\.00: there is too little credit left for 5,000\.00/);
  expect(await api.order(order.id)).toMatchObject({ total: "500.00", lastRefusal: "INSUFFICIENT_CREDIT" });
});

test("13. Two quick revisions never flash the first value", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  const gate = new Gate();
  const held = await hold(page, REVISE, gate);
  await open(page, `/orders/${order.id}`);
  await revise(page, "500.00");
  await expect.poll(() => held.count).toBe(1);
  await revise(page, "600.00");
  const shown = await record(total(page));
  gate.open();
  await expect(total(page)).toHaveText(/^600\.00$/);
  await expect(status(page)).toHaveText("Approved");
  expect((await shown()).filter((text) => text.includes("500.00"))).toEqual([]);
  expect(await api.order(order.id)).toMatchObject({ total: "600.00", version: order.version + 4 });
});

test("14. Cancelling an approved order releases credit exactly once", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await api.decided(customer.id, "300.00");
  const order = await api.decided(customer.id, "400.00");
  const account = () => api.get<typeof customer>(`/api/customers/${customer.id}`);
  await expect.poll(async () => (await account()).reserved).toBe("700.00");
  const before = await account();
  let sent = 0;
  page.on("request", (request) => (sent += Number(CANCEL.test(request.url()))));
  await open(page, `/orders/${order.id}`);
  await page.getByRole("button", { name: "Cancel order" }).click();
  const dialog = page.getByRole("dialog", { name: "Cancel order" });
  await expect(dialog.getByText("Its credit becomes free again.")).toBeVisible();
  await dialog.getByRole("button", { name: "Cancel order" }).evaluate((button: HTMLButtonElement) => {
    button.form?.requestSubmit();
    button.form?.requestSubmit();
  });
  await expect(status(page)).toHaveText("Cancelled");
  await expect(page.getByRole("button", { name: /Cancel order|Revise/ })).toHaveCount(0);
  await expect.poll(account).toMatchObject({ reserved: "300.00", availableCredit: "700.00", version: before.version + 1 });
  expect(sent).toBe(1);
  await expect(api.post(`/api/orders/${order.id}/cancel`, {})).rejects.toThrow("order-not-cancellable");
  expect(await account()).toMatchObject({ reserved: "300.00", version: before.version + 1 });
});

test("15. Cancelling while Pending waits for the decision, then cancels", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  // Neither the socket nor a read tells the page of the decision before the story wants it to.
  const gate = new Gate();
  await hold(page, /\/api\/orders\/[0-9a-f-]{36}(\?|$)/, gate);
  let sent = 0;
  page.on("request", (request) => (sent += Number(CANCEL.test(request.url()))));
  await open(page);
  tap.hold();
  await placeOrder(page, customer, "400.00");
  const row = rows(page, customer.name);
  await expect(row).toHaveText(/Pending|Processing/);
  await row.getByRole("link").first().focus();
  await page.keyboard.press("c");
  const dialog = page.getByRole("dialog", { name: "Cancel order" });
  await expect(dialog.getByText("It will be cancelled once that is done.")).toBeVisible();
  await dialog.getByRole("button", { name: "Cancel order" }).click();
  await expect(row).toHaveText(/Will cancel once decided/);
  expect(sent).toBe(0);
  tap.release();
  gate.open();
  await expect(row).toHaveText(/Cancelled/);
  expect(sent).toBe(1);
  const account = () => api.get<typeof customer>(`/api/customers/${customer.id}`);
  await expect.poll(account).toMatchObject({ reserved: "0.00", availableCredit: "1000.00" });
});

test("15. A cancellation that waits can be taken back", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  const gate = new Gate();
  await hold(page, /\/api\/orders\/[0-9a-f-]{36}(\?|$)/, gate);
  let sent = 0;
  page.on("request", (request) => (sent += Number(CANCEL.test(request.url()))));
  await open(page);
  tap.hold();
  await placeOrder(page, customer, "400.00");
  await rows(page, customer.name).getByRole("link").first().click();
  await expect(status(page)).toHaveText(/Pending|Processing/);
  await cancel(page);
  await expect(status(page)).toHaveText("Will cancel once decided");
  await page.getByRole("button", { name: "Don't cancel" }).click();
  await expect(status(page)).toHaveText(/Pending|Processing/);
  tap.release();
  gate.open();
  await expect(status(page)).toHaveText("Approved");
  expect(sent).toBe(0);
});

test("15. A cancellation that waits survives a reload", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  const gate = new Gate();
  await hold(page, /\/api\/orders\/[0-9a-f-]{36}(\?|$)/, gate);
  await open(page);
  tap.hold();
  await placeOrder(page, customer, "400.00");
  await rows(page, customer.name).getByRole("link").first().click();
  await cancel(page);
  await expect(status(page)).toHaveText("Will cancel once decided");
  // Left before the decision comes through, so that what cancels the order is the page that comes back.
  await page.goto("about:blank");
  tap.release();
  gate.open();
  await open(page);
  await expect(rows(page, customer.name)).toHaveText([/400\.00.*Cancelled/]);
  expect((await api.orders(`customerId=${customer.id}`)).map(({ state }) => state)).toEqual(["CANCELLED"]);
});

for (const choice of ["Keep theirs", "Reapply mine"] as const) {
  test(`16. Two tabs editing one order show the conflict choice: ${choice}`, async ({ page, context, api, tap, expectedErrors }) => {
    expectedErrors.push(/status of 409/);
    const customer = await api.customer("1000.00");
    const order = await api.decided(customer.id, "400.00");
    await open(page, `/orders/${order.id}`);
    await expect(status(page)).toHaveText("Approved");
    // The first tab hears nothing of what the second one does.
    tap.hold();
    const other = await context.newPage();
    await open(other, `/orders/${order.id}`);
    await revise(other, "450.00");
    await expect(total(other)).toHaveText(/^450\.00$/);
    await expect(status(other)).toHaveText("Approved");

    await revise(page, "500.00");
    const card = cards(page);
    await expect(card).toHaveText(/This order was changed to 450\.00 while you were editing\./);
    await expect(card).toBeFocused();
    await expect(total(page)).toHaveText(/^450\.00$/);
    expect(await api.order(order.id)).toMatchObject({ total: "450.00", version: order.version + 2 });
    await expect(card.getByRole("button", { name: "Keep theirs: 450.00" })).toBeVisible();
    await expect(card.getByRole("button", { name: "Reapply mine: 500.00" })).toBeVisible();
    await card.getByRole("button", { name: choice }).click();
    await expect(card).toBeHidden();
    tap.release();
    const kept = choice === "Keep theirs" ? "450.00" : "500.00";
    for (const tab of [page, other]) {
      await expect(total(tab)).toHaveText(kept);
      await expect(status(tab)).toHaveText("Approved");
    }
    expect((await api.order(order.id)).total).toBe(kept);
  });
}

test("16. A dialog says when somebody else is quicker", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  let sent = 0;
  page.on("request", (request) => (sent += Number(REVISE.test(request.url()))));
  await open(page, `/orders/${order.id}`);
  await page.getByRole("button", { name: "Revise" }).click();
  const dialog = page.getByRole("dialog", { name: "Revise order" });
  await dialog.getByRole("textbox", { name: "New total" }).fill("500.00");
  await api.revise(order.id, "450.00");
  await expect(dialog.getByText("This order was changed to 450.00 while you were editing.")).toBeVisible();
  await dialog.getByRole("button", { name: "Revise" }).click();
  await expect(cards(page)).toHaveText(/changed to 450\.00/);
  expect(sent).toBe(0);
  await cards(page).getByRole("button", { name: "Reapply mine: 500.00" }).click();
  await expect(total(page)).toHaveText(/^500\.00$/);
  expect((await api.order(order.id)).total).toBe("500.00");
});

test("33. Duplicate delivery leaves credit and versions unchanged", async ({ page, api, tap, expectedErrors }) => {
  // Of two equal changes the second one is refused.
  expectedErrors.push(/status of 409/);
  const customer = await api.customer("1000.00");
  tap.repeats = true;
  // Each command reaches the server twice, and the page hears only the second answer.
  await page.route(/\/api\//, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    await route.fetch();
    await route.fulfill({ response: await route.fetch() });
  });
  await open(page);
  await placeOrder(page, customer, "400.00");
  await expect(rows(page, customer.name)).toHaveText([/400\.00.*Approved/]);
  await rows(page, customer.name).getByRole("link").first().click();
  await revise(page, "500.00");
  await expect(total(page)).toHaveText(/^500\.00$/, { timeout: 10_000 });
  await expect(status(page)).toHaveText("Approved");
  await page.getByRole("link", { name: customer.name }).click();
  await page.getByRole("button", { name: "Record payment" }).click();
  const payment = page.getByRole("dialog", { name: "Record payment" });
  await payment.getByRole("textbox", { name: "Amount" }).fill("50");
  await payment.getByRole("button", { name: "Record payment" }).click();
  await expect(page.getByRole("definition").filter({ hasText: /^50\.00$/ })).toBeVisible();
  const account = () => api.get<typeof customer>(`/api/customers/${customer.id}`);
  // Created, reserved, changed, paid.
  await expect.poll(account).toMatchObject({ reserved: "500.00", paid: "50.00", availableCredit: "550.00", version: 4 });

  await rows(page, "500.00").getByRole("link").first().click();
  await cancel(page);
  await expect(status(page)).toHaveText("Cancelled", { timeout: 10_000 });
  await expect.poll(account).toMatchObject({ reserved: "0.00", availableCredit: "1050.00", version: 5 });
  expect(await api.orders(`customerId=${customer.id}`)).toMatchObject([{ state: "CANCELLED", version: 6 }]);
  await expect(cards(page)).toHaveCount(0);
});

test("A lost answer to a cancellation is checked, and cancels once", async ({ page, api, tap, expectedErrors }) => {
  expectedErrors.push(/net::ERR_FAILED|status of 409/);
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  await open(page, `/orders/${order.id}`);
  await expect(status(page)).toHaveText("Approved");
  tap.hold();
  let sent = 0;
  await page.route(CANCEL, async (route) => {
    sent += 1;
    if (sent > 1) return route.continue();
    await route.fetch();
    await route.abort();
  });
  await cancel(page);
  await expect(status(page)).toHaveText("Checking…");
  await expect(status(page)).toHaveText("Cancelled", { timeout: 10_000 });
  expect(sent).toBe(2);
  await expect(cards(page)).toHaveCount(0);
  expect(await api.order(order.id)).toMatchObject({ state: "CANCELLED", version: order.version + 2 });
});
