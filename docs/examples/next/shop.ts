// The state of this server. On globalThis, for Next loads a module several times: once for each bundle that imports it, and in
// development again after every change. A hub in an ordinary `const` would be one of many, and the route that publishes
// would publish to another than the one that the streams read.

import { createHub, type Hub } from 'sluice/web'
import { Orders } from '../orders/orders.ts'

export interface Shop {
  hub: Hub
  orders: Orders
}

const here = globalThis as { sluiceShop?: Shop | undefined }

export function shop(): Shop {
  here.sluiceShop ??= { hub: createHub({ proxyIdleTimeout: 60_000 }), orders: new Orders() }
  return here.sluiceShop
}
