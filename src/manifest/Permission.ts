/**
 * Permissions: what a manifest asks for and a grant allows, one by one. A
 * plugin has exactly those that stand in both.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The names of surfaces, services, ingresses and host interfaces.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Name = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/u, {
    expected: "a name of letters, digits, '.', '_' and '-', at most 128 characters"
  })
)

/**
 * One permission. The kinds `tool`, `tool_namespace` and `external_write`
 * belong to surfaces that this host doesn't serve: understood, and without
 * effect.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Permission = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("surface"), surface: Name }),
  Schema.Struct({ kind: Schema.Literal("service"), name: Name }),
  Schema.Struct({ kind: Schema.Literal("ingress"), name: Name }),
  Schema.Struct({ kind: Schema.Literal("host_api"), api: Name }),
  Schema.Struct({ kind: Schema.Literal("tool"), name: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ kind: Schema.Literal("tool_namespace"), namespace: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ kind: Schema.Literal("external_write") })
]).annotate({
  identifier: "Permission",
  // Where the kind is none of these; else it is said what that kind lacks.
  message: "Expected a table with the kind surface, service, ingress or host_api"
})

/**
 * @category models
 * @since 0.1.0
 */
export type Permission = typeof Permission.Type

/**
 * The kinds this host serves.
 *
 * @category models
 * @since 0.1.0
 */
export type Served = Extract<Permission, { readonly kind: "surface" | "service" | "ingress" | "host_api" }>

/**
 * Renders a permission for people and for comparison: `ingress gateway`.
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (permission: Permission): string => {
  switch (permission.kind) {
    case "surface":
      return `surface ${permission.surface}`
    case "service":
    case "ingress":
      return `${permission.kind} ${permission.name}`
    case "host_api":
      return `host_api ${permission.api}`
    case "tool":
      return `tool ${permission.name ?? "*"}`
    case "tool_namespace":
      return `tool_namespace ${permission.namespace ?? "*"}`
    case "external_write":
      return "external_write"
  }
}
