/** What a contestant is told, as JSON in its one argument. */
import type { ServerOptions } from "../server.ts"

/** How texts are handled; of a peer what comes closest to it. */
export type Handling = "exit" | "sync" | "fnUntraced" | "gen" | "sends" | "async"

export interface Contestant {
  /** A key of the table in `client.ts`. */
  readonly mode: string
  readonly handling?: Handling
  /** Over all connections. */
  readonly frames?: number
  readonly bytes?: number
  readonly connections?: number
  /** Among how many plugins the connections are shared out. */
  readonly plugins?: number
  readonly fastPath?: boolean
  readonly urgent?: boolean
  /** Whether the server sends binary frames in place of texts. */
  readonly binary?: boolean
  /** Whether somebody collects metrics, as the program does by default. */
  readonly metrics?: boolean
  /** Whether what was opened is closed in order, and how long that takes is said. */
  readonly closes?: boolean
  /** What the plugin beside it does. */
  readonly neighbour?: "floods" | "loops" | "allocates" | "refuses"
  /** How long the contestant is watched, where it isn't so many frames. */
  readonly forMs?: number
  /** Whose line has the figures. */
  readonly judge?: "client" | "server"
  /** What the server is told beside the frames. */
  readonly load?: Partial<ServerOptions>
}

/** As the contestant itself sees it. */
export interface Given extends Contestant {
  readonly port: number
  readonly connections: number
  readonly frames: number
}
