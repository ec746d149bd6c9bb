/**
 * Events as the arguments of a guest's handler: JSON texts. A text's is put
 * together from parts that don't change with the source, since a schema costs
 * more than handing the event over does.
 */
import { WebSocketText, type AnyEvent, type SourceOrigin } from "../../ingress/IngressEvent.ts"
import * as IngressEventWire from "../../ingress/IngressEventWire.ts"

/** What all texts of a source have in common. */
interface Frame {
  readonly head: string
  readonly id: string
  readonly tail: string
}

export class EventTexts {
  readonly #frames = new WeakMap<SourceOrigin, Frame>()

  /** The arguments: the ingress name and the event. */
  readonly of = (event: AnyEvent): string =>
    event instanceof WebSocketText
      ? this.#text(event)
      : JSON.stringify([event.ingressName, IngressEventWire.encode(event)])

  #text({ at, droppedBefore, epoch, frame, origin, sequence, text }: WebSocketText): string {
    const { head, id, tail } = this.#frame(origin)
    const created = new Date(at).toISOString()
    return `${head}${JSON.stringify(text)}},"created_at":"${created}","attempt":1,"correlation_id":${id}.${sequence}${tail}${sequence},"epoch":${epoch},"frame":${frame},"dropped_before":${droppedBefore}}]`
  }

  #frame(origin: SourceOrigin): Frame {
    const known = this.#frames.get(origin)
    if (known !== undefined) return known
    const name = JSON.stringify(origin.ingressName)
    const made = {
      head: `[${name},{"kind":"websocket_text","source":${JSON.stringify(origin.source)},"ingress_name":${name},"payload":{"url":${JSON.stringify(origin.url)},"text":`,
      id: JSON.stringify(origin.key).slice(0, -1),
      tail: `","source_id":${JSON.stringify(origin.id)},"sequence":`
    }
    this.#frames.set(origin, made)
    return made
  }
}
