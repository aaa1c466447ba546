// The lab's paths, and what each does.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type EventInput, type Hub, SluiceError } from '../../../src/index.ts'
import { type Channels, readableChannels } from './channels.ts'
import type { CrowdControl } from './crowd-control.ts'
import { HttpError, readFields, refuseCrossOrigin, refuseForeignHost, sendJson } from './http.ts'
import { createNames } from './names.ts'
import { servePage } from './page-files.ts'
import type { Pages } from './pages.ts'
import { FAULTS, type Fault } from './proxy.ts'
import type { Trial } from './trial.ts'

export interface RoutesOptions {
  hub: Hub
  channels: Channels
  crowd: CrowdControl
  trial: Trial
  pages: Pages
  note: (text: string) => void
  /** The address that the server listens on. */
  host: () => string
}

export function createRoutes({
  hub,
  channels,
  crowd,
  trial,
  pages,
  note,
  host,
}: RoutesOptions): RequestListener {
  const names = createNames(channels.names)
  /** A page asked to be dropped and to find its history gone. */
  let forgetting = false

  function events(req: IncomingMessage, res: ServerResponse, query: URLSearchParams): void {
    if (forgetting && req.headers['last-event-id'] !== undefined) forgetFigures()
    const connection = hub.connect(req, res, {
      channels: readableChannels(query.get('channels')),
      from: query.get('from') === 'oldest' ? 'oldest' : 'live',
      onGap: 'oldest',
      lastEventIdParam: 'last-event-id',
    })
    const number = Number(query.get('crowd'))
    if (number > 0) crowd.join(connection, number)
    else pages.join(connection)
  }

  /** Keeps only the newest of the figures, so that who missed several cannot get them any more. */
  function forgetFigures(): void {
    forgetting = false
    hub.channel('figures', { maxEvents: 1 })
    // The next to be published brings the channel's own bounds back: see Channel.
  }

  async function publish(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const fields = await readFields(req)
    // A form sends what was left empty, too; an event has no such part then.
    const form = req.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
    const part = (name: string): unknown => (form && fields[name] === '' ? undefined : fields[name])
    const event = { event: part('event'), data: fields.data, id: part('id') }
    names.announce(event.event)
    const id = await channels.events.publish(event as EventInput) // whatever it is: the hub looks at it
    sendJson(res, 200, { id })
  }

  async function drop(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { token, forget } = await readFields(req)
    const connection = pages.find(token)
    if (!connection) throw new HttpError(404, 'LAB_NO_CONNECTION', 'There is no such connection any more.')
    forgetting = forget === true
    connection.close()
    note(forgetting ? 'A page was dropped, and its history forgotten' : 'A page was dropped')
    sendJson(res, 200, { connection: connection.id })
  }

  async function order(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { action, count } = await readFields(req)
    sendJson(res, 200, { count: await crowd.order(action, count) })
  }

  async function experiment(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { fault, cure } = await readFields(req)
    if (cure === true) {
      const cured = await trial.cure()
      if (cured === null)
        throw new HttpError(409, 'LAB_NO_FINDING', 'There is no finding to cure yet; wait for one.')
      note(`The trial was cured: ${cured}`)
      return sendJson(res, 200, { cured })
    }
    if (typeof fault !== 'string' || !Object.hasOwn(FAULTS, fault)) {
      const known = Object.keys(FAULTS).join(', ')
      throw new HttpError(400, 'LAB_BAD_FAULT', `fault must be one of ${known}.`)
    }
    await trial.begin(fault as Fault) // one of its keys
    if (fault !== 'none') note(`A proxy stands in front of the trial: it ${FAULTS[fault as Fault]}`)
    sendJson(res, 200, { fault })
  }

  const posts = new Map([
    ['/trial', experiment],
    ['/publish', publish],
    ['/drop', drop],
    ['/crowd', order],
  ])

  async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    refuseForeignHost(req, host())
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://lab')
    // It answers other methods by itself.
    if (pathname === '/events') return events(req, res, searchParams)
    const post = posts.get(pathname)
    if (post) {
      allow(req, 'POST')
      refuseCrossOrigin(req)
      return post(req, res)
    }
    if (pathname === '/stats') {
      allow(req, 'GET', 'HEAD')
      return sendJson(res, 200, { ...hub.stats(), crowd: crowd.state() })
    }
    if (await servePage(pathname, res, () => allow(req, 'GET', 'HEAD'))) return
    throw new HttpError(404, 'LAB_NOT_FOUND', 'There is nothing here; the page is at /.')
  }

  return (req, res) => {
    route(req, res).catch((error: unknown) => refuse(res, error))
  }
}

/** @throws {HttpError} 405 */
function allow(req: IncomingMessage, ...methods: string[]): void {
  if (methods.includes(req.method ?? '')) return
  throw new HttpError(405, 'LAB_BAD_METHOD', `Use ${methods[0]} here.`, { Allow: methods.join(', ') })
}

/** Answers with what went wrong. A response that has begun cannot say it any more. */
function refuse(res: ServerResponse, error: unknown): void {
  if (res.headersSent) res.destroy()
  else if (error instanceof HttpError) {
    sendJson(res, error.status, { code: error.code, message: error.message }, error.headers)
  } else if (error instanceof SluiceError) {
    sendJson(res, 400, { code: error.code, message: error.message })
  } else {
    console.error('lab: a request failed:', error)
    sendJson(res, 500, { code: 'LAB_FAILED', message: 'The lab itself failed; its console says why.' })
  }
}
