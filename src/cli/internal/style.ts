/**
 * Colours and weights of a terminal: ECMA-48's select graphic rendition.
 */

const CODES = { red: 31, green: 32, yellow: 33, dim: 2 } as const

export type Colour = keyof typeof CODES

const END = "\u001b[0m"

export const colour = (text: string, name: Colour): string => `\u001b[${CODES[name]}m${text}${END}`

export const bold = (text: string): string => `\u001b[1m${text}${END}`
