/** The bare `ws` client that a user would write by hand, with a handler of each kind; and Node's own `WebSocket`. */
import * as Effect from "effect/Effect"
import { WebSocket as WsSocket } from "ws"
import type { Given, Handling } from "./contestant.ts"
import * as Clock from "./clock.ts"

export const urlsOf = ({ connections, port }: Pick<Given, "connections" | "port">, path: string) =>
  Array.from({ length: connections }, (_, nth) => `ws://127.0.0.1:${port}${path}/${nth}`)

export const open = (url: string, onText: (text: string, ws: WsSocket) => void): WsSocket => {
  const ws = new WsSocket(url, { perMessageDeflate: false })
  ws.on("message", (data: Buffer) => onText(data.toString(), ws))
  return ws
}

const handler = (handling: Handling, tick: () => void): ((text: string, ws: WsSocket) => void) => {
  const untraced = Effect.fnUntraced(function* (text: string) {
    const length = yield* Effect.succeed(text.length)
    if (length > 0) tick()
  })
  const handlers: { readonly [_ in Handling]: (text: string, ws: WsSocket) => unknown } = {
    exit: tick,
    sync: () => Effect.runSync(Effect.sync(tick)),
    fnUntraced: (text) => Effect.runSync(untraced(text)),
    gen: (text) =>
      Effect.runSync(
        Effect.gen(function* () {
          const length = yield* Effect.succeed(text.length)
          if (length > 0) tick()
        })
      ),
    sends: (text, ws) => {
      ws.send(text)
      tick()
    },
    // As people write it: nobody waits for it.
    async: async (text) => {
      const length = await Promise.resolve(text.length)
      if (length > 0) tick()
    }
  }
  return handlers[handling]
}

/** A flood over each connection. */
export const counting = async (given: Given): Promise<void> => {
  const clock = Clock.make(given.frames)
  const onText = handler(given.handling ?? "exit", clock.tick)
  for (const url of urlsOf(given, "/flood")) {
    if (given.binary === true) new WsSocket(url, { perMessageDeflate: false }).on("message", clock.tick)
    else open(url, onText)
  }
  Clock.report(await clock.done)
}

export const builtIn = async (given: Given): Promise<void> => {
  const clock = Clock.make(given.frames)
  for (const url of urlsOf(given, "/flood")) {
    const ws = new WebSocket(url)
    ws.addEventListener("message", ({ data }) => {
      if (typeof data === "string") clock.tick()
    })
  }
  Clock.report(await clock.done)
}

/** An echo, idle or while other connections bring texts. */
export const echoing = (given: Given): void => {
  for (const url of given.load?.perSecond === undefined ? [] : urlsOf(given, "/paced")) open(url, () => {})
  open(`ws://127.0.0.1:${given.port}/echo`, (text, ws) => ws.send(text))
}

/** A quiet connection beside a flood. */
export const quiet = (given: Given): void => {
  if (given.neighbour === "floods") open(`ws://127.0.0.1:${given.port}/flood`, () => {})
  open(`ws://127.0.0.1:${given.port}/pulse`, (text, ws) => ws.send(text))
}
