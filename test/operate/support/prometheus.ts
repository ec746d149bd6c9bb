/** A scrape as somebody else's parser reads it, and what a status calls for, by the names of the wire. */
import type { HostStatus } from "mooring"
import parsePrometheusTextFormat from "parse-prometheus-text-format"

type Labels = { readonly [label: string]: string }

export const sampleKey = (name: string, labels: Labels): string =>
  `${name} ${JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1)))}`

/** Every sample of a text; one that is there twice is an error. */
export const scraped = (text: string): Map<string, number> => {
  const samples = new Map<string, number>()
  // Of what it knows to be a histogram the parser forgets the labels: so it is told of plain samples.
  for (const { metrics, name } of parsePrometheusTextFormat(text.replace(/^# TYPE \S+ histogram$/gm, ""))) {
    for (const { labels = {}, value } of metrics) {
      const key = sampleKey(name, labels)
      if (samples.has(key)) throw new Error(`twice: ${key}`)
      samples.set(key, Number(value))
    }
  }
  return samples
}

/** What kind each family is. */
export const kinds = (text: string): Map<string, string> =>
  new Map(parsePrometheusTextFormat(text).map(({ name, type }) => [name, type]))

const CONNECTION_COUNTER =
  /^(?:opens$|auto_replied$|queue_drops$|send_failures$|unconfirmed_at_ends$|(?:received|enqueued|rejected|ignored|unsupported|sent)_)/

/** By the rules that say which fields of the status are metrics. */
export const expected = ({ host, plugins }: HostStatus.Encoded): Map<string, number> => {
  const samples = new Map<string, number>()
  const add = (name: string, labels: Labels, value: number) => samples.set(sampleKey(`mooring_${name}`, labels), value)
  const states = (name: string, labels: Labels, all: string, present: string) => {
    for (const state of all.split(" ")) add(name, { ...labels, state }, state === present ? 1 : 0)
  }
  add("dials_waiting", {}, host.dials_waiting)
  states("config_state", {}, "applied partly rejected", host.config.state)
  // Of two rows of one reference the first is the one that is enabled.
  for (const row of plugins.toReversed()) {
    const plugin = row.plugin_ref
    for (const key of samples.keys()) if (key.includes(JSON.stringify(plugin))) samples.delete(key)
    const { in_flight, ...dispatch } = row.dispatch_counters
    for (const [field, value] of Object.entries(dispatch)) add(`dispatch_${field}_total`, { plugin }, value)
    const { in_flight: underWay, waiting, ...requests } = row.requests
    for (const [field, value] of Object.entries(requests)) add(`request_${field}_total`, { plugin }, value)
    for (const [tag, count] of Object.entries(row.diagnostic_counts)) add("diagnostics_total", { plugin, tag }, count)
    add("restarts_total", { plugin }, row.restarts)
    add("console_lines_total", { plugin }, row.console_lines)
    add("queue_depth", { plugin }, row.queue_depth)
    add("queue_bytes", { plugin }, row.queue_bytes)
    add("in_flight", { plugin }, in_flight)
    add("requests_waiting", { plugin }, waiting)
    add("requests_in_flight", { plugin }, underWay)
    states("plugin_lifecycle", { plugin }, "ready starting running restarting stopping stopped failed", row.lifecycle)
    for (const connection of row.websocket_connections) {
      const labels = { plugin, ingress: connection.ingress_name, source: connection.id }
      for (const [field, value] of Object.entries(connection)) {
        if (CONNECTION_COUNTER.test(field)) add(`connection_${field}_total`, labels, Number(value))
      }
      add("buffered_bytes", labels, connection.buffered_bytes)
      add("unconfirmed_frames", labels, connection.unconfirmed_frames)
      states("connection_state", labels, "connecting open closing closed waiting stopped", connection.state)
      add("source_info", { ...labels, url: connection.url }, 1)
    }
  }
  return samples
}
