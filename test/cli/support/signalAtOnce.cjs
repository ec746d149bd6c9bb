/** Lets a signal arrive after the program's first statements and before anything is loaded. */
process.on("newListener", (name) => {
  if (name === "SIGHUP") queueMicrotask(() => process.emit("SIGTERM", "SIGTERM"))
})
