/**
 * What a relay has to know of the packets that a VXLAN device wraps (RFC 7348, section 5): how long they are, of which
 * flow, and their checksums, which a device leaves to hardware that isn't there.
 */

const VXLAN = 8
const ETHERNET = 14
const IP = VXLAN + ETHERNET
const IPV4 = 0x0800
const IPV6 = 0x86dd
const TCP = 6
const UDP = 17
const SYN = 0x02

export interface Packet {
  /** Bytes of the packet without what wraps it: what a line of a certain MTU counts. */
  readonly bytes: number
  /** The same for both directions of one TCP connection; null for all else. */
  readonly flow: string | null
  /** Whether it begins a TCP connection, or answers one that does. */
  readonly isSyn: boolean
}

/** What the segment inside is; null where it is neither TCP nor UDP. */
const segmentOf = (
  frame: Buffer
): { readonly at: number; readonly protocol: number; readonly addressBytes: number } | null => {
  const type = frame.length > IP + 20 ? frame.readUInt16BE(VXLAN + 12) : 0
  if (type === IPV4) {
    const at = IP + ((frame[IP] ?? 0) & 0x0f) * 4
    return { at, protocol: frame[IP + 9] ?? 0, addressBytes: 4 }
  }
  return type === IPV6 ? { at: IP + 40, protocol: frame[IP + 6] ?? 0, addressBytes: 16 } : null
}

export const packetOf = (frame: Buffer): Packet => {
  const bytes = Math.max(0, frame.length - IP)
  const segment = segmentOf(frame)
  if (segment === null || segment.protocol !== TCP) return { bytes, flow: null, isSyn: false }
  const { addressBytes, at } = segment
  const addresses = addressBytes === 4 ? IP + 12 : IP + 8
  const end = (nth: 0 | 1) => {
    const from = addresses + nth * addressBytes
    return `${frame.toString("hex", from, from + addressBytes)}.${frame.readUInt16BE(at + nth * 2)}`
  }
  return { bytes, flow: [end(0), end(1)].toSorted().join("-"), isSyn: ((frame[at + 13] ?? 0) & SYN) !== 0 }
}

const sumOf = (bytes: Buffer, from: number, to: number, start: number): number => {
  let sum = start
  for (let at = from; at < to; at += 2) sum += ((bytes[at] ?? 0) << 8) | (at + 1 < to ? (bytes[at + 1] ?? 0) : 0)
  return sum
}

/** Writes the checksum of the TCP or UDP segment inside (RFC 9293, section 3.1; RFC 768; RFC 8200, section 8.1). */
export const writeChecksum = (frame: Buffer): void => {
  const segment = segmentOf(frame)
  if (segment === null || (segment.protocol !== TCP && segment.protocol !== UDP)) return
  const { addressBytes, at, protocol } = segment
  const length = addressBytes === 4 ? frame.readUInt16BE(IP + 2) - (at - IP) : frame.readUInt16BE(IP + 4)
  const checksumAt = at + (protocol === TCP ? 16 : 6)
  frame.writeUInt16BE(0, checksumAt)
  const addresses = addressBytes === 4 ? IP + 12 : IP + 8
  const pseudo = sumOf(frame, addresses, addresses + 2 * addressBytes, protocol + length)
  let sum = sumOf(frame, at, at + length, pseudo)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  // 0 would say of a UDP datagram that it has none.
  frame.writeUInt16BE(~sum & 0xffff || 0xffff, checksumAt)
}
