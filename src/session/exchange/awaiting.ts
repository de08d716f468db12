/**
 * The messages that an exchange of the extended protocol can wait for, in the words of the error if another one comes.
 */
export const Awaiting = {
  parseComplete: "ParseComplete",
  parameterDescription: "ParameterDescription",
  rowDescription: "RowDescription or NoData",
  bindComplete: "BindComplete",
  portalDescription: "RowDescription or NoData of the portal",
  rows: "DataRow, CommandComplete, EmptyQueryResponse or PortalSuspended",
  copyData: "CopyData or CopyDone",
  error: "ErrorResponse after CopyFail",
  nothing: "no message, because no run is under way",
  ready: "ReadyForQuery",
  types: "the types that the client asked for"
} as const

export type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]
