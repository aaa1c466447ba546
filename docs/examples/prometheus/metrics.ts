// A hub's figures for Prometheus, with prom-client: counters and gauges are read from hub.stats() when Prometheus asks,
// ages and delays are observed as they happen. Base units (seconds, bytes) and names as Prometheus advises.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { DiagnosticsMessages, Hub, Stats } from 'sluice'

const SECONDS = [1, 5, 15, 30, 60, 120, 300, 900, 3_600, 14_400]

/** Registers the metrics of `hub`. Returns a function that stops observing. */
export function observe(hub: Hub, registry: Registry): () => void {
  const registers = [registry]
  let stats: Stats = hub.stats()

  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        // One snapshot for all metrics of a scrape would need an order among them; a snapshot is cheap.
        stats = hub.stats()
        this.set(value())
      },
    })
  }
  const counter = (name: string, help: string, value: () => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        stats = hub.stats()
        this.reset()
        this.inc(value())
      },
    })
  }
  const byReason = (name: string, help: string, values: () => Record<string, number>): void => {
    new Counter({
      name,
      help,
      registers,
      labelNames: ['reason'],
      collect() {
        stats = hub.stats()
        this.reset()
        for (const [reason, value] of Object.entries(values())) this.inc({ reason }, value)
      },
    })
  }

  gauge('sluice_connections', 'Open connections.', () => stats.connections)
  gauge('sluice_log_bytes', 'Bytes held by the logs of all channels.', () => stats.logBytes)
  gauge('sluice_overloaded', '1 while new connections are refused for the event-loop delay.', () =>
    Number(stats.overloaded),
  )
  gauge('sluice_slowest_connection_lag_events', 'Events that the slowest connection is behind.', () =>
    hub.connections().reduce((most, { lag }) => Math.max(most, lag.events), 0),
  )
  counter('sluice_connections_opened_total', 'Connections ever opened.', () => stats.opened)
  byReason('sluice_connections_closed_total', 'Connections closed, by reason.', () => stats.closes)
  byReason('sluice_connections_refused_total', 'Requests refused by limits, by reason.', () => stats.refused)
  counter('sluice_events_published_total', 'Events taken by logs.', () => stats.published)
  counter('sluice_events_delivered_total', 'Events written to connections.', () => stats.delivered)
  counter('sluice_sent_bytes_total', 'Bytes of event stream written.', () => stats.bytes)
  counter('sluice_gaps_total', 'Gaps told to clients.', () => stats.gaps)
  counter('sluice_stalls_total', 'Times that a connection was found stalled.', () => stats.stalls)

  const ages = new Histogram({
    name: 'sluice_connection_age_seconds',
    help: 'Age of connections when they closed, by reason.',
    labelNames: ['reason'],
    buckets: SECONDS,
    registers,
  })
  const closed = (message: unknown): void => {
    const { closed } = message as DiagnosticsMessages['sluice:connection:close'] // by the channel's name
    ages.observe({ reason: closed.reason }, closed.age / 1_000)
  }
  subscribe('sluice:connection:close', closed)
  return () => {
    unsubscribe('sluice:connection:close', closed)
  }
}
