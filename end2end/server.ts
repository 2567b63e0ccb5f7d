// Starts the release binary for a worker's tests: on a free port, with a data folder of its own, ended by its own id.
//
// Specs import `test` and `expect` from here; `page.goto("/")` then goes to that worker's server.
import { test as base } from "@playwright/test";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export { expect } from "@playwright/test";

const BINARY = process.env["TRAMLINE_BIN"] ?? resolve(import.meta.dirname, "../target/release/tramline");
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const LOG_CHARACTERS = 20_000;

export class Server {
  readonly url: string;
  // The end of what the server printed: the first thing to read when a story fails.
  log = "";
  private child?: ChildProcess;

  private constructor(
    readonly port: number,
    readonly data: string,
    private readonly stores: Record<string, string>,
    private readonly flags: readonly string[],
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  // Starts a server over an empty data folder.
  static async start(flags: readonly string[] = []): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), "tramline-end2end-"));
    const server = new Server(await freePort(), data, storesOf(data), flags);
    await server.resume();
    return server;
  }

  // Starts the server again over the same data and at the same address.
  async resume(): Promise<void> {
    const child = spawn(BINARY, ["serve", "--listen", `127.0.0.1:${this.port}`, "--data", this.data, ...this.flags], {
      cwd: this.data,
      env: { ...process.env, ...this.stores },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    let failure: Error | undefined;
    child.on("error", (error) => (failure = error));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-LOG_CHARACTERS)));
    }
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.isReady())) {
      if (failure) throw new Error(`${BINARY} can't be started: ${failure.message}`);
      if (ended(child)) throw new Error(`the server ended while it started:\n${this.log}`);
      if (Date.now() > deadline) {
        await this.end("SIGKILL");
        throw new Error(`the server is not ready after ${START_TIMEOUT_MS} ms:\n${this.log}`);
      }
      await sleep(50);
    }
  }

  // Ends the server as a supervisor would.
  stop(): Promise<void> {
    return this.end("SIGTERM");
  }

  // Ends the server as a power cut would.
  kill(): Promise<void> {
    return this.end("SIGKILL");
  }

  // Ends the server and removes its data.
  async dispose(): Promise<void> {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(1_000) })).ok;
    } catch {
      return false;
    }
  }

  private async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.child;
    if (!child || ended(child)) return;
    const exit = once(child, "exit");
    child.kill(signal);
    const inTime = await Promise.race([exit.then(() => true), sleep(STOP_TIMEOUT_MS, false, { ref: false })]);
    if (!inTime) {
      child.kill("SIGKILL");
      await exit;
    }
  }
}

type WorkerFixtures = {
  // Further flags for `tramline serve`: `test.use({ serverFlags: ["--lab"] })` at the top of a spec.
  serverFlags: string[];
  server: Server;
};

export const test = base.extend<object, WorkerFixtures>({
  serverFlags: [[], { scope: "worker", option: true }],
  server: [
    async ({ serverFlags }, use) => {
      const server = await Server.start(serverFlags);
      await use(server);
      await server.dispose();
    },
    { scope: "worker" },
  ],
  baseURL: ({ server }, use) => use(server.url),
});

// Where a server keeps its data: in its folder, or on the PostgreSQL and the Redis that the tests were told of, in a
// database and under a prefix of its own.
function storesOf(data: string): Record<string, string> {
  const stores: Record<string, string> = {};
  const postgres = process.env["TRAMLINE_TEST_POSTGRES"];
  const name = basename(data).toLowerCase().replace(/[^a-z0-9]/g, "_");
  if (postgres) {
    execFileSync("psql", ["-q", "-v", "ON_ERROR_STOP=1", "-c", `create database ${name}`, postgres]);
    stores["TRAMLINE_DATABASE"] = postgres.replace(/[^/]*$/, name);
    stores["TRAMLINE_RELAY"] = process.env["TRAMLINE_TEST_RELAY"] ?? "polling";
  }
  const redis = process.env["TRAMLINE_TEST_REDIS"];
  if (redis) {
    stores["TRAMLINE_REDIS"] = redis;
    stores["TRAMLINE_REDIS_PREFIX"] = name;
  }
  return stores;
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("this machine gives out no port");
  return address.port;
}
