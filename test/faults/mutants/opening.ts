/** Mutants that trust a server more than the settings allow, or say less of it than they must. */
import type { Mutant } from "./mutants.ts"

const SASL = "test/session/opening/authentication/sasl.sim.test.ts"
const SOCKET = "test/session/encryption/tlsSocket.sim.test.ts"
const ORDER = "test/session/opening/encryptionOrder.sim.test.ts"

export const openingMutants: ReadonlyArray<Mutant> = [
  {
    what: "does not say that it could have bound the channel",
    edits: [
      {
        file: "session/opening/authentication/sasl.ts",
        find: '"n" : "y"',
        replace: '"n" : "n"'
      }
    ],
    test: SASL
  },
  {
    what: "binds to nothing",
    edits: [
      {
        file: "session/opening/authentication/scram.ts",
        find: 'binding.flag === "p" ? binding.serverEndPoint : NodeBuffer.alloc(0)',
        replace: "NodeBuffer.alloc(0)"
      }
    ],
    test: SASL
  },
  {
    what: "lets a server in that does not authenticate, although binding is required",
    edits: [
      {
        file: "session/opening/authentication/allowedMethods.ts",
        find: "    withoutBinding(method, transport, options) ??\n",
        replace: ""
      }
    ],
    test: SASL
  },
  {
    what: "verifies no server if encryption is only preferred",
    edits: [
      {
        file: "session/encryption/tlsSocket.ts",
        find: '(sslMode !== "disable" && sslRootCert',
        replace: '(sslMode === "require" && sslRootCert'
      }
    ],
    test: "test/session/engine/transport.sim.test.ts"
  },
  {
    what: "does not look at the name in the certificate",
    edits: [
      {
        file: "session/encryption/tlsSocket.ts",
        find: 'sslMode === "verify-full" ? hostMismatch',
        replace: 'sslMode === "allow" ? hostMismatch'
      }
    ],
    test: SOCKET
  },
  {
    what: "takes a direct connection that is not PostgreSQL's by ALPN",
    edits: [
      {
        file: "session/encryption/tlsSocket.ts",
        find: 'options.sslNegotiation === "direct" && socket',
        replace: 'options.sslNegotiation === "postgres" && socket'
      }
    ],
    test: SOCKET
  },
  {
    what: "looks at no list of revoked certificates",
    edits: [
      {
        file: "session/encryption/tlsSocket.ts",
        find: "verifies && sslCrl.length > 0",
        replace: "verifies && sslCrl.length > 9"
      }
    ],
    test: SOCKET
  },
  {
    what: "gives up encryption after a secret was asked for",
    edits: [
      {
        file: "session/opening/encryptionOrder.ts",
        find: "&& encrypted && !passwordAsked",
        replace: "&& encrypted"
      }
    ],
    test: "test/session/engine/transport.sim.test.ts"
  },
  {
    what: "tries every refusal again without encryption",
    edits: [
      {
        file: "session/opening/encryptionOrder.ts",
        find: 'error._tag === "InvalidAuthorizationSpecificationError"',
        replace: "PgError.isPostgresError(error)"
      }
    ],
    test: ORDER
  },
  {
    what: "speaks an older protocol than the settings allow",
    edits: [
      {
        file: "session/opening/protocolVersion.ts",
        find: "if (version >= ProtocolVersion[minProtocolVersion]) return version",
        replace: "if (version > 0) return version"
      }
    ],
    test: "test/session/opening/protocolVersion.sim.test.ts"
  },
  {
    what: "sends the key of an encrypted session unencrypted",
    edits: [
      {
        file: "session/opening/cancelRequest.ts",
        find: 'return sslMode === "prefer" ? "require" : sslMode',
        replace: "return sslMode"
      }
    ],
    test: "test/session/engine/cancel.sim.test.ts"
  }
]
