import { defineConfig } from "vitest/config"
import { lastLine } from "./support/lastLine.ts"

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  resolve: {
    alias: [
      { find: /^mooring$/, replacement: new URL("../src/index.ts", import.meta.url).pathname },
      { find: /^mooring\/node$/, replacement: new URL("../src/node/index.ts", import.meta.url).pathname },
      { find: /^mooring\/operate$/, replacement: new URL("../src/operate/index.ts", import.meta.url).pathname },
      { find: /^mooring\/sandbox$/, replacement: new URL("../src/sandbox/index.ts", import.meta.url).pathname },
      { find: /^mooring\/testing$/, replacement: new URL("../src/testing/index.ts", import.meta.url).pathname }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", lastLine],
    // Hosts log: what those of tests that pass say is of no interest.
    silent: "passed-only",
    // Two cores have two workers: many tests wait, and the whole is to take less than ten minutes.
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 30_000
  }
})
