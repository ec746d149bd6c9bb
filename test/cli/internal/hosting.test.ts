import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { PluginHost } from "mooring"
import { hosting } from "../../../src/cli/internal/hosting.ts"
import { Output } from "../../../src/cli/internal/output.ts"
import { during } from "../../../src/cli/internal/reporter.ts"
import * as Screen from "../../../src/cli/internal/screen.ts"
import * as Stdout from "../../../src/cli/internal/stdout.ts"
import { fakeDescriptor } from "../support/fakeDescriptor.ts"
import { terminal } from "../support/terminal.ts"

const ASKED = { json: false, interval: 1000, for: Option.none() }

it.effect("a host that can't be made leaves nothing on the terminal of what was going on before", () =>
  Effect.gen(function* () {
    const fake = fakeDescriptor()
    const screen = Screen.make(fake.descriptor, {
      size: () => ({ columns: 80, rows: 24 }),
      onResize: () => {},
      onResume: () => {},
      later: (call) => call(),
      isColoured: false
    })
    const unmade = Layer.effect(PluginHost.PluginHost, Effect.fail("no host"))
    const exit = yield* Effect.void.pipe(
      during(ASKED, "reading host.toml"),
      Effect.andThen(hosting(unmade, ASKED, () => ({ status: Effect.never, beside: Effect.never }))),
      Effect.provideService(Output, { screen, stdout: Stdout.make(fakeDescriptor().descriptor) }),
      Effect.exit
    )
    assert.deepStrictEqual(exit, Exit.fail("no host"))
    screen.log("mooring: no host")
    while (fake.waiting() > 0) fake.settle()
    const shown = terminal(80)
    shown.write(fake.written())
    assert.deepStrictEqual(
      shown.lines().filter((line) => line !== ""),
      ["mooring: no host"]
    )
  })
)
