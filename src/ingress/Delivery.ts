/**
 * What an embedding application delivers, checked like anything that comes from
 * outside: the ingress exists and is granted, it lists the kind, and the payload
 * is JSON of a bounded size.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { GrantError } from "../grants/GrantError.ts"
import type { Authority } from "../grants/Grants.ts"
import * as Json from "../internal/json.ts"
import type { Values } from "../limits/Limits.ts"
import { isHostKind, type Manifest } from "../manifest/Manifest.ts"
import { EventInvalid } from "./IngressError.ts"

/**
 * An event as an application delivers it. `kind` is one that the ingress lists
 * in its event kinds and that isn't the host's own; `payload` is any JSON value
 * of at most `max_message_bytes`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  readonly ingressName: string
  readonly kind: string
  readonly payload: unknown
}

/**
 * A delivery that may be enqueued: where it goes, its payload as JSON, and the bytes of that
 * in UTF-8.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checked {
  readonly ingressName: string
  readonly kind: string
  readonly json: string
  readonly bytes: number
}

const utf8 = new TextEncoder()

const invalid = (field: EventInvalid["field"], problem: string) => Result.fail(new EventInvalid({ field, problem }))

/**
 * Checks a delivery.
 *
 * @category checks
 * @since 0.1.0
 */
export const check = (
  delivery: Delivery,
  manifest: Manifest,
  authority: Authority,
  limits: Pick<Values, "maxMessageBytes">
): Result.Result<Checked, EventInvalid | GrantError> => {
  const given = looked(delivery)
  if (given === undefined) return invalid("ingress", "the delivery can't be looked at")
  const { ingressName, kind, payload } = given
  if (typeof kind !== "string") return invalid("kind", "it is no text")
  const ingress = manifest.ingresses.find(({ name }) => name === ingressName)
  if (ingress === undefined) return invalid("ingress", "the plugin declares no ingress of this name")
  const granted = authority.ingress(ingressName)
  if (Result.isFailure(granted)) return Result.fail(granted.failure)
  if (isHostKind(kind)) return invalid("kind", "events of this kind are made by the host alone")
  // Absence never widens: an ingress that lists no kinds takes those of the host, and no others.
  if (ingress.eventKinds?.includes(kind) !== true) return invalid("kind", "the ingress doesn't list this kind")
  const json = Json.textOf(payload)
  if (json === undefined) return invalid("payload", `it is not a JSON value, nested at most ${Json.MOST_DEPTH} deep`)
  const bytes = utf8.encode(json).length
  const { maxMessageBytes } = limits
  if (bytes > maxMessageBytes) return invalid("payload", `it has ${bytes} bytes, ${maxMessageBytes} are allowed`)
  return Result.succeed({ ingressName, kind, json, bytes })
}

/** What there is of a delivery, looked at once: an application need not be written in TypeScript. */
const looked = (delivery: Delivery): Delivery | undefined => {
  try {
    const { ingressName, kind, payload } = delivery
    return { ingressName, kind, payload }
  } catch {
    return undefined
  }
}
