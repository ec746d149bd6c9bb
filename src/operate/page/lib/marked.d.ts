/** Served from its own package, under this name. */
export { marked } from "marked"
