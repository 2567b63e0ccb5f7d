// How the browser tests run: Debian's Chromium against the release binary, which `server.ts` starts.
import { defineConfig, devices } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  testMatch: "**/*.spec.ts",
  outputDir: "test-results",
  // Each worker has a server and a data folder of its own, so two don't see each other's orders.
  workers: 2,
  forbidOnly: Boolean(process.env["CI"]),
  // A story that needs a second try is a story to mend.
  retries: 0,
  timeout: 30_000,
  expect: { timeout: 5_000 },
  // `cargo xtask test` counts from the second report.
  reporter: [["list"], ["json", { outputFile: "test-results/report.json" }]],
  use: {
    ...devices["Desktop Chrome"],
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        // Continuous integration runs as root, where Chromium's sandbox doesn't.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        // The browser shall talk to nobody but the server under test.
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
