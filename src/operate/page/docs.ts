/**
 * Shows one of the documents that came with the host: `docs.html?errors.md#tag`.
 */
import { marked } from "./lib/marked.js"

/** The documents that there are: names in one folder, and nothing else. */
const NAME = /^[a-z-]+\.md$/u

const [, asked = "errors.md"] = /^\?(.+)$/u.exec(location.search) ?? []

/** A heading's anchor, as the documents' own links have it. */
const anchorOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/gu, "-")

const relink = (main: HTMLElement): void => {
  for (const heading of main.querySelectorAll("h1, h2, h3, h4")) heading.id = anchorOf(heading.textContent)
  for (const link of main.querySelectorAll("a")) {
    const href = link.getAttribute("href") ?? ""
    const [, name = "", anchor = ""] = /^([a-z-]+\.md)(#.*)?$/u.exec(href) ?? []
    if (name !== "") link.setAttribute("href", `docs.html?${name}${anchor}`)
    else if (/^https?:/u.test(href)) link.rel = "noreferrer"
    else if (!href.startsWith("#")) link.removeAttribute("href")
  }
  // Pictures don't come with the host's pages: what they show is said beside them.
  for (const image of main.querySelectorAll("img")) image.replaceWith(image.alt)
}

const show = async (main: HTMLElement): Promise<void> => {
  if (!NAME.test(asked)) throw new Error("there is no such document")
  const response = await fetch(`docs/${asked}`)
  if (!response.ok) throw new Error(`there is no ${asked}`)
  main.innerHTML = await marked.parse(await response.text())
  relink(main)
  document.title = `${main.querySelector("h1")?.textContent ?? asked} – Mooring`
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  target?.scrollIntoView()
  target?.setAttribute("tabindex", "-1")
  target?.focus()
}

const main = document.querySelector("main")
if (main !== null) {
  show(main).catch((error: unknown) => {
    main.textContent = error instanceof Error ? error.message : String(error)
  })
}
