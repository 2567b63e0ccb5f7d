// Ten thousand orders, and the page still answers within a frame or two. The figures are printed; the limits are loose, because
// a busy machine is slow for reasons of its own.
import type { Page } from "@playwright/test";
import { Api, type Customer, times } from "./api.ts";
import { expect, fillOrder, open, rows, test as base } from "./desk.ts";
import { Server } from "./server.ts";

const ORDERS = 10_000;
const ROWS_LIMIT = 60;
const ANSWER_LIMIT_MS = 100;

type BigDesk = { url: string; customers: Customer[] };

const test = base.extend<object, { bigDesk: BigDesk }>({
  bigDesk: [
    async ({}, use) => {
      const server = await Server.start();
      const api = new Api(server.url);
      const customers: Customer[] = [];
      for (let made = 0; made < 20; made += 1) customers.push(await api.customer("9999999.00", `Customer ${made}`));
      const of = (place: number) => customers[place % customers.length] as Customer;
      await times(ORDERS, 48, (place) => api.place(of(place).id, `${1 + (place % 5_000)}.00`));
      await Promise.all(customers.map(({ id }) => api.settled(id)));
      await use({ url: server.url, customers });
      await server.dispose();
    },
    { scope: "worker", timeout: 180_000 },
  ],
});

test.beforeEach(async ({ page, bigDesk }) => {
  test.slow();
  await open(page, `${bigDesk.url}/orders`);
  await expect(page.getByText(/^10,0\d\d orders$/)).toBeVisible({ timeout: 60_000 });
});

test("The first paint and the first live moment are measured", async ({ page, bigDesk }) => {
  await open(page, `${bigDesk.url}/orders`);
  const live = await page.evaluate(() => performance.now());
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
  report("first contentful paint", [paint]);
  report("live", [live]);
  expect(paint).toBeGreaterThan(0);
});

test("27. 10,000 orders scroll with at most 60 rows in the page and no blank", async ({ page }) => {
  const steps = await page.getByRole("region", { name: "Orders" }).evaluate(async (list) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const box = list.getBoundingClientRect();
    const seen: { ms: number; rows: number; isBlank: boolean }[] = [];
    for (let step = 0; step < 60; step += 1) {
      const start = performance.now();
      list.scrollTop = step % 2 ? list.scrollTop + 7_000 : list.scrollTop + 250;
      await frame();
      await frame();
      const middle = document.elementFromPoint(box.left + 40, box.top + box.height / 2);
      seen.push({
        ms: performance.now() - start,
        rows: list.querySelectorAll("tbody tr").length,
        isBlank: !middle?.closest("tr[data-row]"),
      });
    }
    return seen;
  });
  report("scroll, two frames", steps.map(({ ms }) => ms));
  expect(Math.max(...steps.map((step) => step.rows))).toBeLessThanOrEqual(ROWS_LIMIT);
  expect(steps.filter(({ isBlank }) => isBlank)).toEqual([]);
  expect(median(steps.map(({ ms }) => ms))).toBeLessThan(ANSWER_LIMIT_MS);
});

test("27. 10,000 orders filter as one types", async ({ page, bigDesk }) => {
  const name = (bigDesk.customers[7] as Customer).name;
  const search = page.getByRole("searchbox", { name: "Search" });
  const spent: number[] = [];
  for (let length = 1; length <= name.length; length += 1) {
    spent.push(await untilPainted(page, "#order-search", name.slice(0, length)));
  }
  report("letter → painted list", spent);
  await expect(search).toHaveValue(name);
  await expect(page.getByRole("table", { name: "Orders" })).toHaveAttribute("aria-rowcount", `${ORDERS / 20 + 1}`);
  await expect(rows(page, name).first()).toBeVisible();
  expect(median(spent)).toBeLessThan(ANSWER_LIMIT_MS);
});

test("27. 10,000 orders sort within budget", async ({ page }) => {
  const spent: number[] = [];
  for (const sort of ["total-desc", "total-asc", "oldest", "newest", "total-desc"]) {
    spent.push(await untilPainted(page, "#order-sort", sort));
  }
  report("sort → painted list", spent);
  await expect(rows(page, "").first()).toHaveText(/5,000\.00/);
  expect(median(spent)).toBeLessThan(ANSWER_LIMIT_MS);
});

// The last one, because it adds orders.
test("27. A submitted order is painted within budget above 10,000 others", async ({ page, bigDesk }) => {
  const spent: number[] = [];
  for (let placed = 0; placed < 7; placed += 1) {
    const total = `${7_001 + placed}.00`;
    const dialog = await fillOrder(page, bigDesk.customers[placed] as Customer, total);
    spent.push(
      await dialog.getByRole("button", { name: "Place order" }).evaluate(async (button: HTMLButtonElement) => {
        const before = document.querySelector("tr[data-row]")?.getAttribute("data-row");
        const start = performance.now();
        button.form?.requestSubmit();
        do await new Promise((resolve) => requestAnimationFrame(resolve));
        while (document.querySelector("tr[data-row]")?.getAttribute("data-row") === before);
        return performance.now() - start;
      }),
    );
    await expect(rows(page, total.replace("7", "7,"))).toHaveText([/Approved/]);
  }
  report("submit → painted row", spent);
  expect(median(spent)).toBeLessThan(ANSWER_LIMIT_MS);
});

// Changes a field and waits until what follows from it is on the screen.
async function untilPainted(page: Page, selector: string, value: string): Promise<number> {
  return page.locator(selector).evaluate(async (field: HTMLInputElement, text) => {
    const start = performance.now();
    field.value = text;
    field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
    await new Promise((resolve) => requestAnimationFrame(resolve));
    // The next task comes after the frame was drawn.
    await new Promise((resolve) => setTimeout(resolve));
    return performance.now() - start;
  }, value);
}

function median(figures: number[]): number {
  return [...figures].sort((one, other) => one - other)[Math.floor(figures.length / 2)] ?? 0;
}

function report(what: string, figures: number[]): void {
  const text = `median ${median(figures).toFixed(1)} ms, longest ${Math.max(...figures).toFixed(1)} ms`;
  test.info().annotations.push({ type: what, description: text });
  console.log(`    ${what}: ${text}`);
}
