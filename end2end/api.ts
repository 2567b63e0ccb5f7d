// Seeds a desk through its public API, and asks it what is true, whatever the page shows.
import { expect } from "@playwright/test";

export type Customer = {
  id: string;
  name: string;
  creditLimit: string;
  reserved: string;
  paid: string;
  availableCredit: string;
  version: number;
};

export type Order = {
  id: string;
  customerId: string;
  total: string;
  state: "PENDING" | "APPROVED" | "REJECTED" | "CANCEL_PENDING" | "CANCELLED" | "REVISION_PENDING";
  lastRefusal?: "INSUFFICIENT_CREDIT";
  coordination: "orchestration" | "choreography";
  version: number;
};

let customersMade = 0;

export class Api {
  // How many orders were placed for each customer.
  private readonly placed = new Map<string, number>();

  constructor(readonly url: string) {}

  // Adds a customer whose name no other story uses, and waits until lists show it.
  async customer(creditLimit: string, name = "Acme"): Promise<Customer> {
    customersMade += 1;
    const unique = `${name} ${Date.now().toString(36)}${customersMade}`;
    const { id } = await this.post<{ id: string }>("/api/customers", { name: unique, creditLimit });
    await expect.poll(() => this.status(`/api/customers/${id}`)).toBe(200);
    return this.get<Customer>(`/api/customers/${id}`);
  }

  // Places an order and does not wait for its decision.
  async place(customerId: string, total: string): Promise<string> {
    const { id } = await this.post<{ id: string }>("/api/orders", { customerId, total });
    this.placed.set(customerId, (this.placed.get(customerId) ?? 0) + 1);
    return id;
  }

  // Places an order and waits until lists show its decision.
  async decided(customerId: string, total: string): Promise<Order> {
    const id = await this.place(customerId, total);
    await this.settled(customerId);
    return this.get<Order>(`/api/orders/${id}`);
  }

  // Waits until lists show every order that was placed for a customer, and none of them is being decided.
  async settled(customerId: string): Promise<void> {
    const shown = async () => (await this.get<{ orderCount: number }>(`/api/customers/${customerId}`)).orderCount;
    const placed = this.placed.get(customerId) ?? 0;
    await expect.poll(shown, { timeout: 60_000 }).toBeGreaterThanOrEqual(placed);
    const pending = async () => (await this.orders(`customerId=${customerId}&state=PENDING`, 1)).length;
    await expect.poll(pending, { timeout: 60_000 }).toBe(0);
  }

  order(id: string): Promise<Order> {
    return this.get<Order>(`/api/orders/${id}`);
  }

  // Changes an order as somebody else would, and waits until that is decided.
  async revise(id: string, total: string): Promise<Order> {
    await this.post(`/api/orders/${id}/revise`, { total });
    const state = async () => (await this.order(id)).state;
    const { version } = await this.order(id);
    await expect.poll(state, { timeout: 60_000 }).toBe("APPROVED");
    await expect.poll(async () => (await this.order(id)).total).toBe(total);
    expect(version).toBeGreaterThan(1);
    return this.order(id);
  }

  // Every order that a query names, newest first, at most so many.
  async orders(query: string, most = Number.POSITIVE_INFINITY): Promise<Order[]> {
    const orders: Order[] = [];
    let cursor = "";
    do {
      const page = await this.get<{ items: Order[]; nextCursor?: string }>(`/api/orders?limit=100&${query}${cursor}`);
      orders.push(...page.items);
      cursor = page.nextCursor ? `&cursor=${encodeURIComponent(page.nextCursor)}` : "";
    } while (cursor && orders.length < most);
    return orders;
  }

  async get<T>(path: string): Promise<T> {
    return answer<T>(path, await fetch(this.url + path));
  }

  async post<T>(path: string, body: object): Promise<T> {
    const headers = { "content-type": "application/json" };
    return answer<T>(path, await fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body) }));
  }

  private async status(path: string): Promise<number> {
    const response = await fetch(this.url + path);
    await response.arrayBuffer();
    return response.status;
  }
}

async function answer<T>(path: string, response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${path} answers ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

// Does something so many times, at most `at` at once.
export async function times(count: number, at: number, act: (place: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: at }, worker));
}
