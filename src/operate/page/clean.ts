/**
 * Text from outside without what would move a cursor or turn the direction of
 * what stands beside it, wherever it is shown.
 */

// C0 and C1 controls, bidirectional marks, embeddings, overrides and isolates, line and paragraph separators, lone
// surrogates.
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** The text with a mark in place of every character that would do something. */
export const clean = (text: string): string => text.replace(UNSAFE, "\u{fffd}")
