// The Retry-After header (RFC 9110, section 10.2.3): delay-seconds, or an HTTP-date in any of its three forms.

const SECONDS = /^\d+$/
/** RFC 9110, section 5.6.7: IMF-fixdate, rfc850-date, asctime-date. Date.parse alone takes far more for a date. */
const DATE =
  /^(?:\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT|\w{6,9}, \d{2}-\w{3}-\d{2} \d{2}:\d{2}:\d{2} GMT|\w{3} \w{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/

/**
 * Milliseconds from now to the moment that the response names; `undefined` where it names none.
 *
 * @param today the client's wall clock, asked only where the response has no `Date` to count from: clocks differ
 */
export function retryAfter(headers: Headers, today: () => number): number | undefined {
  const value = headers.get('Retry-After')?.trim() ?? ''
  if (SECONDS.test(value)) return Number(value) * 1000
  const at = httpDate(value)
  if (at === undefined) return undefined
  return Math.max(0, at - (httpDate(headers.get('Date') ?? '') ?? today()))
}

function httpDate(text: string): number | undefined {
  if (!DATE.test(text)) return undefined
  // An asctime-date does not say so, but is in UTC.
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : at
}
