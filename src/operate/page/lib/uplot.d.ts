/** Served from its own package, under this name. */
export { default } from "uplot"
