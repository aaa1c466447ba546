// The progress line: on stderr, so that results on stdout stay clean. One line that changes on a terminal, a line each
// elsewhere.

const live = process.stderr.isTTY === true

export function progress(text: string): void {
  if (live) process.stderr.write(`\r\x1b[K${text}`)
  else process.stderr.write(`${text}\n`)
}

export function progressDone(): void {
  if (live) process.stderr.write('\r\x1b[K')
}
