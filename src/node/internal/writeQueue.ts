/**
 * How much of a write the system hasn't taken yet, in the middle of it. It is
 * inside of Node, which shows it only through the time-out of a socket; another
 * runtime may not have it.
 */
import type { Socket } from "node:net"

/** Bytes; 0 where it can't be told. Over TLS they are those of the socket beneath. */
export const writeQueueSize = (socket: Partial<Socket>): number => {
  let handle: unknown = Reflect.get(socket, "_handle")
  for (let beneath = handle; isObject(beneath); beneath = Reflect.get(beneath, "_parent")) handle = beneath
  const size: unknown = isObject(handle) ? Reflect.get(handle, "writeQueueSize") : 0
  return typeof size === "number" ? size : 0
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null
