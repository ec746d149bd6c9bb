/**
 * What a Prometheus server scrapes: the metrics of a registry in Prometheus's
 * text format, version 0.0.4.
 *
 * @since 0.5.0
 */
import type * as Effect from "effect/Effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

/**
 * Prometheus 3 takes no answer without one.
 *
 * @category constants
 * @since 0.5.0
 */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

/**
 * The text now: all that is in the registry of this effect's context.
 *
 * @category getters
 * @since 0.5.0
 */
export const text: Effect.Effect<string> = PrometheusMetrics.format()
