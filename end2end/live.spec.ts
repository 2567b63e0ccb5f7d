// The page follows the desk, and loses nothing when the way there is disturbed.
import { times } from "./api.ts";
import { connection, expect, open, rows, test } from "./desk.ts";

test("18. A missing frame triggers catch-up", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  let lost = 0;
  tap.drops = ({ order }) => {
    const isLost = order?.state === "APPROVED" && lost === 0;
    if (isLost) lost = order.version;
    return isLost;
  };
  await api.decided(customer.id, "30.00");
  await api.decided(customer.id, "40.00");
  // Nothing but the gap tells the page: no order of its own is waiting, and nothing asks for this one.
  await expect(rows(page, customer.name)).toHaveText([/40\.00.*Approved/, /30\.00.*Approved/]);
  expect(lost).toBeGreaterThan(0);
  expect(tap.opened).toBe(2);
  expect(tap.greetings()).toEqual(["resync", "resumed"]);
});

test("18. Frames that arrive in reverse are put right", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  tap.hold();
  await api.decided(customer.id, "30.00");
  await api.decided(customer.id, "40.00");
  await expect.poll(() => tap.said.filter(({ order }) => order?.state === "APPROVED").length).toBe(2);
  tap.release("in reverse");
  await expect(rows(page, customer.name)).toHaveText([/40\.00.*Approved/, /30\.00.*Approved/]);
  await expect(connection(page)).toHaveText("Live");
});

test("19. A clean socket drop reconnects and delivers all missed outcomes", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  tap.refuses = true;
  tap.cut();
  await expect(connection(page)).toHaveText("Reconnecting");
  await times(5, 5, () => api.place(customer.id, "10.00"));
  await api.settled(customer.id);
  tap.refuses = false;
  await expect(rows(page, customer.name)).toHaveText(Array(5).fill(/Approved/), { timeout: 15_000 });
  await expect(connection(page)).toHaveText("Live", { timeout: 15_000 });
  expect(tap.greetings()).toEqual(["resync", "resumed"]);
});

test("20. A half-open socket is detected by heartbeat and recovers", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await page.clock.install();
  await open(page);
  // Nothing arrives, and nothing closes: what a router that forgets its connections leaves behind.
  tap.drops = () => true;
  await api.decided(customer.id, "10.00");
  await page.clock.fastForward(20_000);
  await expect(connection(page)).toHaveText("Live");
  expect(tap.opened).toBe(1);
  tap.drops = () => false;
  await page.clock.fastForward(6_000);
  await expect.poll(() => tap.opened).toBe(2);
  await expect(rows(page, customer.name)).toHaveText([/Approved/]);
  await expect(connection(page)).toHaveText("Live");
  expect(tap.greetings()).toEqual(["resync", "resumed"]);
});

test("21. Twenty drops over 1,000 outcomes lose and duplicate none", async ({ page, api, tap }) => {
  test.slow();
  const customer = await api.customer("9999999.00");
  await open(page, `/orders?customer=${customer.id}`);
  for (let drop = 1; drop <= 20; drop += 1) {
    const before = tap.documents();
    const placed = times(50, 8, () => api.place(customer.id, "1.00"));
    // In the midst of the stream: some 200 frames tell of 50 orders.
    await expect.poll(() => tap.documents() - before, { timeout: 20_000, intervals: [5] }).toBeGreaterThan(20);
    tap.cut();
    await expect(connection(page)).toHaveText("Reconnecting");
    // A flaky network says when it is back, and then the page doesn't wait.
    await page.evaluate(() => window.dispatchEvent(new Event("online")));
    await placed;
    await expect.poll(() => tap.greetings().length, { timeout: 20_000 }).toBe(drop + 1);
  }
  await api.settled(customer.id);
  await expect(connection(page)).toHaveText("Live", { timeout: 20_000 });
  const table = page.getByRole("table", { name: "Orders" });
  await expect(table).toHaveAttribute("aria-rowcount", "1001");
  await page.getByRole("combobox", { name: "Status" }).selectOption("Approved");
  await expect(table).toHaveAttribute("aria-rowcount", "1001");
  await expect(page.getByText("1,000 orders", { exact: true })).toBeVisible();
  expect(tap.greetings().slice(1)).toEqual(Array(20).fill("resumed"));
});

