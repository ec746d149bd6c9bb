/** What is used of the libraries that only a benchmark measures: so the check needs neither of them, nor a browser's types. */
declare module "p-queue" {
  export default class PQueue {
    constructor(options: { readonly concurrency: number })
    add<A>(task: () => Promise<A>): Promise<A>
  }
}

declare module "partysocket" {
  export class WebSocket {
    constructor(url: string, protocols: ReadonlyArray<string>, options: { readonly WebSocket: unknown })
    addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void
  }
}
