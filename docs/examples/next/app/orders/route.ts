import { ownerOf } from '../../../orders/orders.ts'
import { shop } from '../../shop.ts'

export const dynamic = 'force-dynamic'

export function GET(request: Request): Response {
  const owner = ownerOf(request.headers.get('Authorization'))
  return Response.json(shop().orders.of(owner ?? ''))
}
