// The door for platforms that speak Request and Response. Nothing here, nor below, needs Node. Exports only.

export * from './core/public.ts'
export {
  type Accepted,
  createHub,
  type PublicWebHub as Hub,
  type WebConnectOptions,
} from './sinks/web-hub.ts'
