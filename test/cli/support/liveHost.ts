/** A host that follows a host file under virtual time: real files, real packages on the test's thread, the fake network. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { TestClock } from "effect/testing"
import { PluginHost } from "mooring"
import { PackageFolders } from "mooring/node"
import { Sandbox } from "mooring/sandbox"
import { FakeWebSocket, TestHost } from "mooring/testing"
import * as fs from "node:fs"
import * as LiveHost from "../../../src/cli/internal/liveHost.ts"
import * as OwnThread from "../../../src/sandbox/OwnThread.ts"

const LOOK_MS = 250

/** The system answers whoever asked it for files. */
const answered = Effect.promise(async () => {
  for (let turn = 0; turn < 64; turn++) await fs.promises.stat("/")
})

/** So many looks at the file pass, and what follows from them. */
export const pass = (looks: number) =>
  Effect.forEach(Array.from({ length: looks }), () => Effect.andThen(TestClock.adjust(LOOK_MS), answered), {
    discard: true
  })

interface Options {
  /** In place of the disk's folders, once it has begun. */
  readonly folders?: (disk: PackageFolders.PackageFolders["Service"]) => PackageFolders.PackageFolders["Service"]
}

/** Runs the file, and follows it until the scope ends. */
export const live = (path: string, { folders = (disk) => disk }: Options = {}) =>
  Effect.gen(function* () {
    const disk = yield* Layer.build(PackageFolders.layer)
    const services = Context.add(disk, Sandbox.Sandbox, OwnThread.make())
    const beginning = yield* Effect.provide(LiveHost.begin(path), services)
    const host = TestHost.failingFast(LiveHost.layer(beginning)).pipe(
      Layer.provideMerge(FakeWebSocket.layer),
      Layer.provideMerge(
        Layer.succeed(PackageFolders.PackageFolders, folders(Context.get(disk, PackageFolders.PackageFolders)))
      )
    )
    const built = Context.merge(services, yield* Layer.build(host))
    const hangups = yield* Queue.sliding<void>(1)
    const running = Context.get(built, PluginHost.PluginHost)
    yield* Effect.forkScoped(LiveHost.follow(beginning, running, built, Queue.take(hangups)), {
      startImmediately: true
    })
    yield* answered
    return {
      host: running,
      fake: Context.get(built, FakeWebSocket.FakeWebSocket),
      hangUp: Effect.asVoid(Queue.offer(hangups, undefined))
    }
  })
