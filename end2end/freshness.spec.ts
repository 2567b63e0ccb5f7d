// What the page shows is never older than what it has shown, and says so when it knows of something newer.
import { expect, Gate, open, rows, test } from "./desk.ts";

test("17. A stale read never overwrites a newer row", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const gate = new Gate();
  let isHeld = false;
  await page.route(`**/api/customers/${customer.id}*`, async (route) => {
    // The server's own answer, from before the order; it travels slowly.
    const response = await route.fetch();
    isHeld = true;
    await gate.opened;
    await route.fulfill({ response });
  });
  await open(page, "/customers");
  await expect(rows(page, customer.name)).toHaveText(/1,000\.00/);
  await rows(page, customer.name).getByRole("link").click();
  await expect.poll(() => isHeld).toBe(true);
  await api.decided(customer.id, "400.00");
  const meter = page.getByRole("meter", { name: "Credit in use" });
  await expect(meter).toHaveAttribute("aria-valuenow", "40");

  const late = page.waitForResponse(`**/api/customers/${customer.id}*`);
  gate.open();
  await (await late).finished();
  // A newer change must show as ever; on the way there nothing older may.
  const shown: (string | null)[] = [];
  await expect
    .poll(async () => {
      shown.push(await meter.getAttribute("aria-valuenow"));
      return shown.length;
    })
    .toBeGreaterThan(3);
  expect(new Set(shown)).toEqual(new Set(["40"]));
  await expect(page.getByText(/Updating v|older data/)).toHaveCount(0);
});

test("17. A row that is known to be older says so until it is fresh", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  const order = await api.decided(customer.id, "400.00");
  await open(page);
  const row = rows(page, customer.name);
  await expect(row).toHaveText(/Approved/);
  // The page writes down which versions it has seen; a frame has to tell it of one.
  const newer = await api.decided(customer.id, "500.00");
  await expect(rows(page, customer.name).filter({ hasText: "500.00" })).toHaveText([/Approved/]);
  await expect
    .poll(() => page.evaluate(() => sessionStorage.getItem("tramline.feed") ?? ""))
    .toContain(newer.id);

  // From here on every read answers as a replica would that has fallen behind.
  let isBehind = true;
  const older = (document: typeof newer) =>
    isBehind && document.id === newer.id ? { ...document, version: 1, state: "PENDING" } : document;
  await page.route(/\/api\/orders\?/, async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as { items: (typeof newer)[] };
    await route.fulfill({ response, json: { ...body, items: body.items.map(older) } });
  });
  await page.route(`**/api/orders/${newer.id}*`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: older((await response.json()) as typeof newer) });
  });
  await page.reload();
  const stale = rows(page, customer.name).filter({ hasText: "500.00" });
  await expect(stale).toHaveText(new RegExp(`Updating v1→v${newer.version}`));
  await expect(stale).not.toHaveText(/Approved/);
  await expect(stale).toHaveCount(1);
  isBehind = false;
  await expect(stale).toHaveText(/Approved/, { timeout: 10_000 });
  await expect(stale).not.toHaveText(/Updating/);
  await expect(rows(page, "400.00").filter({ hasText: customer.name })).toHaveText([/Approved/]);
  expect(order.state).toBe("APPROVED");
});

test("17. After ten seconds a refresh is offered, and works", async ({ page, api }) => {
  const customer = await api.customer("1000.00");
  await page.clock.install();
  await open(page);
  const order = await api.decided(customer.id, "510.00");
  const row = rows(page, customer.name);
  await expect(row).toHaveText(/Approved/);
  await expect.poll(() => page.evaluate(() => sessionStorage.getItem("tramline.feed") ?? "")).toContain(order.id);
  let isBehind = true;
  let underWay = 0;
  await page.route(/\/api\/orders[/?]/, async (route) => {
    underWay += 1;
    const response = await route.fetch();
    const body = await response.text();
    // One version less than there is: the order's own document is the only one of this version and id.
    const document = (text: string) =>
      text.replace(`"state":"APPROVED"`, `"state":"PENDING"`).replace(`"version":${order.version}`, `"version":1`);
    const part = new RegExp(`\\{[^{}]*"id":"${order.id}"[^{}]*\\}`);
    await route.fulfill({ response, body: isBehind ? body.replace(part, document) : body });
    underWay -= 1;
  });
  await page.reload();
  await expect(row).toHaveText(/Updating v1→v2/);
  // Time stands still after ten seconds, so that the page reads nothing by itself any more.
  await page.clock.pauseAt(Date.now() + 12_000);
  await expect(row).toHaveText(/Showing older data/);
  await expect.poll(() => underWay).toBe(0);
  isBehind = false;
  await row.getByRole("button", { name: "Refresh" }).click();
  await expect(row).toHaveText(/Approved/);
  await expect(row).not.toHaveText(/older data/);
});
