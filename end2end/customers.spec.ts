// Whoever runs the desk keeps its customers: adds them, finds them, reads their credit.
import { expect, Gate, open, placeOrder, rows, test } from "./desk.ts";
import { Server } from "./server.ts";

test("1. Creating a customer shows the row at once and survives reload", async ({ page }) => {
  const gate = new Gate();
  await page.route("**/api/customers", async (route) => {
    if (route.request().method() === "POST") await gate.opened;
    await route.continue();
  });
  const name = `Borealis ${Date.now()}`;
  await open(page, "/customers");
  await page.getByRole("link", { name: "Add customer" }).click();
  const dialog = page.getByRole("dialog", { name: "Add customer" });
  await dialog.getByRole("textbox", { name: "Name" }).fill(name);
  await dialog.getByRole("textbox", { name: "Credit limit" }).fill("8000");
  await dialog.getByRole("button", { name: "Add customer" }).click();
  await expect(rows(page, name)).toHaveText(/8,000\.00/);
  await expect(rows(page, name)).toHaveText(/Sending/);
  gate.open();
  await expect(rows(page, name)).not.toHaveText(/Sending|Saving/);
  await page.reload();
  await expect(rows(page, name)).toHaveText([/8,000\.00/]);
});

test("1. A customer without a name or with a limit that is no amount is corrected before it is sent", async ({ page }) => {
  await open(page, "/customers/new");
  const dialog = page.getByRole("dialog", { name: "Add customer" });
  const [name, limit] = [dialog.getByRole("textbox", { name: "Name" }), dialog.getByRole("textbox", { name: "Credit limit" })];
  await limit.fill("much");
  await dialog.getByRole("button", { name: "Add customer" }).click();
  await expect(name).toBeFocused();
  await expect(name).toHaveAttribute("aria-invalid", "true");
  await expect(limit).toHaveAttribute("aria-invalid", "true");
  await expect(limit).toHaveValue("much");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
});

test("1. An order for a customer that is still on its way waits for it", async ({ page, api, expectedErrors }) => {
  // The server can't know yet the customer whose page is opened.
  expectedErrors.push(/status of 404/);
  const gate = new Gate();
  await page.route("**/api/customers", async (route) => {
    if (route.request().method() === "POST") await gate.opened;
    await route.continue();
  });
  const name = `Cobalt ${Date.now()}`;
  await open(page, "/customers/new");
  const dialog = page.getByRole("dialog", { name: "Add customer" });
  await dialog.getByRole("textbox", { name: "Name" }).fill(name);
  await dialog.getByRole("textbox", { name: "Credit limit" }).fill("500");
  await dialog.getByRole("textbox", { name: "Credit limit" }).press("Enter");
  await rows(page, name).getByRole("link").click();
  await placeOrder(page, { id: "", name, creditLimit: "", reserved: "", paid: "", availableCredit: "", version: 0 }, "499.99");
  await expect(rows(page, name)).toHaveText(/Sending/);
  gate.open();
  await expect(rows(page, name)).toHaveText(/499\.99.*Approved/);
  expect((await api.orders(`q=${encodeURIComponent(name)}`)).map(({ state }) => state)).toEqual(["APPROVED"]);
});

test("A customer's credit follows the orders as they are decided", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page, `/customers/${customer.id}`);
  await expect(page.getByRole("heading", { name: customer.name })).toBeVisible();
  const meter = page.getByRole("meter", { name: "Credit in use" });
  await expect(meter).toHaveAttribute("aria-valuenow", "0");
  await api.decided(customer.id, "250.00");
  await expect(meter).toHaveAttribute("aria-valuenow", "25");
  await expect(page.getByRole("definition").filter({ hasText: /^750\.00$/ })).toBeVisible();
  await expect(rows(page, "250.00")).toHaveText([/Approved/]);
});

test("Customers are found by part of their name", async ({ page, api }) => {
  const [wanted, other] = [await api.customer("10.00", "Dune"), await api.customer("10.00", "Elm")];
  await open(page, "/customers");
  await page.getByRole("searchbox", { name: "Search" }).fill(wanted.name.toLowerCase());
  await expect(rows(page, "")).toHaveText([new RegExp(wanted.name)]);
  await expect(rows(page, other.name)).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Search" }).fill("nobody is called this");
  await expect(page.getByRole("heading", { name: "No customers match" })).toBeVisible();
});

test("An empty desk offers its sample and loads it", async ({ page }) => {
  const server = await Server.start();
  try {
    await open(page, `${server.url}/orders`);
    await expect(page.getByRole("heading", { name: "No orders yet" })).toBeVisible();
    await page.getByRole("button", { name: "Load a sample" }).click();
    await expect(page.getByRole("table", { name: "Orders" })).toHaveAttribute("aria-rowcount", "21");
    await expect(rows(page, /Approved|Rejected: credit/)).toHaveCount(20, { timeout: 15_000 });
    expect(await rows(page, "Rejected: credit").count()).toBeGreaterThan(0);
    await page.getByRole("link", { name: "Customers" }).click();
    await expect(rows(page, "")).toHaveCount(6);
    await expect(page.getByRole("button", { name: "Load a sample" })).toBeHidden();
  } finally {
    // Or it complains that its server is gone.
    await page.close();
    await server.dispose();
  }
});
