/** Served from the package `eventsource-parser`, under this name. */
export { createParser } from "eventsource-parser"
