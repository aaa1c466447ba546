// Sluice as it is published: the built library, so that no loader's transformation is measured with it.

const built = new URL('../../dist/index.js', import.meta.url).href

// The build has the types of its source, which the type check can read before there is a build.
export const { createHub } = (await import(built)) as typeof import('../../src/index.ts')
