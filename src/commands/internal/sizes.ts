/**
 * How large commands are. A cheap upper bound is enough nearly always; where it
 * isn't, it is counted.
 */
import * as Base64 from "../../internal/base64.ts"
import * as OutputCommand from "../OutputCommand.ts"
import type { RequestPayload } from "../RequestPayload.ts"
import { dataOf } from "../SendPayload.ts"

// A UTF-16 code unit takes at most 3 bytes of UTF-8, and at most 6 (\uXXXX) in JSON.
const MOST_BYTES_PER_UNIT = 3
const MOST_JSON_PER_UNIT = 6
const ENVELOPE_BYTES = 256

const utf8 = new TextEncoder()

/** The bytes of a text in UTF-8; 0 where they are surely within the limit. */
export const bytesOver = (text: string, limit: number): number =>
  text.length * MOST_BYTES_PER_UNIT <= limit ? 0 : utf8.encode(text).length

/** The bytes of what is sent; of a text 0 where they are surely within the limit. */
export const dataBytesOver = (data: string | Uint8Array, limit: number): number =>
  typeof data === "string" ? bytesOver(data, limit) : data.length

/** The bytes of what is sent. */
export const dataBytes = (data: string | Uint8Array): number =>
  typeof data === "string" ? utf8.encode(data).length : data.length

/** At most how many bytes a command takes as JSON; infinite where only counting tells. */
export const mostJsonBytes = (command: OutputCommand.OutputCommand): number => {
  const { ids, kind, payload } = OutputCommand.content(command)
  const { commandId, correlationId, sourceEventId } = ids
  const hasIds = commandId !== undefined || correlationId !== undefined || sourceEventId !== undefined
  if (kind !== "websocket_send" || hasIds) return Number.POSITIVE_INFINITY
  const { ingressName = "", url } = payload
  const data = "text" in payload ? payload.text.length * MOST_JSON_PER_UNIT : Base64.lengthOf(payload.bytes)
  return ENVELOPE_BYTES + data + (url.length + ingressName.length) * MOST_JSON_PER_UNIT
}

/** The bytes of a request's body. */
export const bodyBytes = ({ bytes, text = "" }: Pick<RequestPayload, "text" | "bytes">): number =>
  bytes === undefined ? utf8.encode(text).length : bytes.length

/** The bytes of a request's payload, its body by what it stands for. */
const requestBytes = (command: OutputCommand.OutputCommand, payload: RequestPayload): number => {
  const emptied = {
    ...(payload.text === undefined ? {} : { text: "" }),
    ...(payload.bytes === undefined ? {} : { base64: "" })
  }
  return (
    utf8.encode(JSON.stringify({ ...OutputCommand.encode(command).payload, ...emptied })).length + bodyBytes(payload)
  )
}

/**
 * The bytes of a payload: of what is sent, and of a body, those that it stands
 * for, of everything else those of its JSON; 0 where they are surely
 * within the limit.
 */
export const payloadBytes = (command: OutputCommand.OutputCommand, limit: number): number => {
  const { kind, payload } = OutputCommand.content(command)
  if (kind === "host_request_dispatch") return requestBytes(command, payload)
  if (kind !== "websocket_send") return utf8.encode(JSON.stringify(OutputCommand.encode(command).payload)).length
  const { ingressName = "", url } = payload
  const data = dataOf(payload)
  const around = ENVELOPE_BYTES + (url.length + ingressName.length) * MOST_JSON_PER_UNIT
  if (around + data.length * (typeof data === "string" ? MOST_BYTES_PER_UNIT : 1) <= limit) return 0
  const emptied = typeof data === "string" ? { text: "" } : { base64: "" }
  const wire = { ...OutputCommand.encode(command).payload, ...emptied }
  return utf8.encode(JSON.stringify(wire)).length + dataBytes(data)
}
