/**
 * As much of MQTT 3.1.1 (OASIS) as a subscriber and a small broker need: control packets as bytes, and a reader of a
 * stream of them, for packets needn't end where frames do (section 6, MQTT-6.0.0-1).
 */

/** The types of control packets, with the flags that they must have (section 2.2). */
export const CONNECT = 0x10
export const CONNACK = 0x20
export const PUBLISH = 0x30
export const PUBACK = 0x40
export const SUBSCRIBE = 0x82
export const SUBACK = 0x90
export const PINGREQ = 0xc0
export const PINGRESP = 0xd0

const QOS_1 = 0x02
const TYPE = 0xf0
const MORE = 0x80

export interface Packet {
  /** Its first byte. */
  readonly first: number
  readonly body: Buffer
}

/** Section 2.2.3: seven bits a byte, the lowest first. */
const remainingLength = (length: number): ReadonlyArray<number> =>
  length < MORE ? [length] : [(length % MORE) | MORE, ...remainingLength(Math.floor(length / MORE))]

const packet = (first: number, ...parts: ReadonlyArray<Buffer>): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([first, ...remainingLength(body.length)]), body])
}

const number = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])

/** Section 1.5.3: its length in two bytes, and its UTF-8. */
const text = (value: string): Buffer => Buffer.concat([number(Buffer.byteLength(value)), Buffer.from(value)])

/** Section 3.1: protocol level 4, a clean session. */
export const connect = (client: string, keepAliveSeconds: number): Buffer =>
  packet(CONNECT, text("MQTT"), Buffer.from([4, 0x02]), number(keepAliveSeconds), text(client))

export const connack = (): Buffer => packet(CONNACK, Buffer.from([0, 0]))

export const subscribe = (id: number, filter: string): Buffer =>
  packet(SUBSCRIBE, number(id), text(filter), Buffer.from([1]))

export const suback = (id: number): Buffer => packet(SUBACK, number(id), Buffer.from([1]))

/** At QoS 0 without an id, else at QoS 1. */
export const publish = (topic: string, payload: Uint8Array, id?: number): Buffer =>
  id === undefined
    ? packet(PUBLISH, text(topic), Buffer.from(payload))
    : packet(PUBLISH | QOS_1, text(topic), number(id), Buffer.from(payload))

export const puback = (id: number): Buffer => packet(PUBACK, number(id))

export const pingreq = (): Buffer => packet(PINGREQ)

export const pingresp = (): Buffer => packet(PINGRESP)

export const typeOf = ({ first }: Packet): number =>
  (first & TYPE) === PUBLISH ? PUBLISH : (first & TYPE) === (SUBSCRIBE & TYPE) ? SUBSCRIBE : first

/** The id that a SUBSCRIBE and a PUBACK begin with. */
export const idOf = ({ body }: Packet): number => body.readUInt16BE(0)

export const published = ({ body, first }: Packet) => {
  const end = 2 + body.readUInt16BE(0)
  const hasId = (first & QOS_1) !== 0
  return {
    topic: body.toString("utf8", 2, end),
    id: hasId ? body.readUInt16BE(end) : undefined,
    payload: body.subarray(hasId ? end + 2 : end)
  }
}

/** Reads packets out of what frames bring. */
export class Reader {
  #held = Buffer.alloc(0)

  take(bytes: Uint8Array): ReadonlyArray<Packet> {
    this.#held = Buffer.concat([this.#held, bytes])
    const packets: Array<Packet> = []
    for (let next = this.#next(); next !== undefined; next = this.#next()) packets.push(next)
    return packets
  }

  #next(): Packet | undefined {
    let length = 0
    let at = 1
    for (let factor = 1; ; factor *= MORE) {
      const digit = this.#held[at++]
      if (digit === undefined) return undefined
      length += (digit % MORE) * factor
      if (digit < MORE) break
    }
    if (this.#held.length < at + length) return undefined
    const read = { first: this.#held[0] ?? 0, body: this.#held.subarray(at, at + length) }
    this.#held = this.#held.subarray(at + length)
    return read
  }
}
