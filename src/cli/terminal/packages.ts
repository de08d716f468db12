/**
 * The packages that only the command line needs. They are optional peer dependencies: each is loaded when it is used, and
 * if it is missing, the message says how to install it.
 */

/** What a person reads, and the exit code, if the command line cannot be loaded, or throws outside of a command. */
export const explainLoading = (
  failure: unknown,
  isVerbose: boolean
): { readonly message: string; readonly exitCode: number } => {
  const missing = missingPackage(failure)
  return missing === undefined
    ? { message: describeDefect(failure, isVerbose ? stackOf(failure) : undefined), exitCode: DEFECT }
    : { message: needsPackage(missing, "The command line"), exitCode: USAGE }
}

/** The exit codes of `failure.ts`, which cannot be loaded if Effect is missing. */
const USAGE = 2
const DEFECT = 70

const stackOf = (failure: unknown): string =>
  failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)

/** `trace` is for those who asked for it. */
export const describeDefect = (failure: unknown, trace: string | undefined): string => {
  const what = failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure)
  const advice = "Please report it to the maintainers of effectpg, with what --verbose prints in addition."
  return `effectpg has a bug: ${what.split("\n", 1)[0]}\n${trace ?? advice}`
}

/** The name of the package that an `import()` has not found, or has found in a version that is too old. */
export const missingPackage = (failure: unknown): string | undefined => {
  if (!(failure instanceof Error) || !("code" in failure)) return undefined
  const { code, message } = failure
  if (code === "ERR_MODULE_NOT_FOUND") return packageOf(/Cannot find package '([^']+)'/.exec(message)?.[1])
  // The exports of an older release lack the module.
  if (code === "ERR_PACKAGE_PATH_NOT_EXPORTED")
    return /node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/]package\.json/.exec(message)?.[1]
  return undefined
}

const packageOf = (specifier: string | undefined): string | undefined =>
  specifier === undefined ? undefined : /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0]

/** The releases that effectpg works with, by package. */
const RELEASES: Readonly<Record<string, string>> = {
  effect: "^4.1.0",
  "@effect/platform-node": "^4.1.0",
  "oxc-parser": ">=0.159.0"
}

export const needsPackage = (name: string, whose: string): string =>
  `${whose} needs the package ${name}, which is not installed, or not in a release that fits. Install it with:\n  ` +
  installCommand(name)

const installCommand = (name: string): string => {
  const release = RELEASES[name]
  const wanted = release === undefined ? name : `"${name}@${release}"`
  const manager = process.env["npm_config_user_agent"] ?? ""
  if (manager.startsWith("pnpm/")) return `pnpm add --save-dev ${wanted}`
  if (manager.startsWith("yarn/")) return `yarn add --dev ${wanted}`
  if (manager.startsWith("bun/")) return `bun add --dev ${wanted}`
  return `npm install --save-dev ${wanted}`
}
