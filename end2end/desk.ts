// What every story has: the API of its server, a tap on the socket, and a page that must not complain.
import { type BrowserContext, expect, type Locator, type Page } from "@playwright/test";
import { Api, type Customer } from "./api.ts";
import { test as base } from "./server.ts";
import { Tap } from "./tap.ts";

export { expect } from "@playwright/test";

type Fixtures = {
  api: Api;
  // The page's sockets, in the story's hands. A story that doesn't name it leaves them alone.
  tap: Tap;
  // What the browser may complain of in this story: lost connections, refused requests.
  expectedErrors: RegExp[];
};

export const test = base.extend<Fixtures>({
  api: ({ server }, use) => use(new Api(server.url)),
  tap: async ({ page }, use) => use(await Tap.on(page)),
  expectedErrors: ({}, use) => use([]),
  context: async ({ context, expectedErrors }, use) => {
    const complaints = complaintsOf(context);
    await use(context);
    const unexpected = complaints.filter((text) => !expectedErrors.some((expected) => expected.test(text)));
    expect(unexpected, "the browser has nothing to complain of").toEqual([]);
  },
});

function complaintsOf(context: BrowserContext): string[] {
  const complaints: string[] = [];
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  return complaints;
}

// A promise that a story keeps when it likes: requests and frames are held by it.
export class Gate {
  readonly opened: Promise<void>;
  open!: () => void;

  constructor() {
    this.opened = new Promise((resolve) => (this.open = resolve));
  }
}

// The rows of the list whose text contains something, the head aside.
export function rows(page: Page, text: string | RegExp): Locator {
  return page.getByRole("row").filter({ has: page.getByRole("cell") }).filter({ hasText: text });
}

export function connection(page: Page): Locator {
  return page.getByRole("group", { name: "Connection", exact: true });
}

// Opens a page and waits until it follows the desk.
export async function open(page: Page, path = "/orders"): Promise<void> {
  await page.goto(path);
  await expect(connection(page)).toHaveText("Live", { timeout: 10_000 });
}

// Fills in the form for an order and leaves it open.
export async function fillOrder(page: Page, customer: Customer, total: string): Promise<Locator> {
  await page.getByRole("link", { name: "Place order" }).click();
  const dialog = page.getByRole("dialog", { name: "Place order" });
  await dialog.getByRole("combobox", { name: "Customer" }).fill(customer.name);
  await dialog.getByRole("option", { name: customer.name }).click();
  await dialog.getByRole("textbox", { name: "Total" }).fill(total);
  return dialog;
}

// Places an order as a user does.
export async function placeOrder(page: Page, customer: Customer, total: string): Promise<void> {
  const dialog = await fillOrder(page, customer, total);
  await dialog.getByRole("button", { name: "Place order" }).click();
  await expect(dialog).toBeHidden();
}
