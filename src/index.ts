// The door for Node servers: createHub, and the types that go with it. Exports only.

export * from './core/public.ts'
export type { DiagnosticsMessages } from './sinks/diagnostics.ts'
export { createHub, type NodeConnectOptions, type PublicHub as Hub } from './sinks/node-hub.ts'
export type { Accepted, WebConnectOptions } from './sinks/web-hub.ts'
