// Workers: a stream belongs to the request that opened it, so a hub lives in a Durable Object, and all requests go to it.

import { handle, OPTIONS } from './handler.js'
import { createHub } from './sluice/web.js'

export class HubObject {
  #hub = createHub(OPTIONS)

  fetch(request) {
    return handle(this.#hub, request, request.headers.get('CF-Connecting-IP') ?? undefined)
  }
}

export default {
  fetch: (request, env) => env.HUB.get(env.HUB.idFromName('hub')).fetch(request),
}
