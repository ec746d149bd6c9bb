/**
 * The header of a frame (RFC 6455, section 5.2), as far as both who collect
 * frames and who reads texts have to understand it.
 */

/** The bits of the first byte. */
export const FIN = 0x80
export const RESERVED = 0x70
/** The reserved bit of a compressed message (RFC 7692, section 6). */
export const COMPRESSED = 0x40
export const OPCODE = 0x0f

/** The opcodes that are defined; from `CLOSE` on they are of control frames. */
export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
const PONG = 10

/** The bits of the second byte. */
export const MASKED = 0x80
export const LENGTH = 0x7f

export const LENGTH_OF_16_BITS = 126
export const LENGTH_OF_64_BITS = 127
const HIGH_WORD = 0x1_0000_0000
const MOST_CONTROL_BYTES = 125

/** How many bytes the header takes whose second byte this is. */
export const headerBytes = (second: number): number => {
  const length = second & LENGTH
  return length < LENGTH_OF_16_BITS ? 2 : length === LENGTH_OF_16_BITS ? 4 : 10
}

/** How many bytes the payload takes of the frame that begins at `at`, whose header is all there. */
export const payloadBytes = (bytes: Buffer, at: number): number => {
  const length = (bytes[at + 1] ?? 0) & LENGTH
  if (length < LENGTH_OF_16_BITS) return length
  if (length === LENGTH_OF_16_BITS) return ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
  return bytes.readUInt32BE(at + 2) * HIGH_WORD + bytes.readUInt32BE(at + 6)
}

/** Whether no frame of a server may begin with this byte, within a message or not: reserved bits and opcodes, a cut control frame, a wrong turn. */
export const isOddFirst = (first: number, isWithin: boolean): boolean => {
  if ((first & RESERVED) !== 0) return true
  const opcode = first & OPCODE
  if (opcode > BINARY) return opcode < CLOSE || opcode > PONG || (first & FIN) === 0
  return (opcode === CONTINUATION) !== isWithin
}

/** Whether it can't go on like this: a mask, a control frame that is too long, a close frame with half a code. */
export const isOddSecond = (first: number, second: number): boolean => {
  if ((second & MASKED) !== 0) return true
  const opcode = first & OPCODE
  return opcode >= CLOSE && (second > MOST_CONTROL_BYTES || (opcode === CLOSE && second === 1))
}
