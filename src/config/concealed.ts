/** Keeps the private key of TLS out of what is printed of a configuration. */
import { inspect } from "node:util"

/** Hides the private key, the one secret that is not `Redacted`, because TLS needs it as a string. */
export const concealed = <Config extends { readonly sslKey: string | undefined }>(config: Config): Config => {
  const shown = () => {
    const { sslKey: _, ...rest } = config
    return rest
  }
  return Object.defineProperties(config, {
    toJSON: { value: shown },
    toString: { value: () => inspect(shown()) },
    [inspect.custom]: { value: shown }
  })
}
