/** What a listener throws must not end up in a client library, whose reader would end without a word. It is thrown all the same. */
export function guarded(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
