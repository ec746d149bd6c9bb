/** A host on the fake network whose dashboard is served on loopback. */
import * as Effect from "effect/Effect"
import type { HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import { Dashboard } from "mooring/operate"
import type { Setup } from "../../support/host.ts"
import { served, where } from "./api.ts"

export const dashboard = (setup: Setup & Omit<Parameters<typeof served>[0], keyof Setup>) =>
  Layer.unwrap(
    Effect.map(Effect.orDie(Dashboard.files), (files) => served({ ...setup, control: { ...setup.control, files } }))
  )

/** The address of the page. */
export const address: Effect.Effect<string, never, HttpServer.HttpServer> = Effect.map(where, (listens) =>
  "port" in listens ? `http://127.0.0.1:${listens.port}/` : ""
)