test("22. Two reconnects with no new events replay nothing", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  await api.decided(customer.id, "10.00");
  await expect(rows(page, customer.name)).toHaveText([/Approved/]);
  const told = tap.documents();
  for (const greetings of [2, 3]) {
    tap.cut();
    await expect.poll(() => tap.greetings().length).toBe(greetings);
    await expect(connection(page)).toHaveText("Live");
  }
  expect(tap.documents()).toBe(told);
  expect(tap.greetings()).toEqual(["resync", "resumed", "resumed"]);
  expect(tap.hellos[2]).toEqual(tap.hellos[1]);
  await expect(rows(page, customer.name)).toHaveText([/Approved/]);
});

test("23. An epoch change forces a resync without duplicate rows", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await times(8, 4, () => api.place(customer.id, "10.00"));
  await api.settled(customer.id);
  await open(page, `/orders?customer=${customer.id}`);
  await expect(rows(page, customer.name)).toHaveText(Array(8).fill(/Approved/));
  // The page comes back with a place in a feed that the server doesn't know, as after its view was built anew.
  tap.claims = { epoch: "another" };
  tap.refuses = true;
  tap.cut();
  await expect(connection(page)).toHaveText("Reconnecting");
  await api.decided(customer.id, "11.00");
  tap.refuses = false;
  await expect(rows(page, customer.name)).toHaveText([/11\.00.*Approved/, ...Array(8).fill(/Approved/)], { timeout: 15_000 });
  await expect(connection(page)).toHaveText("Live", { timeout: 15_000 });
  const resyncs = tap.said.filter(({ type }) => type === "resync");
  expect(resyncs.map(({ reason }) => reason)).toEqual(["first-visit", "epoch-changed"]);
  // And it follows from there.
  await api.decided(customer.id, "12.00");
  await expect(rows(page, customer.name)).toHaveText([/12\.00.*Approved/, /11\.00/, ...Array(8).fill(/Approved/)]);
  await expect(page.getByRole("table", { name: "Orders" })).toHaveAttribute("aria-rowcount", "11");
});

test("24. A late close of an old socket leaves the dot Live", async ({ page, api, tap }) => {
  const customer = await api.customer("1000.00");
  await open(page);
  let dropped = false;
  tap.drops = ({ order }) => {
    const isFirst = !dropped && order !== undefined;
    dropped ||= isFirst;
    return isFirst;
  };
  await api.decided(customer.id, "10.00");
  await expect.poll(() => tap.greetings().length).toBe(2);
  await expect(connection(page)).toHaveText("Live");
  await tap.close(0);
  await api.decided(customer.id, "20.00");
  await expect(rows(page, customer.name)).toHaveText([/20\.00.*Approved/, /10\.00.*Approved/]);
  await expect(connection(page)).toHaveText("Live");
  expect(tap.opened).toBe(2);
});

test("25. No offline banner flashes on load; it appears after 2 s with countdown", async ({ page, tap }) => {
  await page.clock.install();
  await page.addInitScript(() => {
    // Counts every banner that is ever drawn, however short.
    const seen = { banners: 0 };
    Object.assign(window, { seen });
    new MutationObserver(() => {
      if (document.querySelector("[aria-label='Connection problem']")) seen.banners += 1;
    }).observe(document, { childList: true, subtree: true });
  });
  await open(page);
  const banners = () => page.evaluate(() => (window as unknown as { seen: { banners: number } }).seen.banners);
  expect(await banners()).toBe(0);

  await page.clock.pauseAt(Date.now() + 5_000);
  await expect(connection(page)).toHaveText("Live");
  tap.refuses = true;
  tap.cut();
  await expect(connection(page)).toHaveText("Reconnecting");
  const banner = page.getByRole("region", { name: "Connection problem" });
  await page.clock.runFor(1_900);
  expect(await banners()).toBe(0);
  await page.clock.runFor(200);
  await expect(banner).toContainText("Live updates are interrupted.");
  await expect(banner).toContainText(/Trying again in \d+ s\./);
  tap.refuses = false;
  await banner.getByRole("button", { name: "Retry now" }).click();
  await page.clock.resume();
  await expect(banner).toBeHidden();
  await expect(connection(page)).toHaveText("Live");
});
