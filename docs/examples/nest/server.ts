// NestJS: node server.ts, then
//   curl -N -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/events
//   curl -X PUT -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/shipped

import 'reflect-metadata'
import type { Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import {
  type BeforeApplicationShutdown,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Inject,
  Injectable,
  Module,
  NotFoundException,
  Param,
  Put,
  Req,
  Res,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import compression from 'compression'
import type { Request, Response } from 'express'
import { createHub, type Hub } from 'sluice'
import { EXPOSED, type Example, type Order, Orders, ownerOf, SITE } from '../orders/orders.ts'
import { closeOnSignals } from '../rolling-restart/close-on-signals.ts'

const HUB = Symbol('hub')

/** Guards come before the handler, and so before the stream: what they throw is answered as everywhere in Nest. */
@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request & { owner?: string }>()
    const owner = ownerOf(request.get('Authorization'))
    if (owner === undefined) throw new UnauthorizedException('a token, please')
    request.owner = owner
    return true
  }
}

@Controller('orders')
@UseGuards(TokenGuard)
class OrdersController {
  readonly #hub: Hub
  readonly #orders: Orders

  constructor(@Inject(HUB) hub: Hub, @Inject(Orders) orders: Orders) {
    this.#hub = hub
    this.#orders = orders
  }

  @Get()
  list(@Req() request: Request & { owner: string }): Order[] {
    return this.#orders.of(request.owner)
  }

  // With @Res(), and without `passthrough`, the answer is ours: Nest sends nothing after the handler. Not @Sse(): that is
  // Nest's own stream, an Observable for each client, without a log to resume from.
  @Get(':order/events')
  events(
    @Req() request: Request & { owner: string },
    @Res() response: Response,
    @Param('order') order: string,
  ): void {
    const found = this.#find(order, request.owner)
    // One channel per order. What the client missed while it was away comes by itself, by its Last-Event-ID.
    this.#hub.connect(request, response, { channels: [`order:${found.order}`], label: found.owner })
  }

  @Put(':order/:status')
  async change(
    @Req() request: Request & { owner: string },
    @Param('order') order: string,
    @Param('status') status: string,
  ): Promise<{ id: string }> {
    const found = this.#find(order, request.owner)
    found.status = status
    return { id: await this.#hub.publish(`order:${found.order}`, { event: 'status', data: found }) }
  }

  #find(order: string, owner: string): Order {
    const found = this.#orders.find(order, owner)
    if (!found) throw new NotFoundException()
    return found
  }
}

/** app.close() waits for every response, so for the streams as well: this hook comes before it closes the server. */
@Injectable()
class Streams implements BeforeApplicationShutdown {
  readonly #hub: Hub

  constructor(@Inject(HUB) hub: Hub) {
    this.#hub = hub
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#hub.close({ within: 5_000, reconnectOver: 10_000 })
  }
}

@Module({
  controllers: [OrdersController],
  providers: [Orders, Streams, { provide: HUB, useFactory: () => createHub({ proxyIdleTimeout: 60_000 }) }],
})
class AppModule {}

export async function start(port: number): Promise<Example> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] })
  app.enableCors({ origin: SITE, exposedHeaders: EXPOSED })
  app.use(compression())
  await app.listen(port, '127.0.0.1')
  const server: Server = app.getHttpServer()
  return { hub: app.get<Hub>(HUB), server, close: () => app.close() }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { hub, server, close } = await start(Number(process.env.PORT ?? 8080))
  // Nest's other shutdown hooks last.
  closeOnSignals(server, hub, { within: 5_000, reconnectOver: 10_000, closed: () => void close?.() })
  console.log('ready', server.address())
}
