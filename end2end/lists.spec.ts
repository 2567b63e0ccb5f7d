// Lists stay where the reader left them: filtered, sorted, scrolled.
import { times } from "./api.ts";
import { expect, open, rows, test } from "./desk.ts";

test("28. New rows arriving while scrolled show the pill and move nothing", async ({ page, api }) => {
  const customer = await api.customer("100000.00");
  await times(60, 8, () => api.place(customer.id, "10.00"));
  await api.settled(customer.id);
  await open(page, `/orders?customer=${customer.id}`);
  const list = page.getByRole("region", { name: "Orders" });
  await expect(page.getByText("60 orders", { exact: true })).toBeVisible();
  await list.hover();
  await page.mouse.wheel(0, 600);
  await expect.poll(() => list.evaluate((element) => element.scrollTop)).toBe(600);
  const watched = page.getByRole("row").filter({ has: page.getByRole("cell") }).nth(14);
  const id = await watched.getAttribute("data-row");
  const place = () => page.locator(`[data-row="${id}"]`).evaluate((row) => row.getBoundingClientRect().top);
  const before = await place();

  for (let placed = 0; placed < 3; placed += 1) await api.decided(customer.id, "77.00");
  const pill = page.getByRole("button", { name: "3 new orders" });
  await expect(pill).toBeVisible();
  expect(await place()).toBe(before);
  await expect(rows(page, "77.00")).toHaveCount(0);

  await pill.click();
  await expect(rows(page, "77.00")).toHaveText(Array(3).fill(/Approved/));
  await expect(rows(page, "77.00").first()).toBeInViewport();
  await expect(pill).toBeHidden();
});

test("29. Filters and sort survive Back, reload and a copied link", async ({ page, api, context }) => {
  const [customer, other] = [await api.customer("1000.00", "Elm"), await api.customer("1000.00", "Elm")];
  for (const total of ["30.00", "20.00", "2000.00", "40.00"]) await api.decided(customer.id, total);
  await api.decided(other.id, "50.00");
  await open(page);
  await page.getByRole("combobox", { name: "Status" }).selectOption("Approved");
  await page.getByRole("combobox", { name: "Sort" }).selectOption("Smallest total");
  const chosen = page.getByRole("search").getByRole("combobox", { name: "Customer" });
  await chosen.fill(customer.name);
  await page.getByRole("option", { name: customer.name }).click();
  await page.getByRole("searchbox", { name: "Search" }).fill("elm");
  const filtered = async (shown: typeof page) => {
    await expect(rows(shown, "")).toHaveText([/20\.00/, /30\.00/, /40\.00/]);
    await expect(shown.getByRole("combobox", { name: "Status" })).toHaveValue("APPROVED");
    await expect(shown.getByRole("combobox", { name: "Sort" })).toHaveValue("total-asc");
    await expect(shown.getByRole("search").getByRole("combobox", { name: "Customer" })).toHaveValue(customer.name);
    await expect(shown.getByRole("searchbox", { name: "Search" })).toHaveValue("elm");
  };
  await filtered(page);

  await rows(page, "30.00").getByRole("link").first().click();
  await expect(page.getByRole("heading", { name: /^Order / })).toBeFocused();
  await page.goBack();
  await filtered(page);
  await page.reload();
  await filtered(page);
  const copy = await context.newPage();
  await copy.goto(page.url());
  await filtered(copy);

  await page.getByRole("link", { name: "Clear filters" }).click();
  await expect(rows(page, other.name)).toHaveText([/50\.00/]);
  await expect(page).toHaveURL(/\/orders$/);
});

test("29. Back returns to the row that was scrolled to", async ({ page, api }) => {
  const customer = await api.customer("100000.00");
  await times(60, 8, (place) => api.place(customer.id, `${100 + place}.00`));
  await api.settled(customer.id);
  await open(page, `/orders?customer=${customer.id}&sort=total-asc`);
  const list = page.getByRole("region", { name: "Orders" });
  await list.hover();
  await page.mouse.wheel(0, 700);
  const row = rows(page, "125.00");
  await expect(row).toBeInViewport();
  const top = await list.evaluate((element) => element.scrollTop);
  await row.getByRole("link").first().click();
  await expect(page.getByRole("heading", { name: /^Order / })).toBeVisible();
  await page.goBack();
  await expect(row).toBeInViewport();
  expect(await list.evaluate((element) => element.scrollTop)).toBe(top);
});
