// What every runtime serves in test/runtimes: a hub behind Request and Response, with ways to look into it.

export async function handle(hub, request, address) {
  const url = new URL(request.url)
  const query = url.searchParams
  switch (url.pathname) {
    case '/events':
      return hub.respond(request, { channels: query.getAll('channel'), address, cors: true })
    case '/answer': {
      const { response, connection } = hub.accept(request)
      connection.send({ event: 'hello', data: connection.id })
      return response
    }
    case '/publish': {
      const ids = []
      const [from, to] = [Number(query.get('from')), Number(query.get('to'))]
      const padding = 'x'.repeat(Number(query.get('padding') ?? 0))
      for (let n = from; n <= to; n += 1) {
        const own = query.get('id')
        ids.push(await hub.publish('numbers', { data: `${n}${padding}`, ...(own ? { id: own } : {}) }))
      }
      return Response.json(ids)
    }
    case '/stats':
      return Response.json({
        ...hub.stats(),
        buffered: hub.connections().map(({ bufferedBytes }) => bufferedBytes),
      })
    case '/close':
      return Response.json(await hub.close({ within: 2_000, reconnectOver: 100 }))
    default:
      return new Response('not found', { status: 404 })
  }
}

export const OPTIONS = { heartbeat: 500, stallTimeout: 2_000 }
