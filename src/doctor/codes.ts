// Every finding that there is: what it means, and its cure in the settings of what usually causes it. The codes are
// stable; the words may be reworded. docs/doctor.md is held against this table by a test.

export interface CodeEntry {
  readonly means: string
  readonly cure: string
}

export const FINDING_CODES = {
  // Getting there
  unreachable: {
    means: 'No connection could be had: the name, the address, the port, or a firewall.',
    cure: 'Check the URL, that the server listens on that address, and what filters the port.',
  },
  certificate: {
    means: 'TLS failed, or the certificate is not one that browsers trust.',
    cure: 'Install a certificate that is valid for this name, with its intermediates (nginx ssl_certificate takes the full chain).',
  },
  'no-response': {
    means: 'The connection was made, and no response headers came: an EventSource stays in CONNECTING.',
    cure: 'Send headers at once: res.flushHeaders() or a first comment in Node; nginx: proxy_buffering off (or X-Accel-Buffering: no from the application, not ignored by proxy_ignore_headers) and no proxy_cache_lock; with compression middleware, call res.flush() or exempt text/event-stream.',
  },
  'bad-response': {
    means: 'What came is not a response that HTTP allows, or its headers are too large.',
    cure: 'Look at what listens there: a server of another protocol (https on an http port), or one that sends too many or endless headers.',
  },
  redirect: {
    means: 'The request was redirected. An EventSource follows, at every reconnect again.',
    cure: 'Use the final URL in new EventSource(…); typical causes are a trailing slash and http → https.',
  },
  'redirect-cross-origin': {
    means:
      'The redirect leads to another origin, where CORS rules and headers such as Authorization are dropped.',
    cure: 'Use the final URL, and allow the origin of the page there (Access-Control-Allow-Origin).',
  },
  'redirect-broken': {
    means: 'A redirect that a browser cannot or may not follow.',
    cure: 'Send a whole Location, never from https to http (behind a proxy: honour X-Forwarded-Proto), and no circle.',
  },

  // The response
  status: {
    means: 'The status is not 200: an EventSource fires error and gives up for good.',
    cure: 'Answer 200. To have clients come back later, answer 200 with retry: and end the stream.',
  },
  'status-204': {
    means: '204: an EventSource stops reconnecting, which is the way to tell it to.',
    cure: 'If the stream was not meant to be over for good, answer 200 and keep it open.',
  },
  'status-auth': {
    means: '401, 403 or 407: the request is not authorised, and an EventSource gives up for good.',
    cure: 'A native EventSource cannot set headers: use cookies (withCredentials) or a short-lived token in the URL; for this probe, --header "Authorization: …" or "Cookie: …".',
  },
  'status-limit': {
    means: '429 or 503: turned away by a limit or an overload, and an EventSource gives up for good.',
    cure: 'For browsers refuse with 200, a retry: of some seconds and an end; raise nginx limit_conn/limit_req, HAProxy maxconn, or the application’s limit.',
  },
  'status-gateway': {
    means: '502 or 504: a proxy got no usable answer from the application.',
    cure: 'Application down, or silent for longer than the proxy waits (nginx proxy_read_timeout, HAProxy timeout server, ALB idle timeout, Cloudflare 100 s): send headers at once.',
  },
  'content-type': {
    means: 'The content type is not text/event-stream: an EventSource gives up for good.',
    cure: 'Content-Type: text/event-stream (res.setHeader in Node, media_type in FastAPI, mimetype in Flask). An HTML page is often a login, an error page, or a single-page application’s fallback for an unknown path.',
  },
  charset: {
    means: 'The content type names a charset that is not UTF-8; an event stream is always read as UTF-8.',
    cure: 'Encode as UTF-8 and leave the charset away (nginx: charset off).',
  },
  'cache-control': {
    means: 'Nothing keeps caches from storing the stream, or from waiting for its end to do so.',
    cure: 'Cache-Control: no-cache, no-store, no-transform.',
  },
  'no-transform': {
    means:
      'Cache-Control does not say no-transform: proxies may compress the stream, and hold it back for that.',
    cure: 'Cache-Control: no-cache, no-store, no-transform (Cloudflare, HAProxy and Node’s compression middleware obey it, nginx does not).',
  },
  cached: {
    means: 'The answer came out of a cache, so it is somebody’s old stream.',
    cure: 'Cache-Control: no-store, and no cache for this path: nginx proxy_cache off (and not proxy_ignore_headers Cache-Control), Varnish return(pipe), Cloudflare and CloudFront a bypass rule.',
  },
  'content-length': {
    means: 'The stream announces its length, and ends when that is reached.',
    cure: 'Send no Content-Length; a middleware that buffers the whole response to count it has to be exempted.',
  },
  'http-1.0': {
    means: 'The response is HTTP/1.0: no chunks, no keep-alive, and every stream’s end looks like a cut.',
    cure: 'nginx: proxy_http_version 1.1 and proxy_set_header Connection ""; Apache: no force-response-1.0 or downgrade-1.0; otherwise a server that speaks HTTP/1.1.',
  },
  compressed: {
    means:
      'The stream is compressed, and arrives as it is sent: it costs memory and CPU per connection on both sides.',
    cure: 'Leave text/event-stream out: nginx gzip_types, HAProxy compression type, Apache SetEnv no-gzip, a filter for Node’s compression middleware.',
  },
  'compression-holds': {
    means: 'The stream is compressed, and the compressor holds events back.',
    cure: 'Do not compress text/event-stream (nginx gzip_types, HAProxy compression type, Apache SetEnv no-gzip, a filter for Node’s compression middleware), send Cache-Control: no-transform, or flush after every event (res.flush()).',
  },
  'compression-unreadable': {
    means: 'The content coding is one that was not asked for, or the bytes are not of that coding.',
    cure: 'Send Content-Encoding only for what really was compressed, and only what Accept-Encoding allows.',
  },
  'six-connections': {
    means:
      'HTTP/1.x only: a browser opens six connections per host for all tabs together, and each EventSource holds one.',
    cure: 'Serve HTTP/2 over TLS (nginx: http2 on; HAProxy: alpn h2,http/1.1; Apache: Protocols h2 http/1.1; ALB and Cloudflare do), or share one stream among tabs (SharedWorker, BroadcastChannel).',
  },
  concurrency: {
    means:
      'Of seven streams opened at once over HTTP/1.1, not all were answered: something caps them, or lets them wait for each other.',
    cure: 'Raise limits per address (nginx limit_conn, HAProxy stick-table conn_cur, the application’s own), the workers of a thread-per-request server (gunicorn, PHP-FPM), and turn nginx proxy_cache_lock off for streams.',
  },
  'h2-streams': {
    means: 'The server allows few HTTP/2 streams at once on a connection, and each EventSource holds one.',
    cure: 'Raise it to 100 or more: nginx http2_max_concurrent_streams, HAProxy tune.h2.max-concurrent-streams, Node settings.maxConcurrentStreams.',
  },

  // When it arrives
  'headers-late': {
    means: 'The response headers came late: an EventSource is not open before they do.',
    cure: 'Send headers before the first event: res.flushHeaders() or a first comment at once; nginx: proxy_buffering off, or X-Accel-Buffering: no.',
  },
  'first-byte-late': {
    means:
      'Headers came, and the first byte of the body late or not at all: Safari and Firefox, and some proxies, wait for it.',
    cure: 'Write a comment (":\\n\\n") or retry: block as soon as the stream opens; if the server does, a proxy holds it back: nginx proxy_buffering off, Apache flushpackets=on, Cloudflare Response Buffering off.',
  },
  'held-back': {
    means: 'Events arrive in clumps though they were sent apart: something buffers the stream.',
    cure: 'nginx: proxy_buffering off, or X-Accel-Buffering: no from the application (and not proxy_ignore_headers X-Accel-Buffering), and proxy_http_version 1.1; Apache: ProxyPass … flushpackets=on; IIS: responseBufferLimit 0; Cloudflare: Response Buffering off; the application: flush after every event.',
  },
  clumps: {
    means:
      'Events arrive in clumps. From this side it cannot be told whether they are published so or held back.',
    cure: 'If the application sends them one by one, treat it as held-back: compare with curl -N on the application’s own port. Times (ISO or milliseconds) in the events let the doctor tell.',
  },
  heartbeat: {
    means: 'How often something comes in silence: comments, or events named ping, heartbeat or keepalive.',
    cure: 'Send a comment every 15 to 20 s of silence (Sluice: heartbeat or proxyIdleTimeout), below the shortest idle timeout on the way: nginx, ALB and Heroku 55–60 s, Cloudflare 100 s, Azure 230 s. If none was seen, watch longer: --wait 60.',
  },

  // How it ends
  'idle-timeout': {
    means: 'The stream was ended after a silence: an idle timeout on the way or in the server.',
    cure: 'Heartbeats well below it, or raise it: nginx proxy_read_timeout, HAProxy timeout server and timeout client (timeout tunnel only for upgraded connections), Apache ProxyTimeout, ALB idle_timeout.timeout_seconds, Node server.timeout = 0 or req.setTimeout(0).',
  },
  cut: {
    means: 'The stream was cut in the middle: a reset, or an end without the last chunk.',
    cure: 'A crash or restart of the application, or a maximum duration: HAProxy hard-stop-after at a reload, gunicorn --timeout, PHP max_execution_time, serverless limits (Lambda, Vercel), Cloud Run request timeout. Rotate streams below it (Sluice: maxAge) with ids to resume by.',
  },
  ends: {
    means:
      'The server ended the stream in good order while it was watched: with a reconnect after each, it is polling.',
    cure: 'Keep the response open after an event: no res.end(), no return from the handler. If the stream is over for good, answer the reconnect with 204.',
  },

  // Coming back
  ids: {
    means: 'Events carry no ids: what is sent while a client is away is lost, and nobody notices.',
    cure: 'Send id: with every event, and on reconnect what came after Last-Event-ID (Sluice does both).',
  },
  resume: {
    means: 'What the server does with the Last-Event-ID of a client that comes back.',
    cure: 'Keep a log, and replay what came after Last-Event-ID; tell a gap when it is gone. Behind a proxy see that it passes the header and does not answer from a cache.',
  },
  'resume-refused': {
    means:
      'A reconnect with an id that the server itself gave is refused: the EventSource gives up for good.',
    cure: 'Answer 200 whatever the id, and say in the stream what cannot be resumed.',
  },
  'last-event-id-unsafe': {
    means:
      'An unknown or malformed Last-Event-ID breaks the answer: clients that come with an id of an earlier server give up for good.',
    cure: 'Treat Last-Event-ID as untrusted input: what is unknown, too long or malformed is a miss, never an error. If a firewall answers (403), exempt this header.',
  },
  retry: {
    means:
      'The reconnection time that the stream asks for; without one browsers take 3 to 5 s, all at the same moment.',
    cure: 'Send retry: with 1,000 to 30,000 ms in digits, drawn at random per client, so that they do not come back all at once.',
  },

  // The format
  bom: {
    means: 'The stream begins with a byte order mark. Browsers skip one; other parsers lose the first field.',
    cure: 'Write UTF-8 without BOM (PHP: save the file without; .NET: new UTF8Encoding(false)).',
  },
  'line-ends': {
    means: 'Lines end in CR, or in CRLF. That is allowed; parsers other than browsers’ trip over bare CR.',
    cure: 'End lines with LF alone.',
  },
  'nul-id': {
    means: 'An id holds NUL, so it is ignored: the client resumes from an older one.',
    cure: 'Use printable ASCII in ids.',
  },
  unterminated: {
    means: 'The stream ended, or fell silent, within a block: without its empty line an event never fires.',
    cure: 'End every event with an empty line ("\\n\\n"), and write it in one piece.',
  },
  'unknown-fields': {
    means: 'Lines whose field name no EventSource knows: they are ignored in silence.',
    cure: 'Field names are data, event, id and retry, in lower case; every line of data needs its own "data: ".',
  },
  'event-without-data': {
    means: 'Blocks that name an event and have no data: nothing fires.',
    cure: 'Add a data line, if empty ("data:").',
  },
  'not-utf8': {
    means: 'The stream holds bytes that are not UTF-8, which arrive as U+FFFD.',
    cure: 'Encode as UTF-8; send binary data as base64.',
  },
  'too-large': {
    means: 'An event is so large that the doctor did not put it together, or more came than it reads.',
    cure: 'Send a reference instead of the thing; split what is large.',
  },

  // Other origins
  cors: {
    means: 'Whether a page of the given origin may read the stream.',
    cure: 'Access-Control-Allow-Origin with the page’s origin (and Vary: Origin), exactly once; add_header … always in nginx, or cors in Sluice.',
  },
  'cors-credentials': {
    means: 'The stream may not be read with cookies (withCredentials).',
    cure: 'Access-Control-Allow-Credentials: true, with the origin named instead of *.',
  },
  'cors-preflight': {
    means:
      'A preflight that asks for Last-Event-ID is not granted: EventSource needs none, clients built on fetch do.',
    cure: 'Answer OPTIONS with 204, Access-Control-Allow-Origin, and Access-Control-Allow-Headers: Last-Event-ID.',
  },

  protocol: {
    means: 'The protocol version, for reading the rest.',
    cure: 'None needed.',
  },
  interrupted: {
    means: 'The probe was ended before it was done; what it had not tried is missing here.',
    cure: 'Let it finish.',
  },
} as const satisfies Record<string, CodeEntry>

export type FindingCode = keyof typeof FINDING_CODES
