// A clerk places orders and watches them settle.
import { expect, fillOrder, Gate, open, placeOrder, rows, test } from "./desk.ts";

const ORDERS = "**/api/orders";

test('2. Placing an order paints "Sending" before the held POST is answered', async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const gate = new Gate();
  await page.route(ORDERS, async (route) => {
    await gate.opened;
    await route.continue();
  });
  await open(page);
  await placeOrder(page, customer, "450.00");
  await expect(rows(page, customer.name)).toHaveText(/450\.00.*Sending/);
  expect(await api.orders(`customerId=${customer.id}`)).toEqual([]);
  gate.open();
  await expect(rows(page, customer.name)).toHaveText(/450\.00.*Approved/);
});

test("3. An affordable order goes Pending → Approved without reload", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  let loads = 0;
  page.on("load", () => (loads += 1));
  // The decision takes milliseconds; held back, so that the state before it can be seen.
  tap.hold();
  await placeOrder(page, customer, "1000.00");
  await expect(rows(page, customer.name)).toHaveText(/1,000\.00.*Pending/);
  tap.release();
  await expect(rows(page, customer.name)).toHaveText(/1,000\.00.*Approved/);
  await expect(page.getByRole("status")).toHaveText(/Order .* approved\./);
  expect(loads).toBe(0);
});

test("4. An unaffordable order is Rejected with reason, and credit is unchanged", async ({ page, api }) => {
  const customer = await api.customer("650.00");
  await open(page);
  const dialog = await fillOrder(page, customer, "900.00");
  await expect(dialog.getByText(`May be rejected: 900.00 is more than the 650.00 ${customer.name} has left.`)).toBeVisible();
  await dialog.getByRole("button", { name: "Place order" }).click();
  const row = rows(page, customer.name);
  await expect(row).toHaveText(/Rejected: credit/);
  await row.getByRole("link").first().click();
  await expect(
    page.getByText(
      `Rejected: 900.00 is more than the 650.00 ${customer.name} has left. Lower the total or raise the limit.`,
    ),
  ).toBeVisible();
  await page.getByRole("link", { name: customer.name }).click();
  const facts = page.getByRole("article");
  await expect(facts.getByRole("definition").filter({ hasText: "650.00" })).toHaveCount(2);
  await expect(facts.getByRole("definition").filter({ hasText: /^0\.00$/ })).toHaveCount(1);
});

test("5. Socket event before HTTP reply yields exactly one row", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const gate = new Gate();
  await page.route(ORDERS, async (route) => {
    const response = await route.fetch();
    await gate.opened;
    await route.fulfill({ response });
  });
  await open(page);
  await placeOrder(page, customer, "75.00");
  await expect(rows(page, customer.name)).toHaveText(/Approved/);
  const reply = page.waitForResponse(ORDERS);
  gate.open();
  await (await reply).finished();
  await expect(rows(page, customer.name)).toHaveCount(1);
  await expect(rows(page, customer.name)).toHaveText(/Approved/);
});

test("6. Double submit creates one order", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  const dialog = await fillOrder(page, customer, "20.00");
  // Within one turn of the browser's loop: faster than anything the page could do against it.
  await dialog.getByRole("button", { name: "Place order" }).evaluate((button: HTMLButtonElement) => {
    button.form?.requestSubmit();
    button.form?.requestSubmit();
  });
  await expect(rows(page, customer.name)).toHaveText([/Approved/]);
  expect(await api.orders(`customerId=${customer.id}`)).toHaveLength(1);
});

test('7. Lost POST response resolves through "Checking" to one order', async ({ page, api, tap, expectedErrors }) => {
  expectedErrors.push(/net::ERR_FAILED/);
  const customer = await api.customer("1000.00");
  const again = new Gate();
  const bodies: unknown[] = [];
  await page.route(ORDERS, async (route) => {
    bodies.push(route.request().postDataJSON());
    if (bodies.length === 1) {
      await route.fetch();
      await route.abort();
    } else {
      await again.opened;
      await route.continue();
    }
  });
  await open(page);
  // Else the socket would tell of the order before its lost reply could matter.
  tap.hold();
  await placeOrder(page, customer, "310.00");
  await expect(rows(page, customer.name)).toHaveText(/Checking…/);
  await expect.poll(() => bodies.length).toBe(2);
  again.open();
  await expect(rows(page, customer.name)).toHaveText(/Pending|Processing/);
  tap.release();
  await expect(rows(page, customer.name)).toHaveText([/310\.00.*Approved/]);
  expect(bodies[1]).toEqual(bodies[0]);
  expect(await api.orders(`customerId=${customer.id}`)).toHaveLength(1);
});

