// axe on every page, in both themes, and in the states that are easily forgotten: empty, failed, refused, disconnected.
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, fillOrder, Gate, open, placeOrder, rows, test } from "./desk.ts";
import { Server } from "./server.ts";

// Twenty audits take their time on a busy machine.
test.beforeEach(() => test.slow());

async function check(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { passes, violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map(({ id, nodes }) => `${colorScheme}: ${id} at ${nodes.map(({ html }) => html).join(" ")}`);
    expect(found).toEqual([]);
    // A page that axe could not look at has no violations either.
    expect(passes.length).toBeGreaterThan(10);
  }
}

test("39. axe finds nothing on the lists and on what they open", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const approved = await api.decided(customer.id, "600.00");
  const rejected = await api.decided(customer.id, "700.00");
  await open(page);
  await expect(rows(page, customer.name)).toHaveText([/Rejected/, /Approved/]);
  await check(page);
  await open(page, "/customers");
  await expect(rows(page, customer.name)).toHaveCount(1);
  await check(page);
  await open(page, `/customers/${customer.id}`);
  await expect(rows(page, "700.00")).toHaveCount(1);
  await check(page);
  for (const { id } of [approved, rejected]) {
    await open(page, `/orders/${id}`);
    await expect(page.getByRole("list", { name: "Progress" })).toBeVisible();
    await check(page);
  }
  await open(page, "/settings");
  await check(page);
});

test("39. axe finds nothing where nothing is", async ({ page, expectedErrors }) => {
  expectedErrors.push(/status of 404/);
  for (const [path, heading] of [
    ["/nowhere", "This page doesn't exist"],
    ["/orders/7", "We can't find that order"],
    ["/orders/018f0000-0000-7000-8000-000000000001", "We can't find that order"],
    ["/customers/7", "We can't find that customer"],
    ["/orders?q=nothing-is-called-this", "No orders match"],
    ["/customers?q=nothing-is-called-this", "No customers match"],
  ] as const) {
    await open(page, path);
    await expect(page.getByRole("heading", { name: heading })).toBeVisible();
    await check(page);
  }
});

test("39. axe finds nothing on an empty desk", async ({ page }) => {
  const server = await Server.start();
  try {
    await open(page, `${server.url}/orders`);
    await expect(page.getByRole("button", { name: "Load a sample" })).toBeVisible();
    await check(page);
    await open(page, `${server.url}/customers`);
    await expect(page.getByRole("button", { name: "Load a sample" })).toBeVisible();
    await check(page);
  } finally {
    // Or it complains that its server is gone.
    await page.close();
    await server.dispose();
  }
});

test("39. axe finds nothing in dialogs, right or wrong", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page, "/orders/new");
  const order = page.getByRole("dialog", { name: "Place order" });
  await order.getByRole("combobox", { name: "Customer" }).fill(customer.name);
  await expect(order.getByRole("option", { name: customer.name })).toBeVisible();
  await check(page);
  await order.getByRole("button", { name: "Place order" }).click();
  await expect(order.getByRole("textbox", { name: "Total" })).toHaveAttribute("aria-invalid", "true");
  await check(page);
  await order.getByRole("button", { name: "Cancel" }).click();
  const warned = await fillOrder(page, customer, "5000.00");
  await expect(warned.getByText(/May be rejected/)).toBeVisible();
  await warned.getByText("Advanced").click();
  await expect(warned.getByRole("combobox", { name: "Coordination" })).toBeVisible();
  await check(page);

  await open(page, "/customers/new");
  const added = page.getByRole("dialog", { name: "Add customer" });
  await check(page);
  await added.getByRole("button", { name: "Add customer" }).click();
  await expect(added.getByRole("textbox", { name: "Name" })).toHaveAttribute("aria-invalid", "true");
  await check(page);

  await open(page);
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await check(page);
});

test("39. axe finds nothing in the dialogs that change something", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  await open(page, `/orders/${order.id}`);
  await page.getByRole("button", { name: "Revise" }).click();
  const revise = page.getByRole("dialog", { name: "Revise order" });
  await revise.getByRole("textbox", { name: "New total" }).fill("5000.00");
  await expect(revise.getByText(/May be refused/)).toBeVisible();
  await check(page);
  await revise.getByRole("textbox", { name: "New total" }).fill("0");
  await revise.getByRole("button", { name: "Revise" }).click();
  await expect(revise.getByRole("textbox", { name: "New total" })).toHaveAttribute("aria-invalid", "true");
  await check(page);
  await revise.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel order" }).click();
  await expect(page.getByRole("dialog", { name: "Cancel order" })).toBeVisible();
  await check(page);
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: customer.name }).click();
  for (const name of ["Change limit", "Record payment"]) {
    await page.getByRole("button", { name }).click();
    await expect(page.getByRole("dialog").getByRole("textbox").first()).toBeFocused();
    await check(page);
    await page.keyboard.press("Escape");
  }
});

