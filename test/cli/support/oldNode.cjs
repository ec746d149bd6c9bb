/** Makes the process look like one of a Node that is too old. */
Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.18.9" } })
