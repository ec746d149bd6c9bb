/** Begins: the page and all that changes it. */
import { Controller } from "./controller.ts"
import { h, render } from "./lib/preact.js"
import { App } from "./view/App.tsx"

const root = document.getElementById("root")
if (root !== null) {
  const controller = new Controller((state, actions) => render(h(App, { state, actions }), root))
  controller.begin()
}
