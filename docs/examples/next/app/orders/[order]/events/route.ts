import { ownerOf } from '../../../../../orders/orders.ts'
import { shop } from '../../../../shop.ts'

// A stream is made for each request, by this process: neither when the app is built, nor in an edge runtime.
export const dynamic = 'force-dynamic'
export const runtime = 'nodejs'

export async function GET(
  request: Request,
  { params }: { params: Promise<{ order: string }> },
): Promise<Response> {
  const { hub, orders } = shop()
  // proxy.ts has looked at the token; whose order it is we look at here.
  const order = orders.find((await params).order, ownerOf(request.headers.get('Authorization')) ?? '')
  if (!order) return new Response(null, { status: 404 })
  // One channel per order. What the client missed while it was away comes by itself, by its Last-Event-ID.
  return hub.respond(request, { channels: [`order:${order.order}`], label: order.owner })
}
