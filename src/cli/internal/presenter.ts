/**
 * How help, versions and wrong usage are shown: what was asked for on stdout,
 * what wasn't on stderr.
 */
import { CliOutput, type HelpDoc } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Output } from "./output.ts"

/** The presenter of an output. */
export const presenter = ({ screen }: Output["Service"]): CliOutput.Presenter => ({
  present: (event) => {
    if (event._tag === "Help" && event.reason !== "Implicit") {
      return CliOutput.defaultPresenter.present({ ...event, helpDoc: brief(event.helpDoc) })
    }
    if (event._tag !== "InvalidInvocation" && event._tag !== "Help") return CliOutput.defaultPresenter.present(event)
    const formatter = CliOutput.defaultFormatter({ colors: false })
    const errors = event._tag === "InvalidInvocation" ? formatter.formatErrors(event.errors) : ""
    const help = formatter.formatHelpDoc(brief(event.helpDoc))
    return Effect.sync(() => screen.log(`${help}\n${errors.replaceAll(NESTED, "Expected")}`))
  }
})

/** What a schema expects is expected once. */
const NESTED = "Expected: Schema validation failed: Expected"

/** Choices that stand in a flag's form aren't said again behind it. */
const brief = (doc: HelpDoc.HelpDoc): HelpDoc.HelpDoc => ({
  ...doc,
  ...(doc.globalFlags === undefined ? {} : { globalFlags: doc.globalFlags.map(withoutChoices) })
})

const withoutChoices = (flag: HelpDoc.FlagDoc): HelpDoc.FlagDoc => ({
  ...flag,
  description: Option.map(flag.description, (text) => text.replace(/ \(choices: .*\)$/, ""))
})
