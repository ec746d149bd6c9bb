/** Served from its own package, under this name. */
export * from "preact"
