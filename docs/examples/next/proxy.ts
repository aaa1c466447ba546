// Before every route: CORS, which Next leaves to us, and the token check.

import { type NextRequest, NextResponse } from 'next/server'
import { EXPOSED, ownerOf, SITE } from '../orders/orders.ts'

export function proxy(request: NextRequest): NextResponse {
  // A preflight has no token, and a page sees a 401 only with the headers of CORS.
  const response = answer(request)
  response.headers.set('Vary', 'Origin')
  if (request.headers.get('Origin') === SITE) {
    response.headers.set('Access-Control-Allow-Origin', SITE)
    response.headers.set('Access-Control-Expose-Headers', EXPOSED.join(', '))
  }
  return response
}

function answer(request: NextRequest): NextResponse {
  if (request.method === 'OPTIONS') {
    const headers = {
      'Access-Control-Allow-Methods': 'GET, PUT',
      'Access-Control-Allow-Headers': 'Authorization, Last-Event-ID',
    }
    return new NextResponse(null, { status: 204, headers })
  }
  if (ownerOf(request.headers.get('Authorization')) === undefined) {
    return NextResponse.json({ error: 'a token, please' }, { status: 401 })
  }
  return NextResponse.next()
}
