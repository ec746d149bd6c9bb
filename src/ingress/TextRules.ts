/**
 * What an ingress says of its texts in advance: which overtake others, and
 * which the host answers itself, as application-level heartbeats want it.
 *
 * Compared as they are, with no normalization and no case folding: of texts of
 * well-formed Unicode that is the same as byte for byte in UTF-8.
 *
 * @since 0.2.0
 */
import type { Ingress } from "../manifest/Manifest.ts"

/**
 * The rules of an ingress that has some.
 *
 * @category models
 * @since 0.2.0
 */
export interface TextRules {
  /** How texts begin that overtake others. */
  readonly urgent: ReadonlyArray<string>
  /** Exact texts, and what each is answered with. */
  readonly autoReplies: ReadonlyArray<{ readonly text: string; readonly reply: string }>
}

/**
 * The rules of an ingress, null where it has none: then a text costs nothing
 * more than to find that out.
 *
 * @category constructors
 * @since 0.2.0
 */
export const of = (ingress: Pick<Ingress, "urgent" | "autoReplies"> | undefined): TextRules | null => {
  const { autoReplies = [], urgent = [] } = ingress ?? {}
  return autoReplies.length === 0 && urgent.length === 0 ? null : { autoReplies, urgent }
}

/**
 * Whether a text overtakes others.
 *
 * @category predicates
 * @since 0.2.0
 */
export const isUrgent = ({ urgent }: TextRules, text: string): boolean => {
  for (const beginning of urgent) if (text.startsWith(beginning)) return true
  return false
}

/**
 * What the host answers a text with; undefined where it doesn't.
 *
 * @category getters
 * @since 0.2.0
 */
export const replyTo = ({ autoReplies }: TextRules, text: string): string | undefined => {
  for (const { reply, text: exact } of autoReplies) if (text === exact) return reply
  return undefined
}
