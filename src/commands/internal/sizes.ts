/**
 * How large commands are. A cheap upper bound is enough nearly always; where it
 * isn't, it is counted.
 */
import * as OutputCommand from "../OutputCommand.ts"
import type { RequestPayload } from "../RequestPayload.ts"

// A UTF-16 code unit takes at most 3 bytes of UTF-8, and at most 6 (\uXXXX) in JSON.
const MOST_BYTES_PER_UNIT = 3
const MOST_JSON_PER_UNIT = 6
const ENVELOPE_BYTES = 256

const utf8 = new TextEncoder()

/** The bytes of a text in UTF-8; 0 where they are surely within the limit. */
export const bytesOver = (text: string, limit: number): number =>
  text.length * MOST_BYTES_PER_UNIT <= limit ? 0 : utf8.encode(text).length

/** At most how many bytes a command takes as JSON; infinite where only counting tells. */
export const mostJsonBytes = (command: OutputCommand.OutputCommand): number => {
  const { ids, kind, payload } = OutputCommand.content(command)
  const { commandId, correlationId, sourceEventId } = ids
  const hasIds = commandId !== undefined || correlationId !== undefined || sourceEventId !== undefined
  if (kind !== "websocket_send" || hasIds) return Number.POSITIVE_INFINITY
  const { ingressName = "", text, url } = payload
  return ENVELOPE_BYTES + (text.length + url.length + ingressName.length) * MOST_JSON_PER_UNIT
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
 * The bytes of a payload: of a text that is sent, and of a body, those that it
 * stands for, of everything else those of its JSON; 0 where they are surely
 * within the limit.
 */
export const payloadBytes = (command: OutputCommand.OutputCommand, limit: number): number => {
  const { kind, payload } = OutputCommand.content(command)
  if (kind === "host_request_dispatch") return requestBytes(command, payload)
  if (kind !== "websocket_send") return utf8.encode(JSON.stringify(OutputCommand.encode(command).payload)).length
  const { ingressName = "", text, url } = payload
  const around = ENVELOPE_BYTES + (url.length + ingressName.length) * MOST_JSON_PER_UNIT
  if (around + text.length * MOST_BYTES_PER_UNIT <= limit) return 0
  const wire = { ...OutputCommand.encode(command).payload, text: "" }
  return utf8.encode(JSON.stringify(wire)).length + utf8.encode(text).length
}
