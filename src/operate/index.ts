/**
 * The operator's side: metrics of a host, who is told of them, the API by which
 * a host that runs is asked and told what to do, and its page.
 *
 * @since 0.5.0
 */
export * as Control from "./Control.ts"
export * as ControlAccess from "./ControlAccess.ts"
export * as ControlApi from "./ControlApi.ts"
export * as ControlError from "./ControlError.ts"
export * as ControlServer from "./ControlServer.ts"
export * as Dashboard from "./Dashboard.ts"
export * as Exposition from "./Exposition.ts"
export * as Metrics from "./Metrics.ts"
export * as Otlp from "./Otlp.ts"
export * as Traces from "./Traces.ts"
