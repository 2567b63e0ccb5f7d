// The desk works without a mouse.
import { expect, open, rows, test } from "./desk.ts";

test("Single keys search, help, place, move, open and go", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await api.decided(customer.id, "10.00");
  await api.decided(customer.id, "20.00");
  await open(page, `/orders?customer=${customer.id}`);
  await expect(rows(page, customer.name)).toHaveCount(2);

  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: "Search" })).toBeFocused();
  // While one types, a key is a letter.
  await page.keyboard.type("n?");
  await expect(page.getByRole("searchbox", { name: "Search" })).toHaveValue("n?");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Search" }).fill("");
  await page.getByRole("searchbox", { name: "Search" }).blur();

  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(help).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(help).toBeHidden();

  await page.keyboard.press("j");
  await expect(rows(page, "20.00").getByRole("link").first()).toBeFocused();
  await page.keyboard.press("j");
  await expect(rows(page, "10.00").getByRole("link").first()).toBeFocused();
  await page.keyboard.press("k");
  await expect(rows(page, "20.00").getByRole("link").first()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: /^Order / })).toBeFocused();

  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page.getByRole("heading", { name: "Customers", level: 1 })).toBeFocused();
  await expect(page).toHaveTitle("Customers · Tramline");
  await page.keyboard.press("n");
  await expect(page.getByRole("dialog", { name: "Add customer" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await expect(page.getByRole("heading", { name: "Orders", level: 1 })).toBeFocused();
});

test("An order is placed without a mouse, and the focus returns", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  const opener = page.getByRole("link", { name: "Place order" });
  await opener.focus();
  await page.keyboard.press("n");
  const dialog = page.getByRole("dialog", { name: "Place order" });
  await expect(dialog.getByRole("combobox", { name: "Customer" })).toBeFocused();
  await page.keyboard.type(customer.name);
  await expect(dialog.getByRole("option", { name: customer.name })).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(dialog.getByRole("textbox", { name: "Total" })).toBeFocused();
  await page.keyboard.type("33.00");
  await page.keyboard.press("Enter");
  await expect(rows(page, customer.name)).toHaveText([/33\.00.*Approved/]);
  await expect(opener).toBeFocused();
});

test("A coordination is chosen without a mouse", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page, `/orders?customer=${customer.id}`);
  await page.keyboard.press("n");
  const dialog = page.getByRole("dialog", { name: "Place order" });
  await expect(dialog.getByRole("textbox", { name: "Total" })).toBeFocused();
  await page.keyboard.type("44.00");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const coordination = dialog.getByRole("combobox", { name: "Coordination" });
  await expect(coordination).toBeFocused();
  await page.keyboard.type("Ch");
  await expect(coordination).toHaveValue("choreography");
  await dialog.getByRole("textbox", { name: "Total" }).focus();
  await page.keyboard.press("Enter");
  await expect(rows(page, customer.name)).toHaveText([/44\.00.*Approved/]);
  expect(await api.orders(`customerId=${customer.id}`)).toMatchObject([{ coordination: "choreography" }]);
});

test("Single keys can be switched off", async ({ page }) => {
  await open(page, "/settings");
  await page.getByRole("checkbox", { name: "Single-key shortcuts" }).uncheck();
  await page.getByRole("heading", { name: "Settings" }).focus();
  await page.keyboard.press("n");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("checkbox", { name: "Single-key shortcuts" })).not.toBeChecked();
  await page.getByRole("checkbox", { name: "Single-key shortcuts" }).check();
  await page.getByRole("heading", { name: "Settings" }).focus();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
});

test("37. The full place, revise and cancel path works by keyboard alone", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await open(page, `/orders?customer=${customer.id}`);
  await page.keyboard.press("n");
  const place = page.getByRole("dialog", { name: "Place order" });
  await expect(place.getByRole("textbox", { name: "Total" })).toBeFocused();
  await page.keyboard.type("400");
  await page.keyboard.press("Enter");
  const row = rows(page, customer.name);
  await expect(row).toHaveText([/400\.00.*Approved/]);

  await page.keyboard.press("j");
  await page.keyboard.press("e");
  const revise = page.getByRole("dialog", { name: "Revise order" });
  await expect(revise.getByRole("textbox", { name: "New total" })).toBeFocused();
  await page.keyboard.type("650");
  await page.keyboard.press("Enter");
  await expect(revise).toBeHidden();
  await expect(row).toHaveText(/650\.00Approved/);
  await expect(row.getByRole("link").first()).toBeFocused();

  await page.keyboard.press("c");
  const cancel = page.getByRole("dialog", { name: "Cancel order" });
  await expect(cancel.getByRole("button", { name: "Cancel order" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(cancel).toBeHidden();
  await expect(row.getByRole("link").first()).toBeFocused();
  await page.keyboard.press("c");
  await page.keyboard.press("Enter");
  await expect(row).toHaveText(/650\.00Cancelled/);
  await expect(row.getByRole("link").first()).toBeFocused();
  expect(await api.orders(`customerId=${customer.id}`)).toMatchObject([{ total: "650.00", state: "CANCELLED" }]);
});

test("37. Two keys within one turn of the browser's loop find the same row", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await api.decided(customer.id, "10.00");
  await api.decided(customer.id, "20.00");
  await open(page, `/orders?customer=${customer.id}`);
  await expect(rows(page, customer.name)).toHaveText([/20\.00.*Approved/, /10\.00.*Approved/]);
  await page.evaluate(() => {
    for (const key of ["j", "j", "e"]) {
      window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    }
  });
  const dialog = page.getByRole("dialog", { name: "Revise order" });
  await expect(dialog.getByRole("textbox", { name: "New total" })).toHaveValue("10.00");
  await page.keyboard.press("Escape");
  await expect(rows(page, "10.00").getByRole("link").first()).toBeFocused();
});
