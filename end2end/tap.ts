// Sits between the page and the server's socket. Everything passes, unless a story drops, holds or cuts it.
import type { Page, WebSocketRoute } from "@playwright/test";

export type Frame = {
  type: "resumed" | "resync" | "order" | "customer" | "heartbeat";
  cursor?: number;
  prev?: number;
  reason?: string;
  order?: { id: string; version: number; state: string };
};

export type Hello = { type: "hello"; epoch?: string; cursor?: number };

export class Tap {
  // How often the page has opened a socket.
  opened = 0;
  // The first word of each socket that was let through.
  readonly hellos: Hello[] = [];
  // Everything that the server said, whether the page heard it or not.
  readonly said: Frame[] = [];
  // Sockets are turned away.
  refuses = false;
  // Each frame arrives twice.
  repeats = false;
  // Frames that never reach the page.
  drops: (frame: Frame) => boolean = () => false;
  // What the page's next hello says instead of its own words.
  claims: Partial<Hello> = {};
  private held: (() => void)[] | undefined;
  private readonly sockets: WebSocketRoute[] = [];

  static async on(page: Page): Promise<Tap> {
    const tap = new Tap();
    await page.routeWebSocket(/\/api\/live$/, (socket) => tap.join(socket));
    return tap;
  }

  // Frames wait until they are released.
  hold(): void {
    this.held ??= [];
  }

  // What was held arrives, in order or in reverse.
  release(order: "in order" | "in reverse" = "in order"): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const send of order === "in order" ? held : held.reverse()) send();
  }

  // Ends the newest socket as a server that restarts does.
  cut(): void {
    this.newest().close({ code: 1012 }).catch(() => {});
  }

  // Tells the page of the end of one of its sockets, counted from the first.
  async close(place: number): Promise<void> {
    await this.sockets[place]?.close({ code: 1012 });
  }

  greetings(): string[] {
    return this.said.filter(({ type }) => type === "resumed" || type === "resync").map(({ type }) => type);
  }

  // How many documents the server has told of.
  documents(): number {
    return this.said.filter(({ type }) => type === "order" || type === "customer").length;
  }

  private newest(): WebSocketRoute {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("the page has opened no socket");
    return socket;
  }

  private join(socket: WebSocketRoute): void {
    this.opened += 1;
    this.sockets.push(socket);
    if (this.refuses) {
      socket.close({ code: 1013 }).catch(() => {});
      return;
    }
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const hello = { ...(JSON.parse(message.toString()) as Hello), ...this.claims };
      this.claims = {};
      this.hellos.push(hello);
      server.send(JSON.stringify(hello));
    });
    server.onMessage((message) => {
      const frame = JSON.parse(message.toString()) as Frame;
      this.said.push(frame);
      if (this.drops(frame)) return;
      for (let times = this.repeats ? 2 : 1; times > 0; times -= 1) {
        if (this.held) this.held.push(() => socket.send(message));
        else socket.send(message);
      }
    });
  }
}
