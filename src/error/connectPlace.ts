/** Where and when an attempt to connect fails. */

/**
 * How far an attempt to connect got: looking up the host name (`resolve`), opening the connection (`tcp`), negotiating
 * TLS (`tls`), or the conversation until the session is ready (`startup`).
 *
 * @category models
 * @since 0.1.0
 */
export type ConnectStage = "resolve" | "tcp" | "tls" | "startup"

/**
 * Where and when connecting failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectPlace {
  /** A name or an address as configured, or the path of a Unix socket. */
  readonly host: string
  readonly port: number | undefined
  /** The address to which the host name was resolved, if it was. */
  readonly address: string | undefined
  readonly stage: ConnectStage
}

/** `db.example.com:5432 (192.0.2.7), startup` */
export const describePlace = ({ address, host, port, stage }: ConnectPlace): string => {
  const place = port === undefined ? host : `${host}:${port}`
  return address === undefined || address === host ? `${place}, ${stage}` : `${place} (${address}), ${stage}`
}

/** What is added to the message of an error that has a place. */
export const atPlace = (place: ConnectPlace | undefined): string =>
  place === undefined ? "" : ` (server: ${describePlace(place)})`

/** The message without what `atPlace` has added to it. */
export const withoutPlace = ({
  message,
  place
}: {
  readonly message: string
  readonly place?: ConnectPlace | undefined
}) => message.slice(0, message.length - atPlace(place).length)
