/**
 * Documents as people write them.
 */
const permissions = [
  { kind: "surface", surface: "service" },
  { kind: "service", name: "echo" },
  { kind: "surface", surface: "ingress" },
  { kind: "ingress", name: "gateway" },
  { kind: "host_api", api: "websocket" }
]

const target = { scheme: "ws", host: "127.0.0.1", port: 7700, path_prefixes: ["/gateway"], subprotocols: [] }

const requested = {
  scheme: "https",
  host: "api.example.com",
  port: "*",
  methods: ["GET", "POST"],
  path_prefixes: ["/v1"]
}

export const manifest = {
  schema_version: 1,
  id: "example.echo",
  name: "Echo",
  version: "0.1.0",
  description: "Answers every message.",
  surfaces: ["service", "ingress"],
  permissions,
  runtime: { kind: "javascript", entry: "plugin.js" },
  services: [{ name: "echo", description: "Echo service.", lifecycle: "host-managed" }],
  ingresses: [
    {
      name: "gateway",
      description: "Messages of the gateway.",
      event_kinds: ["websocket_open", "websocket_text", "websocket_close", "websocket_error"],
      sources: ["websocket:ws://127.0.0.1:7700/gateway"],
      stop_codes: [4004],
      close_code: 1001,
      input_schema: { type: "object" }
    }
  ],
  websocket: [target],
  request: [requested]
}

const DIGEST = `sha256:${"0".repeat(64)}`

export const enablement = {
  package: "./plugins/echo",
  id: "project:example.echo",
  instance: "cp17",
  version: "0.1.0",
  digest: DIGEST,
  surfaces: ["service", "ingress"],
  config: { greeting: "hello", room: { from_env: "ROOM" } },
  limits: { dispatch_deadline_ms: 2000, timers_per_plugin: 0 },
  secrets: { key: { env: "GATEWAY_KEY" }, other: { file: "/run/secrets/other" } },
  grants: {
    permissions,
    websocket: [{ ...target, private_addresses: false, sends_per_minute: 6000, secrets: ["key"] }],
    request: [
      {
        ...requested,
        headers: { authorization: "Bot {key}", "x-basic": "{basic:me:other}" },
        secrets: ["key"],
        tls: { ca: { file: "ca.pem" }, cert: { file: "c.pem" }, key: { env: "KEY" }, server_name: "hub" },
        private_addresses: false,
        requests_per_minute: 600
      }
    ],
    sign: ["other"]
  },
  sources: {
    gateway: {
      urls: ["ws://127.0.0.1:7700/gateway/CP_17?key={key}"],
      headers: { authorization: "Bearer {key}" },
      tls: { ca: { file: "ca.pem" }, cert: { file: "c.pem" }, key: { env: "KEY" }, server_name: "hub" },
      compression: true,
      limits: { max_message_bytes: 262_144, ping_interval_ms: 0 },
      reconnect: { policy: "backoff", initial_ms: 1000, stop_codes: [1008], close_code: 1001 },
      stale_after_ms: 0
    }
  }
}

export const host = {
  limits: { ingress_queue_capacity: 2048 },
  proxy: { connect: "http://127.0.0.1:3128", authorization: { file: "proxy.auth" } },
  control: {
    listen: "unix:/run/mooring.sock",
    token: { file: "control.token" },
    hosts: ["ops.example.com"],
    mode: "0660",
    group: 1000
  },
  metrics: {
    prometheus: true,
    open: false,
    sample: 0.01,
    otlp: { url: "http://127.0.0.1:4318", interval: "10s", headers: { authorization: { file: "otlp.auth" } } }
  },
  traces: { otlp: { url: "https://collector.example/otlp" }, sample: 0.5, propagate: false },
  plugins: { enabled: [enablement] }
}

const url = "ws://127.0.0.1:7700/gateway"

export const output = {
  accepted: true,
  status: { ready: true },
  state: null,
  output_commands: [
    {
      kind: "websocket_send",
      payload: { url, text: "pong" },
      command_id: "reply-1",
      correlation_id: "c",
      source_event_id: "e",
      requested_at: "2026-01-01T00:00:00Z"
    },
    { kind: "websocket_send", payload: { url, base64: "AQL/", epoch: 1 } },
    { kind: "websocket_close", payload: { url, code: 3000, reason: "bye", epoch: "any" } },
    { kind: "timer_set", payload: { name: "beat", after_ms: 100, every_ms: 1000 } },
    { kind: "diagnostic_status_update", payload: {} }
  ]
}