test("39. axe finds nothing while something changes, and when it has", async ({ page, api, tap, expectedErrors }) => {
  expectedErrors.push(/status of 409/);
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  const gate = new Gate();
  await page.route(/\/(revise|cancel|credit-limit)$/, async (route) => {
    await gate.opened;
    await route.continue();
  });
  const act = async (opener: string, amount?: string) => {
    await page.getByRole("button", { name: opener }).click();
    const dialog = page.getByRole("dialog");
    if (amount) await dialog.getByRole("textbox").fill(amount);
    await dialog.locator("[type=submit]").click();
    await expect(dialog).toBeHidden();
  };
  await open(page, `/customers/${customer.id}`);
  await act("Change limit", "1100");
  await expect(page.getByRole("definition").filter({ hasText: "→" })).toBeVisible();
  await check(page);
  await rows(page, "400.00").getByRole("link").first().click();
  await act("Revise", "5000.00");
  await expect(page.getByRole("article")).toHaveText(/Revising/);
  await check(page);
  await page.getByRole("link", { name: "← Orders" }).click();
  await expect(rows(page, customer.name)).toHaveText(/5,000\.00.*Revising/);
  await check(page);
  gate.open();
  await expect(rows(page, customer.name)).toHaveText(/revision refused/);
  await check(page);
  await rows(page, customer.name).getByRole("link").first().click();
  await expect(page.getByText(/The last revision was refused/)).toBeVisible();
  await check(page);

  tap.hold();
  await api.revise(order.id, "450.00");
  await act("Revise", "500.00");
  await expect(page.getByRole("button", { name: "Keep theirs" })).toBeVisible();
  await check(page);
  await page.getByRole("button", { name: "Keep theirs" }).click();
  tap.release();
  await act("Cancel order");
  await expect(page.getByRole("article")).toHaveText(/Cancelled/);
  await expect(page.getByRole("button", { name: "Cancel order" })).toHaveCount(0);
  await check(page);
});

test("39. No dialog is wider than a small phone", async ({ page, api }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  const customer = await api.customer("9999999999.99");
  const order = await api.decided(customer.id, "1234567.89");
  const fits = async () => {
    const wide = await page.evaluate(() => {
      const width = document.documentElement.clientWidth;
      const parts = [...document.querySelectorAll("dialog, dialog *, main, article :not(thead, thead *)")];
      return parts.filter((part) => part.getBoundingClientRect().right > width + 1).map((part) => part.outerHTML.slice(0, 80));
    });
    expect(wide).toEqual([]);
  };
  await open(page, "/orders/new");
  await page.getByText("Advanced").click();
  await fits();
  await open(page, `/orders/${order.id}`);
  await fits();
  for (const name of ["Revise", "Cancel order"]) {
    await page.getByRole("button", { name }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await fits();
    await page.keyboard.press("Escape");
  }
  await page.goto(`/customers/${customer.id}`);
  await expect(page.getByRole("heading", { name: customer.name })).toBeVisible();
  await fits();
  for (const name of ["Change limit", "Record payment"]) {
    await page.getByRole("button", { name }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await fits();
    await page.keyboard.press("Escape");
  }
});

test("39. axe finds nothing while something is wrong", async ({ page, api, tap, expectedErrors }) => {
  // The page still asks for what does not exist when the story is over and nothing holds the request any more.
  expectedErrors.push(/net::ERR_FAILED|status of (404|422)/);
  const customer = await api.customer("1000.00");
  let isSpoiled = true;
  await page.route("**/api/orders", async (route) => {
    const body = route.request().postDataJSON() as object;
    if (isSpoiled) await route.continue({ postData: JSON.stringify({ ...body, total: "0.00" }) });
    else await route.abort();
    isSpoiled = false;
  });
  await open(page);
  await placeOrder(page, customer, "10.00");
  await expect(page.getByRole("alert").filter({ hasText: "Order not placed" })).toBeVisible();
  tap.refuses = true;
  tap.cut();
  await expect(page.getByRole("region", { name: "Connection problem" })).toBeVisible({ timeout: 10_000 });
  await placeOrder(page, customer, "20.00");
  await expect(rows(page, "20.00").filter({ hasText: customer.name })).toHaveText(/Checking…/);
  await check(page);

  tap.refuses = false;
  await page.route(/\/api\/(orders|customers)[/?]/, (route) => route.abort());
  await page.goto("/customers");
  await expect(page.getByRole("heading", { name: "The server isn't answering" })).toBeVisible();
  await check(page);
  await page.goto(`/orders/${customer.id}`);
  await expect(page.getByRole("heading", { name: "The server isn't answering" })).toBeVisible();
  await check(page);
});
