/** Warns as soon as the program waits for something. */
setImmediate(() => process.emitWarning("what\never", "ExampleWarning"))
