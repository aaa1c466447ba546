import { ownerOf } from '../../../../../orders/orders.ts'
import { shop } from '../../../../shop.ts'

export async function PUT(
  request: Request,
  { params }: { params: Promise<{ order: string; status: string }> },
): Promise<Response> {
  const { hub, orders } = shop()
  const { order: name, status } = await params
  const order = orders.find(name, ownerOf(request.headers.get('Authorization')) ?? '')
  if (!order) return new Response(null, { status: 404 })
  order.status = status
  return Response.json({ id: await hub.publish(`order:${order.order}`, { event: 'status', data: order }) })
}
