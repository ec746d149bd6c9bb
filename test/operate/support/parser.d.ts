/** It brings no types of its own. */
declare module "parse-prometheus-text-format" {
  interface Family {
    readonly name: string
    readonly help: string
    readonly type: "COUNTER" | "GAUGE" | "HISTOGRAM" | "SUMMARY" | "UNTYPED"
    readonly metrics: ReadonlyArray<{
      readonly labels?: { readonly [label: string]: string }
      readonly value?: string
    }>
  }
  const parse: (text: string) => ReadonlyArray<Family>
  export default parse
}
