// An operator changes a customer's credit limit and records payments.
import { expect, Gate, open, rows, test } from "./desk.ts";

test("A raised limit shows both values until the account has it, and makes room for an order", async ({ page, api }) => {
  const customer = await api.customer("500.00");
  const gate = new Gate();
  await page.route("**/credit-limit", async (route) => {
    await gate.opened;
    await route.continue();
  });
  await open(page, `/customers/${customer.id}`);
  await page.getByRole("button", { name: "Change limit" }).click();
  const dialog = page.getByRole("dialog", { name: "Change credit limit" });
  const amount = dialog.getByRole("textbox", { name: "New credit limit" });
  await expect(amount).toBeFocused();
  await expect(amount).toHaveValue("500.00");
  // What is there is selected, so typing takes its place.
  await page.keyboard.type("900");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  const limit = page.getByRole("definition").filter({ hasText: "→" });
  await expect(limit).toHaveText(/500\.00.*→.*900\.00/);
  await expect(page.getByRole("definition").filter({ hasText: /^500\.00$/ })).toHaveCount(1);
  gate.open();
  await expect(limit).toHaveCount(0);
  await expect(page.getByRole("definition").filter({ hasText: /^900\.00$/ })).toHaveCount(2);
  const order = await api.decided(customer.id, "800.00");
  expect(order.state).toBe("APPROVED");
  await expect(rows(page, "800.00")).toHaveText([/Approved/]);
});

test("A limit below what is reserved is warned of and leaves the credit negative", async ({ page, api }) => {
  const customer = await api.customer("500.00");
  await api.decided(customer.id, "400.00");
  await open(page, `/customers/${customer.id}`);
  await expect(page.getByRole("meter", { name: "Credit in use" })).toHaveAttribute("aria-valuenow", "80");
  await page.getByRole("button", { name: "Change limit" }).click();
  const dialog = page.getByRole("dialog", { name: "Change credit limit" });
  await dialog.getByRole("textbox", { name: "New credit limit" }).fill("150");
  await expect(dialog.getByText(/less than .* owes\. No order is approved until 250\.00 is free again\./)).toBeVisible();
  await dialog.getByRole("button", { name: "Change limit" }).click();
  await expect(page.getByRole("definition").filter({ hasText: /^−250\.00$/ })).toBeVisible();
});

test("A payment is recorded once, with its reference, and frees credit", async ({ page, api }) => {
  const customer = await api.customer("500.00");
  await api.decided(customer.id, "500.00");
  const bodies: unknown[] = [];
  await page.route("**/payments", async (route) => {
    bodies.push(route.request().postDataJSON());
    await route.continue();
  });
  await open(page, `/customers/${customer.id}`);
  await page.getByRole("button", { name: "Record payment" }).click();
  const dialog = page.getByRole("dialog", { name: "Record payment" });
  await dialog.getByRole("button", { name: "Record payment" }).click();
  const amount = dialog.getByRole("textbox", { name: "Amount" });
  await expect(amount).toBeFocused();
  await expect(amount).toHaveAttribute("aria-invalid", "true");
  await amount.fill("120.50");
  await dialog.getByRole("textbox", { name: "Reference" }).fill("HQ336336");
  await dialog.getByRole("button", { name: "Record payment" }).evaluate((button: HTMLButtonElement) => {
    button.form?.requestSubmit();
    button.form?.requestSubmit();
  });
  await expect(page.getByRole("definition").filter({ hasText: /^120\.50$/ })).toHaveCount(2);
  expect(bodies).toEqual([{ id: expect.any(String), amount: "120.50", reference: "HQ336336" }]);
  const account = await api.get<typeof customer>(`/api/customers/${customer.id}`);
  expect(account).toMatchObject({ paid: "120.50", availableCredit: "120.50" });
});

test("A busy account takes a new limit although its version moves on", async ({ page, api, tap, expectedErrors }) => {
  expectedErrors.push(/status of 409/);
  const customer = await api.customer("5000.00");
  await open(page, `/customers/${customer.id}`);
  await expect(page.getByRole("definition").filter({ hasText: /^5,000\.00$/ })).toHaveCount(2);
  tap.hold();
  await api.decided(customer.id, "10.00");
  const asked: unknown[] = [];
  await page.route("**/credit-limit", async (route) => {
    asked.push((route.request().postDataJSON() as { expectedVersion: number }).expectedVersion);
    await route.continue();
  });
  await page.getByRole("button", { name: "Change limit" }).click();
  const dialog = page.getByRole("dialog", { name: "Change credit limit" });
  await dialog.getByRole("textbox", { name: "New credit limit" }).fill("6000");
  await dialog.getByRole("button", { name: "Change limit" }).click();
  await expect.poll(async () => (await api.get<typeof customer>(`/api/customers/${customer.id}`)).creditLimit).toBe("6000.00");
  expect(asked).toEqual([1, 2]);
  tap.release();
  await expect(page.getByRole("definition").filter({ hasText: /^6,000\.00$/ })).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
});
