/**
 * The operator's side: metrics of a host, and who is told of them.
 *
 * @since 0.5.0
 */
export * as Exposition from "./Exposition.ts"
export * as Metrics from "./Metrics.ts"
