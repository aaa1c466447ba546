// Which products are known for ending a stream after so long, by their defaults. A hint where to look, no proof.

interface Known {
  readonly name: string
  readonly ms: readonly number[]
}

/** Time without a byte from the server. */
const IDLE: readonly Known[] = [
  { name: 'nginx (proxy_read_timeout)', ms: [60_000] },
  { name: 'AWS ALB (idle_timeout)', ms: [60_000] },
  { name: 'HAProxy (timeout server, timeout client)', ms: [50_000] },
  { name: 'Heroku', ms: [55_000] },
  { name: 'Cloudflare', ms: [100_000, 120_000] },
  { name: 'Azure App Service or Load Balancer', ms: [230_000, 240_000] },
  { name: 'AWS CloudFront (origin response timeout)', ms: [30_000] },
  { name: 'Envoy or Istio (stream_idle_timeout)', ms: [300_000] },
  { name: 'fetch in Node (undici bodyTimeout)', ms: [300_000] },
]

/** Time from the request, whatever is sent. */
const WHOLE: readonly Known[] = [
  { name: 'Envoy or Istio (route timeout)', ms: [15_000] },
  { name: 'AWS API Gateway', ms: [29_000] },
  { name: 'Google Cloud Load Balancing (backend service timeout)', ms: [30_000] },
  { name: 'Google Cloud Run', ms: [300_000, 3_600_000] },
  { name: 'AWS Lambda', ms: [900_000] },
]

/** How far a measured value may be from a default to be named after it. */
const NEAR = 0.04

export function knownIdleTimeouts(ms: number): string[] {
  return namesNear(IDLE, ms)
}

export function knownMaximumDurations(ms: number): string[] {
  return namesNear(WHOLE, ms)
}

function namesNear(known: readonly Known[], ms: number): string[] {
  return known.filter((one) => one.ms.some((its) => Math.abs(ms - its) <= NEAR * its)).map(({ name }) => name)
}