test("8. A 422 removes the row, keeps the input and focuses the error", async ({ page, api, expectedErrors }) => {
  expectedErrors.push(/status of 422/);
  const customer = await api.customer("1000.00");
  let spoiled = false;
  await page.route(ORDERS, async (route) => {
    // The page would not let such a total out, so it is spoiled on its way; the refusal is the server's own.
    const body = route.request().postDataJSON() as object;
    await route.continue(spoiled ? {} : { postData: JSON.stringify({ ...body, total: "0.00" }) });
    spoiled = true;
  });
  await open(page);
  await placeOrder(page, customer, "125.50");
  const card = page.getByRole("alert").filter({ hasText: `Order not placed: 125.50 for ${customer.name}` });
  await expect(card).toBeFocused();
  await expect(rows(page, customer.name)).toHaveCount(0);

  await card.getByRole("button", { name: "Edit and resend" }).click();
  const dialog = page.getByRole("dialog", { name: "Place order" });
  await expect(dialog.getByRole("combobox", { name: "Customer" })).toHaveValue(customer.name);
  const total = dialog.getByRole("textbox", { name: "Total" });
  await expect(total).toHaveValue("125.50");
  await expect(total).toHaveAttribute("aria-invalid", "true");
  await expect(total).toBeFocused();
  await expect(total).toHaveAccessibleDescription(/\w/);

  await total.fill("125.60");
  await expect(total).not.toHaveAttribute("aria-invalid");
  await dialog.getByRole("button", { name: "Place order" }).click();
  await expect(rows(page, customer.name)).toHaveText([/125\.60.*Approved/]);
  await expect(card).toBeHidden();
});

test("8. What the form can see is said before anything is sent", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  const dialog = await fillOrder(page, customer, "12.345");
  await dialog.getByRole("button", { name: "Place order" }).click();
  const total = dialog.getByRole("textbox", { name: "Total" });
  await expect(total).toBeFocused();
  await expect(total).toHaveAttribute("aria-invalid", "true");
  await expect(total).toHaveValue("12.345");
  expect(await api.orders(`customerId=${customer.id}`)).toEqual([]);
});

test('9. "Processing" appears at 1 s and not at 900 ms', async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await page.clock.install();
  await open(page);
  await page.clock.pauseAt(Date.now() + 5_000);
  tap.hold();
  await placeOrder(page, customer, "10.00");
  const row = rows(page, customer.name);
  await expect(row).toHaveText(/Pending/);
  await page.clock.runFor(900);
  await expect(row).toHaveText(/Pending/);
  await page.clock.runFor(100);
  await expect(row).toHaveText(/Processing · 1 s/);
  tap.release();
  await page.clock.resume();
  await expect(row).toHaveText(/Approved/);
});

test("10. Reload during Sending keeps the row and settles it", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const gate = new Gate();
  const ids: string[] = [];
  await page.route(ORDERS, async (route) => {
    ids.push((route.request().postDataJSON() as { id: string }).id);
    await gate.opened;
    // The request that the reload cut off has nobody to answer to.
    await route.continue().catch(() => {});
  });
  await open(page);
  await placeOrder(page, customer, "640.00");
  await expect(rows(page, customer.name)).toHaveText(/Sending/);
  await page.reload();
  await expect(rows(page, customer.name)).toHaveText(/640\.00.*Sending/);
  gate.open();
  await expect(rows(page, customer.name)).toHaveText([/640\.00.*Approved/]);
  await expect.poll(() => ids.length).toBe(2);
  expect(ids[1]).toBe(ids[0]);
  expect(await api.orders(`customerId=${customer.id}`)).toHaveLength(1);
});

test("An order that nobody leads is placed and settles like any other", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  const dialog = await fillOrder(page, customer, "125.00");
  const coordination = dialog.getByRole("combobox", { name: "Coordination" });
  await expect(coordination).toBeHidden();
  await dialog.getByText("Advanced").click();
  await expect(coordination).toHaveValue("orchestration");
  await coordination.selectOption({ label: "Choreography" });
  await expect(dialog.getByText("Services act on each other's events. The outcome is the same.")).toBeVisible();
  await dialog.getByRole("button", { name: "Place order" }).click();
  await expect(dialog).toBeHidden();
  const row = rows(page, customer.name);
  await expect(row).toHaveText(/125\.00.*Approved/);
  expect(await api.orders(`customerId=${customer.id}`)).toMatchObject([{ state: "APPROVED", coordination: "choreography" }]);
  await row.getByRole("link").first().click();
  await expect(page.getByRole("definition").filter({ hasText: "Choreography" })).toBeVisible();

  // What was chosen for one order is not chosen for the next.
  await page.getByRole("link", { name: "← Orders" }).click();
  await placeOrder(page, customer, "75.00");
  await expect(rows(page, "75.00").filter({ hasText: customer.name })).toHaveText(/Approved/);
  const placed = await api.orders(`customerId=${customer.id}`);
  expect(placed.map(({ coordination }) => coordination)).toEqual(["orchestration", "choreography"]);
});

test("A draft keeps its coordination over a reload", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  const dialog = await fillOrder(page, customer, "125.00");
  await dialog.getByText("Advanced").click();
  await dialog.getByRole("combobox", { name: "Coordination" }).selectOption("choreography");
  await page.reload();
  const coordination = page.getByRole("combobox", { name: "Coordination" });
  await expect(coordination).toBeVisible();
  await expect(coordination).toHaveValue("choreography");
});
