/**
 * Time spent listening: it passes while the socket is read. Pure; the times
 * that come in are of time that was had.
 */
export interface Listening {
  /** Milliseconds before `since`, which is null while the socket isn't read. */
  readonly heardMs: number
  readonly since: number | null
}

export const begun = (now: number): Listening => ({ heardMs: 0, since: now })

export const heardMs = ({ heardMs: before, since }: Listening, now: number): number =>
  since === null ? before : before + now - since

/** The socket is read from now on, or isn't. */
export const turned = (listening: Listening, isRead: boolean, now: number): Listening =>
  isRead === (listening.since !== null) ? listening : { heardMs: heardMs(listening, now), since: isRead ? now : null }
